//! The verdict, from nothing but what was observed.

use super::care::Care;
use super::finish;
use crate::ledger::{Proof, proof};
use crate::{
    AppView, CleanUpAxis, DeploymentAxis, DisarmedCopy, EpochState, FirewallAxis, FirewallPolicy,
    FirewallView, HealthAxis, History, JobAxis, LedgerOutcome, Mode, Observed, PastEpoch, Plan,
    Put, Reason, Verdict, VerdictFacts, baseline, extra_rules, live, live_commit, without_ours,
};
use app_spec::{App, Deployment, DeploymentId, Phase, StepStatus};

/// Returns the verdict about a plan; `told` is the more exact reason, where the caller knows one.
pub(super) fn of_plan(plan: &Plan, seen: &Observed, care: &Care, told: Option<Reason>) -> Verdict {
    let own = care.own(seen);
    let rollback = own.and_then(|own| Care::rollback(seen, &own.id));
    let job = job(plan, seen, care);
    let deployment = deployment(own, rollback, &job, care);
    let clean_up = clean_up_of_plan(plan, seen, care);
    let health = match plan.health_url {
        Some(_) => finish::health_axis(&seen.health),
        None => HealthAxis::NotChecked,
    };
    let firewall = firewall(plan, seen);
    let mut verdict = Verdict {
        reason: Reason::Done,
        facts: facts(plan, seen, care),
        job,
        deployment,
        clean_up,
        health,
        firewall,
    };
    verdict.reason = reason(&verdict, plan, seen, care, told);
    verdict
}

/// Returns, once the app is proven put back after an insert, the paths of its spec that others changed meanwhile.
#[must_use]
pub fn put_back(plan: &Plan, seen: &Observed) -> Option<Vec<String>> {
    let care = Care::of_plan(plan, seen);
    let app = crate::app_of(seen)?;
    (clean_up_of_plan(plan, seen, &care) == CleanUpAxis::Verified)
        .then(|| changed_by_others(plan, app, seen, &care))
}

/// Whether no job under our care is in the spec or in the newest good deployment.
pub(super) fn out(seen: &Observed, care: &Care) -> bool {
    match &seen.app {
        AppView::Present(app) => {
            care.in_spec(app).is_empty() && care.live_carrying(app, seen).is_empty()
        }
        AppView::Gone | AppView::Unreachable(_) | AppView::Denied => false,
    }
}

/// The same for the plan's own job and those of the epochs before it.
pub(super) fn all_out(plan: &Plan, seen: &Observed, care: &Care) -> bool {
    out(seen, care) && out(seen, &Care::brought_back(plan, seen))
}

fn job(plan: &Plan, seen: &Observed, care: &Care) -> JobAxis {
    if !care.attempted(seen) {
        return JobAxis::NotAttempted;
    }
    if care.unseen(seen) {
        return JobAxis::Unproven { during: None };
    }
    if care.doubtful(seen) {
        return JobAxis::NeverStarted;
    }
    let history = History::of(&plan.key, seen);
    let Some(epoch) = history.epoch(plan.epoch) else {
        return JobAxis::Unproven { during: None };
    };
    let proofs = || {
        care.carriers(seen)
            .into_iter()
            .map(|(one, job)| proof(one, &job.name, &job.steps, job.mode, seen))
    };
    match &epoch.state_by_evidence {
        EpochState::Ended(LedgerOutcome::Done) => JobAxis::Done,
        EpochState::Ended(LedgerOutcome::Failed { step, code, check }) => {
            let refused = proofs().find_map(|proof| match proof {
                Proof::Refused { variable } => Some(variable),
                Proof::Pending
                | Proof::Nothing(_)
                | Proof::Done
                | Proof::Failed { .. }
                | Proof::Unproven { .. } => None,
            });
            match refused {
                Some(variable) => JobAxis::Refused { variable },
                None => JobAxis::Failed {
                    step: step.clone(),
                    code: *code,
                    check: *check,
                },
            }
        }
        EpochState::Ended(LedgerOutcome::NeverStarted | LedgerOutcome::Withdrawn) => {
            JobAxis::NeverStarted
        }
        EpochState::Ended(LedgerOutcome::Unproven { .. }) => JobAxis::Unproven {
            during: proofs().find_map(|proof| match proof {
                Proof::Unproven { during, .. } => during,
                Proof::Pending
                | Proof::Nothing(_)
                | Proof::Done
                | Proof::Failed { .. }
                | Proof::Refused { .. } => None,
            }),
        },
        EpochState::Open if epoch.in_flight => JobAxis::Running,
        EpochState::Open => JobAxis::Unproven { during: None },
    }
}

