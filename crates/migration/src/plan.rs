//! The migration with every choice made, and the reasons why one can't be made.

use crate::{
    Authority, Clean, Epoch, JobName, Key, LedgerOutcome, Nonce, Reason, Request, Step, StepName,
    StepRef,
};
use app_spec::{AppId, ClusterId, CommitSha, Fingerprint};
use std::time::Duration;

/// A migration with no choices left: what `next` carries out and what a dry run prints.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What was asked for.
    pub request: Request,
    /// The app.
    pub app: AppId,
    /// The app's name, for people.
    pub app_name: String,
    /// The migration's key on this app.
    pub key: Key,
    /// The insertion this plan is about.
    pub epoch: Epoch,
    /// The nonce that this epoch's marks carry: the request's own, or that of the epoch resumed.
    pub nonce: Nonce,
    /// Whether the epoch is new or was inserted (or claimed) earlier.
    pub entry: Entry,
    /// What allows the epoch.
    pub authority: Authority,
    /// The steps this epoch runs, in order.
    pub steps: Vec<Step>,
    /// Steps of the manifest that are done and are not run again.
    pub already_done: Vec<DoneStep>,
    /// Steps that are asked for and that neither this epoch runs nor an earlier one did, in order: to be planned once it
    /// is done.
    pub left: Vec<StepName>,
    /// Which commit the job must be built from; nothing for images and where none is known.
    pub commit: Option<CommitSha>,
    /// The image digest the job is pinned to, for image sources.
    pub image_digest: Option<String>,
    /// The database cluster whose firewall is meant, where it could be found.
    pub cluster: Option<ClusterId>,
    /// Addresses (scheme, host, path) whose health is probed; nothing when health is off.
    pub health_url: Option<String>,
    /// Fingerprint of the app spec as it is without any temporary job.
    pub baseline: Fingerprint,
    /// How long things are expected to take.
    pub estimate: Estimate,
    /// What a reader should know before it runs.
    pub findings: Vec<Finding>,
}

impl Plan {
    /// Returns the temporary job's name.
    #[must_use]
    pub fn job(&self) -> JobName {
        JobName {
            key: self.key.clone(),
            epoch: self.epoch,
        }
    }

    /// Returns whether the epoch runs its steps, or only their checks.
    #[must_use]
    pub fn mode(&self) -> crate::RunMode {
        match self.request.intent {
            crate::Intent::Check => crate::RunMode::ChecksOnly,
            crate::Intent::Run | crate::Intent::Retry | crate::Intent::Again { .. } => {
                crate::RunMode::Steps
            }
        }
    }

    /// Returns the steps this epoch runs, as records keep them.
    #[must_use]
    pub fn step_refs(&self) -> Vec<StepRef> {
        self.steps.iter().map(Step::reference).collect()
    }
}

/// Whether an epoch is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Not claimed by anyone yet.
    Fresh,
    /// Claimed or inserted earlier (a re-run, a killed process): it is followed, and inserted only where it is proven
    /// that nobody did.
    Resumed,
}

/// A step that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoneStep {
    /// The step.
    pub step: StepRef,
    /// The epoch that did it.
    pub epoch: Epoch,
    /// What allowed that epoch.
    pub authority: Authority,
    /// The pull request that asked for it.
    pub pull_request: Option<u64>,
    /// The repository that asked for it.
    pub repository: Option<String>,
}

/// How long things are expected to take, from this app's own past deployments or the documented defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// From the PUT to the start of the job.
    pub to_start: Duration,
    /// The job itself (its time limit is not this).
    pub job: Duration,
    /// The deployment that takes the job out again.
    pub clean_up: Duration,
    /// Whether past deployments were found to measure.
    pub measured: bool,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// May surprise; the run goes on.
    Warning,
    /// The run is refused.
    Error,
}

/// Something a reader of the plan should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// A stable code (`operator-and`, `pre-deploy-needed`).
    pub code: &'static str,
    /// One sentence on what was found, naming the thing.
    pub message: String,
    /// What to do, where something can be done.
    pub hint: Option<String>,
}

/// Why a migration is not run, before anything was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The stable reason, which also gives the exit code.
    pub reason: Reason,
    /// One sentence: what was attempted on which object, and why it is refused.
    pub message: String,
    /// What to do now; several lines where commands or YAML help.
    pub hint: Option<String>,
}

impl Refusal {
    /// Returns a refusal for `reason` with its sentence and what to do now.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        Self {
            reason,
            message: message.into(),
            hint: (!hint.is_empty()).then_some(hint),
        }
    }
}

/// What planning gives.
#[derive(Debug, Clone)]
pub enum Planned {
    /// There is something to run or to follow.
    Run(Box<Plan>),
    /// Every step is done already; says where.
    AlreadyDone(Vec<DoneStep>),
    /// The epoch that this authority allowed has ended; a re-run of the workflow only reports it.
    AlreadyEnded(Ended),
}

/// An epoch that ended earlier, as the ledger and the deployments tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The epoch.
    pub epoch: Epoch,
    /// How it ended.
    pub outcome: LedgerOutcome,
    /// What to do now.
    pub hint: Clean,
}

impl Ended {
    /// Returns why a run that only reports it ends.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self.outcome {
            LedgerOutcome::Done => Reason::AlreadyDone,
            LedgerOutcome::Failed { .. } => Reason::AlreadyFailed,
            LedgerOutcome::Unproven { .. } => Reason::EarlierUnproven,
            LedgerOutcome::NeverStarted | LedgerOutcome::Withdrawn => Reason::NeverStarted,
        }
    }
}
