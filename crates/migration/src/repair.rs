//! What our own updates overwrote: found by replaying the deployments, which are the write log of the spec.
//!
//! The platform's update has no precondition. Whoever writes between our read and our write loses the edit, but the
//! write itself stays in the history: every update makes a deployment that embeds the whole spec. Replaying the history
//! without our own writes gives the spec as it should be; where the live one differs, the edit is merged back. What
//! can't be told is reported, never guessed.
//!
//! Nothing here depends on what this process remembers of itself beyond a hint: a write of ours is known by the job it
//! brings in or takes out, and by the user who made it, so that whoever comes after a process that died finds the same.

use crate::{JobName, Observed, Put, PutResult, carried, without_ours};
use app_spec::{
    App, AppSpec, CauseKind, ComponentName, Deployment, DeploymentId, Fingerprint, StepStatus,
    changes, merge,
};
use std::collections::BTreeSet;

/// The user action of an update of the spec, as the platform names it.
const UPDATE_SPEC: &str = "UPDATE_SPEC";
/// The user actions that set the app to what it was at some time before, as the platform names them.
const GOES_BACK: [&str; 2] = ["ROLLBACK_APP", "REVERT_APP_ROLLBACK"];

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

/// Returns what updates of ours, those that put in or took out any of `jobs`, overwrote in `app`, and what would put
/// it back.
///
/// After a person has rolled the app back nothing is put back any more: that was a decision about the whole app, and
/// what differs is reported.
#[must_use]
pub fn lost_edits(
    jobs: &[JobName],
    also_stale: &[ComponentName],
    app: &App,
    seen: &Observed,
) -> LostEdits {
    let Some(replay) = Replay::of(jobs, also_stale, seen) else {
        return LostEdits::default();
    };
    let live = without_ours(&app.spec, also_stale);
    replay.against(&live, app.pinned.is_none())
}

/// The history without our own writes.
struct Replay {
    /// The spec as it should be; several where a rollback leaves open which.
    branches: Vec<Branch>,
    /// Places that a lost edit and a later one share: the later one counts, a person decides.
    overlaps: Vec<String>,
    /// Whether a person rolled the app back meanwhile.
    went_back: bool,
}

/// One way that the history can be read.
#[derive(Clone)]
struct Branch {
    /// The spec as it should be without us.
    wanted: AppSpec,
    /// The live spec without us, as the log shows it.
    register: AppSpec,
}

impl Replay {
    fn of(jobs: &[JobName], also_stale: &[ComponentName], seen: &Observed) -> Option<Self> {
        let rows: Vec<&Deployment> = seen.deployments.iter().rev().collect();
        let carries = |row: &&Deployment| carried(row).iter().any(|name| jobs.contains(name));
        let first = rows.iter().position(carries)?;
        let pilot = rows.get(first)?.caused_by.as_deref();
        let plain = |row: &Deployment| Some(without_ours(row.spec.as_ref()?, also_stale));
        let based_on = plain(rows.get(first)?)?;
        // The insert was made from a read that some deployment before it shows; all before that one are settled history.
        let start = rows
            .get(..first)?
            .iter()
            .rposition(|row| plain(row).is_some_and(|spec| same(&spec, &based_on)))?;
        let mut replay = Self {
            branches: vec![Branch {
                wanted: based_on.clone(),
                register: based_on.clone(),
            }],
            overlaps: Vec::new(),
            went_back: false,
        };
        let mut past = Past {
            states: vec![based_on],
            jobs: rows
                .get(..=start)?
                .iter()
                .flat_map(|row| carried(row))
                .collect(),
            last: carried(rows.get(start)?).into_iter().collect(),
            wanted: Vec::new(),
        };
        for row in rows.get(start + 1..)? {
            let spec = plain(row)?;
            let ours = past.wrote(row, &spec, pilot, seen);
            match &row.cause_kind {
                CauseKind::AutoRollback => replay.rolled_back(row, &spec, &past, seen),
                CauseKind::ManualRollback => replay.goes_back(&spec),
                _ if row.user_action.as_deref().is_some_and(goes_back) => replay.goes_back(&spec),
                _ if ours => replay.overwritten(&spec),
                // An update, or a deployment that shows what was written without one.
                CauseKind::Manual
                | CauseKind::Unknown
                | CauseKind::Other(_)
                | CauseKind::DeployOnPush
                | CauseKind::Maintenance
                | CauseKind::UpdateDatabaseTrustedSources
                | CauseKind::Autoscaled => replay.edited(&spec),
            }
            past.note(row, spec, &replay);
        }
        Some(replay)
    }

