//! The whole brain: what to do next, given what is wanted and what the world shows.
//!
//! [`next`] is total, pure and level-triggered: it looks at the state, not at what happened since it was last asked.
//! A killed process loses nothing that it needs; main, post step and sweeper ask the same question with other facts.
//! At most one write is asked for at a time, and the world is observed again before the next.

pub mod bounds;
mod care;
mod clean;
mod finish;
mod insert;
mod outcome;

use crate::{
    AppView, Claim, EntryId, JobName, Key, LedgerOutcome, Mode, Observed, Plan, Reason, Stop,
    Verdict,
};
use app_spec::{ComponentName, DeploymentId, Phase};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

pub use bounds::{LOG_TRIES, after, elapsed};
pub(crate) use care::Care;
pub use finish::is_healthy;
pub use outcome::put_back;

/// What is wanted.
#[derive(Debug, Clone)]
pub enum Goal {
    /// Carry out the plan and put the app back.
    Migrate(Box<Plan>),
    /// Put the app back.
    Clean(CleanUp),
}

/// Which temporary jobs are to be taken out, and how far that may go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CleanUp {
    /// Only jobs of these keys; nothing means all of ours.
    pub keys: Option<BTreeSet<Key>>,
    /// Hand-left jobs that the config declares stale; removed with ours.
    pub also_stale: Vec<ComponentName>,
    /// Whether a deployment that our own PUT made is cancelled to stop the job.
    pub running: Running,
}

/// What is done about a job whose deployment is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Running {
    /// It is somebody's live run: left alone.
    #[default]
    LeaveAlone,
    /// It is waited for.
    Await,
    /// Its own deployment is cancelled.
    Cancel,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Do this, then observe again.
    Do(Action),
    /// Wait, then observe again.
    Wait(Wait),
    /// The plan no longer fits what is live; make it again.
    Replan,
    /// It ended.
    Done(Box<Verdict>),
}

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Append a claim for the plan's epoch to the ledger.
    Claim,
    /// Append this claim on a job that is about to be taken out and that no open claim speaks of.
    ClaimRemoval(Box<Claim>),
    /// Read the app, edit, PUT at once: the plan's job goes in.
    Insert,
    /// Read the log of `job` on `deployment`.
    FetchLog {
        /// The job.
        job: JobName,
        /// The deployment that ran it.
        deployment: DeploymentId,
    },
    /// Cancel a deployment that our own PUT made.
    Cancel(DeploymentId),
    /// Read the app, drop exactly these jobs, PUT at once (also when they are gone already: the PUT makes the
    /// deployment that replaces a live one which carries them).
    Remove(Vec<ComponentName>),
    /// Read the app, put back what the updates that put in or took out these jobs had overwritten, PUT at once.
    Repair(Vec<JobName>),
    /// Ask the app's health address once.
    Probe,
    /// Read the database's firewall.
    ReadFirewall,
    /// Put the firewall back to app-only and the kept rules, and read it again.
    RestoreFirewall,
    /// Record how a claim ended.
    Record {
        /// The claim.
        entry: EntryId,
        /// How it ended.
        outcome: LedgerOutcome,
    },
}

/// A wait with its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// What for.
    pub what: WaitFor,
    /// When the world is looked at again, at the latest.
    pub poll: Duration,
    /// When the wait is given up, by the platform's clock; what happens then is `next`'s to say.
    pub until: Timestamp,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitFor {
    /// The platform answers nothing.
    Platform,
    /// The ledger answers nothing.
    Ledger,
    /// The merged commit's own deployment.
    MergeDeployment,
    /// A deployment that somebody else started.
    OtherDeployment(DeploymentId, Phase),
    /// An older claim that may still insert.
    OlderClaim,
    /// Our claim is not in the ledger's list yet.
    ClaimVisible,
    /// Whether a doubtful PUT was applied.
    DoubtfulPut,
    /// The deployment that carries the job.
    Job(DeploymentId, Phase),
    /// The platform's rollback of the failed deployment.
    Rollback,
    /// The job's log.
    Log,
    /// The platform refuses or fails the removal; it is tried again.
    RemovalAgain,
    /// The platform refuses or fails an edit that is put back; it is tried again.
    RepairAgain,
    /// The deployment without the job.
    CleanUp,
    /// The next health answer.
    Health,
}

