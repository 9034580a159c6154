//! The app as it really is, seen from behind the API: what runs are judged by.

use crate::actor::ours;
use crate::scene::{APP, REFERENCE};
use jiff::Timestamp;
use serde_json::Value;
use sim::World;
use std::sync::Arc;

/// An app at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) spec: Arc<Value>,
    /// The newest good deployment.
    pub(crate) active: Option<String>,
    /// Whether a rollback pinned it.
    pub(crate) pinned: bool,
    /// Newest first.
    pub(crate) deployments: Vec<Row>,
}

/// A deployment at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) phase: &'static str,
    pub(crate) phase_at: Timestamp,
    pub(crate) created_at: Timestamp,
    /// What made it, in the platform's words, and the type of that.
    pub(crate) cause: (String, &'static str),
    pub(crate) user: Option<String>,
    pub(crate) previous: Option<String>,
    pub(crate) cloned_from: Option<String>,
    pub(crate) spec: Arc<Value>,
    /// The commit of the component that the job is like.
    pub(crate) commit: Option<String>,
    /// Whether the process of a job runs.
    pub(crate) runs_a_job: bool,
    /// Jobs that failed.
    pub(crate) failed_jobs: Vec<String>,
    /// Jobs whose processes were cut short: name, begin and end.
    pub(crate) cut_short: Vec<(String, Timestamp, Timestamp)>,
}

/// Whether a deployment in this phase is still on its way.
pub(crate) fn is_in_flight(phase: &str) -> bool {
    ["PENDING_BUILD", "BUILDING", "PENDING_DEPLOY", "DEPLOYING"].contains(&phase)
}

impl Row {
    pub(crate) fn is_in_flight(&self) -> bool {
        is_in_flight(self.phase)
    }

    pub(crate) fn was_good(&self) -> bool {
        ["ACTIVE", "SUPERSEDED"].contains(&self.phase)
    }
}

impl Shown {
    pub(crate) fn now(world: &World) -> Self {
        let shown = world.peek(APP, |seen| Self {
            spec: Arc::clone(seen.spec()),
            active: seen.slots()[0].map(|live| live.id().to_owned()),
            pinned: seen.slots()[3].is_some(),
            deployments: seen
                .deployments()
                .map(|one| Row {
                    id: one.id().to_owned(),
                    phase: one.phase(),
                    phase_at: one.phase_at(),
                    created_at: one.created_at(),
                    cause: (one.cause().to_owned(), one.cause_type()),
                    user: one.user().map(str::to_owned),
                    previous: one.previous().map(str::to_owned),
                    cloned_from: one.cloned_from().map(str::to_owned),
                    spec: Arc::clone(one.spec()),
                    commit: one.commit_of(REFERENCE).map(str::to_owned),
                    runs_a_job: one.runs_a_job(),
                    failed_jobs: one.failed_jobs().map(str::to_owned).collect(),
                    cut_short: one
                        .cut_short()
                        .map(|(name, begin, end)| (name.to_owned(), begin, end))
                        .collect(),
                })
                .collect(),
        });
        shown.expect("the app is there")
    }

    /// The spec of the newest good deployment.
    pub(crate) fn live_spec(&self) -> &Value {
        self.deployments
            .iter()
            .find(|one| Some(&one.id) == self.active.as_ref())
            .map_or(&Value::Null, |one| one.spec.as_ref())
    }

    /// The jobs of ours in the spec and in what is live.
    pub(crate) fn left(&self) -> Vec<String> {
        let mut jobs = ours(&self.spec);
        jobs.extend(ours(self.live_spec()));
        jobs
    }

    /// Whether no job of ours is in the spec or in what is live.
    pub(crate) fn is_clean(&self) -> bool {
        self.left().is_empty()
    }

    /// The newest deployment that is still on its way.
    pub(crate) fn in_flight(&self) -> Option<&Row> {
        self.deployments.iter().find(|one| one.is_in_flight())
    }

    pub(crate) fn is_in_flight(&self) -> bool {
        self.in_flight().is_some()
    }

    pub(crate) fn runs_a_job(&self) -> bool {
        self.deployments.iter().any(|one| one.runs_a_job)
    }
}
