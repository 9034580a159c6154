//! The event stream: what changed between two looks, told once.

use crate::poll::PlatformClock;
use app_spec::{CommitSha, Deployment, DeploymentId, Phase, StepStatus};
use jiff::Timestamp;
use migration::{
    Event, Happening, JobName, Observed, Plan, PutResult, Redactor, Report, Role, WaitFor, bounds,
    carried, in_words, put_back,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc;

/// How many events may wait for slow reporters; a run tells about forty.
const WAITING_EVENTS: usize = 1024;

/// Returns the two ends of an event stream. The sending end never waits: a reporter that falls behind loses events
/// in between, and the finished [`Report`] makes up for them.
#[must_use]
pub fn stream() -> (mpsc::Sender<Event>, mpsc::Receiver<Event>) {
    mpsc::channel(WAITING_EVENTS)
}

/// Tells events to the reporters and folds them into the report.
#[derive(Debug)]
pub(crate) struct Teller {
    sender: mpsc::Sender<Event>,
    pub(crate) redactor: Redactor,
    pub(crate) report: Report,
    phases: BTreeMap<DeploymentId, Phase>,
    running: BTreeSet<DeploymentId>,
    waiting: Option<WaitFor>,
    restored: Option<JobName>,
    overwritten: Vec<String>,
}

impl Teller {
    pub(crate) fn new(sender: mpsc::Sender<Event>, redactor: Redactor) -> Self {
        Self {
            sender,
            report: Report {
                redactor: redactor.clone(),
                ..Report::default()
            },
            redactor,
            phases: BTreeMap::new(),
            running: BTreeSet::new(),
            waiting: None,
            restored: None,
            overwritten: Vec::new(),
        }
    }

    pub(crate) fn tell(&mut self, at: Timestamp, what: Happening) {
        let event = Event { at, what };
        self.report.absorb(&event);
        tracing::debug!(what = ?std::mem::discriminant(&event.what), "event");
        if self.sender.try_send(event).is_err() {
            tracing::debug!("a reporter fell behind; the report at the end is whole");
        }
    }

    /// Tells a sentence about something that was recovered from.
    pub(crate) fn warn(&mut self, clock: &PlatformClock, sentence: std::fmt::Arguments<'_>) {
        let sentence = self.redactor.text(sentence);
        self.tell(clock.reckoned(), Happening::Warned(sentence));
    }

    /// Tells what is waited for, when it is something new.
    pub(crate) fn wait(&mut self, at: Timestamp, what: &WaitFor) {
        // A deployment's phases have events of their own.
        let told_otherwise = matches!(what, WaitFor::Job(..) | WaitFor::OtherDeployment(..));
        if self.waiting.as_ref() != Some(what) && !told_otherwise {
            let sentence = self.redactor.text(format_args!("{what}"));
            self.tell(at, Happening::Waiting(sentence));
        }
        self.waiting = Some(what.clone());
    }

    /// Tells for how long the process stood still.
    pub(crate) fn stood_still(&mut self, at: Timestamp, still: Duration) {
        if still > bounds::POLL_MAX {
            let sentence = self.redactor.text(format_args!(
                "this process stood still for about {}, as on a suspended machine: what it knew was old, and is looked up again",
                in_words(still)
            ));
            self.tell(at, Happening::Warned(sentence));
        }
    }

    /// Tells, once for each job, that the app is proven put back.
    pub(crate) fn put_back(&mut self, seen: &Observed, plan: &Plan) {
        if self.restored.as_ref() == Some(&plan.job()) {
            return;
        }
        if let Some(changed_by_others) = put_back(plan, seen) {
            self.restored = Some(plan.job());
            self.tell(seen.now, Happening::Restored { changed_by_others });
        }
    }

    /// Tells, once, which lost edits are left to a person.
    pub(crate) fn overwritten(&mut self, at: Timestamp, places: Vec<String>) {
        if !places.is_empty() && self.overwritten != places {
            self.overwritten.clone_from(&places);
            self.tell(at, Happening::Overwritten(places));
        }
    }

    /// Tells which deployments are new or changed their phase, as far as this run is concerned with them.
    pub(crate) fn phases(&mut self, seen: &Observed, plan: Option<&Plan>) {
        let job = plan.map(Plan::job);
        let job = job.as_ref();
        for deployment in seen.deployments.iter().rev() {
            let Some(role) = role(deployment, seen, plan) else {
                continue;
            };
            if self.phases.get(&deployment.id) != Some(&deployment.phase) {
                self.phases
                    .insert(deployment.id.clone(), deployment.phase.clone());
                let (deployment, phase) = (deployment.id.clone(), deployment.phase.clone());
                self.tell(
                    seen.now,
                    Happening::Phase {
                        deployment,
                        role,
                        phase,
                    },
                );
            }
            if let Some(job) = job
                && runs_now(deployment, job)
                && self.running.insert(deployment.id.clone())
            {
                let deployment = deployment.id.clone();
                self.tell(seen.now, Happening::JobRunning { deployment });
            }
        }
    }
}

/// Whose a deployment is to this run; nothing for deployments that have nothing to do with it.
fn role(deployment: &Deployment, seen: &Observed, plan: Option<&Plan>) -> Option<Role> {
    let job = plan.map(Plan::job);
    let job = job.as_ref();
    // Of all parts of the run: of a job before this one, too.
    let mut wrote = seen.wrote.iter();
    if wrote.any(|wrote| wrote.put.deployment() == Some(&deployment.id)) {
        let of_key = |job: &JobName| plan.is_some_and(|plan| plan.key == job.key);
        let ours = carried(deployment).iter().any(of_key);
        return Some(if ours { Role::Ours } else { Role::CleanUp });
    }
    let carries = |one: &Deployment| job.is_some_and(|job| carried(one).contains(job));
    if carries(deployment) {
        let first = seen.deployments.iter().rev().find(|one| carries(one))?;
        let own_known = matches!(
            seen.doings.insert.as_ref().map(|put| &put.outcome),
            Some(PutResult::Applied(Some(_)))
        );
        let ours = !own_known && first.id == deployment.id;
        return Some(if ours { Role::Ours } else { Role::CarriesOurs });
    }
    if let Some(failed) = deployment.rolls_back() {
        let of_ours = seen
            .deployments
            .iter()
            .any(|one| one.id == failed && carries(one));
        return of_ours.then_some(Role::Rollback);
    }
    let recent = deployment
        .created_at
        .is_some_and(|created| created >= seen.since)
        || deployment.phase.is_in_flight();
    let merge = plan.is_some_and(|plan| {
        let commit = plan.request.commit.as_ref().map(CommitSha::as_str);
        commit.is_some() && deployment.commit_of(plan.request.settings.reference.as_str()) == commit
    });
    recent.then_some(if merge { Role::Merge } else { Role::Other })
}

fn runs_now(deployment: &Deployment, job: &JobName) -> bool {
    let progress = deployment.progress.as_ref();
    deployment.phase.is_in_flight()
        && progress.is_some_and(|progress| {
            progress.job_status(&job.to_string()).deploy == StepStatus::Running
        })
}
