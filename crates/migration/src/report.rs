//! The events so far, folded into what a report shows: one state, rendered by every reporter.
//!
//! The fold keeps what happened and derives nothing that can be derived later: step rows, the headline and every
//! other sentence are functions of the state. It decides nothing, and nothing is decided by it.

mod steps;

pub use steps::{StepRow, StepState};

use crate::render::story::{self, State};
use crate::render::{headline, timeline};
use crate::{
    Clean, DoneStep, Ended, Event, Evidence, Happening, JobName, Key, LedgerEntry, MigrationId,
    Origin, Plan, Reason, Redactor, Refusal, Role, StepName, Verdict,
};
use app_spec::{DeploymentId, Phase};
use jiff::Timestamp;
use std::time::Duration;

/// What every reporter renders.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Cleans what the plan, the verdict and the refusal say, before anything of it is shown.
    pub redactor: Redactor,
    /// What it is about, as far as it is known before there is a plan.
    pub subject: Subject,
    /// Whether the report tells a run, or what a run would do.
    pub purpose: Purpose,
    /// The plan, once it is made.
    pub plan: Option<Plan>,
    /// The redacted difference that the plan makes to the app spec.
    pub plan_diff: Option<Clean>,
    /// Why it was refused.
    pub refusal: Option<Refusal>,
    /// Steps that are done while others are left: each job of a run may do a part.
    pub part_done: Vec<StepName>,
    /// Deployments in which the jobs that did them may have run, too.
    pub part_unproven: Vec<DeploymentId>,
    /// Steps that earlier epochs did, when nothing was left to run.
    pub already_done: Vec<DoneStep>,
    /// Whether the app was cleaned up after another run, when nothing was left to run.
    pub cleaned_up: bool,
    /// The epoch that this authority allowed, when it ended in an earlier run.
    pub ended: Option<Ended>,
    /// Earlier epochs of this migration, oldest first, as the ledger keeps them.
    pub epochs: Vec<LedgerEntry>,
    /// The job, once it is named.
    pub job: Option<JobName>,
    /// Whether a job went into the app.
    pub inserted: bool,
    /// What is going on now.
    pub now: Option<Clean>,
    /// Deployments seen, in the order they were first seen.
    pub deployments: Vec<SeenDeployment>,
    /// Logs read, in the order they were first read.
    pub logs: Vec<SeenLog>,
    /// What was recovered from and is worth telling, oldest first.
    pub warnings: Vec<Clean>,
    /// What happened, oldest first.
    pub timeline: Vec<Moment>,
    /// How it ended.
    pub verdict: Option<Verdict>,
    /// When the first event was told.
    pub started: Option<Timestamp>,
    /// When the last event was told.
    pub updated: Option<Timestamp>,
}

/// What a report is about, as far as it is known before there is a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The migration.
    pub migration: Option<MigrationId>,
    /// The migration's key, which needs the app's id.
    pub key: Option<Key>,
    /// The app's name, or what was given for one.
    pub app: Option<Clean>,
    /// Who asked, from where.
    pub origin: Origin,
}

/// Whether a report tells a run, or what a run would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// What happens, or happened.
    #[default]
    Run,
    /// What would happen: nothing is sent.
    Preview,
}

/// A deployment that a report names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenDeployment {
    /// The deployment.
    pub id: DeploymentId,
    /// Whose it is.
    pub role: Role,
    /// Its newest phase.
    pub phase: Phase,
}

/// A log that a report shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenLog {
    /// The job.
    pub job: JobName,
    /// The deployment that ran it.
    pub deployment: DeploymentId,
    /// What it proves.
    pub evidence: Evidence,
    /// Its last lines, newest last.
    pub tail: Vec<Clean>,
    /// How many lines it has in all.
    pub lines: u64,
    /// Where it was written.
    pub path: Option<String>,
}

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When, by the platform's clock.
    pub at: Timestamp,
    /// What, in one sentence; names in backticks.
    pub text: Clean,
}

/// Addresses and commands that a report shows; all built by the caller from ids, none taken from outside text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// The workflow run.
    pub run: Option<String>,
    /// The page where the whole log can be read (the run's step, or an artifact).
    pub log: Option<String>,
    /// The platform's page of the app (deployment pages are below it).
    pub dashboard: Option<String>,
    /// The pull request.
    pub pull_request: Option<String>,
    /// How to run the failed or unproven steps again, ready to paste.
    pub retry_command: Option<String>,
    /// How to take a left-over job out, ready to paste.
    pub reap_command: Option<String>,
    /// The label that asks for a migration, as this repository names it.
    pub label: Option<String>,
}

impl Report {
    /// Returns a report with nothing in it yet.
    #[must_use]
    pub fn new(redactor: Redactor, subject: Subject) -> Self {
        Self {
            redactor,
            subject,
            ..Self::default()
        }
    }

