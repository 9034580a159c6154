//! The job is out: health, firewall, the ledger's last word, and the verdict.

use super::{Action, Care, Next, WaitFor, bounds, care, done, outcome, wait};
use crate::{
    EpochState, FirewallPolicy, FirewallView, HealthAxis, HealthSample, History, LedgerEntry,
    LedgerOutcome, LedgerView, Mode, Observed, Plan, PutResult, RunRecord, after, elapsed,
    extra_rules, unsettled,
};
use app_spec::App;
use jiff::Timestamp;
use std::time::Duration;

/// Between two health probes.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// How long nobody may have asked for the answers before that to count as answers of an earlier time.
const PROBE_PAUSE: Duration = Duration::from_secs(90);
/// How often an overwritten edit is put back in one run.
const REPAIRS: usize = 2;
/// How often the firewall is written in one run.
const FIREWALL_WRITES: u32 = 2;

/// What is left to do once the job is proven out (or can't be taken out).
pub(super) fn next(plan: &Plan, seen: &Observed, care: &Care) -> Next {
    health(plan, seen)
        .or_else(|| firewall(plan, seen, care))
        .or_else(|| settle(seen))
        .or_else(|| record(plan, seen, care))
        .unwrap_or_else(|| done(outcome::of_plan(plan, seen, care, None)))
}

/// What our own updates overwrote is put back, once nothing of ours is in the app and nothing is in flight.
pub(super) fn repair(seen: &Observed, care: &Care) -> Option<Next> {
    let flying = seen.deployments.iter().any(|one| one.phase.is_in_flight());
    if seen.mode == Mode::Post || flying || !outcome::out(seen, care) || !owed(seen, care) {
        return None;
    }
    Some(match care::not_before(&seen.doings.repairs, seen) {
        Some(due) => wait(WaitFor::RepairAgain, elapsed(seen.now, due), due),
        None => Next::Do(Action::Repair(care.names())),
    })
}

/// An update of ours that may still arrive may overwrite what somebody wrote after it, so it is waited for.
pub(super) fn settle(seen: &Observed) -> Option<Next> {
    let until = unsettled(seen).filter(|_| seen.mode != Mode::Post)?;
    Some(wait(WaitFor::DoubtfulPut, elapsed(seen.now, until), until))
}

/// Whether a claim has to stay open although its epoch has ended, for whoever comes after.
pub(super) fn stays_open(seen: &Observed, care: &Care) -> bool {
    // A post step does not wait for what it has sent, as others do. Its run may have died with the same removal under way,
    // which may arrive over somebody's edit: whoever proves that the job is out looks for that, too, and closes the claim.
    let sent_only = seen.mode == Mode::Post && !seen.doings.removals.is_empty();
    sent_only || owed(seen, care)
}

/// Whether somebody's edit is still to be put back: whoever closes the claim before that takes away its last trace.
fn owed(seen: &Observed, care: &Care) -> bool {
    may_repair(seen) && care.lost_edits(seen).spec.is_some()
}

/// Whether this process may put something back, were there something.
pub(super) fn may_repair(seen: &Observed) -> bool {
    let repairs = &seen.doings.repairs;
    let applied = repairs
        .iter()
        .filter(|put| put.outcome != PutResult::NotApplied);
    let first = repairs.first().map_or(seen.now, |put| put.at);
    // Beside another run's job nothing is put back: an update now would end it.
    let free = |app: &App| RunRecord::all(&app.spec).is_empty();
    crate::app_of(seen).is_some_and(free)
        && applied.count() < REPAIRS
        && seen.now < after(first, bounds::WRITE_TRIES)
}

fn health(plan: &Plan, seen: &Observed) -> Option<Next> {
    if plan.health_url.is_none() || seen.mode != Mode::Main {
        return None;
    }
    if is_healthy(&seen.health) {
        return None;
    }
    let of_late = of_late(&seen.health, seen.now);
    let (Some(first), Some(last)) = (of_late.first(), of_late.last()) else {
        return Some(Next::Do(Action::Probe));
    };
    if elapsed(first.at, seen.now) >= bounds::HEALTH {
        return None;
    }
    let due = after(last.at, PROBE_EVERY);
    Some(if seen.now >= due {
        Next::Do(Action::Probe)
    } else {
        wait(
            WaitFor::Health,
            elapsed(seen.now, due),
            after(first.at, bounds::HEALTH),
        )
    })
}

