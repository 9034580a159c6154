//! The guards before the insert, in their order, and the claim.
//!
//! Before the insert everything fails closed: nothing is sent while anything is unknown.

use super::care::cared;
use super::{Action, Care, Next, WaitFor, bounds, clean, done, finish, may_insert, outcome, wait};
use crate::planner::is_due;
use crate::{
    AppView, Contains, Estimate, LedgerEntry, LedgerOutcome, LedgerView, Observed, Plan,
    PutRefused, PutResult, Reason, RunRecord, WaitForDeploy, after, baseline, elapsed, live_commit,
    planned_commit,
};
use app_spec::{App, Phase};
use std::time::Duration;

/// What to do about a plan whose job is not known to be inserted.
pub(super) fn next(plan: &Plan, seen: &Observed, care: &Care) -> Next {
    let AppView::Present(app) = &seen.app else {
        return end(plan, seen, care, Reason::PlatformUnreachable);
    };
    if care.doubtful(seen) {
        return doubtful(plan, seen, care);
    }
    if !may_insert(seen.mode) {
        return end(plan, seen, care, Reason::Skipped);
    }
    // What it stood still is its own again for the clean-up only: nobody expects an insert hours later.
    if elapsed(after(seen.now, seen.stood_still), care.deadline) < time_needed(plan) {
        return end(plan, seen, care, Reason::Deadline);
    }
    if let Some(refused) = &seen.doings.insert_refused {
        match refused {
            PutRefused::Access => return end(plan, seen, care, Reason::MissingScope),
            PutRefused::Spec(_) => return end(plan, seen, care, Reason::SpecRefused),
            PutRefused::Busy => {
                // The longer it is refused, the more rarely it is asked.
                let until = seen.doings.insert.as_ref().map_or(seen.now, |put| {
                    let rarer = after(put.at, bounds::poll(seen.since, put.at));
                    put.again_from().max(rarer)
                });
                if seen.now < until {
                    return wait(WaitFor::Platform, elapsed(seen.now, until), until);
                }
            }
        }
    }
    state(plan, app, seen, care)
        .or_else(|| merge_deployment(plan, app, seen, care))
        .or_else(|| care.rolling_back(seen))
        .or_else(|| fits(plan, app, seen))
        .unwrap_or_else(|| claimed(plan, app, seen, care))
}

/// How much of the run's time must be left for an insert: what insert, job and clean-up are expected to take, and the
/// time that is kept for the clean-up whatever happens.
fn time_needed(plan: &Plan) -> Duration {
    let Estimate {
        to_start,
        job,
        clean_up,
        ..
    } = plan.estimate;
    [to_start, job, clean_up, bounds::CLEAN_UP_RESERVE]
        .into_iter()
        .fold(Duration::ZERO, Duration::saturating_add)
}

/// The app's own state allows it.
fn state(plan: &Plan, app: &App, seen: &Observed, care: &Care) -> Option<Next> {
    if app.pinned.is_some() {
        return Some(end(plan, seen, care, Reason::Pinned));
    }
    if RunRecord::all(&app.spec)
        .iter()
        .any(|record| record.key != plan.key)
    {
        return Some(end(plan, seen, care, Reason::Owned));
    }
    // Another epoch of this migration went in meanwhile: planned again, it is followed. An earlier one never is.
    if RunRecord::all(&app.spec)
        .iter()
        .any(|record| record.epoch >= plan.epoch)
    {
        return Some(Next::Replan);
    }
    let back = Care::brought_back(plan, seen);
    if !back.jobs.is_empty() {
        let first = clean::taken_out(seen, &back)
            .or_else(|| overwritten(plan, seen, care, &back))
            .or_else(|| clean::record(seen, &back));
        if first.is_some() {
            return first;
        }
    }
    if !RunRecord::all(&app.spec).is_empty() {
        return Some(end(plan, seen, care, Reason::CleanUpNotProven));
    }
    let flying = seen
        .deployments
        .iter()
        .find(|one| one.phase.is_in_flight())?;
    let until = after(seen.since, bounds::OTHER_SETTLES).min(care.clean_up_from);
    if seen.now >= until {
        return Some(end(plan, seen, care, Reason::DeploymentInFlight));
    }
    let what = WaitFor::OtherDeployment(flying.id.clone(), flying.phase.clone());
    let since = flying.phase_updated_at.or(flying.created_at);
    let poll = bounds::poll(since.unwrap_or(seen.since), seen.now);
    Some(wait(what, poll, until))
}

