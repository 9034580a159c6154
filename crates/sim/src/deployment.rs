//! One deployment: what it deploys, how far it has come, and the times from which its progress is told.
//!
//! A step is a pair of times and an outcome; its status is a question of when one asks. That keeps a deployment that
//! was cancelled half-way frozen for good: it is always looked at as of its end.

use crate::executor::JobExit;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The phases of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    PendingBuild,
    Building,
    PendingDeploy,
    Deploying,
    Active,
    Superseded,
    Error,
    Canceled,
}

impl Phase {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::PendingBuild => "PENDING_BUILD",
            Self::Building => "BUILDING",
            Self::PendingDeploy => "PENDING_DEPLOY",
            Self::Deploying => "DEPLOYING",
            Self::Active => "ACTIVE",
            Self::Superseded => "SUPERSEDED",
            Self::Error => "ERROR",
            Self::Canceled => "CANCELED",
        }
    }
}

/// The types of `cause_details`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CauseType {
    Manual,
    DeployOnPush,
    ManualRollback,
    AutoRollback,
    TrustedSources,
}

impl CauseType {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Manual => "MANUAL",
            Self::DeployOnPush => "DEPLOY_ON_PUSH",
            Self::ManualRollback => "MANUAL_ROLLBACK",
            Self::AutoRollback => "AUTO_ROLLBACK",
            Self::TrustedSources => "UPDATE_DATABASE_TRUSTED_SOURCES",
        }
    }
}

/// Why a deployment exists.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    pub(crate) kind: CauseType,
    /// The sentence in `cause`.
    pub(crate) text: String,
    /// The rest of `cause_details`.
    pub(crate) details: Value,
}

/// What a component was built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The source's place; see [`crate::spec::Source::place`].
    pub(crate) place: String,
    pub(crate) content: Content,
}

/// The fixed content of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A commit of a repository (its name where a tree can be had).
    Commit { repo: Option<String>, hash: String },
    /// An image digest.
    Image { digest: String },
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
}

pub(crate) const BUILD_FAILED: Reason = Reason {
    code: "BuildJobExitNonZero",
    message: "Your build failed because of a non-zero exit code.",
};
pub(crate) const EXIT_NON_ZERO: Reason = Reason {
    code: "DeployContainerExitNonZero",
    message: "Your deploy failed because your container exited with a non-zero exit code.",
};
pub(crate) const NOT_EXECUTABLE: Reason = Reason {
    code: "DeployContainerCommandNotExecutable",
    message: "Your deploy failed because your container's command could not be executed.",
};
pub(crate) const UNHEALTHY: Reason = Reason {
    code: "DeployContainerHealthChecksFailed",
    message: "Your deploy failed because your container did not respond to health checks.",
};

/// A step without steps of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaf {
    pub(crate) start: Option<Timestamp>,
    pub(crate) end: Option<Timestamp>,
    /// Set where the step fails at its end.
    pub(crate) failure: Option<Reason>,
    /// A remark on a step that went well, such as `PreviousBuildReused`.
    pub(crate) remark: Option<&'static str>,
}

/// The status of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Pending,
    Running,
    Success,
    Error,
}

impl Leaf {
    pub(crate) fn status(&self, at: Timestamp) -> Status {
        let passed = |time: Option<Timestamp>| time.is_some_and(|time| time <= at);
        match (passed(self.start), passed(self.end), &self.failure) {
            (false, _, _) => Status::Pending,
            (true, false, _) => Status::Running,
            (true, true, None) => Status::Success,
            (true, true, Some(_)) => Status::Error,
        }
    }
}

/// The build of one component.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    pub(crate) component: String,
    pub(crate) section: &'static str,
    pub(crate) key: String,
    pub(crate) leaf: Leaf,
}

/// The roll-out of one service, worker, site or function.
#[derive(Clone, Debug)]
pub(crate) struct Rollout {
    pub(crate) component: String,
    pub(crate) section: &'static str,
    pub(crate) deploy: Leaf,
    pub(crate) wait: Leaf,
}

/// When a deploy-time job has its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobKind {
    Pre,
    Post,
    Failed,
}

