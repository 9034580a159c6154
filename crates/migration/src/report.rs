//! The events so far, folded into what a report shows: one state, rendered by every reporter.

use crate::{Clean, DoneStep, Event, Evidence, JobName, Plan, Refusal, Role, Verdict};
use app_spec::{DeploymentId, Phase};
use jiff::Timestamp;

/// What every reporter renders.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The plan, once it is made.
    pub plan: Option<Plan>,
    /// Why it was refused.
    pub refusal: Option<Refusal>,
    /// Steps that earlier epochs did, when nothing was left to run.
    pub already_done: Vec<DoneStep>,
    /// The job, once it is named.
    pub job: Option<JobName>,
    /// What is going on now.
    pub now: Option<Clean>,
    /// Deployments seen, in the order they were first seen.
    pub deployments: Vec<SeenDeployment>,
    /// Logs read, in the order they were first read.
    pub logs: Vec<SeenLog>,
    /// What happened, oldest first.
    pub timeline: Vec<Moment>,
    /// How it ended.
    pub verdict: Option<Verdict>,
    /// When the first event was told.
    pub started: Option<Timestamp>,
    /// When the last event was told.
    pub updated: Option<Timestamp>,
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
    /// What, in one sentence.
    pub text: Clean,
}

/// Addresses that a report links to; all built by the caller from ids, none taken from outside text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// The workflow run.
    pub run: Option<String>,
    /// The platform's page of the app (deployment pages are below it).
    pub dashboard: Option<String>,
    /// The pull request.
    pub pull_request: Option<String>,
    /// How to run a follow-up command (`retry`, `reap`), ready to paste.
    pub retry_command: Option<String>,
}

impl Report {
    /// Takes in one event.
    pub fn absorb(&mut self, event: &Event) {
        self.started.get_or_insert(event.at);
        self.updated = Some(event.at);
    }
}
