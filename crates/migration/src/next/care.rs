//! Jobs under our care: watched to their end, their logs read, taken out, and proven out.
//!
//! Main, post step and sweeper all come through here once a job was (or may have been) inserted.

use super::{Action, Next, Running, WaitFor, bounds, wait};
use crate::ledger::{Proof, proof};
use crate::repair::may_be_an_update;
use crate::stage::Stage;
use crate::{
    AppView, Claim, History, JobName, LedgerView, LostEdits, Mode, Observed, Plan, Put, PutResult,
    RunMode, RunRecord, StepRef, after, carried, elapsed, is_live, live, lost_edits,
};
use app_spec::{App, ComponentName, Deployment, DeploymentId, Phase, StepStatus};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// The jobs that one run answers for.
#[derive(Debug, Clone)]
pub(crate) struct Care {
    /// Our jobs.
    pub(crate) jobs: Vec<Cared>,
    /// Declared stale jobs of others, removed with ours.
    pub(crate) also_stale: Vec<ComponentName>,
    /// What is done about a job in flight.
    pub(crate) running: Running,
    /// When waiting ends and the clean-up is started whatever else is open.
    pub(crate) clean_up_from: Timestamp,
    /// When everything ends.
    pub(crate) deadline: Timestamp,
}

/// One job with what it was to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cared {
    pub(crate) name: JobName,
    pub(crate) steps: Vec<StepRef>,
    pub(crate) mode: RunMode,
}

/// Returns a job with what it was to run.
pub(super) fn cared(name: JobName, seen: &Observed) -> Cared {
    let history = History::of(&name.key, seen);
    let epoch = history.epoch(name.epoch);
    Cared {
        steps: epoch
            .map(|epoch| epoch.steps().to_vec())
            .unwrap_or_default(),
        mode: epoch.map_or(RunMode::Steps, |epoch| epoch.mode()),
        name,
    }
}

impl Care {
    pub(crate) fn of_plan(plan: &Plan, seen: &Observed) -> Self {
        let deadline = bounds::deadline(seen, Some(plan));
        let reserve = match seen.mode {
            Mode::Main | Mode::Sweep => {
                bounds::CLEAN_UP_RESERVE.min(plan.request.settings.deadline / 2)
            }
            Mode::Post => bounds::POST / 4,
        };
        Self {
            jobs: vec![Cared {
                name: plan.job(),
                steps: plan.step_refs(),
                mode: plan.mode(),
            }],
            also_stale: plan.request.settings.also_stale.clone(),
            running: match seen.mode {
                Mode::Main | Mode::Post => Running::Await,
                Mode::Sweep => Running::LeaveAlone,
            },
            clean_up_from: deadline
                .checked_sub(jiff::SignedDuration::try_from(reserve).unwrap_or_default())
                .unwrap_or(deadline),
            deadline,
        }
    }

    /// The jobs of earlier epochs of the plan's migration that somebody has brought back, or whose update arrived late:
    /// in the app again, or taken out of it by this run.
    pub(crate) fn brought_back(plan: &Plan, seen: &Observed) -> Self {
        let app = crate::app_of(seen);
        let in_spec = app.map(|app| RunRecord::all(&app.spec)).unwrap_or_default();
        let live = app.and_then(|app| live(app, seen)).map(carried);
        let taken_out = seen.doings.claimed_removals.iter().cloned();
        let mut names: BTreeSet<JobName> = in_spec.iter().map(RunRecord::job).collect();
        names.extend(live.into_iter().flatten().chain(taken_out));
        Self::of_epochs_before(plan, names, seen)
    }

    /// The jobs of all earlier epochs of the plan's migration that any deployment shows.
    pub(crate) fn before(plan: &Plan, seen: &Observed) -> Self {
        let names = seen.deployments.iter().flat_map(carried).collect();
        Self::of_epochs_before(plan, names, seen)
    }

    fn of_epochs_before(plan: &Plan, mut names: BTreeSet<JobName>, seen: &Observed) -> Self {
        names.retain(|name| name.key == plan.key && name.epoch < plan.epoch);
        Self {
            jobs: names.into_iter().map(|name| cared(name, seen)).collect(),
            ..Self::of_plan(plan, seen)
        }
    }

