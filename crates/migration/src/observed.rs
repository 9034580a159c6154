//! What the outside world shows now, and what this process has done so far.
//!
//! Everything that must survive a crash is derived from deployments, ledger and logs. What stands under
//! [`Doings`] is known to this process alone and may be lost without harm.

use crate::{Disarmed, EntryId, Evidence, JobName, LedgerEntry, after, bounds, elapsed};
use app_spec::{App, CommitSha, Deployment, DeploymentId, Fingerprint, FirewallRules};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything that `next` may look at.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The platform's clock.
    pub now: Timestamp,
    /// The platform's clock when this process first read it.
    pub since: Timestamp,
    /// How long this process has stood still since then, in all, as a stopped process does or a suspended machine: what
    /// the bounds of its own time do not count.
    pub stood_still: Duration,
    /// What this process may do and how long it may take.
    pub mode: Mode,
    /// Whether it must end now.
    pub stop: Option<Stop>,
    /// The app.
    pub app: AppView,
    /// Deployments, newest first, as far back as was looked.
    pub deployments: Vec<Deployment>,
    /// Those in flight that the list, as last read, does not show: what was made before them may not show either.
    pub unlisted: Vec<DeploymentId>,
    /// The ledger's entries for the keys in question, oldest first; `Err` when it can't be read.
    pub ledger: LedgerView,
    /// What was read of logs, by the job and the deployment that ran it.
    pub logs: BTreeMap<(JobName, DeploymentId), LogView>,
    /// Whether a live commit contains the merged commit, by live commit.
    pub lineage: BTreeMap<CommitSha, Contains>,
    /// Health answers since the job was proven out of the spec, oldest first.
    pub health: Vec<HealthSample>,
    /// One health answer from before the insert.
    pub health_before: Option<HealthSample>,
    /// The firewall as last read.
    pub firewall: FirewallView,
    /// What this process did for the goal at hand.
    pub doings: Doings,
    /// Every update of the spec that this process sent and that may have been applied, oldest first.
    pub wrote: Vec<Wrote>,
}

impl Observed {
    /// Returns what is known before anything was looked at.
    #[must_use]
    pub fn nothing(now: Timestamp, mode: Mode) -> Self {
        Self {
            now,
            since: now,
            stood_still: Duration::ZERO,
            mode,
            stop: None,
            app: AppView::Unreachable(now),
            deployments: Vec::new(),
            unlisted: Vec::new(),
            ledger: LedgerView::Unreachable,
            logs: BTreeMap::new(),
            lineage: BTreeMap::new(),
            health: Vec::new(),
            health_before: None,
            firewall: FirewallView::Unread,
            doings: Doings::default(),
            wrote: Vec::new(),
        }
    }
}

/// One update of the spec that this process sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrote {
    /// The update.
    pub put: Put,
    /// What for.
    pub what_for: WrittenFor,
}

/// What an update of the spec was sent for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrittenFor {
    /// To put a job in, or to take one out.
    Job,
    /// To put back what an update of ours had overwritten, into the spec with this fingerprint (secrets left out).
    Repair(Fingerprint),
}

/// What a process may do, and its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// May insert; waits as long as the plan's deadline says.
    Main,
    /// The Action's post step: never inserts, four minutes.
    Post,
    /// The sweeper and `reap`: never inserts.
    Sweep,
}

/// Why this process ends now, whatever is open: the rest is left to post step or sweeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT or SIGTERM, or the run was cancelled.
    Signal,
    /// Its own time is over.
    OutOfTime,
}

/// The app, as far as it can be seen.
#[derive(Debug, Clone)]
pub enum AppView {
    /// As last read.
    Present(Box<App>),
    /// It answered 404, twice in a row.
    Gone,
    /// The platform gives no answer since then.
    Unreachable(Timestamp),
    /// The token is no longer accepted, or lacks a scope.
    Denied,
}

/// The ledger, as far as it can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerView {
    /// Its entries for the keys in question, oldest first.
    Entries(Vec<LedgerEntry>),
    /// It can't be read now.
    Unreachable,
}

impl LedgerView {
    /// Returns the entries, none where it can't be read.
    #[must_use]
    pub fn entries(&self) -> &[LedgerEntry] {
        match self {
            Self::Entries(entries) => entries,
            Self::Unreachable => &[],
        }
    }
}

/// What was read of one job's log on one deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogView {
    /// What its marks prove.
    pub evidence: Evidence,
    /// How many times it was asked for.
    pub tries: u32,
    /// When it was first asked for, by the platform's clock.
    pub first_asked: Timestamp,
    /// Whether anything was read at the last try.
    pub read: LogRead,
}

