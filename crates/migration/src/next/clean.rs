//! The sweeper: takes out temporary jobs that a run left behind.

use super::care::cared;
use super::{
    Action, Care, CleanUp, Next, Running, WaitFor, bounds, done, finish, outcome, stopped, wait,
};
use crate::{
    AppView, CleanUpAxis, DeploymentAxis, EpochState, FirewallAxis, HealthAxis, History, JobAxis,
    JobName, Key, LedgerEntry, LedgerOutcome, LedgerView, Mode, Observed, Reason, RunRecord,
    Verdict, VerdictFacts, after, carried, is_live,
};
use app_spec::App;
use std::collections::BTreeSet;

/// What to do next to put the app back.
pub(super) fn next(goal: &CleanUp, seen: &Observed) -> Next {
    if let Some(stop) = seen.stop {
        return end(goal, seen, Some(stopped(stop)));
    }
    let app = match &seen.app {
        AppView::Present(app) => app.as_ref(),
        AppView::Gone => return end(goal, seen, Some(Reason::AppNotFound)),
        AppView::Denied => return end(goal, seen, Some(Reason::Unauthorized)),
        AppView::Unreachable(since) => {
            let until = after(*since, bounds::PLATFORM_BEFORE_INSERT);
            if seen.now >= until {
                return end(goal, seen, Some(Reason::PlatformUnreachable));
            }
            return wait(WaitFor::Platform, bounds::poll(*since, seen.now), until);
        }
    };
    if app.pinned.is_some() && !care(goal, app, seen).in_spec(app).is_empty() {
        return end(goal, seen, Some(Reason::Pinned));
    }
    if goal.running == Running::LeaveAlone && !live_runs(goal, seen).is_empty() {
        // A PUT now might cancel the deployment of a run that is alive; whoever runs it cleans up.
        return end(goal, seen, None);
    }
    let care = care(goal, app, seen);
    taken_out(seen, &care)
        .or_else(|| claimed_of_late(seen, &care))
        .or_else(|| record(seen, &care))
        .unwrap_or_else(|| end(goal, seen, None))
}

/// What to do until the jobs are out and nothing that their updates overwrote is missing.
pub(super) fn taken_out(seen: &Observed, care: &Care) -> Option<Next> {
    care.next(seen)
        .or_else(|| finish::repair(seen, care))
        .or_else(|| finish::settle(seen))
}

/// A run that died as it claimed may have sent its update, which may still arrive. Its own post step waits for that:
/// nobody else comes for hours. (A sweep does not, for to it every claim of a live run looks like that.)
fn claimed_of_late(seen: &Observed, care: &Care) -> Option<Next> {
    if seen.mode != Mode::Post {
        return None;
    }
    let entries = seen.ledger.entries().iter();
    let cared = |entry: &&LedgerEntry| care.jobs.iter().any(|job| claims(entry, &job.name));
    let claimed = entries.filter(cared).map(|entry| entry.at).max()?;
    let until = after(claimed, bounds::SETTLE).min(care.deadline);
    let poll = bounds::poll(claimed, seen.now);
    (seen.now < until && care.carriers(seen).is_empty())
        .then(|| wait(WaitFor::OlderClaim, poll, until))
}

/// The jobs to take out: ours in the live spec, in the newest good deployment, those whose claims are open, and those
/// that this process has taken out, for a ledger may not list yet what it claimed for that.
fn care(goal: &CleanUp, app: &App, seen: &Observed) -> Care {
    let wanted = |key: &Key| goal.keys.as_ref().is_none_or(|keys| keys.contains(key));
    let live = crate::live(app, seen);
    let mut names: BTreeSet<JobName> = RunRecord::all(&app.spec)
        .iter()
        .map(RunRecord::job)
        .collect();
    names.extend(live.map(carried).unwrap_or_default());
    names.extend(running(seen));
    let open = seen
        .ledger
        .entries()
        .iter()
        // Those that this process has closed stay its business.
        .filter(|entry| entry.outcome.is_none() || seen.doings.recorded.contains(&entry.id));
    names.extend(open.map(|entry| entry.claim.job()));
    names.extend(seen.doings.claimed_removals.iter().cloned());
    names.retain(|name| wanted(&name.key));
    let jobs = names.into_iter().map(|name| cared(name, seen)).collect();
    let deadline = bounds::deadline(seen, None);
    let reserve = match seen.mode {
        Mode::Post => bounds::POST / 4,
        Mode::Main | Mode::Sweep => bounds::CLEAN_UP_RESERVE,
    };
    Care {
        jobs,
        also_stale: goal.also_stale.clone(),
        running: goal.running,
        clean_up_from: deadline
            .checked_sub(jiff::SignedDuration::try_from(reserve).unwrap_or_default())
            .unwrap_or(deadline),
        deadline,
    }
}

/// Jobs in scope that a deployment in flight carries.
fn live_runs(goal: &CleanUp, seen: &Observed) -> Vec<JobName> {
    let wanted = |name: &JobName| {
        goal.keys
            .as_ref()
            .is_none_or(|keys| keys.contains(&name.key))
    };
    running(seen).filter(wanted).collect()
}

