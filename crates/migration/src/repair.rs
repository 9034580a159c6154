//! What our own updates overwrote: found by replaying the deployments, which are the write log of the spec.
//!
//! The platform's update has no precondition. Whoever writes between our read and our write loses the edit, but the
//! write itself stays in the history: every update makes a deployment that embeds the whole spec. Replaying the history
//! without our own writes gives the spec as it should be; where the live one differs, the edit is merged back. What
//! can't be told is reported, never guessed.

use crate::{Observed, Plan, Put, PutResult, after, carried, without_ours};
use app_spec::{App, AppSpec, CauseKind, Deployment, DeploymentId, Fingerprint, changes, merge};
use std::time::Duration;

/// How far apart the platform's time of a deployment and our own note of the update may be.
const SAME_WRITE: Duration = Duration::from_secs(10);

/// The user action of an update of the spec, as the platform names it.
const UPDATE_SPEC: &str = "UPDATE_SPEC";

/// What our own updates overwrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LostEdits {
    /// The live spec, without us, with the lost edit in it; nothing when nothing can be put back.
    pub spec: Option<AppSpec>,
    /// The places that would be put back.
    pub paths: Vec<String>,
    /// The places that somebody must decide about.
    pub conflicts: Vec<String>,
}

/// Returns what updates of ours overwrote and what would put it back.
#[must_use]
pub fn lost_edits(plan: &Plan, app: &App, seen: &Observed) -> LostEdits {
    let stale = &plan.request.settings.also_stale;
    let Some(replayed) = replay(plan, seen) else {
        return LostEdits::default();
    };
    let live = without_ours(&app.spec, stale);
    if replayed.wanted.iter().any(|wanted| same(wanted, &live)) {
        return LostEdits::default();
    }
    let [wanted] = replayed.wanted.as_slice() else {
        return LostEdits {
            conflicts: paths(&replayed.based_on, &live),
            ..LostEdits::default()
        };
    };
    let merged = merge(&replayed.based_on, &live, wanted);
    let mut conflicts = merged.overlaps;
    conflicts.extend(replayed.overlaps);
    let paths = paths(&live, &merged.spec);
    let spec = (!paths.is_empty()).then_some(merged.spec);
    LostEdits {
        spec,
        paths,
        conflicts,
    }
}

/// The history without our own writes.
struct Replayed {
    /// What our insert was made from.
    based_on: AppSpec,
    /// The spec as it should be; several where a rollback leaves open which.
    wanted: Vec<AppSpec>,
    /// Places that two people's edits share.
    overlaps: Vec<String>,
}

fn replay(plan: &Plan, seen: &Observed) -> Option<Replayed> {
    let stale = &plan.request.settings.also_stale;
    let job = plan.job();
    let rows: Vec<&Deployment> = seen.deployments.iter().rev().collect();
    let first = rows.iter().position(|row| carried(row).contains(&job))?;
    let inserted = rows.get(first)?;
    let based_on = without_ours(inserted.spec.as_ref()?, stale);
    // The insert was made from a read that some deployment before it shows; all before that one are settled history.
    let same_base = |row: &&&Deployment| {
        let spec = row.spec.as_ref().map(|spec| without_ours(spec, stale));
        spec.is_some_and(|spec| same(&spec, &based_on))
    };
    let start = rows.get(..first)?.iter().rev().find(same_base)?;
    let from = rows.iter().position(|row| row.id == start.id)?;
    let mut previous = based_on.clone();
    let mut wanted = vec![based_on.clone()];
    let mut overlaps = Vec::new();
    for row in rows.get(from + 1..)? {
        let spec = without_ours(row.spec.as_ref()?, stale);
        if row.id == inserted.id || ours(row, plan, seen) {
            previous = spec;
            continue;
        }
        match &row.cause_kind {
            CauseKind::AutoRollback | CauseKind::ManualRollback => {
                // Whether a rollback takes the spec back with it is not known: both answers are accepted as they are.
                if !wanted.iter().any(|known| same(known, &spec)) {
                    wanted.push(spec.clone());
                }
            }
            CauseKind::Manual | CauseKind::Unknown | CauseKind::Other(_)
                if edits(row) && !same(&previous, &spec) =>
            {
                for known in &mut wanted {
                    let merged = merge(&previous, known, &spec);
                    overlaps.extend(merged.overlaps);
                    *known = merged.spec;
                }
                previous = spec;
            }
            CauseKind::Manual
            | CauseKind::Unknown
            | CauseKind::Other(_)
            | CauseKind::DeployOnPush
            | CauseKind::Maintenance
            | CauseKind::UpdateDatabaseTrustedSources
            | CauseKind::Autoscaled => {}
        }
    }
    Some(Replayed {
        based_on,
        wanted,
        overlaps,
    })
}

/// Whether a deployment may have been made by an update of the spec.
fn edits(row: &Deployment) -> bool {
    row.user_action
        .as_deref()
        .is_none_or(|action| action == UPDATE_SPEC)
}

/// Whether one of this process's own updates made `row`: by the id that the reply named, else by its time.
fn ours(row: &Deployment, plan: &Plan, seen: &Observed) -> bool {
    let doings = &seen.doings;
    let puts = || {
        doings
            .insert
            .iter()
            .chain(&doings.removals)
            .chain(&doings.repairs)
    };
    let named = |put: &Put| made(put) == Some(&row.id);
    let by_time = |put: &Put| {
        let unnamed = matches!(put.outcome, PutResult::Applied(None) | PutResult::Ambiguous);
        let near =
            |at| at <= after(put.at, crate::bounds::SETTLE) && put.at <= after(at, SAME_WRITE);
        unnamed && row.created_at.is_some_and(near) && takes_out(row, plan, seen)
    };
    puts().any(|put| named(put) || by_time(put))
}

/// Whether the job was in the spec just before `row` and is not in it any more.
fn takes_out(row: &Deployment, plan: &Plan, seen: &Observed) -> bool {
    let before = seen
        .deployments
        .iter()
        .skip_while(|one| one.id != row.id)
        .nth(1);
    !carried(row).contains(&plan.job())
        && before.is_some_and(|before| carried(before).contains(&plan.job()))
}

fn made(put: &Put) -> Option<&DeploymentId> {
    match &put.outcome {
        PutResult::Applied(id) => id.as_ref(),
        PutResult::NotApplied | PutResult::Ambiguous => None,
    }
}

/// Whether two specs mean the same, whatever the texts of their encrypted values.
fn same(one: &AppSpec, other: &AppSpec) -> bool {
    Fingerprint::without_secrets(one) == Fingerprint::without_secrets(other)
}

fn paths(before: &AppSpec, now: &AppSpec) -> Vec<String> {
    changes(before, now)
        .into_iter()
        .map(|change| change.path)
        .collect()
}