/// The answers since the last long pause: nobody asks while others deploy, and that takes nothing from the time that the app
/// has to answer in.
fn of_late(samples: &[HealthSample], now: Timestamp) -> &[HealthSample] {
    let mut later = now;
    let recent = samples.iter().rev().take_while(|sample| {
        let asked_on = elapsed(sample.at, later) < PROBE_PAUSE;
        later = sample.at;
        asked_on
    });
    let paused_before = samples.len() - recent.count();
    samples.get(paused_before..).unwrap_or_default()
}

/// Returns what the answers say of the app's health. Good ones that are too few, for nobody could ask on, say nothing
/// against it.
pub(super) fn health_axis(samples: &[HealthSample]) -> HealthAxis {
    match samples {
        _ if is_healthy(samples) => HealthAxis::Ok,
        _ if samples.iter().all(|sample| sample.ok()) => HealthAxis::NotChecked,
        _ => HealthAxis::Bad,
    }
}

/// Returns whether the last answers were good, as many in a row as it takes.
#[must_use]
pub fn is_healthy(samples: &[HealthSample]) -> bool {
    samples.len() >= bounds::HEALTHY_IN_A_ROW
        && samples
            .iter()
            .rev()
            .take(bounds::HEALTHY_IN_A_ROW)
            .all(|sample| sample.ok())
}

/// Read and, where asked, put back; never while a job of ours is in the spec, for a write may start a deployment.
fn firewall(plan: &Plan, seen: &Observed, care: &Care) -> Option<Next> {
    if plan.cluster.is_none() || seen.mode != Mode::Main || !outcome::all_out(plan, seen, care) {
        return None;
    }
    let settings = &plan.request.settings;
    match (&seen.firewall, settings.firewall) {
        (_, FirewallPolicy::Off) | (FirewallView::Failed, _) => None,
        (FirewallView::Unread, FirewallPolicy::Check | FirewallPolicy::Restore) => {
            Some(Next::Do(Action::ReadFirewall))
        }
        (FirewallView::Rules(_), FirewallPolicy::Check) => None,
        (FirewallView::Rules(rules), FirewallPolicy::Restore) => {
            let as_asked = extra_rules(rules, &plan.app, &settings.keep_rules).is_empty()
                && rules.admits_app(&plan.app);
            (!as_asked && seen.doings.firewall_writes < FIREWALL_WRITES)
                .then_some(Next::Do(Action::RestoreFirewall))
        }
    }
}

/// The ledger takes how the epoch ended: on our claim, or on the one that a killed process left open. Where another process
/// has closed them as if nothing ran (a `stop`, before somebody brought the job back), and something did, on the newest.
fn record(plan: &Plan, seen: &Observed, care: &Care) -> Option<Next> {
    let LedgerView::Entries(entries) = &seen.ledger else {
        return None;
    };
    if seen.doings.record_failures >= bounds::RECORD_TRIES {
        return None;
    }
    let history = History::of(&plan.key, seen);
    let EpochState::Ended(ended) = &history.epoch(plan.epoch)?.state_by_evidence else {
        return None;
    };
    // Oldest first, as the ledger lists them.
    let mut ours = entries.iter().filter(|entry| {
        entry.claim.key == plan.key
            && entry.claim.epoch == plan.epoch
            && entry.claim.nonce == plan.nonce
    });
    let told_nothing = |entry: &LedgerEntry| {
        let told = entry.outcome.as_ref();
        told.is_some_and(LedgerOutcome::ran_nothing)
    };
    let wrong = !ended.ran_nothing() && ours.clone().all(told_nothing);
    let open = ours.clone().find(|entry| entry.outcome.is_none());
    let entry = open.or_else(|| ours.next_back().filter(|_| wrong))?;
    let again = seen.doings.recorded.contains(&entry.id);
    (!again && !stays_open(seen, care)).then(|| {
        Next::Do(Action::Record {
            entry: entry.id,
            outcome: ended.clone(),
        })
    })
}
