//! What our own updates overwrote: found by replaying the deployments, which are the write log of the spec.
//!
//! The platform's update has no precondition. Whoever writes between our read and our write loses the edit, but the
//! write itself stays in the history: every update makes a deployment that embeds the whole spec. Replaying the history
//! without our own writes gives the spec as it should be; where the live one differs, the edit is merged back. What
//! can't be told is reported, never guessed.
//!
//! Nothing here depends on what this process remembers of itself beyond a hint: a write of ours is known by the job it
//! brings in or takes out, and by the user who made it, so that whoever comes after a process that died finds the same.
//! A token whose user nobody else works as makes that certain.

use crate::{
    JobName, Observed, Put, PutResult, WrittenFor, Wrote, after, bounds, carried, without_ours,
};
use app_spec::{
    App, AppSpec, CauseKind, ComponentName, Deployment, DeploymentId, Fingerprint, StepStatus,
    changes, merge,
};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

/// How far apart the platform's time of a deployment and our own note of the update may be.
const SAME_WRITE: Duration = Duration::from_secs(10);

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
/// A person's rollback that an update of ours has overtaken is never put back, only reported: it was a decision about
/// the whole app, its code too.
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

/// Whether `put` may have made a deployment that the platform says it made at `at`: its times are cut to the second, and a
/// doubtful update may arrive late.
#[must_use]
pub fn may_land(put: &Put, at: Timestamp) -> bool {
    put.at <= after(at, SAME_WRITE) && at <= after(put.at, bounds::SETTLE)
}

/// Until when an update of this process may still arrive; nothing where each got its reply.
///
/// A deployment that shows the very same spec does not shorten that: another run of ours that took out the same job at
/// the same time made one that looks no different.
#[must_use]
pub fn unsettled(seen: &Observed) -> Option<Timestamp> {
    seen.wrote
        .iter()
        .filter(|wrote| wrote.put.outcome == PutResult::Ambiguous)
        .map(|wrote| after(wrote.put.at, bounds::SETTLE))
        .filter(|until| seen.now < *until)
        .max()
}

/// Whether another process of ours took `job` out: somebody's `stop`, for one, which the run must not answer by putting
/// it in again. An update that brought in another job only came across it. Where the run takes its job out at the same
/// time, the other update comes on top of that, and finds nothing to take out.
#[must_use]
pub fn stopped(job: &JobName, seen: &Observed) -> bool {
    let carries = |row: &Deployment| carried(row).contains(job);
    let Some(last) = seen.deployments.iter().position(carries) else {
        return false;
    };
    let (later, inserted) = seen.deployments.split_at(last);
    let inserter = inserted.first().and_then(|row| row.caused_by.as_deref());
    let takes_out = |row: &&Deployment| {
        inserter.is_some()
            && carried(row).is_empty()
            && row.caused_by.as_deref() == inserter
            && row.user_action.as_deref() == Some(UPDATE_SPEC)
    };
    let mut removals = later.iter().rev().take_while(takes_out);
    removals.any(|row| named(row, inserter, seen).is_none())
}

/// The history without our own writes.
struct Replay {
    /// The spec as it should be; several where a rollback leaves open which.
    branches: Vec<Branch>,
    /// Whether a person rolled the app back meanwhile.
    went_back: WentBack,
}

/// Whether a person rolled the app back, and what became of that.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WentBack {
    No,
    /// And nobody has written since.
    Since,
    /// And we wrote what the app was before: an update can't put a rollback back, for it does not choose the code.
    AndWeWrote,
}

/// One way that the history can be read.
#[derive(Clone)]
struct Branch {
    /// The spec as it should be without us.
    wanted: AppSpec,
    /// The live spec without us, as the log shows it.
    register: AppSpec,
    /// What it was before, oldest first.
    held: Vec<AppSpec>,
    /// How many deployments that nobody asked for by a changed spec show another one than it says.
    apart: usize,
    /// Places that a lost edit and a later one share: the later one counts, a person decides.
    overlaps: Vec<String>,
}

/// How many readings are followed; each rollback that leaves something open doubles them.
const READINGS: usize = 16;

impl Branch {
    fn new(spec: &AppSpec) -> Self {
        Self {
            wanted: spec.clone(),
            register: spec.clone(),
            held: Vec::new(),
            apart: 0,
            overlaps: Vec::new(),
        }
    }

    fn holds(&mut self, spec: &AppSpec) {
        self.held
            .push(std::mem::replace(&mut self.register, spec.clone()));
    }

