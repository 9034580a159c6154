//! One app: its spec, its deployments and the slots that point at them.

use crate::clock::later;
use crate::deployment::{Deployment, Origin, Phase, Stage};
use crate::knobs::{FailedSlot, Knobs, Overlap, Timing, seconds};
use crate::spec::app_name;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Whether an app's live services answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// With 200.
    #[default]
    Up,
    /// With 503.
    Down,
}

/// Something that goes wrong in the next deployment that comes by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Breakage {
    /// A component's build exits non-zero.
    BuildFails {
        /// The component.
        component: String,
    },
    /// A component never passes its health check.
    HealthCheckFails {
        /// The component.
        component: String,
    },
}

/// An app.
pub(crate) struct App {
    pub(crate) id: String,
    pub(crate) spec: Arc<Value>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// Oldest first.
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) active: Option<String>,
    pub(crate) pinned: Option<String>,
    pub(crate) spec_before_rollback: Option<Arc<Value>>,
    /// What each component is at, so that an update can keep it.
    pub(crate) origins: BTreeMap<String, Origin>,
    /// The keys of builds that exist.
    pub(crate) built: BTreeSet<String>,
    /// When an auto-rollback begins, and for which deployment.
    pub(crate) rollback_due: Option<(Timestamp, String)>,
    pub(crate) health: Health,
    pub(crate) timing: Timing,
    /// How long the jobs of these names take; a `*` stands for anything.
    pub(crate) job_seconds: BTreeMap<String, u64>,
    pub(crate) breakages: Vec<Breakage>,
}

impl App {
    pub(crate) fn name(&self) -> &str {
        app_name(&self.spec)
    }

    pub(crate) fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments
            .iter()
            .find(|deployment| deployment.id == id)
    }

    pub(crate) fn active_deployment(&self) -> Option<&Deployment> {
        self.deployment(self.active.as_deref()?)
    }

    pub(crate) fn pinned_deployment(&self) -> Option<&Deployment> {
        self.deployment(self.pinned.as_deref()?)
    }

    /// The oldest one that has begun, or a failed one that lingers.
    pub(crate) fn in_progress(&self, knobs: &Knobs) -> Option<&Deployment> {
        let begun = self.deployments.iter().find(|deployment| {
            !deployment.is_over() && !matches!(deployment.stage, Stage::Queued | Stage::Pending)
        });
        let lingering = || {
            let last = self.deployments.last()?;
            let lingers = knobs.failed_slot == FailedSlot::Lingers && last.phase == Phase::Error;
            lingers.then_some(last)
        };
        begun.or_else(lingering)
    }

    /// The newest one that has not begun.
    pub(crate) fn pending(&self) -> Option<&Deployment> {
        self.deployments
            .iter()
            .rev()
            .find(|deployment| matches!(deployment.stage, Stage::Queued | Stage::Pending))
    }

    /// Adds a deployment; what is in flight makes way or makes it wait.
    pub(crate) fn start(&mut self, mut deployment: Deployment, now: Timestamp, knobs: &Knobs) {
        self.rollback_due = None;
        let in_flight = self.deployments.iter_mut().filter(|older| !older.is_over());
        match knobs.overlap {
            Overlap::Cancel => in_flight.for_each(|older| older.end(Phase::Canceled, now)),
            Overlap::Supersede => in_flight.for_each(|older| older.end(Phase::Superseded, now)),
            Overlap::Queue => {
                if in_flight.count() > 0 {
                    deployment.stage = Stage::Queued;
                    deployment.next_at = None;
                }
            }
        }
        self.deployments.push(deployment);
        self.updated_at = now;
    }

    /// Lets the next deployment in line begin, if none is at work.
    pub(crate) fn start_next(&mut self, now: Timestamp) {
        let busy = self
            .deployments
            .iter()
            .any(|each| !each.is_over() && each.stage != Stage::Queued);
        if busy {
            return;
        }
        if let Some(next) = self
            .deployments
            .iter_mut()
            .find(|each| each.stage == Stage::Queued)
        {
            next.stage = Stage::Pending;
            next.next_at = Some(later(now, seconds(self.timing.pending_seconds)));
        }
    }

    /// Puts a deployment into the active slot.
    pub(crate) fn go_live(&mut self, id: &str, now: Timestamp) {
        let before = self.active.replace(id.to_owned());
        if before.as_deref() == Some(id) {
            return;
        }
        if let Some(old) = before.as_deref()
            && let Some(old) = self.deployments.iter_mut().find(|each| each.id == old)
        {
            old.enter(Phase::Superseded, now);
        }
        if let Some(new) = self.deployments.iter_mut().find(|each| each.id == id) {
            new.replaced = Some(before);
        }
    }

    /// Returns when the next thing happens by itself.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        let deployments = self
            .deployments
            .iter()
            .filter_map(|deployment| deployment.next_at);
        deployments
            .chain(self.rollback_due.as_ref().map(|(at, _)| *at))
            .min()
    }
}