fn deployment(
    own: Option<&Deployment>,
    rollback: Option<&Deployment>,
    job: &JobAxis,
    care: &Care,
) -> DeploymentAxis {
    let Some(own) = own else {
        return if *job == JobAxis::NotAttempted {
            DeploymentAxis::None
        } else {
            DeploymentAxis::Unknown
        };
    };
    match (&own.phase, rollback) {
        (Phase::Active, _) => DeploymentAxis::Active,
        // A deployment that was active turns SUPERSEDED when the next one is; one that never got there was cancelled.
        (Phase::Superseded, _) if reached(own, care) => DeploymentAxis::Active,
        (Phase::Superseded | Phase::Canceled, _) => DeploymentAxis::Cancelled,
        (Phase::Error, Some(_)) => DeploymentAxis::RolledBack,
        (Phase::Error, None) => DeploymentAxis::Failed,
        (Phase::PendingBuild | Phase::Building | Phase::PendingDeploy | Phase::Deploying, _) => {
            DeploymentAxis::InFlight
        }
        (Phase::Unknown | Phase::Other(_), _) => DeploymentAxis::Unknown,
    }
}

/// Whether the job's own deploy step came to an end in `deployment`.
fn reached(deployment: &Deployment, care: &Care) -> bool {
    let Some(progress) = &deployment.progress else {
        return true;
    };
    care.jobs
        .iter()
        .any(|job| progress.job_status(&job.name.to_string()).deploy == StepStatus::Success)
}

/// How far the app is put back: the plan's own job counts, and what somebody brought back of the epochs before it.
fn clean_up_of_plan(plan: &Plan, seen: &Observed, care: &Care) -> CleanUpAxis {
    let back = Care::brought_back(plan, seen);
    let own = clean_up(seen, care);
    if out(seen, &back) {
        return own;
    }
    match (own, clean_up(seen, &back)) {
        (axis @ (CleanUpAxis::Blocked | CleanUpAxis::Sent), _)
        | (CleanUpAxis::Verified | CleanUpAxis::NotNeeded, axis) => axis,
    }
}

pub(super) fn clean_up(seen: &Observed, care: &Care) -> CleanUpAxis {
    let AppView::Present(app) = &seen.app else {
        return if care.attempted(seen) {
            CleanUpAxis::Blocked
        } else {
            CleanUpAxis::NotNeeded
        };
    };
    if care.unseen(seen) {
        return CleanUpAxis::Blocked;
    }
    if !care.in_spec(app).is_empty() {
        // A declared stale job that we never got to remove is not ours to answer for.
        return if care.attempted(seen) {
            CleanUpAxis::Blocked
        } else {
            CleanUpAxis::NotNeeded
        };
    }
    let flying = seen.deployments.iter().any(|one| one.phase.is_in_flight());
    if !care.live_carrying(app, seen).is_empty() {
        return if flying {
            CleanUpAxis::Sent
        } else {
            CleanUpAxis::Blocked
        };
    }
    if !care.attempted(seen) || care.doubtful(seen) {
        return CleanUpAxis::NotNeeded;
    }
    if flying {
        CleanUpAxis::Sent
    } else {
        CleanUpAxis::Verified
    }
}

fn firewall(plan: &Plan, seen: &Observed) -> FirewallAxis {
    let settings = &plan.request.settings;
    match (&seen.firewall, settings.firewall) {
        (_, FirewallPolicy::Off) | (FirewallView::Unread, _) => FirewallAxis::NotChecked,
        (FirewallView::Failed, FirewallPolicy::Check) => FirewallAxis::NotChecked,
        (FirewallView::Failed, FirewallPolicy::Restore) => FirewallAxis::Failed,
        (FirewallView::Rules(rules), policy) => {
            let extra = !extra_rules(rules, &plan.app, &settings.keep_rules).is_empty();
            match (extra || !rules.admits_app(&plan.app), policy) {
                (false, _) if seen.doings.firewall_writes > 0 => FirewallAxis::Restored,
                (false, _) => FirewallAxis::AsAsked,
                (true, FirewallPolicy::Restore) => FirewallAxis::Failed,
                (true, FirewallPolicy::Check | FirewallPolicy::Off) => FirewallAxis::Drifted,
            }
        }
    }
}

