//! How far each step is, from the plan, the marks and the verdict.

use crate::{DoneStep, Epoch, Intent, JobAxis, LedgerOutcome, Ran, Report, StepName};
use std::cmp::Ordering;
use std::time::Duration;

/// One row of the step table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRow {
    /// The step.
    pub name: StepName,
    /// How far it is.
    pub state: StepState,
    /// How long it ran, by the job's own clock, where both its marks told.
    pub took: Option<Duration>,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// It is to run.
    ToRun,
    /// It runs.
    Running,
    /// It ended with 0.
    Done,
    /// It ended with another code.
    Failed(i32),
    /// Its check ended with this code, so no step ran.
    CheckFailed(i32),
    /// Its check passed; only checks were asked for.
    CheckPassed,
    /// It did not run.
    NotRun,
    /// An earlier epoch did it.
    DoneEarlier(Epoch, Option<u64>),
    /// It may have run; its marks do not tell how it ended.
    Unproven,
}

impl Report {
    /// Returns the steps with how far each is, in the order they run.
    #[must_use]
    pub fn step_rows(&self) -> Vec<StepRow> {
        let Some(plan) = &self.plan else {
            return self.already_done.iter().map(done_earlier).collect();
        };
        let evidence = self.telling_log().map(|log| &log.evidence);
        let checks_only = plan.request.intent == Intent::Check;
        let names: Vec<&StepName> = plan
            .request
            .manifest
            .steps
            .iter()
            .map(|step| &step.name)
            .collect();
        // What ended in another run may be more than this one planned.
        let elsewhere = self.verdict.is_none() && self.ended.is_some();
        let job = self.end();
        let row = |(place, name): (usize, &&StepName)| {
            let mut earlier = self.already_done.iter().chain(&plan.already_done);
            if let Some(done) = earlier.find(|done| done.step.name == **name) {
                return done_earlier(done);
            }
            let planned = elsewhere || plan.steps.iter().any(|step| step.name == **name);
            let ran = evidence.and_then(|evidence| {
                let of = if checks_only {
                    &evidence.checks
                } else {
                    &evidence.steps
                };
                of.iter().find(|ran| ran.step == **name)
            });
            let state = match &job {
                _ if self.part_done.contains(name) => StepState::Done,
                Some(job) if planned => {
                    let turning = turning_point(job)
                        .and_then(|step| names.iter().position(|name| *name == step));
                    let ran = ran.filter(|_| {
                        evidence
                            .is_some_and(|evidence| evidence.begins == 1 && !evidence.contradictory)
                    });
                    judged(
                        job,
                        checks_only,
                        ran,
                        turning.map(|turning| place.cmp(&turning)),
                    )
                }
                Some(_) => StepState::NotRun,
                None => under_way(checks_only, ran),
            };
            StepRow {
                name: (*name).clone(),
                state,
                // Marks that do not tell how it ended do not tell when, either.
                took: ran.filter(|_| state != StepState::Unproven).and_then(took),
            }
        };
        names.iter().enumerate().map(row).collect()
    }

    /// What is known of the job's end, here or in the run that ended it; nothing while it goes on.
    fn end(&self) -> Option<JobAxis> {
        match (&self.verdict, &self.ended, &self.refusal) {
            (Some(verdict), _, _) => Some(verdict.job.clone()),
            (None, Some(ended), _) => Some(axis_of(&ended.outcome)),
            (None, None, Some(_)) => Some(JobAxis::NotAttempted),
            (None, None, None) => None,
        }
    }
}

fn axis_of(outcome: &LedgerOutcome) -> JobAxis {
    match outcome {
        LedgerOutcome::Done => JobAxis::Done,
        LedgerOutcome::Failed { step, code, check } => JobAxis::Failed {
            step: step.clone(),
            code: *code,
            check: *check,
        },
        LedgerOutcome::Unproven { .. } => JobAxis::Unproven { during: None },
        LedgerOutcome::NeverStarted | LedgerOutcome::Withdrawn => JobAxis::NeverStarted,
    }
}

fn done_earlier(done: &DoneStep) -> StepRow {
    StepRow {
        name: done.step.name.clone(),
        state: StepState::DoneEarlier(done.epoch, done.pull_request),
        took: None,
    }
}

/// Returns the step at which a job's end is known to have come.
fn turning_point(job: &JobAxis) -> Option<&StepName> {
    match job {
        JobAxis::Failed { step, .. } => Some(step),
        JobAxis::Unproven { during } => during.as_ref(),
        JobAxis::NotAttempted
        | JobAxis::Done
        | JobAxis::Refused { .. }
        | JobAxis::NeverStarted
        | JobAxis::Running => None,
    }
}

/// Returns how far a step is once the job's end is judged; `place` is where it stands to the turning point.
fn judged(
    job: &JobAxis,
    checks_only: bool,
    ran: Option<&Ran>,
    place: Option<Ordering>,
) -> StepState {
    match job {
        JobAxis::NotAttempted | JobAxis::NeverStarted | JobAxis::Refused { .. } => {
            StepState::NotRun
        }
        JobAxis::Done if !checks_only => StepState::Done,
        JobAxis::Done => ran.map_or(StepState::NotRun, |_| StepState::CheckPassed),
        JobAxis::Failed {
            code, check: true, ..
        } => match place {
            Some(Ordering::Equal) => StepState::CheckFailed(*code),
            Some(Ordering::Less | Ordering::Greater) | None => StepState::NotRun,
        },
        JobAxis::Failed {
            code, check: false, ..
        } => match place {
            Some(Ordering::Less) => StepState::Done,
            Some(Ordering::Equal) => StepState::Failed(*code),
            Some(Ordering::Greater) => StepState::NotRun,
            // It failed at a step that is in the manifest no more.
            None if ended_well(ran) => StepState::Done,
            None => StepState::NotRun,
        },
        JobAxis::Unproven { .. } => match place {
            Some(Ordering::Less) if ended_well(ran) => StepState::Done,
            Some(Ordering::Less | Ordering::Equal | Ordering::Greater) | None => {
                StepState::Unproven
            }
        },
        JobAxis::Running => under_way(checks_only, ran),
    }
}

fn ended_well(ran: Option<&Ran>) -> bool {
    ran.is_some_and(|ran| ran.code == Some(0))
}

fn under_way(checks_only: bool, ran: Option<&Ran>) -> StepState {
    match ran.map(|ran| ran.code) {
        None => StepState::ToRun,
        Some(None) => StepState::Running,
        Some(Some(0)) if checks_only => StepState::CheckPassed,
        Some(Some(0)) => StepState::Done,
        Some(Some(code)) if checks_only => StepState::CheckFailed(code),
        Some(Some(code)) => StepState::Failed(code),
    }
}

fn took(ran: &Ran) -> Option<Duration> {
    let seconds = ran.ended_at?.checked_sub(ran.started_at?)?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
}