    /// Compares what is wanted with what is live.
    fn against(mut self, live: &AppSpec, may_write: bool) -> LostEdits {
        self.keep_nearest(live);
        let Some(branch) = self.branches.first() else {
            return LostEdits::default();
        };
        if self
            .branches
            .iter()
            .any(|branch| same(&branch.wanted, live))
        {
            return LostEdits {
                conflicts: self.overlaps,
                ..LostEdits::default()
            };
        }
        let agree = self
            .branches
            .iter()
            .all(|one| same(&one.wanted, &branch.wanted));
        if self.went_back || !agree || !may_write {
            let differing = self
                .branches
                .iter()
                .flat_map(|branch| paths(&branch.wanted, live));
            return LostEdits {
                conflicts: sorted(self.overlaps.iter().cloned().chain(differing)),
                ..LostEdits::default()
            };
        }
        // The lost edit is missing from what the log shows last. Where the live spec is not even that, somebody wrote
        // without leaving a deployment, and that stays, too.
        let merged = merge(&branch.register, live, &branch.wanted);
        let paths = paths(live, &merged.spec);
        LostEdits {
            spec: (!paths.is_empty()).then_some(merged.spec),
            paths,
            conflicts: sorted(self.overlaps.into_iter().chain(merged.overlaps)),
        }
    }

    /// Keeps the readings in which the register is nearest to `spec`, for that is what it really was.
    fn keep_nearest(&mut self, spec: &AppSpec) {
        let apart = |branch: &Branch| {
            if same(&branch.register, spec) {
                0
            } else {
                changes(&branch.register, spec).len()
            }
        };
        let least = self.branches.iter().map(apart).min().unwrap_or_default();
        self.branches.retain(|branch| apart(branch) == least);
    }

    /// A write of ours: the register holds it, and nothing of it is wanted.
    fn overwritten(&mut self, spec: &AppSpec) {
        for branch in &mut self.branches {
            branch.register = spec.clone();
        }
    }

    /// Somebody else's write: what it changed in the register is wanted, on top of what was.
    fn edited(&mut self, spec: &AppSpec) {
        self.keep_nearest(spec);
        for branch in &mut self.branches {
            if !same(&branch.register, spec) {
                let merged = merge(&branch.register, spec, &branch.wanted);
                self.overlaps.extend(merged.overlaps);
                branch.wanted = merged.spec;
            }
            branch.register = spec.clone();
        }
    }

    /// The platform's answer to a failed deployment. Whether it takes the spec back with it is not known.
    ///
    /// Where it was our job that failed, the rollback is ours as much as the insert was, and takes nobody's edit back.
    fn rolled_back(&mut self, row: &Deployment, spec: &AppSpec, past: &Past, seen: &Observed) {
        let ours = row
            .rolls_back()
            .is_some_and(|failed| failed_by_us(&failed, seen));
        let cloned = row.cloned_from.as_ref();
        let wanted_then = past
            .wanted
            .iter()
            .find(|(id, _)| Some(id) == cloned)
            .map_or(spec, |(_, wanted)| wanted);
        let reverted: Vec<Branch> = self
            .branches
            .iter()
            .map(|branch| Branch {
                wanted: if ours {
                    branch.wanted.clone()
                } else {
                    wanted_then.clone()
                },
                register: spec.clone(),
            })
            .collect();
        self.branches.extend(reverted);
        self.settle();
    }