/// How far the last try to read a log came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogRead {
    /// Read to its end.
    Whole,
    /// Read, but cut at the size limit in the middle; head and tail are there.
    Cut,
    /// The platform has none yet, or answers 400 or nothing.
    Absent,
    /// It could not be read.
    Failed,
}

/// Whether one commit contains another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contains {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It can't be told (the history is not to be had).
    Unknown,
}

/// One answer of the app's health address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthSample {
    /// When, by the platform's clock.
    pub at: Timestamp,
    /// The HTTP status; nothing when there was no answer.
    pub status: Option<u16>,
}

impl HealthSample {
    /// Returns whether the answer was a 2xx.
    #[must_use]
    pub fn ok(self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
    }
}

/// The firewall, as far as it was looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum FirewallView {
    /// Not read yet.
    Unread,
    /// As last read.
    Rules(FirewallRules),
    /// It can't be read.
    Failed,
}

/// What this process did: hints that save look-ups, never the only proof of anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doings {
    /// The claim this process made.
    pub claim: Option<MadeClaim>,
    /// The insert this process sent.
    pub insert: Option<Put>,
    /// The jobs for whose removal this process asked for a claim, whatever came of it.
    pub claimed_removals: Vec<JobName>,
    /// Removals this process sent, oldest first.
    pub removals: Vec<Put>,
    /// The jobs those removals took out.
    pub removed: Vec<String>,
    /// Updates this process sent to put back what an update of ours had overwritten.
    pub repairs: Vec<Put>,
    /// The paths those updates put back.
    pub repaired: Vec<String>,
    /// Deployments this process asked to cancel.
    pub cancelled: Vec<DeploymentId>,
    /// Outcomes recorded, by ledger entry.
    pub recorded: Vec<EntryId>,
    /// Times the firewall was written.
    pub firewall_writes: u32,
    /// Outcomes that could not be recorded.
    pub record_failures: u32,
    /// Claims that could not be made.
    pub claim_failures: u32,
    /// The platform refused an insert with these words.
    pub insert_refused: Option<PutRefused>,
    /// Ends of logs, kept for the report, by job and deployment: path on disk.
    pub log_paths: BTreeMap<(JobName, DeploymentId), String>,
}

/// The claim this process made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeClaim {
    /// Its place in the ledger.
    pub id: EntryId,
    /// When it was sent, by the platform's clock.
    pub at: Timestamp,
}

impl MadeClaim {
    /// Whether its insert may still be decided at `now`.
    #[must_use]
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        elapsed(self.at, now) <= bounds::CLAIM_FRESH
    }

    /// Whether its update may still be sent at `now`, the time that the read just before it tells: a process may stand
    /// still after its decision (a closed laptop, a paused machine) while others take its claim for abandoned.
    #[must_use]
    pub fn is_usable(&self, now: Timestamp) -> bool {
        elapsed(self.at, now) <= bounds::CLAIM_USABLE
    }
}

/// One PUT of the app spec, as its sender knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// When it was sent, by the platform's clock.
    pub at: Timestamp,
    /// What came back.
    pub outcome: PutResult,
    /// What was sent, secrets left out.
    pub sent: Fingerprint,
    /// How long the platform asked to wait before the next request, where it refused this one and said so.
    pub retry_after: Option<Duration>,
}

impl Put {
    /// Returns the deployment that it made, where the reply named it.
    #[must_use]
    pub fn deployment(&self) -> Option<&DeploymentId> {
        match &self.outcome {
            PutResult::Applied(id) => id.as_ref(),
            PutResult::NotApplied | PutResult::Ambiguous => None,
        }
    }

    /// Returns from when on the same may be sent again.
    #[must_use]
    pub fn again_from(&self) -> Timestamp {
        let asked = self.retry_after.unwrap_or_default();
        let pause = asked.clamp(bounds::WRITE_AGAIN, bounds::WRITE_AGAIN_MAX);
        after(self.at, pause)
    }
}

/// What came back of a PUT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutResult {
    /// It was applied; the deployment it made, where the reply named it.
    Applied(Option<DeploymentId>),
    /// It was certainly not applied.
    NotApplied,
    /// It may have been applied, or be applied later.
    Ambiguous,
}

/// Why the platform refused an insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutRefused {
    /// The token is not accepted or lacks a scope.
    Access,
    /// The spec is refused, with the platform's words.
    Spec(crate::Clean),
    /// Too many requests, or no connection: it may be tried again.
    Busy,
}

/// Something a job said about itself that the report repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisarmedCopy {
    /// The deployment whose copy of the job ran nothing.
    pub deployment: DeploymentId,
    /// Why.
    pub why: Disarmed,
}