    /// Deployments that carry any of the jobs, oldest first.
    pub(crate) fn carriers<'a>(&self, seen: &'a Observed) -> Vec<(&'a Deployment, &Cared)> {
        let mut found = Vec::new();
        for deployment in seen.deployments.iter().rev() {
            let names = carried(deployment);
            found.extend(
                self.jobs
                    .iter()
                    .filter(|job| names.contains(&job.name))
                    .map(|job| (deployment, job)),
            );
        }
        found
    }

    /// The jobs' names as the platform knows them, those that are in the live spec.
    pub(crate) fn in_spec(&self, app: &App) -> Vec<ComponentName> {
        let ours = RunRecord::all(&app.spec);
        let ours = ours
            .iter()
            .map(RunRecord::job)
            .filter(|name| self.jobs.iter().any(|job| job.name == *name));
        let stale = self
            .also_stale
            .iter()
            .filter(|name| app.spec.job(name.as_str()).is_some());
        ours.map(|name| name.component())
            .chain(stale.cloned())
            .collect()
    }

    /// The jobs' names.
    pub(crate) fn names(&self) -> Vec<JobName> {
        self.jobs.iter().map(|job| job.name.clone()).collect()
    }

    /// What the updates that put the jobs in and took them out overwrote.
    pub(crate) fn lost_edits(&self, seen: &Observed) -> LostEdits {
        crate::app_of(seen).map_or_else(LostEdits::default, |app| {
            lost_edits(&self.names(), &self.also_stale, app, seen)
        })
    }

    /// Whether any of our jobs was, or may have been, inserted.
    pub(crate) fn attempted(&self, seen: &Observed) -> bool {
        let sent = seen
            .doings
            .insert
            .as_ref()
            .is_some_and(|put| put.outcome != PutResult::NotApplied);
        sent || self.marked(seen)
    }

    /// Whether the world shows any of our jobs.
    fn marked(&self, seen: &Observed) -> bool {
        let in_spec = match &seen.app {
            AppView::Present(app) => self
                .jobs
                .iter()
                .any(|job| app.spec.job(&job.name.to_string()).is_some()),
            AppView::Gone | AppView::Unreachable(_) | AppView::Denied => false,
        };
        in_spec || !self.carriers(seen).is_empty()
    }

    /// Whether an insert of ours was applied, or may still be, and what was seen last does not show it: it was seen
    /// before the insert.
    pub(crate) fn unseen(&self, seen: &Observed) -> bool {
        let Some(put) = &seen.doings.insert else {
            return false;
        };
        let open = match &put.outcome {
            PutResult::Applied(_) => true,
            // That it never went in shows only to who looked after it could have.
            PutResult::Ambiguous => looked(seen) < after(put.at, bounds::SETTLE),
            PutResult::NotApplied => false,
        };
        open && !self.marked(seen)
    }

    /// Whether our PUT may have been applied and nothing shows it.
    pub(crate) fn doubtful(&self, seen: &Observed) -> bool {
        let ambiguous = seen
            .doings
            .insert
            .as_ref()
            .is_some_and(|put| put.outcome == PutResult::Ambiguous);
        ambiguous && !self.marked(seen)
    }

    /// What the job says of itself, wherever it is seen.
    pub(crate) fn record(&self, seen: &Observed) -> Option<RunRecord> {
        records(seen).find(|record| self.jobs.iter().any(|job| job.name == record.job()))
    }

    /// The deployment that our own insert made: by the id that the PUT returned, else the first that carries the job and
    /// that an update may have made. (Where lists lag, somebody's redeployment may show before our own.)
    pub(crate) fn own<'a>(&self, seen: &'a Observed) -> Option<&'a Deployment> {
        match Self::replied(seen) {
            Some(id) => seen.deployments.iter().find(|one| one.id == *id),
            None => self
                .carriers(seen)
                .into_iter()
                .map(|(deployment, _)| deployment)
                .find(|deployment| may_be_an_update(deployment)),
        }
    }

    /// The deployment that the reply to our insert named.
    fn replied(seen: &Observed) -> Option<&DeploymentId> {
        seen.doings.insert.as_ref()?.deployment()
    }

    /// The platform's rollback of `failed`, newest first.
    pub(crate) fn rollback<'a>(
        seen: &'a Observed,
        failed: &DeploymentId,
    ) -> Option<&'a Deployment> {
        seen.deployments
            .iter()
            .find(|one| one.rolls_back().as_ref() == Some(failed))
    }

    /// What to do until the jobs are proven out; nothing when they are.
    pub(crate) fn next(&self, seen: &Observed) -> Option<Next> {
        let AppView::Present(app) = &seen.app else {
            return None;
        };
        // Who has taken out another's job, that of `also-stale`, sees to what that update overwrote.
        let idle = self.jobs.is_empty() && seen.doings.removals.is_empty();
        if idle && self.in_spec(app).is_empty() {
            return None;
        }
        match self.hold(seen) {
            Hold::Next(next) => Some(next),
            Hold::Left => None,
            Hold::Clear => self
                .removal(app, seen)
                .or_else(|| self.replaced(app, seen))
                .or_else(|| self.logs(seen, bounds::LOG_TRIES)),
        }
    }

    /// What holds the clean-up back: our jobs under way, their logs, a rollback, and then the deployments of others.
    fn hold(&self, seen: &Observed) -> Hold {
        let flight = self.flight(seen);
        if !matches!(flight, Hold::Clear) {
            return flight;
        }
        self.logs(seen, bounds::LOG_TRIES_BEFORE_REMOVAL)
            .or_else(|| self.rolling_back(seen))
            .map_or_else(|| self.settling(seen), Hold::Next)
    }

    /// A carrier is in flight: followed, and cancelled only where it is our own and past its bounds.
    fn flight(&self, seen: &Observed) -> Hold {
        let flying = self
            .carriers(seen)
            .into_iter()
            .find(|(one, job)| Self::live(one, job, seen));
        let Some((deployment, job)) = flying else {
            return self.unlisted(seen).map_or(Hold::Clear, Hold::Next);
        };
        let ours = self.own(seen).map(|own| &own.id) == Some(&deployment.id);
        // Whose it is the order of the list tells; where lists lag, another one shows first.
        let certain =
            Self::replied(seen) == Some(&deployment.id) || !seen.unlisted.contains(&deployment.id);
        let (started, since, bound) = match Stage::of(deployment, &job.name) {
            Some(stage) => (stage.started, stage.since, stage.bound),
            None => (false, seen.since, after(seen.since, bounds::BUILD)),
        };
        let stop = match self.running {
            Running::Cancel => true,
            Running::Await => seen.now > bound || (!started && seen.now >= self.clean_up_from),
            Running::LeaveAlone => false,
        };
        if stop && ours && certain && !seen.doings.cancelled.contains(&deployment.id) {
            return Hold::Next(Next::Do(Action::Cancel(deployment.id.clone())));
        }
        if seen.now >= self.deadline || (seen.mode == Mode::Post && !ours) {
            // A job that may run is not killed by taking it out: the verdict says so, and its lease bounds what a copy
            // of it can still do.
            return Hold::Left;
        }
        let what = WaitFor::Job(deployment.id.clone(), deployment.phase.clone());
        // The world is looked at again when what is done about it changes, at the latest.
        let given_up = after(bound, bounds::CANCEL_SETTLES);
        let times = [bound, given_up, self.clean_up_from, self.deadline];
        let until = times.into_iter().filter(|time| *time > seen.now).min();
        let poll = bounds::poll(since, seen.now);
        Hold::Next(wait(what, poll, until.unwrap_or(self.deadline)))
    }

    /// Whether a carrier must still be waited for: its job may run or start, and it is not past all bounds.
    fn live(deployment: &Deployment, job: &Cared, seen: &Observed) -> bool {
        let given_up = Stage::of(deployment, &job.name).map(|stage| stage.given_up());
        is_live(deployment, &job.name, seen.now)
            && given_up.is_none_or(|given_up| seen.now <= given_up)
    }

    /// The job is in the spec (or our PUT was applied), and no deployment that carries it is listed yet.
    fn unlisted(&self, seen: &Observed) -> Option<Next> {
        if !self.carriers(seen).is_empty() {
            return None;
        }
        let since = seen.doings.insert.as_ref().map_or(seen.since, |put| put.at);
        let until = after(since, bounds::LIST_LAG);
        let shown = self.marked(seen) || self.attempted(seen);
        let poll = bounds::poll(since, seen.now);
        (shown && seen.now < until).then(|| wait(WaitFor::DoubtfulPut, poll, until))
    }

    /// Logs of carriers that have ended are read, at most `tries` times each.
    fn logs(&self, seen: &Observed, tries: u32) -> Option<Next> {
        if seen.now >= self.deadline {
            return None;
        }
        let carriers = self.carriers(seen).into_iter();
        let pending = carriers.filter(|(deployment, job)| {
            !Self::live(deployment, job, seen)
                && match proof(deployment, &job.name, &job.steps, job.mode, seen) {
                    Proof::Pending => true,
                    Proof::Nothing(_)
                    | Proof::Done
                    | Proof::Failed { .. }
                    | Proof::Refused { .. }
                    | Proof::Unproven { .. } => false,
                }
        });
        // All of them at once: a busy app may have made dozens of copies of the job.
        let due = pending.filter_map(|(deployment, job)| {
            let (job, deployment) = (job.name.clone(), deployment.id.clone());
            let log = seen.logs.get(&(job.clone(), deployment.clone()));
            let due = match log {
                None => seen.now,
                Some(log) if log.tries >= tries => return None,
                Some(log) => after(log.first_asked, bounds::LOG_EVERY * log.tries),
            };
            Some((due, Action::FetchLog { job, deployment }))
        });
        let (due, fetch) = due.min_by_key(|(due, _)| *due)?;
        Some(if seen.now >= due {
            Next::Do(fetch)
        } else {
            wait(WaitFor::Log, elapsed(seen.now, due), due)
        })
    }

    /// The newest deployment, whosever it is, failed after its build: the platform may roll back, as a deployment of its
    /// own that comes later, and an update now would overtake it.
    pub(super) fn rolling_back(&self, seen: &Observed) -> Option<Next> {
        if seen.mode == Mode::Post {
            return None;
        }
        // Only the newest deployment can still be rolled back; a build that failed never is.
        let failed = seen.deployments.first()?;
        if failed.phase != Phase::Error || built_in_vain(failed) {
            return None;
        }
        let since = failed
            .phase_updated_at
            .or(failed.updated_at)
            .unwrap_or(seen.since);
        let until = after(since, bounds::ROLLBACK_APPEARS).min(self.deadline);
        let poll = bounds::poll(since, seen.now);
        (seen.now < until).then(|| wait(WaitFor::Rollback, poll, until))
    }

    /// A deployment of somebody else's (or the rollback) is in flight: a PUT now might cancel it, and with it a push.
    fn settling(&self, seen: &Observed) -> Hold {
        let removed = seen.doings.removals.last().and_then(Put::deployment);
        let other = seen
            .deployments
            .iter()
            .find(|one| one.phase.is_in_flight() && removed != Some(&one.id));
        let Some(other) = other else {
            return Hold::Clear;
        };
        let since = other.created_at.unwrap_or(seen.since);
        let until = after(since, bounds::OTHER_SETTLES).min(self.clean_up_from);
        if seen.mode == Mode::Post && seen.now >= until {
            return Hold::Left;
        }
        if seen.now >= until || (!carried(other).is_empty() && self.running == Running::LeaveAlone)
        {
            return Hold::Clear;
        }
        let what = match other.rolls_back() {
            Some(_) => WaitFor::Rollback,
            None => WaitFor::OtherDeployment(other.id.clone(), other.phase.clone()),
        };
        let since = other.phase_updated_at.unwrap_or(since);
        Hold::Next(wait(what, bounds::poll(since, seen.now), until))
    }

    /// A job is still in the spec: it is taken out, unless the app is pinned, for then the platform takes no update.
    fn removal(&self, app: &App, seen: &Observed) -> Option<Next> {
        let names = self.in_spec(app);
        if names.is_empty() || app.pinned.is_some() {
            return None;
        }
        self.remove(names, seen)
    }

    /// The spec is clean; the newest good deployment must be, too.
    fn replaced(&self, app: &App, seen: &Observed) -> Option<Next> {
        if seen.mode == Mode::Post {
            return None;
        }
        let flying = seen.deployments.iter().find(|one| one.phase.is_in_flight());
        let sent = seen.doings.removals.last().map_or(seen.since, |put| put.at);
        // The update may have lain here before it went out.
        let since = flying
            .and_then(|one| one.created_at)
            .map_or(sent, |made| made.max(sent));
        let until = after(since, bounds::CLEAN_UP);
        if flying.is_some() && seen.now < until {
            return Some(wait(WaitFor::CleanUp, bounds::poll(since, seen.now), until));
        }
        let carrying = self.live_carrying(app, seen);
        if carrying.is_empty() || flying.is_some() || app.pinned.is_some() {
            return None;
        }
        self.remove(carrying, seen)
    }

    /// The jobs of ours that the newest good deployment carries.
    pub(crate) fn live_carrying(&self, app: &App, seen: &Observed) -> Vec<ComponentName> {
        let Some(live) = live(app, seen) else {
            return Vec::new();
        };
        let names = carried(live);
        self.jobs
            .iter()
            .map(|job| &job.name)
            .filter(|name| names.contains(name))
            .map(JobName::component)
            .collect()
    }

    /// Takes `names` out, as often as is sensible.
    fn remove(&self, names: Vec<ComponentName>, seen: &Observed) -> Option<Next> {
        let removals = &seen.doings.removals;
        let applied = removals
            .iter()
            .filter(|put| put.outcome != PutResult::NotApplied)
            .count();
        let first = removals.first().map_or(seen.now, |put| put.at);
        let until = after(first, bounds::WRITE_TRIES);
        let refused = removals
            .last()
            .is_some_and(|put| put.outcome == PutResult::NotApplied);
        if applied >= bounds::REMOVALS || (refused && seen.now >= until) {
            return None;
        }
        Some(match not_before(removals, seen) {
            Some(due) => wait(
                WaitFor::RemovalAgain,
                elapsed(seen.now, due),
                until.max(due),
            ),
            None => match self.unclaimed(&names, seen) {
                Some(claim) => Next::Do(Action::ClaimRemoval(Box::new(claim))),
                None => Next::Do(Action::Remove(names)),
            },
        })
    }

    /// The claim to make before `names` are taken out: on a job of ours that no open claim speaks of, for its run has
    /// long ended, and somebody brought it back. Should we die with the update under way, and that overwrite an edit,
    /// nobody would know of it. Asked for once: what the ledger says never holds a removal back.
    fn unclaimed(&self, names: &[ComponentName], seen: &Observed) -> Option<Claim> {
        let LedgerView::Entries(entries) = &seen.ledger else {
            return None;
        };
        let app = crate::app_of(seen)?;
        let is_open = |job: &JobName| {
            let mut entries = entries.iter().filter(|entry| entry.outcome.is_none());
            entries.any(|entry| entry.claim.job() == *job)
        };
        let bare = records(seen).find(|record| {
            let job = record.job();
            names.contains(&job.component())
                && !seen.doings.claimed_removals.contains(&job)
                && !is_open(&job)
        });
        bare.map(|record| record.claim(app.id.clone()))
    }
}

