//! The headline: how it stands, in one line with at most one mark.

use super::story::{State, checks_only, notes, state};
use super::words::{Words, name, words};
use crate::{CleanUpAxis, DeploymentAxis, JobAxis, LedgerOutcome, Reason, Report, Verdict};

/// One mark for the headline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Good,
    Bad,
    Look,
    Wait,
    None,
}

impl Mark {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Good => "✅ ",
            Self::Bad => "❌ ",
            Self::Look => "⚠️ ",
            Self::Wait => "⏳ ",
            Self::None => "",
        }
    }
}

fn capital(report: &Report) -> Words {
    report
        .migration()
        .map_or_else(|| words!["The migration"], |id| words!["Migration ", id])
}

/// Returns the line that says how it stands.
pub(crate) fn headline(report: &Report) -> (Mark, Words) {
    let subject = capital(report);
    match state(report) {
        State::Ended(verdict) => ended(report, verdict),
        State::Refused(_) => (Mark::Bad, unstarted(report)),
        State::EndedEarlier(ended) => ended_earlier(report, &ended.outcome),
        // A job of this run that had never started may have run all the same: somebody brought it back.
        State::AlreadyDone(_) if report.inserted => (Mark::Good, words![subject, " is done"]),
        State::AlreadyDone(_) => done_already(report),
        State::Preview(_) => (
            Mark::None,
            words!["Plan for ", migration(report), " on ", app(report)],
        ),
        State::UnderWay => (
            Mark::Wait,
            words![subject, " is under way on ", app(report)],
        ),
    }
}

fn done_already(report: &Report) -> (Mark, Words) {
    let done = words![capital(report), " is done already; nothing was run"];
    (Mark::Good, done)
}

/// What did not go in: all that was asked for, or what was left of it.
fn unstarted(report: &Report) -> Words {
    let how = match (report.part_done.is_empty(), report.inserted) {
        (false, _) => " is done in part; the rest was not started",
        // It had never started, and another one was to come.
        (true, true) => " was not put in again after its job was taken out",
        (true, false) => " was not started; nothing was inserted",
    };
    words![capital(report), how]
}

/// Which job never started: that of all that was asked for, or of what was left of it.
fn never_started(report: &Report) -> Words {
    let how = if report.part_done.is_empty() {
        " never started; nothing ran"
    } else {
        " is done in part; the rest never started"
    };
    words![capital(report), how]
}

fn ended_earlier(report: &Report, outcome: &LedgerOutcome) -> (Mark, Words) {
    let (mark, how) = match outcome {
        LedgerOutcome::Done => return done_already(report),
        LedgerOutcome::Failed { .. } => (Mark::Bad, " failed in "),
        LedgerOutcome::Unproven { .. } => (Mark::Look, " is unproven since "),
        LedgerOutcome::NeverStarted | LedgerOutcome::Withdrawn => {
            (Mark::Look, " never started in ")
        }
    };
    let (which, now) = if report.part_done.is_empty() {
        ("an earlier run; ", "nothing was run now")
    } else {
        ("another run; ", "a part of it is done")
    };
    (mark, words![capital(report), how, which, now])
}