    /// How many writes ago the register was `spec`.
    fn ago(&self, spec: &AppSpec) -> Option<usize> {
        let mut back = std::iter::once(&self.register).chain(self.held.iter().rev());
        back.position(|held| same(held, spec))
    }
}

impl Replay {
    fn of(jobs: &[JobName], also_stale: &[ComponentName], seen: &Observed) -> Option<Self> {
        let rows: Vec<&Deployment> = seen.deployments.iter().rev().collect();
        let ours = |row: &&Deployment| {
            carried(row).iter().any(|name| jobs.contains(name))
                || named(row, None, seen).is_some_and(|wrote| wrote.what_for == WrittenFor::Job)
        };
        let first = rows.iter().position(ours)?;
        let pilot = rows.get(first)?.caused_by.as_deref();
        // An update may have been applied twice, and its reply named the second.
        let twin = |row: &&Deployment| {
            pilot.is_some() && row.caused_by.as_deref() == pilot && sent_by_us(row, seen)
        };
        let first = rows
            .iter()
            .position(twin)
            .map_or(first, |twin| twin.min(first));
        let plain = |row: &Deployment| Some(without_ours(row.spec.as_ref()?, also_stale));
        let based_on = plain(rows.get(first)?)?;
        // It was made from a read that some deployment before it shows; all before that one are settled history.
        let start = rows
            .get(..first)?
            .iter()
            .rposition(|row| plain(row).is_some_and(|spec| same(&spec, &based_on)))?;
        let mut replay = Self {
            branches: vec![Branch::new(&based_on)],
            went_back: WentBack::No,
        };
        let settled = rows.get(..start)?.iter().filter(|_| pilot.is_some());
        let settled: Vec<State> = settled
            .filter_map(|row| Some(State::of(row, plain(row)?, false, pilot)))
            .collect();
        let mut past = Past {
            pilot,
            read_at: settled.len(),
            states: settled,
            jobs: rows
                .get(..=start)?
                .iter()
                .flat_map(|row| carried(row))
                .collect(),
            last: carried(rows.get(start)?).into_iter().collect(),
            wanted: Vec::new(),
            ours: Vec::new(),
        };
        let read_from = State::of(rows.get(start)?, based_on, false, pilot);
        past.states.push(read_from);
        for row in rows.get(start + 1..)? {
            let spec = plain(row)?;
            let written = past.written(row, &spec, seen);
            let answers_us = past.answers_us(row, seen);
            match &row.cause_kind {
                CauseKind::AutoRollback => replay.rolled_back(row, &spec, &past, answers_us),
                CauseKind::ManualRollback => replay.goes_back(&spec),
                _ if row.user_action.as_deref().is_some_and(goes_back) => replay.goes_back(&spec),
                _ if written == Some(WrittenFor::Job) => replay.overwritten(&spec),
                _ if let Some(WrittenFor::Repair(read)) = &written => {
                    let sent = named(row, past.pilot, seen).map(|wrote| wrote.put.at);
                    replay.repaired(&spec, past.held(read), past.wanted_at(sent));
                }
                _ if past.pilot.is_none()
                    && may_be_an_update(row)
                    && past.undoes_others(row, &spec) =>
                {
                    replay.undone_by_whom(&spec);
                }
                // An update, or a deployment that shows what was written without one.
                CauseKind::Manual
                | CauseKind::Unknown
                | CauseKind::Other(_)
                | CauseKind::DeployOnPush
                | CauseKind::Maintenance
                | CauseKind::UpdateDatabaseTrustedSources
                | CauseKind::Autoscaled => {
                    replay.edited(&spec, row.user_action.is_some() || row.caused_by.is_some());
                }
            }
            past.note(row, spec, written.is_some() || answers_us, &replay);
        }
        Some(replay)
    }