/// What the jobs of ours say of themselves, those in the app first, then those of its deployments.
fn records(seen: &Observed) -> impl Iterator<Item = RunRecord> {
    let live = crate::app_of(seen).map(|app| &app.spec);
    let specs = seen
        .deployments
        .iter()
        .filter_map(|deployment| deployment.spec.as_ref());
    live.into_iter().chain(specs).flat_map(RunRecord::all)
}

/// From when on the last of `puts` may be sent again, where that is still to come.
pub(super) fn not_before(puts: &[Put], seen: &Observed) -> Option<Timestamp> {
    let from = puts.last().map(Put::again_from);
    from.filter(|from| seen.now < *from)
}

/// Whether a failed deployment never got past its build: the platform makes no rollback then (observed).
fn built_in_vain(deployment: &Deployment) -> bool {
    let Some(progress) = &deployment.progress else {
        return false;
    };
    progress
        .steps
        .iter()
        .any(|step| step.name == "build" && step.status == StepStatus::Error)
}

/// What holds the clean-up back.
enum Hold {
    /// This comes first.
    Next(Next),
    /// Something that is not ours to end; it is left to itself, and the clean-up to whoever comes later.
    Left,
    /// Nothing.
    Clear,
}

/// When the app was last seen.
fn looked(seen: &Observed) -> Timestamp {
    match &seen.app {
        AppView::Unreachable(since) => *since,
        AppView::Denied => Timestamp::MIN,
        AppView::Present(_) | AppView::Gone => seen.now,
    }
}