fn ended(report: &Report, verdict: &Verdict) -> (Mark, Words) {
    if left_behind(verdict) {
        let job = verdict
            .facts
            .job
            .as_ref()
            .map_or_else(|| words!["the temporary job"], |job| words!["job ", job]);
        return (
            Mark::Look,
            words![
                "A person must act: ",
                job,
                " is not proven to be out of ",
                app(report)
            ],
        );
    }
    let subject = || capital(report);
    let in_part = !report.part_done.is_empty();
    let what = match &verdict.job {
        JobAxis::Failed {
            step, check: false, ..
        } => words![subject(), " failed at step ", step],
        JobAxis::Failed {
            step, check: true, ..
        } if in_part => words![
            subject(),
            " is done in part; the check of step ",
            step,
            " failed"
        ],
        JobAxis::Failed {
            step, check: true, ..
        } => words![
            subject(),
            ": the check of step ",
            step,
            " failed, no step ran"
        ],
        JobAxis::Refused { .. } if in_part => words![
            subject(),
            " is done in part; a variable that the rest needs is missing"
        ],
        JobAxis::Refused { .. } => words![
            subject(),
            " ran nothing: a variable that it needs is missing"
        ],
        JobAxis::Unproven { .. } => words![
            subject(),
            " may have run; its log does not prove how it ended"
        ],
        JobAxis::NeverStarted => never_started(report),
        JobAxis::Running => words![subject(), " still runs"],
        JobAxis::NotAttempted => unstarted(report),
        JobAxis::Done if checks_only(report) => {
            words!["The checks of ", migration(report), " passed"]
        }
        JobAxis::Done => words![subject(), " is done"],
    };
    let tail = |mark, tail: &'static str| (mark, words![what.clone(), tail]);
    match verdict.reason {
        Reason::Done | Reason::ChecksPassed => match notes(report, verdict).len() {
            0 => (Mark::Good, what),
            _ => (Mark::Good, words![what, ", with something to look at"]),
        },
        Reason::Planned => (
            Mark::None,
            words!["Plan for ", migration(report), " on ", app(report)],
        ),
        Reason::Skipped => (Mark::None, words!["Nothing to run for this event"]),
        Reason::AlreadyDone => done_already(report),
        Reason::Cleaned if verdict.facts.removed.is_empty() => (
            Mark::Good,
            words!["No temporary job was left in ", app(report)],
        ),
        Reason::Cleaned => (
            Mark::Good,
            words!["Left-over jobs are out of ", app(report)],
        ),
        Reason::MigrationFailed
        | Reason::RolledBack
        | Reason::CheckFailed
        | Reason::VariableMissing => match verdict.deployment {
            DeploymentAxis::RolledBack => tail(Mark::Bad, "; the platform rolled the app back"),
            DeploymentAxis::Active => tail(Mark::Bad, "; the app runs on, it was not rolled back"),
            DeploymentAxis::Failed => tail(Mark::Bad, "; the app stays on what was live before"),
            DeploymentAxis::None
            | DeploymentAxis::Cancelled
            | DeploymentAxis::InFlight
            | DeploymentAxis::Unknown => (Mark::Bad, what),
        },
        Reason::AlreadyFailed => (
            Mark::Bad,
            words![subject(), " failed in an earlier run; nothing was run now"],
        ),
        Reason::StartTimedOut => tail(Mark::Bad, "; it did not start in time"),
        Reason::JobTimedOut => tail(Mark::Bad, "; it ran longer than it may"),
        Reason::Deadline => tail(Mark::Bad, "; the time for the whole run was up"),
        Reason::Superseded => tail(
            Mark::Bad,
            "; its deployment was cancelled or superseded from outside",
        ),
        Reason::NeverStarted | Reason::Unproven => (Mark::Look, what),
        Reason::EarlierUnproven => (
            Mark::Look,
            words![
                subject(),
                " was not started: an earlier run of it is unproven"
            ],
        ),
        Reason::AppGone => (
            Mark::Look,
            words!["A person must act: ", app(report), " was deleted meanwhile"],
        ),
        Reason::Unhealthy => tail(Mark::Look, ", but the app does not answer as healthy"),
        Reason::Firewall => tail(Mark::Look, ", but the database's firewall is not as asked"),
        Reason::EditOverwritten => tail(
            Mark::Look,
            ", but a person must look at an overwritten edit of the app spec",
        ),
        Reason::Interrupted | Reason::Terminated => {
            tail(Mark::Look, "; the run was ended from outside")
        }
        Reason::CleanUpNotProven | Reason::Detached | Reason::AccessLost => (Mark::Look, what),
        Reason::Usage
        | Reason::BadConfig
        | Reason::BadManifest
        | Reason::OperatorRefused
        | Reason::AppNotFound
        | Reason::ComponentNotFound
        | Reason::DatabaseNotFound
        | Reason::ClusterNotFound
        | Reason::HealthUrlForeign
        | Reason::Ambiguous
        | Reason::EventRefused
        | Reason::SpecRefused
        | Reason::IdReused
        | Reason::Unauthorized
        | Reason::MissingScope
        | Reason::MissingPermission
        | Reason::DeploymentInFlight
        | Reason::DeployNotSeen
        | Reason::DeployFailed
        | Reason::Owned
        | Reason::Pinned
        | Reason::ChangedAfterDone
        | Reason::UndeclaredJob
        | Reason::NameTaken
        | Reason::StaleJob
        | Reason::AppRuleMissing
        | Reason::NothingLive
        | Reason::PlatformUnreachable => (Mark::Bad, what),
        Reason::LedgerUnreachable => tail(
            Mark::Bad,
            ": the ledger took no claim, or did not list it in time",
        ),
    }
}

/// Returns whether a job may still be in the app.
pub(crate) fn left_behind(verdict: &Verdict) -> bool {
    let named = matches!(
        verdict.reason,
        Reason::CleanUpNotProven | Reason::Detached | Reason::AccessLost
    );
    named || verdict.clean_up == CleanUpAxis::Blocked
}

/// Returns "migration `ter-235`", as far as its name is known.
pub(crate) fn migration(report: &Report) -> Words {
    report
        .migration()
        .map_or_else(|| words!["the migration"], |id| words!["migration ", id])
}

/// Returns the app's name, as far as it is known.
pub(crate) fn app(report: &Report) -> Words {
    let planned = report
        .plan
        .as_ref()
        .map(|plan| report.redactor.clean_line(&plan.app_name));
    planned
        .as_ref()
        .or(report.subject.app.as_ref())
        .map_or_else(|| words!["the app"], |app| words![name(app)])
}