fn facts(plan: &Plan, seen: &Observed, care: &Care) -> VerdictFacts {
    let own = care.own(seen);
    let history = History::of(&plan.key, seen);
    let epoch = history.epoch(plan.epoch);
    let app = match &seen.app {
        AppView::Present(app) => Some(app.as_ref()),
        AppView::Gone | AppView::Unreachable(_) | AppView::Denied => None,
    };
    let extra = match &seen.firewall {
        FirewallView::Rules(rules) => {
            extra_rules(rules, &plan.app, &plan.request.settings.keep_rules)
        }
        FirewallView::Unread | FirewallView::Failed => Vec::new(),
    };
    let conflicts = conflicts(seen, care);
    VerdictFacts {
        job: Some(plan.job()),
        deployment: own.map(|own| own.id.clone()),
        rollback: own
            .and_then(|own| Care::rollback(seen, &own.id))
            .map(|one| one.id.clone()),
        clean_up: taken_out_by(own, seen),
        live: app.and_then(|app| {
            let commit = live_commit(app, seen, &plan.request.settings.reference);
            live(app, seen).map(|one| (one.id.clone(), commit))
        }),
        carried_by: care
            .carriers(seen)
            .into_iter()
            .map(|(one, _)| one.id.clone())
            .filter(|id| own.map(|own| &own.id) != Some(id))
            .collect(),
        disarmed: disarmed(seen, care),
        unproven: unproven(plan, seen, care),
        pinned: app.is_some_and(|app| app.pinned.is_some()),
        executions: epoch.map_or(0, |epoch| epoch.executions),
        never_started: history.never_started(&plan.request.authority),
        changed_by_others: app
            .map(|app| changed_by_others(plan, app, seen, care))
            .unwrap_or_default(),
        extra_rules: extra,
        healthy_before: seen.health_before.map(crate::HealthSample::ok),
        log_paths: seen
            .doings
            .log_paths
            .iter()
            .map(|((_, deployment), path)| (deployment.clone(), path.clone()))
            .collect(),
        recorded: !seen.doings.recorded.is_empty() || epoch.is_some_and(PastEpoch::is_recorded),
        removed: seen.doings.removed.clone(),
        repaired: edits_put_back(seen, &conflicts),
        conflicts,
    }
}

/// The deployment that took the job out, where an update of this process made it. (What it took out before the job went in
/// was another job, of an earlier epoch.)
fn taken_out_by(own: Option<&Deployment>, seen: &Observed) -> Option<DeploymentId> {
    let made = own.and_then(|own| own.created_at);
    let removals = seen.doings.removals.iter().rev();
    let mut later = removals.filter(|put| made.is_none_or(|made| put.at >= made));
    later.find_map(Put::deployment).cloned()
}

/// Places in which this process put a lost edit back, but for those that it only tried to.
pub(super) fn edits_put_back(seen: &Observed, conflicts: &[String]) -> Vec<String> {
    let repaired = seen.doings.repaired.iter();
    repaired
        .filter(|place| !conflicts.contains(place))
        .cloned()
        .collect()
}

/// Places of the spec that an update of ours overwrote and that are not put back: somebody must look at them.
pub(super) fn conflicts(seen: &Observed, care: &Care) -> Vec<String> {
    let lost = care.lost_edits(seen);
    let mut places = lost.conflicts;
    // The post step has no time to put anything back.
    let will_be_put_back =
        seen.mode != Mode::Post && lost.spec.is_some() && finish::may_repair(seen);
    if !will_be_put_back {
        places.extend(lost.paths);
    }
    places.sort();
    places.dedup();
    places
}

/// Deployments that carried the plan's job, or since this process began one of an epoch before it, and of which nothing
/// shows what it did there.
fn unproven(plan: &Plan, seen: &Observed, care: &Care) -> Vec<DeploymentId> {
    let before = Care::before(plan, seen);
    let of_late = |one: &Deployment| one.created_at.is_some_and(|made| made >= seen.since);
    let mut carriers = care.carriers(seen);
    carriers.extend(
        before
            .carriers(seen)
            .into_iter()
            .filter(|(one, _)| of_late(one)),
    );
    let open = carriers.into_iter().filter(|(one, job)| {
        let proof = proof(one, &job.name, &job.steps, job.mode, seen);
        matches!(proof, Proof::Pending | Proof::Unproven { .. })
    });
    open.map(|(one, _)| one.id.clone()).collect()
}

