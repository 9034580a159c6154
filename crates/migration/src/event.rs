//! What the driver tells while it works: the one stream that feeds every reporter.
//!
//! An event says what changed, not what was polled. Text from outside is [`Clean`].

use crate::{Clean, DoneStep, Ended, Evidence, JobName, Plan, Refusal, StepName, Verdict};
use app_spec::{DeploymentId, Phase};
use jiff::Timestamp;

/// One thing that happened, with the platform's time.
#[derive(Debug, Clone)]
pub struct Event {
    /// When, by the platform's clock.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Happening {
    /// The plan is made; it is about to be carried out.
    Planned(Box<Plan>),
    /// It is refused.
    Refused(Refusal),
    /// Every step was done by earlier epochs; nothing is run.
    AlreadyDone {
        /// The steps.
        steps: Vec<DoneStep>,
        /// Whether an update of the app was sent, to clean up after another run.
        cleaned_up: bool,
    },
    /// What the request allows ended earlier; nothing is run.
    AlreadyEnded(Ended),
    /// Jobs did these steps and are out of the app again, but they are not all that was asked for: what is left comes next.
    PartDone {
        /// The steps.
        steps: Vec<StepName>,
        /// Deployments in which a job of this run that did any may have run, too, and nothing shows what it did there.
        unproven: Vec<DeploymentId>,
    },
    /// A wait began or its cause changed.
    Waiting(Clean),
    /// The claim stands in the ledger.
    Claimed,
    /// The job is in the spec.
    Inserted {
        /// The job.
        job: JobName,
        /// The deployment that the PUT made, where the reply named it.
        deployment: Option<DeploymentId>,
    },
    /// The reply of a PUT was lost or doubtful; the app is read before anything else.
    Doubtful(Clean),
    /// A deployment was seen for the first time or its phase changed.
    Phase {
        /// The deployment.
        deployment: DeploymentId,
        /// Whose it is.
        role: Role,
        /// Its phase now.
        phase: Phase,
    },
    /// The job's process runs inside the platform.
    JobRunning {
        /// The deployment it runs in.
        deployment: DeploymentId,
    },
    /// A log was read.
    Log {
        /// The job.
        job: JobName,
        /// The deployment that ran it.
        deployment: DeploymentId,
        /// What it proves.
        evidence: Evidence,
        /// Its last lines, marks taken out, newest last.
        tail: Vec<Clean>,
        /// How many lines it has in all.
        lines: u64,
        /// Where it was written, as the user named the folder.
        path: Option<String>,
    },
    /// Jobs are out of the spec.
    Removed {
        /// Their names.
        jobs: Vec<String>,
        /// The deployment that the PUT made, where the reply named it.
        deployment: Option<DeploymentId>,
    },
    /// A deployment of ours was asked to cancel.
    Cancelled(DeploymentId),
    /// The app is proven put back: the spec's fingerprint equals the baseline's, or these paths were changed by others.
    Restored {
        /// Paths that others changed meanwhile.
        changed_by_others: Vec<String>,
    },
    /// The health probe came to a first result.
    Health {
        /// Whether three good answers in a row were seen; if not, the first answer was a bad one.
        ok: bool,
    },
    /// The firewall was looked at or put back.
    Firewall {
        /// Whether it was written.
        restored: bool,
        /// Rules beside the app's own and the kept ones (before a restore).
        extra: Vec<Clean>,
    },
    /// Places of the app spec in which somebody's edit was overwritten, and which are left to a person. Told before the
    /// ledger takes how the job ended: whoever comes after that does not look for lost edits any more.
    Overwritten(Vec<String>),
    /// Something recovered from, worth telling.
    Warned(Clean),
    /// It ended.
    Ended(Box<Verdict>),
}

/// Whose a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Made by our insert.
    Ours,
    /// It carries our job, and no reply to our insert named it: most often somebody else made it.
    CarriesOurs,
    /// The platform's rollback of ours.
    Rollback,
    /// Made by our removal, or by an update of ours that puts a lost edit back.
    CleanUp,
    /// Of the merged commit, whoever made it.
    Merge,
    /// Another one: somebody else's, or another run's.
    Other,
}
