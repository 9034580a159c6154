//! How far a deployment is with a job of ours, and how long that may take.

use crate::{JobName, after, bounds};
use app_spec::{Deployment, Phase, StepStatus};
use jiff::Timestamp;
use std::time::Duration;

/// What the platform gives a job that names no `timeout` (documented limit), and our own default.
pub(crate) const PLATFORM_JOB_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// Where a deployment is with one job.
pub(crate) struct Stage {
    /// Whether the job's process was started.
    pub(crate) started: bool,
    /// Since when, by the platform's clock.
    pub(crate) since: Timestamp,
    /// Until when that may take: past it, it is ended.
    pub(crate) bound: Timestamp,
}

impl Stage {
    /// Reads where `deployment` is with `job`; nothing where it tells no time at all.
    pub(crate) fn of(deployment: &Deployment, job: &JobName) -> Option<Self> {
        let progress = deployment
            .progress
            .as_ref()
            .map(|progress| progress.job_status(&job.to_string()));
        let started = progress
            .as_ref()
            .is_some_and(|status| begun(&status.deploy));
        let began = progress.and_then(|status| status.started_at.filter(|_| started));
        let since = began
            .or(deployment.phase_updated_at)
            .or(deployment.updated_at)
            .or(deployment.created_at)?;
        let span = match &deployment.phase {
            _ if started => limit(deployment, job).saturating_add(bounds::JOB_SLACK),
            Phase::PendingBuild => bounds::PENDING_BUILD,
            Phase::PendingDeploy | Phase::Deploying | Phase::Active => bounds::DEPLOY,
            Phase::Building
            | Phase::Unknown
            | Phase::Superseded
            | Phase::Error
            | Phase::Canceled
            | Phase::Other(_) => bounds::BUILD,
        };
        Some(Self {
            started,
            since,
            bound: after(since, span),
        })
    }

    /// When it is given up: what was asked to end by then has not.
    pub(crate) fn given_up(&self) -> Timestamp {
        after(self.bound, bounds::CANCEL_SETTLES)
    }
}

/// How long the job itself may run.
fn limit(deployment: &Deployment, job: &JobName) -> Duration {
    let spec = deployment.spec.as_ref();
    spec.and_then(|spec| spec.job(&job.to_string())?.timeout())
        .unwrap_or(PLATFORM_JOB_TIMEOUT)
}

/// Whether a job's deploy side shows that its process was started.
fn begun(status: &StepStatus) -> bool {
    match status {
        StepStatus::Running | StepStatus::Success | StepStatus::Error => true,
        StepStatus::Pending | StepStatus::Unknown | StepStatus::Other(_) => false,
    }
}
