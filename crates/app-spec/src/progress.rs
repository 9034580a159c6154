//! The progress tree of a deployment, and what it says about one component.
//!
//! A component's steps are found by `component_name`. How the platform names and nests the steps of
//! deploy-time jobs is not documented, so neither names nor depth are relied on, and the counters beside
//! the tree are not read at all: a job for failed deployments stays pending in a good one, and the
//! counters then never come to an end.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::read;
use crate::wire::wire_enum;

wire_enum! {
    /// How far a step is.
    StepStatus {
        /// Not told.
        Unknown = "UNKNOWN",
        /// Not begun.
        Pending = "PENDING",
        /// Under way.
        Running = "RUNNING",
        /// Failed.
        Error = "ERROR",
        /// Done.
        Success = "SUCCESS",
    }
}

/// Why a step ended as it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepReason {
    /// The platform's code, such as `DeployContainerExitNonZero`; compare by its end, for the prefix varies.
    pub code: String,
    /// The platform's sentence.
    pub message: Option<String>,
}

/// One step of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The step's name, such as `build` or `wait`.
    pub name: String,
    /// How far it is.
    pub status: StepStatus,
    /// The component that it belongs to.
    pub component_name: Option<String>,
    /// The start of a sentence for people, such as `Building service`.
    pub message_base: Option<String>,
    /// Why it ended as it did.
    pub reason: Option<StepReason>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The steps inside it.
    pub steps: Vec<Self>,
}

impl Step {
    fn read(raw: &Map<String, Value>) -> Self {
        Self {
            name: read::owned_text(raw, "name").unwrap_or_default(),
            status: read::text(raw, "status").map_or(StepStatus::Unknown, StepStatus::from_word),
            component_name: read::owned_text(raw, "component_name"),
            message_base: read::owned_text(raw, "message_base"),
            reason: read::child(raw, "reason").and_then(read_reason),
            started_at: read::time(raw, "started_at"),
            ended_at: read::time(raw, "ended_at"),
            steps: read::children(raw, "steps").map(Self::read).collect(),
        }
    }

    /// Collects the steps of a component in this subtree. A step without a component inside one of the
    /// component's own steps belongs to it too.
    fn collect<'a>(&'a self, component: &str, inside: bool, found: &mut Vec<&'a Self>) {
        let ours = self
            .component_name
            .as_deref()
            .map_or(inside, |name| name == component);
        if ours {
            found.push(self);
        }
        for step in &self.steps {
            step.collect(component, ours, found);
        }
    }
}

fn read_reason(raw: &Map<String, Value>) -> Option<StepReason> {
    let message = read::owned_text(raw, "message");
    let code = read::owned_text(raw, "code");
    (code.is_some() || message.is_some()).then(|| StepReason {
        code: code.unwrap_or_default(),
        message,
    })
}

/// The progress tree of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The top-level steps, usually `build` and `deploy`.
    pub steps: Arc<[Step]>,
}

/// What the tree says about one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentProgress {
    /// How far its build is; `Unknown` when the tree has no such step.
    pub build: StepStatus,
    /// How far its deployment (for a job: its run) is; `Unknown` when the tree has no such step.
    pub deploy: StepStatus,
    /// The reason of its failing step; where none fails, the newest reason that is given.
    pub reason: Option<StepReason>,
    /// When its deploy side began.
    pub started_at: Option<Timestamp>,
    /// When its deploy side ended; absent while any of its steps is still open.
    pub ended_at: Option<Timestamp>,
}

impl Progress {
    pub(crate) fn read(raw: &Map<String, Value>) -> Self {
        Self {
            steps: read::children(raw, "steps").map(Step::read).collect(),
        }
    }

    /// Returns every step of a component, in the order of the tree.
    #[must_use]
    pub fn steps_of(&self, component: &str) -> Vec<&Step> {
        let mut found = Vec::new();
        for step in self.steps.iter() {
            step.collect(component, false, &mut found);
        }
        found
    }

    /// Returns what the tree says about a component; both sides are `Unknown` when it has no step of it.
    ///
    /// The build side is what stands under the top-level step `build`. All else is the deploy side, for
    /// nobody has documented under which branch the platform runs deploy-time jobs.
    #[must_use]
    pub fn job_status(&self, component: &str) -> ComponentProgress {
        let mut build = Vec::new();
        let mut deploy = Vec::new();
        for branch in self.steps.iter() {
            let side = if branch.name == BUILD_BRANCH {
                &mut build
            } else {
                &mut deploy
            };
            branch.collect(component, false, side);
        }
        let deploy_status = combined(&deploy);
        let settled = matches!(deploy_status, StepStatus::Error | StepStatus::Success);
        ComponentProgress {
            build: combined(&build),
            reason: reason_of(&deploy, &build),
            started_at: deploy.iter().filter_map(|step| step.started_at).min(),
            ended_at: deploy
                .iter()
                .filter_map(|step| step.ended_at)
                .max()
                .filter(|_| settled),
            deploy: deploy_status,
        }
    }
}

/// The top-level step that holds the builds.
const BUILD_BRANCH: &str = "build";

/// Returns one status for several steps: a failure anywhere is a failure, and only all done is done.
fn combined(steps: &[&Step]) -> StepStatus {
    let has = |status: &StepStatus| steps.iter().any(|step| step.status == *status);
    if has(&StepStatus::Error) {
        return StepStatus::Error;
    }
    let told = || {
        steps
            .iter()
            .map(|step| &step.status)
            .filter(|status| **status != StepStatus::Unknown)
    };
    let Some(first) = told().next() else {
        return StepStatus::Unknown;
    };
    if told().all(|status| status == first) {
        first.clone()
    } else {
        StepStatus::Running
    }
}

fn reason_of(deploy: &[&Step], build: &[&Step]) -> Option<StepReason> {
    let both = || deploy.iter().rev().chain(build.iter().rev());
    both()
        .filter(|step| step.status == StepStatus::Error)
        .find_map(|step| step.reason.clone())
        .or_else(|| both().find_map(|step| step.reason.clone()))
}
