//! How long things are expected to take.

use crate::{Estimate, Observed, bounds, elapsed};
use app_spec::{App, CauseKind, Deployment, Phase, Step};
use jiff::Timestamp;
use std::time::Duration;

/// From the PUT to the start of the job where nothing was measured: the runbook's build of 4 to 5 minutes and deploy
/// of 3 to 5, rounded up.
pub(super) const DEFAULT_TO_START: Duration = Duration::from_secs(10 * 60);
/// The job itself: the runbook's 1 to 2 minutes, rounded up.
pub(super) const DEFAULT_JOB: Duration = Duration::from_secs(2 * 60);
/// The deployment that takes the job out again; it builds nothing new, but is planned for as if it did.
pub(super) const DEFAULT_CLEAN_UP: Duration = Duration::from_secs(10 * 60);

/// How many of the newest good deployments are measured: enough to outvote an odd one, few enough to follow a change
/// of the app.
const MEASURED: usize = 5;

/// The longest span that is believed: as long as a deployment of ours may take to reach its job; anything above is a
/// time that was changed later, and a lease made from it would be no guard.
const BELIEVED: Duration = Duration::from_secs(
    bounds::PENDING_BUILD.as_secs() + bounds::BUILD.as_secs() + bounds::DEPLOY.as_secs(),
);

/// Returns how long the insert, the job and the clean-up are expected to take, by the median of the app's newest good
/// deployments.
pub(super) fn of(app: &App, seen: &Observed) -> Estimate {
    let listed = seen
        .deployments
        .iter()
        .chain(app.active.iter().filter(|active| {
            // The slot is asked only where the list does not reach back to it.
            seen.deployments.iter().all(|one| one.id != active.id)
        }));
    let mut spans: Vec<Duration> = listed.filter_map(took).take(MEASURED).collect();
    spans.sort();
    match spans.get(spans.len() / 2) {
        Some(median) => Estimate {
            to_start: *median,
            job: DEFAULT_JOB,
            clean_up: *median,
            measured: true,
        },
        None => Estimate {
            to_start: DEFAULT_TO_START,
            job: DEFAULT_JOB,
            clean_up: DEFAULT_CLEAN_UP,
            measured: false,
        },
    }
}

/// Returns how long a good deployment took; nothing for those that roll out what was built before.
fn took(deployment: &Deployment) -> Option<Duration> {
    match deployment.cause_kind {
        CauseKind::Manual
        | CauseKind::DeployOnPush
        | CauseKind::UpdateDatabaseTrustedSources
        | CauseKind::Maintenance
        | CauseKind::Unknown
        | CauseKind::Other(_) => {}
        CauseKind::AutoRollback | CauseKind::ManualRollback | CauseKind::Autoscaled => return None,
    }
    let last_step = deployment
        .progress
        .as_ref()
        .and_then(|progress| last_end(&progress.steps));
    let ended = match deployment.phase {
        Phase::Active => last_step
            .or(deployment.phase_updated_at)
            .or(deployment.updated_at),
        // Its own times tell when the next one went live.
        Phase::Superseded => last_step,
        Phase::Unknown
        | Phase::PendingBuild
        | Phase::Building
        | Phase::PendingDeploy
        | Phase::Deploying
        | Phase::Error
        | Phase::Canceled
        | Phase::Other(_) => None,
    };
    let span = elapsed(deployment.created_at?, ended?);
    (span > Duration::ZERO && span <= BELIEVED).then_some(span)
}

fn last_end(steps: &[Step]) -> Option<Timestamp> {
    steps
        .iter()
        .filter_map(|step| step.ended_at.max(last_end(&step.steps)))
        .max()
}