impl fmt::Display for WaitFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str("the DigitalOcean API gives no answer; asking again"),
            Self::Ledger => f.write_str("the ledger gives no answer; asking again"),
            Self::MergeDeployment => f.write_str("waiting for the merged commit to be live"),
            Self::OtherDeployment(id, phase) => {
                write!(
                    f,
                    "waiting for deployment {id} ({phase}), which this run did not start"
                )
            }
            Self::OlderClaim => {
                f.write_str("waiting for an older claim on this migration to settle")
            }
            Self::ClaimVisible => f.write_str("waiting for the ledger to show the claim"),
            Self::DoubtfulPut => {
                f.write_str("the reply to the update was lost; watching whether it was applied")
            }
            Self::Job(id, phase) => write!(f, "deployment {id} is {phase}"),
            Self::Rollback => {
                f.write_str("the deployment failed; waiting for the platform's rollback")
            }
            Self::Log => f.write_str("waiting for the job's log"),
            Self::RemovalAgain => f.write_str("the removal was not accepted; trying again"),
            Self::RepairAgain => {
                f.write_str("putting somebody's edit back was not accepted; trying again")
            }
            Self::CleanUp => {
                f.write_str("the job is out of the spec; waiting for the deployment without it")
            }
            Self::Health => f.write_str("asking the app's health address"),
        }
    }
}

/// Returns what to do next about `goal`.
#[must_use]
pub fn next(goal: &Goal, seen: &Observed) -> Next {
    match goal {
        Goal::Migrate(plan) => migrate(plan, seen),
        Goal::Clean(goal) => clean::next(goal, seen),
    }
}

/// The places in which somebody's edit is lost and that `goal` leaves to a person.
#[must_use]
pub fn left_to_a_person(goal: &Goal, seen: &Observed) -> Vec<String> {
    match goal {
        Goal::Migrate(plan) => outcome::conflicts(seen, &Care::of_plan(plan, seen)),
        Goal::Clean(goal) => clean::conflicts(goal, seen),
    }
}

fn migrate(plan: &Plan, seen: &Observed) -> Next {
    let care = Care::of_plan(plan, seen);
    let attempted = care.attempted(seen);
    // Before everything else, for a platform that gives no answer is no reason to stay.
    if let Some(stop) = seen.stop {
        return done(outcome::of_plan(plan, seen, &care, Some(stopped(stop))));
    }
    if let Some(blocked) = blocked(seen, attempted, plan) {
        return blocked;
    }
    if !attempted || care.doubtful(seen) {
        return insert::next(plan, seen, &care);
    }
    // An epoch that somebody else inserted meanwhile is followed with its own nonce, or its marks would not count.
    if care
        .record(seen)
        .is_some_and(|record| record.nonce != plan.nonce)
    {
        return Next::Replan;
    }
    care.next(seen)
        .or_else(|| finish::repair(seen, &care))
        .or_else(|| earlier_out(plan, seen, &care))
        .unwrap_or_else(|| finish::next(plan, seen, &care))
}

/// What to do until no job of an earlier epoch is in the app, once the plan's own is not.
fn earlier_out(plan: &Plan, seen: &Observed, care: &Care) -> Option<Next> {
    let back = Care::brought_back(plan, seen);
    if back.jobs.is_empty() || !outcome::out(seen, care) {
        return None;
    }
    clean::taken_out(seen, &back).or_else(|| clean::record(seen, &back))
}

fn stopped(stop: Stop) -> Reason {
    match stop {
        Stop::Signal => Reason::Interrupted,
        Stop::OutOfTime => Reason::Deadline,
    }
}

/// What follows where the app can't be read.
fn blocked(seen: &Observed, attempted: bool, plan: &Plan) -> Option<Next> {
    let end = |before: Reason, after: Reason| {
        let care = Care::of_plan(plan, seen);
        Some(done(outcome::of_plan(
            plan,
            seen,
            &care,
            Some(if attempted { after } else { before }),
        )))
    };
    match &seen.app {
        AppView::Present(_) => None,
        AppView::Gone => end(Reason::AppNotFound, Reason::AppGone),
        AppView::Denied => end(Reason::Unauthorized, Reason::AccessLost),
        AppView::Unreachable(since) => {
            let until = if attempted {
                bounds::deadline(seen, Some(plan))
            } else {
                after(*since, bounds::PLATFORM_BEFORE_INSERT)
            };
            if seen.now >= until {
                return end(Reason::PlatformUnreachable, Reason::CleanUpNotProven);
            }
            Some(wait(
                WaitFor::Platform,
                bounds::poll(*since, seen.now),
                until,
            ))
        }
    }
}

/// Whether this process may insert at all.
fn may_insert(mode: Mode) -> bool {
    match mode {
        Mode::Main => true,
        Mode::Post | Mode::Sweep => false,
    }
}

fn done(verdict: Verdict) -> Next {
    Next::Done(Box::new(verdict))
}

fn wait(what: WaitFor, poll: Duration, until: Timestamp) -> Next {
    Next::Wait(Wait { what, poll, until })
}

#[cfg(test)]
mod tests;