/// The merged commit is live, where the reference component deploys on push.
fn merge_deployment(plan: &Plan, app: &App, seen: &Observed, care: &Care) -> Option<Next> {
    let request = &plan.request;
    let commit = request.commit.as_ref()?;
    if request.settings.wait_for_deploy == WaitForDeploy::Off {
        return None;
    }
    let reference = app.spec.component(request.settings.reference.as_str())?;
    if !reference
        .source()
        .is_some_and(|source| source.deploys_on_push())
    {
        return None;
    }
    let live = live_commit(app, seen, &request.settings.reference);
    let contained = live.as_ref().map(|live| {
        if live == commit {
            Contains::Yes
        } else {
            seen.lineage.get(live).copied().unwrap_or(Contains::Unknown)
        }
    });
    if contained == Some(Contains::Yes) {
        return None;
    }
    let of_merge = |one: &&app_spec::Deployment| {
        one.commit_of(request.settings.reference.as_str()) == Some(commit.as_str())
    };
    if seen
        .deployments
        .iter()
        .filter(of_merge)
        .any(|one| one.phase == Phase::Error)
    {
        return Some(end(plan, seen, care, Reason::DeployFailed));
    }
    let until = after(seen.since, bounds::MERGE_APPEARS).min(care.clean_up_from);
    if seen.now >= until {
        return Some(end(plan, seen, care, Reason::DeployNotSeen));
    }
    let poll = bounds::poll(seen.since, seen.now);
    Some(wait(WaitFor::MergeDeployment, poll, until))
}

/// What was planned is still what is live: the spec without ours, and the commit that the job will be built from.
fn fits(plan: &Plan, app: &App, seen: &Observed) -> Option<Next> {
    let settings = &plan.request.settings;
    let baseline = baseline(&app.spec, &settings.also_stale);
    let commit = planned_commit(&plan.request, app, seen);
    (baseline != plan.baseline || commit != plan.commit).then_some(Next::Replan)
}

/// Append a claim where nobody else's is open, read the ledger again, insert only when the claim is the oldest open one.
///
/// Who claims and then waits for an older claim finds its own too old afterwards, and has meanwhile kept the other one
/// waiting: two such runs outwait each other to their deadlines.
fn claimed(plan: &Plan, app: &App, seen: &Observed, care: &Care) -> Next {
    let entries = match &seen.ledger {
        LedgerView::Entries(entries) => entries
            .iter()
            .filter(|entry| entry.claim.key == plan.key)
            .collect::<Vec<_>>(),
        LedgerView::Unreachable => return ledger_silent(plan, seen, care),
    };
    let made = seen.doings.claim.as_ref();
    // A ledger that can be read and not written: no claim is made, and none that is in the way is closed.
    if made.is_none() && seen.doings.claim_failures >= bounds::CLAIM_TRIES
        || seen.doings.record_failures >= bounds::RECORD_TRIES
    {
        return end(plan, seen, care, Reason::LedgerUnreachable);
    }
    // By the run's own time: who claims again and again beside another run looks more rarely all the same.
    let poll = bounds::poll(seen.since, seen.now);
    let is_older = |entry: &&&LedgerEntry| {
        entry.outcome.is_none()
            && entry.claim.nonce != plan.nonce
            && made.is_none_or(|made| entry.id < made.id)
    };
    if let Some(older) = entries.iter().find(is_older) {
        let until = after(older.at, bounds::SETTLE);
        if seen.now < until {
            return wait(WaitFor::OlderClaim, poll, until);
        }
        if let Some(first) = overwritten_by(older, plan, seen, care) {
            return first;
        }
        // Past the time in which its PUT could still land, it ended as the app and its log show, or never inserted. A
        // job that went in and whose end nobody can read may have run: it must never count as never started.
        return Next::Do(Action::Record {
            entry: older.id,
            outcome: clean::ending(older, seen).unwrap_or(LedgerOutcome::Unproven { done: 0 }),
        });
    }
    // What another claim came to may have changed what is to be done: an epoch that was believed to have run nothing.
    if !is_due(plan, app, seen) {
        return Next::Replan;
    }
    let Some(made) = made else {
        return Next::Do(Action::Claim);
    };
    if !entries.iter().any(|entry| entry.id == made.id) {
        let until = after(made.at, bounds::CLAIM_VISIBLE);
        if seen.now < until {
            // By the claim's age, however long the run has gone on: it must be used within a minute.
            let poll = bounds::poll(made.at, seen.now);
            return wait(WaitFor::ClaimVisible, poll, until);
        }
        return ledger_silent(plan, seen, care);
    }
    if !made.is_fresh(seen.now) {
        return Next::Do(Action::Record {
            entry: made.id,
            outcome: LedgerOutcome::Withdrawn,
        });
    }
    Next::Do(Action::Insert)
}