    /// Compares what is wanted with what is live.
    fn against(mut self, live: &AppSpec, may_write: bool) -> LostEdits {
        if self.went_back == WentBack::Since {
            return LostEdits::default();
        }
        self.keep(|branch| changes(&branch.register, live).len());
        self.keep(|branch| branch.apart);
        let overlaps: Vec<String> = self
            .branches
            .iter()
            .flat_map(|branch| branch.overlaps.iter().cloned())
            .collect();
        let Some(branch) = self.branches.first() else {
            return LostEdits::default();
        };
        if self
            .branches
            .iter()
            .all(|branch| same(&branch.wanted, live))
        {
            return LostEdits {
                conflicts: sorted(overlaps.into_iter()),
                ..LostEdits::default()
            };
        }
        let agree = self
            .branches
            .iter()
            .all(|one| same(&one.wanted, &branch.wanted));
        if self.went_back != WentBack::No || !agree || !may_write {
            let differing = self
                .branches
                .iter()
                .flat_map(|branch| paths(&branch.wanted, live));
            return LostEdits {
                conflicts: sorted(overlaps.iter().cloned().chain(differing)),
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
            conflicts: sorted(overlaps.into_iter().chain(merged.overlaps)),
        }
    }

    /// Keeps the readings in which the least speaks against them.
    fn keep<T: Ord>(&mut self, against: impl Fn(&Branch) -> T) {
        let Some(least) = self.branches.iter().map(&against).min() else {
            return;
        };
        self.branches.retain(|branch| against(branch) == least);
    }

    /// A write of ours: the register holds it, and nothing of it is wanted.
    ///
    /// It was read just before, so it tells what the register was then.
    fn overwritten(&mut self, spec: &AppSpec) {
        self.keep(|branch| branch.ago(spec).unwrap_or(usize::MAX));
        if self.went_back == WentBack::Since {
            let read_after = self
                .branches
                .iter()
                .any(|branch| same(&branch.register, spec));
            self.went_back = if read_after {
                WentBack::No
            } else {
                WentBack::AndWeWrote
            };
        }
        for branch in &mut self.branches {
            branch.holds(spec);
        }
    }

    /// What puts an edit back is as good as that edit: what it changed in the spec that it was made from is wanted.
    ///
    /// Except where a rollback came between: none is sent by who has seen one, so that is what it overtook. And except where
    /// that was wanted already when it was sent: what somebody wrote since then counts.
    fn repaired(&mut self, spec: &AppSpec, read: Option<&AppSpec>, wanted_then: Option<&AppSpec>) {
        if self.went_back == WentBack::Since {
            self.went_back = WentBack::AndWeWrote;
        }
        for branch in &mut self.branches {
            if self.went_back == WentBack::No {
                let read = read.unwrap_or(&branch.register);
                let with = |wanted: &AppSpec| merge(read, wanted, spec).spec;
                if !wanted_then.is_some_and(|wanted| same(&with(wanted), wanted)) {
                    branch.wanted = with(&branch.wanted);
                }
            }
            branch.holds(spec);
        }
    }

    /// Somebody else's write: what it changed in the register is wanted, on top of what was.
    fn edited(&mut self, spec: &AppSpec, by_a_person: bool) {
        if self.went_back == WentBack::Since {
            self.went_back = WentBack::No;
        }
        for branch in &mut self.branches {
            if !same(&branch.register, spec) {
                let merged = merge(&branch.register, spec, &branch.wanted);
                branch.overlaps.extend(merged.overlaps);
                branch.wanted = merged.spec;
                branch.apart += usize::from(!by_a_person);
            }
            branch.holds(spec);
        }
    }

    /// Somebody took an edit back, or a write of ours overtook it: where the platform names nobody, both look the same.
    fn undone_by_whom(&mut self, spec: &AppSpec) {
        let mut overtaken = Self {
            branches: self.branches.clone(),
            ..*self
        };
        overtaken.overwritten(spec);
        self.edited(spec, true);
        self.branches.extend(overtaken.branches);
        self.settle();
    }

    /// The platform's answer to a failed deployment. Whether it takes the spec back with it is not known.
    ///
    /// One that answers us takes nobody's edit back.
    fn rolled_back(&mut self, row: &Deployment, spec: &AppSpec, past: &Past<'_>, answers_us: bool) {
        let cloned = row.cloned_from.as_ref();
        let wanted_then = past
            .wanted
            .iter()
            .find(|(id, _)| Some(id) == cloned)
            .map_or(spec, |(_, wanted)| wanted);
        let reverted = self.branches.iter().map(|branch| {
            let mut branch = branch.clone();
            if !answers_us {
                branch.wanted = wanted_then.clone();
            }
            branch.holds(spec);
            branch
        });
        let reverted: Vec<Branch> = reverted.collect();
        self.branches.extend(reverted);
        self.settle();
    }

    /// A person's rollback: the app is wanted as it was then.
    fn goes_back(&mut self, spec: &AppSpec) {
        self.went_back = WentBack::Since;
        let mut branch = Branch::new(spec);
        if let Some(held) = self.branches.first_mut() {
            held.holds(spec);
            branch.held = std::mem::take(&mut held.held);
        }
        self.branches = vec![branch];
    }

    /// Two readings that come to the same are one, and those that the most speaks against are given up.
    fn settle(&mut self) {
        let mut known: Vec<Branch> = Vec::new();
        self.branches.sort_by_key(|branch| branch.apart);
        for branch in self.branches.drain(..) {
            let twin = |one: &Branch| {
                same(&one.wanted, &branch.wanted) && same(&one.register, &branch.register)
            };
            if known.len() < READINGS && !known.iter().any(twin) {
                known.push(branch);
            }
        }
        self.branches = known;
    }
}

/// What the register held once.
struct State {
    /// The spec, without us.
    spec: AppSpec,
    /// Who wrote it.
    user: Option<String>,
    /// When.
    at: Option<Timestamp>,
    /// Whether nobody decided on it: an update of ours, the platform's answer to a failed deployment, or, where users are
    /// named, one that names none, for that only deploys again what is there.
    nobodys: bool,
}

impl State {
    fn of(row: &Deployment, spec: AppSpec, ours: bool, pilot: Option<&str>) -> Self {
        Self {
            spec,
            user: row.caused_by.clone(),
            at: row.created_at,
            nobodys: ours
                || row.cause_kind == CauseKind::AutoRollback
                || (pilot.is_some() && row.caused_by.is_none()),
        }
    }
}

/// What the rows before the one at hand showed.
struct Past<'a> {
    /// Who we are, where the platform tells.
    pilot: Option<&'a str>,
    /// Every spec that the register has held since the insert was read; where it is shown who writes, those before it,
    /// too: an update of another run of ours may come from then.
    states: Vec<State>,
    /// The place among them of what the insert was made from.
    read_at: usize,
    /// Every job of ours so far.
    jobs: Vec<JobName>,
    /// The jobs of ours that the row before may have left in the spec.
    last: BTreeSet<JobName>,
    /// What was wanted when each deployment was made.
    wanted: Vec<(DeploymentId, AppSpec)>,
    /// The deployments that updates of ours made, and the platform's rollbacks of them.
    ours: Vec<DeploymentId>,
}

