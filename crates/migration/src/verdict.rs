//! How it ended, on five axes; one reason and one exit code follow.

use crate::{DisarmedCopy, JobName, Reason, StepName};
use app_spec::{CommitSha, DeploymentId};

/// How a run ended. A pure function of what was observed; never one bit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What became of the steps.
    pub job: JobAxis,
    /// What became of the deployment that ran them.
    pub deployment: DeploymentAxis,
    /// Whether the app was put back.
    pub clean_up: CleanUpAxis,
    /// Whether the app answers.
    pub health: HealthAxis,
    /// Whether the firewall is as asked.
    pub firewall: FirewallAxis,
    /// What the axes come to, or the more exact reason that ended the run.
    pub reason: Reason,
    /// What a report tells beside the axes.
    pub facts: VerdictFacts,
}

/// What a report tells beside the axes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerdictFacts {
    /// The job, where one was (or was to be) inserted.
    pub job: Option<JobName>,
    /// The epoch's own deployment.
    pub deployment: Option<DeploymentId>,
    /// The deployment that rolled it back.
    pub rollback: Option<DeploymentId>,
    /// The deployment that took the job out.
    pub clean_up: Option<DeploymentId>,
    /// The deployment that is live at the end, and the commit of its reference component.
    pub live: Option<(DeploymentId, Option<CommitSha>)>,
    /// Deployments of others that carried the job.
    pub carried_by: Vec<DeploymentId>,
    /// Copies of the job that ran nothing.
    pub disarmed: Vec<DisarmedCopy>,
    /// Deployments in which the job may have run, and nothing shows what it did there.
    pub unproven: Vec<DeploymentId>,
    /// Whether a rollback pins the app, so that nothing can be taken out of it.
    pub pinned: bool,
    /// Begin marks over all deployments: how many times the job was executed.
    pub executions: u32,
    /// How many jobs of this authority are proven never to have started, this one included.
    pub never_started: usize,
    /// Paths of the spec that differ from the baseline and that are not ours (others changed them meanwhile).
    pub changed_by_others: Vec<String>,
    /// Rules in the firewall beside the app's own and the kept ones, as people read them (`ip_addr 203.0.113.7`).
    pub extra_rules: Vec<String>,
    /// Whether the app answered before the insert.
    pub healthy_before: Option<bool>,
    /// Where the job's log was written, by deployment.
    pub log_paths: Vec<(DeploymentId, String)>,
    /// Whether the ledger took the outcome.
    pub recorded: bool,
    /// Jobs that were taken out (ours and declared stale ones).
    pub removed: Vec<String>,
    /// Paths of somebody's edit that our update had overwritten and that were put back.
    pub repaired: Vec<String>,
    /// Paths of somebody's edit that our update had overwritten and that can't be put back, for they were edited since
    /// or the history is unclear.
    pub conflicts: Vec<String>,
}

/// What became of the steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobAxis {
    /// Nothing was inserted.
    NotAttempted,
    /// Every step ended with 0, proven.
    Done,
    /// A step, or its check, failed, proven. Steps before it are done.
    Failed {
        /// The step.
        step: StepName,
        /// Its exit code.
        code: i32,
        /// Whether it was its check: then no step ran.
        check: bool,
    },
    /// A needed variable was empty or encrypted; nothing ran, proven.
    Refused {
        /// The variable.
        variable: String,
    },
    /// It may have run; its log does not prove how it ended.
    Unproven {
        /// The step that was running when the marks end, where one was.
        during: Option<StepName>,
    },
    /// It never started, proven.
    NeverStarted,
    /// It still runs.
    Running,
}

/// What became of the deployment that carried the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeploymentAxis {
    /// None was made.
    None,
    /// It became active.
    Active,
    /// It failed, and the platform rolled the app back.
    RolledBack,
    /// It failed; no rollback was seen (the app stays on what was live before).
    Failed,
    /// It was cancelled or superseded.
    Cancelled,
    /// It is still in flight.
    InFlight,
    /// It can't be told.
    Unknown,
}

/// Whether the app was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CleanUpAxis {
    /// Nothing had to be taken out.
    NotNeeded,
    /// The job is out of the spec and out of the newest good deployment, both read back.
    Verified,
    /// The job is out of the spec; the deployment that proves it is not settled.
    Sent,
    /// It could not be taken out.
    Blocked,
}

/// Whether the app answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthAxis {
    /// Three good answers in a row.
    Ok,
    /// No three good answers in a row within three minutes.
    Bad,
    /// It was not probed.
    NotChecked,
}

/// Whether the firewall is as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirewallAxis {
    /// App-only (and kept rules), from the start.
    AsAsked,
    /// Rules beside the app's own were found and are reported.
    Drifted,
    /// It was put back to app-only (and kept rules), read back.
    Restored,
    /// It is not as asked.
    Failed,
    /// It was not looked at.
    NotChecked,
}
