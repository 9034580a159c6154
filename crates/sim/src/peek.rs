//! A look at an app without a request, for callers in the same process that look so often that writing and reading JSON
//! would be all their work.
//!
//! It shows what the API would show at that moment, taken apart: each part has a mark that changes whenever the part
//! does, so that a caller who knows the part already need not have it made again. Nothing is recorded, no fault
//! strikes, and no limit counts.

use crate::app::App;
use crate::clock::{http_date, later};
use crate::deployment::{Content, Deployment, Phase, Stage};
use crate::knobs::{EvOnRead, Knobs, ListSpec, seconds};
use crate::render::{WithSpec, app_alone, deployment};
use crate::world::{State, World};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// An app as the API would show it.
#[derive(Clone, Copy)]
pub struct Peek<'a> {
    state: &'a State,
    app: &'a App,
}

/// A deployment as the API would show it.
#[derive(Clone, Copy)]
pub struct Glimpse<'a> {
    deployment: &'a Deployment,
    now: Timestamp,
    knobs: &'a Knobs,
}

/// Says that a part is as it was: equal marks of one part, equal parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    changed_at: Timestamp,
    phase_at: Timestamp,
    phase: Option<Phase>,
    count: usize,
    spec: usize,
}

/// Whether the list shows the specs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Specs {
    /// It does.
    Shown,
    /// It does not.
    Omitted,
}

impl World {
    /// Looks at an app, by its id, once everything has happened that was due by now; nothing where there is none.
    pub fn peek<T>(&self, app: &str, look: impl FnOnce(Peek<'_>) -> T) -> Option<T> {
        self.with(|state| {
            // What arrives late has its effect at its own time, and only a request lets it in.
            let due = state.delayed.iter().map(|(due, _)| *due);
            let now = due.fold(state.clock.now(), jiff::Timestamp::min);
            state.advance(now);
            let app = state.app(app).ok()?;
            Some(look(Peek { state, app }))
        })
    }
}

impl<'a> Peek<'a> {
    /// Tells whether a request is still on its way that would arrive before another one.
    #[must_use]
    pub fn is_awaiting_a_request(&self) -> bool {
        !self.state.delayed.is_empty()
    }

    /// Tells whether reading the app by a request changes what it reads.
    #[must_use]
    pub fn is_changed_by_reading(&self) -> bool {
        self.state.knobs.ev_on_read == EvOnRead::Changing
    }

    /// Returns the `Date` that an answer would have.
    #[must_use]
    pub fn date(&self) -> String {
        http_date(self.state.now)
    }

    /// Returns the app without its spec and the deployments in its slots.
    #[must_use]
    pub fn alone(&self) -> Value {
        app_alone(self.app, &self.state.public_base)
    }

    /// Returns the mark of [`Peek::alone`].
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            changed_at: self.app.updated_at,
            phase_at: self.app.created_at,
            phase: self.app.active.as_ref().map(|_| Phase::Active),
            count: self.app.deployments.len(),
            spec: Arc::as_ptr(&self.app.spec).addr(),
        }
    }

    /// Returns the app's spec.
    #[must_use]
    pub fn spec(&self) -> &'a Arc<Value> {
        &self.app.spec
    }

    /// Returns what is in the slots: active, in progress, pending, pinned.
    #[must_use]
    pub fn slots(&self) -> [Option<Glimpse<'a>>; 4] {
        [
            self.app.active_deployment(),
            self.app.in_progress(&self.state.knobs),
            self.app.pending(),
            self.app.pinned_deployment(),
        ]
        .map(|held| held.map(|held| self.glimpse(held)))
    }

    /// Returns all deployments, newest first.
    pub fn deployments(&self) -> impl Iterator<Item = Glimpse<'a>> + use<'a> {
        let this = *self;
        let deployments = this.app.deployments.iter().rev();
        deployments.map(move |each| this.glimpse(each))
    }

    /// Returns the deployments that the list shows, newest first.
    pub fn listed(&self) -> impl Iterator<Item = Glimpse<'a>> + use<'a> {
        let this = *self;
        let lag = seconds(this.state.knobs.list_lag_seconds);
        let deployments = this.app.deployments.iter().rev();
        deployments
            .filter(move |each| later(each.created_at, lag) <= this.state.now)
            .map(move |each| this.glimpse(each))
    }

    /// Returns whether the list shows their specs.
    #[must_use]
    pub fn listed_specs(&self) -> Specs {
        match self.state.knobs.list_spec {
            ListSpec::Present => Specs::Shown,
            ListSpec::Omitted => Specs::Omitted,
        }
    }

    /// Returns a deployment by its id.
    #[must_use]
    pub fn deployment(&self, id: &str) -> Option<Glimpse<'a>> {
        self.app.deployment(id).map(|found| self.glimpse(found))
    }

    fn glimpse(&self, deployment: &'a Deployment) -> Glimpse<'a> {
        Glimpse {
            deployment,
            now: self.state.now,
            knobs: &self.state.knobs,
        }
    }
}