impl Past<'_> {
    /// Whether an update of ours made `row`, and what for: by the id that a reply named, or because it brings in a job
    /// that was never there, or takes one out and is otherwise what the app was at some time, by the same user who put
    /// it in.
    fn written(&self, row: &Deployment, spec: &AppSpec, seen: &Observed) -> Option<WrittenFor> {
        if let Some(wrote) = named(row, self.pilot, seen) {
            return Some(wrote.what_for.clone());
        }
        if !may_be_an_update(row) {
            return None;
        }
        let now = carried(row);
        let brings = now.iter().any(|name| !self.jobs.contains(name));
        let takes = now.len() < self.last.len() && now.iter().all(|name| self.last.contains(name));
        let by_us = match (row.caused_by.as_deref(), self.pilot) {
            (Some(user), Some(pilot)) => user == pilot,
            (Some(_) | None, None) | (None, Some(_)) => true,
        };
        let ours = ((brings || takes) && self.held_since_read(spec))
            || self.pilot.is_some() && self.undoes_others(row, spec);
        (by_us && ours).then_some(WrittenFor::Job)
    }

    /// Whether `row` is the platform's answer to a failure of ours: of our own update, of our job in somebody else's, or
    /// of such a rollback itself. Then it is ours as much as the insert was.
    fn answers_us(&self, row: &Deployment, seen: &Observed) -> bool {
        row.cause_kind == CauseKind::AutoRollback
            && row
                .rolls_back()
                .is_some_and(|failed| self.ours.contains(&failed) || failed_by_us(&failed, seen))
    }

    /// The spec with that fingerprint, where the register once held it.
    fn held(&self, fingerprint: &Fingerprint) -> Option<&AppSpec> {
        let mut states = self.states.iter().map(|state| &state.spec);
        states.find(|spec| Fingerprint::without_secrets(spec) == *fingerprint)
    }

    /// What was wanted at that time, where rows since the insert tell.
    fn wanted_at(&self, time: Option<Timestamp>) -> Option<&AppSpec> {
        let rows = self.states.iter().rev().zip(self.wanted.iter().rev());
        let mut before = rows.filter(|(state, _)| state.at <= time);
        before.next().map(|(_, (_, wanted))| wanted)
    }

    /// Whether `spec` is what the insert was made from, or what the app was after that.
    fn held_since_read(&self, spec: &AppSpec) -> bool {
        let states = self.states.iter().skip(self.read_at);
        states.rev().any(|state| same(&state.spec, spec))
    }

    /// Whether `spec`, which the update `row` shows, is what the app was until others wrote, so shortly before that whoever
    /// wrote it may have read it before them: our updates arrive in time or never. Who takes back what others wrote long
    /// ago has decided to. Where the platform names nobody, others are all who are not known to be us.
    fn undoes_others(&self, row: &Deployment, spec: &AppSpec) -> bool {
        let other = |state: &State| match self.pilot {
            Some(pilot) => state.user.as_deref().is_some_and(|user| user != pilot),
            None => !state.nobodys,
        };
        let just_before = |state: &State| match (state.at, row.created_at) {
            (Some(at), Some(now)) => now <= after(at, bounds::SETTLE),
            (Some(_) | None, None) | (None, Some(_)) => false,
        };
        // The app may have been so after them, too: where an update of ours had overwritten them.
        let mut others_wrote = false;
        for state in self.states.iter().rev() {
            if others_wrote && same(&state.spec, spec) {
                return true;
            }
            if !(state.nobodys || other(state) && just_before(state)) {
                return false;
            }
            others_wrote |= other(state);
        }
        false
    }

    fn note(&mut self, row: &Deployment, spec: AppSpec, ours: bool, replay: &Replay) {
        let carried = carried(row);
        self.jobs.extend(carried.iter().cloned());
        // Which shows what it deploys; the spec may have kept the jobs of before.
        if row.cause_kind != CauseKind::AutoRollback {
            self.last.clear();
        }
        self.last.extend(carried);
        if let Some(branch) = replay.branches.first() {
            self.wanted.push((row.id.clone(), branch.wanted.clone()));
        }
        if ours {
            self.ours.push(row.id.clone());
        }
        self.states.push(State::of(row, spec, ours, self.pilot));
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

/// Whether an update of the spec may have made `row`, by what the platform tells of its cause.
pub(crate) fn may_be_an_update(row: &Deployment) -> bool {
    let manual = match row.cause_kind {
        CauseKind::Manual | CauseKind::Unknown | CauseKind::Other(_) => true,
        CauseKind::DeployOnPush
        | CauseKind::Maintenance
        | CauseKind::ManualRollback
        | CauseKind::AutoRollback
        | CauseKind::UpdateDatabaseTrustedSources
        | CauseKind::Autoscaled => false,
    };
    let action = row.user_action.as_deref();
    manual && action.is_none_or(|action| action == UPDATE_SPEC)
}

fn goes_back(action: &str) -> bool {
    GOES_BACK.contains(&action)
}

/// The update of this process that made `row`; `pilot` is who we are, where that is known.
fn named<'a>(row: &Deployment, pilot: Option<&str>, seen: &'a Observed) -> Option<&'a Wrote> {
    let another = |user: &str| pilot.is_some_and(|pilot| pilot != user);
    let by_another = row.caused_by.as_deref().is_some_and(another);
    seen.wrote
        .iter()
        .find(|wrote| made(&wrote.put, row, by_another))
}

/// Whether `row` shows what an update of this process sent, about when it was sent.
fn sent_by_us(row: &Deployment, seen: &Observed) -> bool {
    let mut puts = seen.wrote.iter().map(|wrote| &wrote.put);
    puts.any(|put| put.outcome != PutResult::NotApplied && shows(put, row))
}

/// Whether `row` shows what `put` sent, about when it was sent.
fn shows(put: &Put, row: &Deployment) -> bool {
    let sent = |spec| Fingerprint::without_secrets(spec) == put.sent;
    row.created_at.is_some_and(|at| may_land(put, at)) && row.spec.as_ref().is_some_and(sent)
}

/// Whether `put` made `row`: by the id that the reply named; where it named none, by who sent what and when.
fn made(put: &Put, row: &Deployment, by_another: bool) -> bool {
    let unnamed = || !by_another && shows(put, row);
    match &put.outcome {
        PutResult::Applied(Some(id)) => *id == row.id,
        PutResult::Applied(None) | PutResult::Ambiguous => unnamed(),
        PutResult::NotApplied => false,
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

#[cfg(test)]
mod tests;