pub(super) fn disarmed(seen: &Observed, care: &Care) -> Vec<DisarmedCopy> {
    care.carriers(seen)
        .into_iter()
        .filter_map(
            |(one, job)| match proof(one, &job.name, &job.steps, job.mode, seen) {
                Proof::Nothing(Some(why)) => Some(DisarmedCopy {
                    deployment: one.id.clone(),
                    why,
                }),
                Proof::Nothing(None)
                | Proof::Pending
                | Proof::Done
                | Proof::Failed { .. }
                | Proof::Refused { .. }
                | Proof::Unproven { .. } => None,
            },
        )
        .collect()
}

/// Paths in which the spec differs from what it was before the insert, ours left out: somebody else changed them.
fn changed_by_others(plan: &Plan, app: &App, seen: &Observed, care: &Care) -> Vec<String> {
    let stale = &plan.request.settings.also_stale;
    let now = without_ours(&app.spec, stale);
    if baseline(&app.spec, stale) == plan.baseline || !care.attempted(seen) {
        return Vec::new();
    }
    let before = seen
        .deployments
        .iter()
        .filter_map(|one| one.spec.as_ref())
        .find_map(|spec| {
            let spec = without_ours(spec, stale);
            (app_spec::Fingerprint::without_secrets(&spec) == plan.baseline).then_some(spec)
        });
    match before {
        Some(before) => app_spec::changes(&before, &now)
            .into_iter()
            .map(|change| change.path)
            .collect(),
        None => {
            vec!["(the spec as it was before is no longer in the deployment history)".to_owned()]
        }
    }
}

/// The one reason: what a person must act on first.
fn reason(
    verdict: &Verdict,
    plan: &Plan,
    seen: &Observed,
    care: &Care,
    told: Option<Reason>,
) -> Reason {
    let attempted = verdict.job != JobAxis::NotAttempted;
    if let (Some(told), false) = (told, attempted) {
        return told;
    }
    if let Some(
        told @ (Reason::AppGone | Reason::AccessLost | Reason::Interrupted | Reason::Terminated),
    ) = told
    {
        return told;
    }
    match verdict.clean_up {
        CleanUpAxis::Blocked if verdict.job == JobAxis::Running => return Reason::Detached,
        CleanUpAxis::Blocked => return Reason::CleanUpNotProven,
        CleanUpAxis::Sent if seen.mode != Mode::Post => return Reason::CleanUpNotProven,
        CleanUpAxis::Sent | CleanUpAxis::NotNeeded | CleanUpAxis::Verified => {}
    }
    if !verdict.facts.conflicts.is_empty() {
        return Reason::EditOverwritten;
    }
    let cancelled_by_us = care
        .own(seen)
        .is_some_and(|own| seen.doings.cancelled.contains(&own.id));
    match &verdict.job {
        JobAxis::NotAttempted => Reason::Skipped,
        JobAxis::Running => Reason::Detached,
        JobAxis::Unproven { .. } if cancelled_by_us => Reason::JobTimedOut,
        JobAxis::Unproven { .. } => Reason::Unproven,
        JobAxis::NeverStarted if cancelled_by_us => Reason::StartTimedOut,
        JobAxis::NeverStarted if verdict.deployment == DeploymentAxis::Cancelled => {
            Reason::Superseded
        }
        JobAxis::NeverStarted => told.unwrap_or(Reason::NeverStarted),
        JobAxis::Refused { .. } => Reason::VariableMissing,
        JobAxis::Failed { .. } if verdict.deployment == DeploymentAxis::RolledBack => {
            Reason::RolledBack
        }
        JobAxis::Failed { check: true, .. } => Reason::CheckFailed,
        JobAxis::Failed { check: false, .. } => Reason::MigrationFailed,
        JobAxis::Done if verdict.health == HealthAxis::Bad => Reason::Unhealthy,
        JobAxis::Done if verdict.firewall == FirewallAxis::Failed => Reason::Firewall,
        JobAxis::Done if plan.mode() == crate::RunMode::ChecksOnly => Reason::ChecksPassed,
        JobAxis::Done => Reason::Done,
    }
}