/// What the update of an older claim overwrote is put back before that claim is closed: with it goes the last trace.
fn overwritten_by(older: &LedgerEntry, plan: &Plan, seen: &Observed, care: &Care) -> Option<Next> {
    let left = Care {
        jobs: vec![cared(older.claim.job(), seen)],
        ..care.clone()
    };
    finish::repair(seen, &left)
        .or_else(|| finish::settle(seen))
        .or_else(|| overwritten(plan, seen, care, &left))
}

/// Ends the run where a person must look at what an update for the jobs that are `left` overwrote.
fn overwritten(plan: &Plan, seen: &Observed, care: &Care, left: &Care) -> Option<Next> {
    let conflicts = outcome::conflicts(seen, left);
    (!conflicts.is_empty()).then(|| match end(plan, seen, care, Reason::EditOverwritten) {
        Next::Done(mut verdict) => {
            verdict.facts.conflicts = conflicts;
            Next::Done(verdict)
        }
        other @ (Next::Do(_) | Next::Wait(_) | Next::Replan) => other,
    })
}

/// The ledger can't be read, or does not list what it took: it tells nobody who comes first. Nothing more is written to
/// it, for a claim that it closed unseen would be made again and again.
fn ledger_silent(plan: &Plan, seen: &Observed, care: &Care) -> Next {
    let until = after(seen.since, bounds::LEDGER_BEFORE_INSERT);
    if seen.now < until && seen.doings.claim.is_none() {
        return wait(WaitFor::Ledger, bounds::poll(seen.since, seen.now), until);
    }
    let reason = Some(Reason::LedgerUnreachable);
    done(outcome::of_plan(plan, seen, care, reason))
}

/// The reply of our PUT was lost and nothing shows it: watched for as long as it may still take effect, never sent
/// again.
fn doubtful(plan: &Plan, seen: &Observed, care: &Care) -> Next {
    let sent = seen.doings.insert.as_ref().map_or(seen.since, |put| put.at);
    let until = after(sent, bounds::SETTLE);
    if seen.now < until {
        return wait(WaitFor::DoubtfulPut, bounds::poll(sent, seen.now), until);
    }
    end(plan, seen, care, Reason::NeverStarted)
}

/// Ends without an insert; our open claim is closed first, so that nobody has to wait for it.
fn end(plan: &Plan, seen: &Observed, care: &Care, reason: Reason) -> Next {
    if let (Some(made), LedgerView::Entries(_)) = (&seen.doings.claim, &seen.ledger)
        && !seen.doings.recorded.contains(&made.id)
        && seen.doings.record_failures < bounds::RECORD_TRIES
    {
        let never = seen
            .doings
            .insert
            .as_ref()
            .is_some_and(|put| put.outcome == PutResult::Ambiguous);
        let outcome = if never {
            LedgerOutcome::NeverStarted
        } else {
            LedgerOutcome::Withdrawn
        };
        return Next::Do(Action::Record {
            entry: made.id,
            outcome,
        });
    }
    done(outcome::of_plan(plan, seen, care, Some(reason)))
}