    /// A person's rollback. Whether it takes the spec back with it is not known either.
    fn goes_back(&mut self, spec: &AppSpec) {
        self.went_back = true;
        let gone = Branch {
            wanted: spec.clone(),
            register: spec.clone(),
        };
        self.branches.push(gone);
        self.settle();
    }

    /// Two readings that come to the same are one.
    fn settle(&mut self) {
        let mut known: Vec<Branch> = Vec::new();
        for branch in self.branches.drain(..) {
            let twin = |one: &Branch| {
                same(&one.wanted, &branch.wanted) && same(&one.register, &branch.register)
            };
            if !known.iter().any(twin) {
                known.push(branch);
            }
        }
        self.branches = known;
    }
}

/// What the rows before the one at hand showed.
struct Past {
    /// Every spec that the register has held since the insert was read, without us.
    states: Vec<AppSpec>,
    /// Every job of ours so far.
    jobs: Vec<JobName>,
    /// The jobs of ours in the row before.
    last: BTreeSet<JobName>,
    /// What was wanted when each deployment was made.
    wanted: Vec<(DeploymentId, AppSpec)>,
}

impl Past {
    /// Whether an update of ours made `row`: by the id that a reply named, or because it brings in a job that was never
    /// there, or takes one out and is otherwise what the app was at some time, by the same user who put it in.
    fn wrote(
        &self,
        row: &Deployment,
        spec: &AppSpec,
        pilot: Option<&str>,
        seen: &Observed,
    ) -> bool {
        if puts(seen).any(|put| made(put) == Some(&row.id)) {
            return true;
        }
        let update = row
            .user_action
            .as_deref()
            .is_none_or(|action| action == UPDATE_SPEC);
        let manual = match row.cause_kind {
            CauseKind::Manual | CauseKind::Unknown | CauseKind::Other(_) => true,
            CauseKind::DeployOnPush
            | CauseKind::Maintenance
            | CauseKind::ManualRollback
            | CauseKind::AutoRollback
            | CauseKind::UpdateDatabaseTrustedSources
            | CauseKind::Autoscaled => false,
        };
        if !update || !manual {
            return false;
        }
        let now = carried(row);
        let brings = now.iter().any(|name| !self.jobs.contains(name));
        let takes = now.len() < self.last.len() && now.iter().all(|name| self.last.contains(name));
        let by_us = match (row.caused_by.as_deref(), pilot) {
            (Some(user), Some(pilot)) => user == pilot,
            (Some(_) | None, None) | (None, Some(_)) => true,
        };
        by_us && (brings || takes) && self.states.iter().any(|state| same(state, spec))
    }

    fn note(&mut self, row: &Deployment, spec: AppSpec, replay: &Replay) {
        let carried = carried(row);
        self.jobs.extend(carried.iter().cloned());
        self.last = carried.into_iter().collect();
        if let Some(branch) = replay.branches.first() {
            self.wanted.push((row.id.clone(), branch.wanted.clone()));
        }
        self.states.push(spec);
    }
}

/// Whether the deployment `failed` failed because a job of ours in it did.
fn failed_by_us(failed: &DeploymentId, seen: &Observed) -> bool {
    let Some(row) = seen.deployments.iter().find(|row| row.id == *failed) else {
        return false;
    };
    let Some(progress) = &row.progress else {
        return false;
    };
    let failed = |name: &JobName| {
        let status = progress.job_status(&name.to_string());
        status.deploy == StepStatus::Error || status.build == StepStatus::Error
    };
    carried(row).iter().any(failed)
}

fn goes_back(action: &str) -> bool {
    GOES_BACK.contains(&action)
}

fn puts(seen: &Observed) -> impl Iterator<Item = &Put> {
    let doings = &seen.doings;
    doings
        .insert
        .iter()
        .chain(&doings.removals)
        .chain(&doings.repairs)
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

fn sorted(paths: impl Iterator<Item = String>) -> Vec<String> {
    paths.collect::<BTreeSet<_>>().into_iter().collect()
}

fn paths(before: &AppSpec, now: &AppSpec) -> Vec<String> {
    changes(before, now)
        .into_iter()
        .map(|change| change.path)
        .collect()
}
