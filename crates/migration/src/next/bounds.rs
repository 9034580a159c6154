//! How long every wait may take, and how often the world is looked at meanwhile.
//!
//! All spans are by the platform's clock. Where a bound has passed, the function that waits names what follows.

use crate::{Mode, Observed, Plan};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// How long a PUT whose reply was lost may still take effect: three times the longest HTTP deadline (60 s).
pub const SETTLE: Duration = minutes(3);
/// How old our claim may be when the insert is decided; an older one is withdrawn and made again, so that whoever waits
/// [`SETTLE`] for it can be sure.
pub const CLAIM_FRESH: Duration = minutes(1);
/// How old it may be when the PUT is sent: the app is read once more in between. Whoever finds it older than that has
/// stood still meanwhile, and sends nothing. With the longest HTTP deadline after it (60 s) it is within [`SETTLE`].
pub const CLAIM_USABLE: Duration = Duration::from_secs(80);
/// How long the ledger may take to list our own claim: one that is seen at the last moment is still to be used within
/// [`CLAIM_FRESH`].
pub const CLAIM_VISIBLE: Duration = Duration::from_secs(45);
/// How long the platform may be silent before the insert.
pub const PLATFORM_BEFORE_INSERT: Duration = minutes(2);
/// How long an app must be answered with 404 until it is believed to be gone: one may be a routing fault.
pub const GONE_AFTER: Duration = Duration::from_secs(30);
/// How long the ledger may be silent before the insert.
pub const LEDGER_BEFORE_INSERT: Duration = minutes(2);
/// How long the merged commit's deployment may take to appear; the runbook saw ten minutes.
pub const MERGE_APPEARS: Duration = minutes(20);
/// How long a deployment in flight may take to settle before the insert: 60 min is the platform's build limit, of
/// which two thirds are far above what was seen.
pub const OTHER_SETTLES: Duration = minutes(40);
/// How long our deployment may stay in `PENDING_BUILD`.
pub const PENDING_BUILD: Duration = minutes(20);
/// How long its build may take: the platform's own limit.
pub const BUILD: Duration = minutes(60);
/// How long its deploy may take to reach the job.
pub const DEPLOY: Duration = minutes(20);
/// How much longer than its own limit a job may be seen running, before our deployment is cancelled.
pub const JOB_SLACK: Duration = minutes(5);
/// How long after a failure the platform's rollback may take to appear.
pub const ROLLBACK_APPEARS: Duration = minutes(5);
/// How long a deployment that was asked to cancel may take to end.
pub const CANCEL_SETTLES: Duration = minutes(5);
/// How long the clean-up, or an edit put back, may be refused or fail before a person is called.
pub const WRITE_TRIES: Duration = minutes(10);
/// How often the removal is put again when its deployment did not become live.
pub const REMOVALS: usize = 3;
/// How long the deployment without the job may take.
pub const CLEAN_UP: Duration = minutes(30);
/// How long the health address is asked for three good answers in a row.
pub const HEALTH: Duration = minutes(3);
/// Good answers in a row that count as healthy.
pub const HEALTHY_IN_A_ROW: usize = 3;
/// How often a log is asked for in all: two minutes.
pub const LOG_TRIES: u32 = 8;
/// How often a log is asked for before the job is taken out: one minute.
pub const LOG_TRIES_BEFORE_REMOVAL: u32 = 4;
/// Between two tries for a log.
pub const LOG_EVERY: Duration = Duration::from_secs(15);
/// How much of the run's deadline is kept for the clean-up.
pub const CLEAN_UP_RESERVE: Duration = minutes(10);
/// The post step's whole budget: the Actions runner ends a cancelled job five minutes after the cancel.
pub const POST: Duration = minutes(4);
/// How long a sweep may take: one clean-up deployment with room to be put again.
pub const SWEEP: Duration = minutes(60);
/// How much longer than its time a process may take to end: one last request that gets no answer.
pub const LAST_REQUEST: Duration = Duration::from_secs(40);
/// How much more than the longest pause may pass between two looks of a process that does not stand still: requests that
/// fail again and again, each with the wait that the platform asks for.
pub const BETWEEN_LOOKS: Duration = minutes(5);
/// How long a job may be in the spec without a deployment that carries it being listed (lists may lag by 30 s).
pub const LIST_LAG: Duration = minutes(1);
/// How often the ledger is asked to take an outcome.
pub const RECORD_TRIES: u32 = 3;
/// How often a claim is tried.
pub const CLAIM_TRIES: u32 = 3;

/// Between two tries of a write that the platform refused.
pub const WRITE_AGAIN: Duration = Duration::from_secs(12);
/// The longest of these: what the platform asks for beyond is not waited out, so that a write which is refused for
/// [`WRITE_TRIES`] was tried more than once.
pub const WRITE_AGAIN_MAX: Duration = minutes(4);
/// The shortest time between two looks.
pub const POLL_MIN: Duration = Duration::from_secs(5);
/// The longest time between two looks.
pub const POLL_MAX: Duration = Duration::from_secs(60);
/// What part of a wait so far may pass until the next look: seen a tenth late at the most, a build of five minutes takes
/// 26 looks and one of an hour not many more, so that a run keeps well under the platform's limit of calls.
const POLL_PART: u32 = 10;

/// Returns how long until the next look at something that has gone on since `since`.
#[must_use]
pub fn poll(since: Timestamp, now: Timestamp) -> Duration {
    (elapsed(since, now) / POLL_PART).clamp(POLL_MIN, POLL_MAX)
}

/// Returns the time `span` after `time`, at most the end of time.
#[must_use]
pub fn after(time: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span)
        .ok()
        .and_then(|span| time.checked_add(span).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Returns how much time passed from `earlier` to `later`, none when it is the other way round.
#[must_use]
pub fn elapsed(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

/// Returns how long a process may take that does not stand still: as its plan says, where it has one and is not the post step.
#[must_use]
pub fn own_time(mode: Mode, plan: Option<&Plan>) -> Duration {
    match (mode, plan) {
        (Mode::Post, _) => POST,
        (Mode::Main | Mode::Sweep, Some(plan)) => plan.request.settings.deadline,
        (Mode::Main | Mode::Sweep, None) => SWEEP,
    }
}

/// Returns when the process is over. What it stood still is not its own time.
#[must_use]
pub fn deadline(seen: &Observed, plan: Option<&Plan>) -> Timestamp {
    let own = own_time(seen.mode, plan);
    after(after(seen.since, own), seen.stood_still)
}