    /// Takes in one event.
    pub fn absorb(&mut self, event: &Event) {
        self.started.get_or_insert(event.at);
        self.updated = Some(event.at);
        let sentence = timeline::sentence(&event.what, &self.redactor).plain();
        match &event.what {
            Happening::Planned(plan) => {
                self.job = Some(plan.job());
                self.plan = Some((**plan).clone());
            }
            Happening::Refused(refusal) => self.refusal = Some(refusal.clone()),
            Happening::AlreadyDone { steps, cleaned_up } => {
                self.already_done.clone_from(steps);
                self.cleaned_up = *cleaned_up;
            }
            Happening::AlreadyEnded(ended) => self.ended = Some(ended.clone()),
            Happening::PartDone { steps, unproven } => {
                self.part_unproven.extend(unproven.iter().cloned());
                let new = steps.iter().filter(|step| !self.part_done.contains(step));
                let new: Vec<StepName> = new.cloned().collect();
                self.part_done.extend(new);
            }
            Happening::Inserted { job, .. } => {
                self.job = Some(job.clone());
                self.inserted = true;
            }
            Happening::Phase {
                deployment,
                role,
                phase,
            } => self.see(deployment, *role, phase),
            Happening::Log {
                job,
                deployment,
                evidence,
                tail,
                lines,
                path,
            } => self.read(SeenLog {
                job: job.clone(),
                deployment: deployment.clone(),
                evidence: evidence.clone(),
                tail: tail.clone(),
                lines: *lines,
                path: path.clone(),
            }),
            Happening::Warned(warning) => self.warnings.push(warning.clone()),
            Happening::Ended(verdict) => self.verdict = Some((**verdict).clone()),
            Happening::Waiting(_)
            | Happening::Claimed
            | Happening::Doubtful(_)
            | Happening::JobRunning { .. }
            | Happening::Removed { .. }
            | Happening::Cancelled(_)
            | Happening::Restored { .. }
            | Happening::Overwritten(_)
            | Happening::Health { .. }
            | Happening::Firewall { .. } => {}
        }
        let over = matches!(
            event.what,
            Happening::Ended(_)
                | Happening::Refused(_)
                | Happening::AlreadyDone { .. }
                | Happening::AlreadyEnded(_)
        );
        self.now = (!over).then(|| sentence.clone());
        // A resumed run may be told the same thing twice; a reader needs it once.
        if self
            .timeline
            .last()
            .is_none_or(|last| last.text != sentence)
        {
            self.timeline.push(Moment {
                at: event.at,
                text: sentence,
            });
        }
    }

    /// Returns how it stands, in one line for a title; names in backticks.
    #[must_use]
    pub fn headline(&self) -> Clean {
        headline::headline(self).1.plain()
    }

    /// Returns why it ended, or why there is nothing to run; nothing while it goes on.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match story::state(self) {
            State::Ended(verdict) => Some(verdict.reason),
            State::Refused(refusal) => Some(
                self.verdict
                    .as_ref()
                    .map_or(refusal.reason, |verdict| verdict.reason),
            ),
            State::EndedEarlier(ended) => Some(ended.reason()),
            State::AlreadyDone(_) => Some(Reason::AlreadyDone),
            State::Preview(_) => Some(Reason::Planned),
            State::UnderWay => None,
        }
    }

    /// Returns the migration's id, where it is known.
    #[must_use]
    pub fn migration(&self) -> Option<&MigrationId> {
        let planned = self.plan.as_ref().map(|plan| &plan.request.manifest.id);
        planned.or(self.subject.migration.as_ref())
    }

    /// Returns the migration's key, where it is known.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        let planned = self.plan.as_ref().map(|plan| &plan.key);
        planned
            .or_else(|| self.job.as_ref().map(|job| &job.key))
            .or(self.subject.key.as_ref())
    }

    /// Returns how long it took so far, by the platform's clock.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        let span = self.updated?.duration_since(self.started?);
        Duration::try_from(span).ok()
    }

    /// Returns the log whose marks tell the most: of the verdict's own deployment, else the last one with any step.
    #[must_use]
    pub fn telling_log(&self) -> Option<&SeenLog> {
        let own = self
            .verdict
            .as_ref()
            .and_then(|verdict| verdict.facts.deployment.as_ref());
        let ran =
            |log: &&SeenLog| !log.evidence.steps.is_empty() || !log.evidence.checks.is_empty();
        let of_job = || {
            self.logs
                .iter()
                .filter(|log| self.job.as_ref().is_none_or(|job| *job == log.job))
        };
        of_job()
            .filter(ran)
            .find(|log| own == Some(&log.deployment))
            .or_else(|| of_job().rfind(ran))
            .or_else(|| of_job().find(|log| own == Some(&log.deployment)))
            .or_else(|| of_job().next_back())
    }

    fn see(&mut self, id: &DeploymentId, role: Role, phase: &Phase) {
        // The reply to the insert may have been lost.
        self.inserted |= role == Role::Ours;
        match self.deployments.iter_mut().find(|seen| seen.id == *id) {
            Some(seen) => {
                seen.role = role;
                seen.phase = phase.clone();
            }
            None => self.deployments.push(SeenDeployment {
                id: id.clone(),
                role,
                phase: phase.clone(),
            }),
        }
    }

    fn read(&mut self, log: SeenLog) {
        let same = |seen: &&mut SeenLog| seen.job == log.job && seen.deployment == log.deployment;
        match self.logs.iter_mut().find(same) {
            Some(seen) => *seen = log,
            None => self.logs.push(log),
        }
    }
}