/// One run of a deploy-time job.
#[derive(Clone, Debug)]
pub(crate) struct JobRun {
    pub(crate) name: String,
    pub(crate) kind: JobKind,
    /// The id under which job invocations list it.
    pub(crate) invocation: String,
    /// The step of the progress tree.
    pub(crate) leaf: Leaf,
    /// When the process began.
    pub(crate) process_at: Option<Timestamp>,
    pub(crate) exit: Option<JobExit>,
    /// The log with the time of each line, the platform's own lines included.
    pub(crate) lines: Vec<(Timestamp, String)>,
    /// When it was cut short from outside.
    pub(crate) cancelled_at: Option<Timestamp>,
}

impl JobRun {
    /// Returns the lines that have been written at a time.
    pub(crate) fn written(&self, at: Timestamp) -> impl Iterator<Item = &(Timestamp, String)> {
        let until = self.cancelled_at.map_or(at, |cancelled| cancelled.min(at));
        self.lines.iter().filter(move |(time, _)| *time <= until)
    }
}

/// What a deployment is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Behind another deployment.
    Queued,
    Pending,
    Building,
    PendingDeploy,
    JobStarting(usize),
    JobRunning(usize),
    RollingOut,
    Finalizing,
    Over,
}

/// A deployment.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    pub(crate) cause: Cause,
    pub(crate) spec: Arc<Value>,
    pub(crate) origins: BTreeMap<String, Origin>,
    pub(crate) previous: Option<String>,
    pub(crate) cloned_from: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) phase: Phase,
    pub(crate) phase_at: Timestamp,
    pub(crate) stage: Stage,
    /// When the present stage is over.
    pub(crate) next_at: Option<Timestamp>,
    pub(crate) initialize: Leaf,
    pub(crate) builds: Vec<Build>,
    pub(crate) deploy_initialize: Leaf,
    pub(crate) rollouts: Vec<Rollout>,
    pub(crate) jobs: Vec<JobRun>,
    pub(crate) finalize: Leaf,
    /// Whether builds of earlier deployments may be used.
    pub(crate) force_build: bool,
    /// When it turned terminal; its progress is frozen there.
    pub(crate) over_at: Option<Timestamp>,
    /// Set once it took the active slot: the deployment that held it before.
    pub(crate) replaced: Option<Option<String>>,
    /// Set once something in it failed: what, while the jobs for that case still run.
    pub(crate) failure: Option<Failure>,
}

/// What failed, as far as the consequences differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Build,
    PreJob,
    Rollout,
    PostJob,
}

impl Deployment {
    /// Tells whether nothing will change any more.
    pub(crate) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Returns the time as of which its progress shows.
    pub(crate) fn seen_at(&self, now: Timestamp) -> Timestamp {
        self.over_at.map_or(now, |over| over.min(now))
    }

    /// Returns when anything in it changed last, as one sees it now.
    pub(crate) fn changed_at(&self, now: Timestamp) -> Timestamp {
        let seen = self.seen_at(now);
        let builds = self.builds.iter().map(|build| &build.leaf);
        let rollouts = self
            .rollouts
            .iter()
            .flat_map(|rollout| [&rollout.deploy, &rollout.wait]);
        let jobs = self.jobs.iter().map(|job| &job.leaf);
        let ends = [&self.initialize, &self.deploy_initialize, &self.finalize];
        ends.into_iter()
            .chain(builds)
            .chain(rollouts)
            .chain(jobs)
            .flat_map(|leaf| [leaf.start, leaf.end])
            .flatten()
            .filter(|time| *time <= seen)
            .fold(self.created_at.max(self.phase_at), Timestamp::max)
    }

    pub(crate) fn enter(&mut self, phase: Phase, now: Timestamp) {
        if self.phase != phase {
            self.phase = phase;
            self.phase_at = now;
        }
    }

    /// Ends it; a job in the middle of its run is cut short.
    pub(crate) fn end(&mut self, phase: Phase, now: Timestamp) {
        if let Stage::JobStarting(at) | Stage::JobRunning(at) = self.stage
            && let Some(job) = self.jobs.get_mut(at)
            && job.leaf.end.is_none_or(|end| end > now)
        {
            job.cancelled_at = Some(now);
        }
        // Where the services were live before their jobs ran, cutting those short takes nothing down.
        let stays_live =
            self.phase == Phase::Active && matches!(phase, Phase::Canceled | Phase::Superseded);
        if !stays_live {
            self.enter(phase, now);
        }
        self.stage = Stage::Over;
        self.next_at = None;
        self.over_at = Some(now);
    }
}