/// Jobs of ours that may still run, or still start, in some deployment.
fn running(seen: &Observed) -> impl Iterator<Item = JobName> {
    let of = move |one| {
        carried(one)
            .into_iter()
            .filter(move |job| is_live(one, job, seen.now))
    };
    seen.deployments.iter().flat_map(of)
}

/// Closes the claims of epochs whose end is now known, so that nobody has to wait for them.
pub(super) fn record(seen: &Observed, care: &Care) -> Option<Next> {
    let LedgerView::Entries(entries) = &seen.ledger else {
        return None;
    };
    if seen.doings.record_failures >= bounds::RECORD_TRIES || finish::stays_open(seen, care) {
        return None;
    }
    care.jobs.iter().find_map(|job| {
        let entry = entries
            .iter()
            .find(|entry| claims(entry, &job.name) && !seen.doings.recorded.contains(&entry.id))?;
        let outcome = ending(entry, seen)?;
        Some(Next::Do(Action::Record {
            entry: entry.id,
            outcome,
        }))
    })
}

/// Whether `entry` is an open claim on `job`.
fn claims(entry: &LedgerEntry, job: &JobName) -> bool {
    entry.outcome.is_none() && entry.claim.job() == *job
}

/// Returns how an open claim ended, by what deployments and logs show; nothing while that can still change.
pub(super) fn ending(entry: &LedgerEntry, seen: &Observed) -> Option<LedgerOutcome> {
    let history = History::of(&entry.claim.key, seen);
    let epoch = history.epoch(entry.claim.epoch)?;
    // Somebody else's claim on an epoch that another one inserted gave way to it.
    let gave_way = epoch
        .record
        .as_ref()
        .is_some_and(|record| record.nonce != entry.claim.nonce);
    let settled = seen.now >= after(entry.at, bounds::SETTLE);
    match &epoch.state_by_evidence {
        EpochState::Ended(_) if gave_way => Some(LedgerOutcome::Withdrawn),
        EpochState::Ended(outcome) => Some(outcome.clone()),
        EpochState::Open if !settled => None,
        EpochState::Open if gave_way => Some(LedgerOutcome::Withdrawn),
        EpochState::Open if epoch.inserted() => None,
        EpochState::Open => Some(LedgerOutcome::NeverStarted),
    }
}

/// The places in which an update for the jobs to take out overwrote somebody's edit for good.
pub(super) fn conflicts(goal: &CleanUp, seen: &Observed) -> Vec<String> {
    crate::app_of(seen).map_or_else(Vec::new, |app| {
        outcome::conflicts(seen, &care(goal, app, seen))
    })
}

fn end(goal: &CleanUp, seen: &Observed, told: Option<Reason>) -> Next {
    let mut facts = VerdictFacts {
        recorded: !seen.doings.recorded.is_empty(),
        ..VerdictFacts::default()
    };
    let AppView::Present(app) = &seen.app else {
        return done(Verdict {
            job: JobAxis::NotAttempted,
            deployment: DeploymentAxis::None,
            clean_up: CleanUpAxis::Blocked,
            health: HealthAxis::NotChecked,
            firewall: FirewallAxis::NotChecked,
            reason: told.unwrap_or(Reason::PlatformUnreachable),
            facts,
        });
    };
    let care = care(goal, app, seen);
    let running = live_runs(goal, seen);
    let removed = !seen.doings.removals.is_empty();
    let clean_up = match outcome::clean_up(seen, &care) {
        CleanUpAxis::Verified | CleanUpAxis::NotNeeded if !removed => CleanUpAxis::NotNeeded,
        axis @ (CleanUpAxis::Verified
        | CleanUpAxis::NotNeeded
        | CleanUpAxis::Sent
        | CleanUpAxis::Blocked) => axis,
    };
    facts.disarmed = outcome::disarmed(seen, &care);
    facts.removed.clone_from(&seen.doings.removed);
    facts.conflicts = outcome::conflicts(seen, &care);
    facts.repaired = outcome::edits_put_back(seen, &facts.conflicts);
    let reason = told.unwrap_or(match clean_up {
        _ if !running.is_empty() && goal.running == Running::LeaveAlone => Reason::Skipped,
        CleanUpAxis::Blocked if !running.is_empty() => Reason::Detached,
        CleanUpAxis::Blocked => Reason::CleanUpNotProven,
        CleanUpAxis::Sent if seen.mode != Mode::Post => Reason::CleanUpNotProven,
        CleanUpAxis::Sent | CleanUpAxis::NotNeeded | CleanUpAxis::Verified
            if !facts.conflicts.is_empty() =>
        {
            Reason::EditOverwritten
        }
        CleanUpAxis::Sent | CleanUpAxis::NotNeeded | CleanUpAxis::Verified => Reason::Cleaned,
    });
    let job = if running.is_empty() {
        JobAxis::NotAttempted
    } else {
        JobAxis::Running
    };
    done(Verdict {
        job,
        deployment: DeploymentAxis::None,
        clean_up,
        health: HealthAxis::NotChecked,
        firewall: FirewallAxis::NotChecked,
        reason,
        facts,
    })
}