impl<'a> Glimpse<'a> {
    /// Returns its id.
    #[must_use]
    pub fn id(&self) -> &'a str {
        &self.deployment.id
    }

    /// Returns its spec.
    #[must_use]
    pub fn spec(&self) -> &'a Arc<Value> {
        &self.deployment.spec
    }

    /// Returns its phase, in the API's word.
    #[must_use]
    pub fn phase(&self) -> &'static str {
        self.deployment.phase.text()
    }

    /// Returns when it came into its phase.
    #[must_use]
    pub fn phase_at(&self) -> Timestamp {
        self.deployment.phase_at
    }

    /// Returns when it was made.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.deployment.created_at
    }

    /// Returns what made it, in the API's words.
    #[must_use]
    pub fn cause(&self) -> &'a str {
        &self.deployment.cause.text
    }

    /// Returns the type of what made it.
    #[must_use]
    pub fn cause_type(&self) -> &'static str {
        self.deployment.cause.kind.text()
    }

    /// Returns the user who made it.
    #[must_use]
    pub fn user(&self) -> Option<&'a str> {
        self.deployment
            .cause
            .details
            .pointer("/digitalocean_user_action/user/email")
            .and_then(Value::as_str)
    }

    /// Returns the jobs that failed.
    pub fn failed_jobs(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let failed = self
            .deployment
            .jobs
            .iter()
            .filter(|job| job.leaf.failure.is_some());
        failed.map(|job| job.name.as_str())
    }

    /// Returns whether the process of a job runs.
    #[must_use]
    pub fn runs_a_job(&self) -> bool {
        matches!(self.deployment.stage, Stage::JobRunning(_))
    }

    /// Returns the jobs whose processes were cut short from outside: name, begin and end.
    pub fn cut_short(&self) -> impl Iterator<Item = (&'a str, Timestamp, Timestamp)> + use<'a> {
        self.deployment.jobs.iter().filter_map(|job| {
            let (begin, end) = (job.process_at?, job.cancelled_at?);
            Some((job.name.as_str(), begin, end))
        })
    }

    /// Returns the deployment before it.
    #[must_use]
    pub fn previous(&self) -> Option<&'a str> {
        self.deployment.previous.as_deref()
    }

    /// Returns the deployment that it copies.
    #[must_use]
    pub fn cloned_from(&self) -> Option<&'a str> {
        self.deployment.cloned_from.as_deref()
    }

    /// Returns the commit that a component was built from.
    #[must_use]
    pub fn commit_of(&self, component: &str) -> Option<&'a str> {
        match &self.deployment.origins.get(component)?.content {
            Content::Commit { hash, .. } => Some(hash),
            Content::Image { .. } => None,
        }
    }

    /// Returns the deployment without its spec.
    #[must_use]
    pub fn alone(&self) -> Value {
        deployment(self.deployment, self.now, self.knobs, WithSpec::No)
    }

    /// Returns the mark of [`Glimpse::alone`].
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            changed_at: self.deployment.changed_at(self.now),
            phase_at: self.deployment.phase_at,
            phase: Some(self.deployment.phase),
            count: 0,
            spec: 0,
        }
    }
}
