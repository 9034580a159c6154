//! The story of a report: where it stands, in a headline and two or three sentences.
//!
//! Only what is proven is said as a fact. What to do about it is `todo`'s.

use super::headline::{app, left_behind};
use super::words::{Part, Words, as_sentence, inside, list, name, short, span, with_stop, words};
use crate::{
    Clean, DeploymentAxis, DoneStep, Ended, FirewallAxis, Intent, JobAxis, JobName, LedgerOutcome,
    OnFailure, Plan, Purpose, Reason, Refusal, Report, SeenLog, StepName, StepState, Verdict,
};
use app_spec::DeploymentId;
use std::collections::{BTreeMap, BTreeSet};

/// The most characters of a refusal's sentence that are shown.
const REFUSAL_CHARS: usize = 1_500;

/// What a report comes to.
pub(crate) enum State<'a> {
    /// It ended.
    Ended(&'a Verdict),
    /// It was refused before anything was sent.
    Refused(&'a Refusal),
    /// The epoch that this authority allowed ended in an earlier run.
    EndedEarlier(&'a Ended),
    /// Every step was done by earlier epochs.
    AlreadyDone(&'a [DoneStep]),
    /// It tells what a run would do.
    Preview(&'a Plan),
    /// It goes on.
    UnderWay,
}

/// Returns what the report comes to.
pub(crate) fn state(report: &Report) -> State<'_> {
    // A refusal's own sentence tells more than the verdict of a run that never attempted anything; but a job that is
    // left in the app is told before all else.
    let untouched = report
        .verdict
        .as_ref()
        .is_none_or(|verdict| verdict.job == JobAxis::NotAttempted && !left_behind(verdict));
    match (
        &report.verdict,
        &report.refusal,
        &report.ended,
        &report.plan,
    ) {
        (_, Some(refusal), _, _) if untouched => State::Refused(refusal),
        (Some(verdict), _, _, _) => State::Ended(verdict),
        (None, _, Some(ended), _) => State::EndedEarlier(ended),
        // Whoever waited for another run had a plan, too.
        (None, _, None, _) if !report.already_done.is_empty() => {
            State::AlreadyDone(&report.already_done)
        }
        (None, _, None, Some(plan)) if report.purpose == Purpose::Preview => State::Preview(plan),
        (None, _, None, _) => State::UnderWay,
    }
}

pub(crate) fn checks_only(report: &Report) -> bool {
    report
        .plan
        .as_ref()
        .is_some_and(|plan| plan.request.intent == Intent::Check)
}

/// Returns the sentences under the headline: what happened, and what is live.
pub(crate) fn told(report: &Report) -> Vec<Words> {
    let mut said = match state(report) {
        // Its notes tell of more starts, too.
        State::Ended(verdict) => return told_of(report, verdict),
        State::UnderWay => return under_way(report),
        State::Refused(refusal) => {
            let why = report.redactor.clean_line(&refusal.message);
            let mut said = done_in_part(report);
            let why = as_sentence(&why.shortened(REFUSAL_CHARS));
            said.push(of_the_rest(report, why));
            said
        }
        State::EndedEarlier(ended) => {
            let how = match &ended.outcome {
                LedgerOutcome::Done => words!["every step ended with 0"],
                LedgerOutcome::Failed {
                    step,
                    code,
                    check: true,
                } => words![
                    "the check of step ",
                    step,
                    " ended with ",
                    *code,
                    "; no step of the epoch ran"
                ],
                LedgerOutcome::Failed {
                    step,
                    code,
                    check: false,
                } => words!["step ", step, " ended with ", *code],
                LedgerOutcome::Unproven { .. } => words!["its log does not prove how it ended"],
                LedgerOutcome::NeverStarted => words!["it never started, so nothing of it ran"],
                LedgerOutcome::Withdrawn => {
                    words!["it gave way to another run without inserting anything"]
                }
            };
            let mut said = done_in_part(report);
            let when = if said.is_empty() {
                " ended earlier: "
            } else {
                " ended in another run: "
            };
            said.extend([
                words![
                    "Epoch ",
                    ended.epoch,
                    when,
                    how,
                    ". Re-running a workflow only reports this; it never runs a step twice."
                ],
                as_sentence(&ended.hint),
            ]);
            said
        }
        State::AlreadyDone(steps) => {
            let steps = names(steps.iter().map(|done| &done.step.name));
            vec![if report.inserted {
                words![
                    "Done: ",
                    steps,
                    ". A job of this run that had not started was brought back by somebody, and did it; or another run did. \
                     What is done is not run again."
                ]
            } else {
                let sent = if report.cleaned_up {
                    "; the app was only cleaned up after another run."
                } else {
                    "; nothing was sent to the app."
                };
                words![
                    "Done by earlier runs: ",
                    steps,
                    ". What is done is not run again",
                    sent
                ]
            }]
        }
        State::Preview(plan) => vec![previewed(report, plan)],
    };
    said.extend(more_starts(report));
    said
}

/// What is done all the same, where the rest was not begun here.
fn done_in_part(report: &Report) -> Vec<Words> {
    if report.part_done.is_empty() {
        return Vec::new();
    }
    let steps = names(&report.part_done);
    vec![words!["Done, and the app put back after it: ", steps, "."]]
}

/// Says of a sentence that it tells of what was not begun, where something is done.
fn of_the_rest(report: &Report, why: Words) -> Words {
    if report.part_done.is_empty() {
        return why;
    }
    words!["For the rest: ", Part::Words(why)]
}

fn previewed(report: &Report, plan: &Plan) -> Words {
    let steps = names(plan.steps.iter().map(|step| &step.name));
    let noun = if plan.steps.len() == 1 {
        "step "
    } else {
        "steps "
    };
    match (&plan.request.intent, plan.request.origin.pull_request) {
        (Intent::Check, _) => words![
            "Nothing has been sent. A run would execute only the checks, and no step, on ",
            app(report),
            "."
        ],
        (_, Some(_)) => words![
            "Nothing has been sent yet. Merging this pull request runs ",
            noun,
            steps,
            " in production."
        ],
        (_, None) => words![
            "Nothing has been sent. A run would execute ",
            noun,
            steps,
            " in production."
        ],
    }
}

fn under_way(report: &Report) -> Vec<Words> {
    let mut said = Vec::new();
    if let Some(now) = &report.now {
        said.push(words!["Now: ", with_stop(&inside(now))]);
    }
    if let (Some(took), Some(plan)) = (report.took(), &report.plan) {
        let estimate = plan.estimate.to_start + plan.estimate.job + plan.estimate.clean_up;
        said.push(words![
            "So far ",
            took,
            " of about ",
            Part::Figure(span(estimate)),
            "."
        ]);
    }
    said
}

fn told_of(report: &Report, verdict: &Verdict) -> Vec<Words> {
    let mut said = match verdict.job {
        JobAxis::Done | JobAxis::Failed { .. } => Vec::new(),
        JobAxis::NotAttempted
        | JobAxis::Refused { .. }
        | JobAxis::Unproven { .. }
        | JobAxis::NeverStarted
        | JobAxis::Running => done_in_part(report),
    };
    said.extend([job_sentence(report, verdict), deployment_sentence(verdict)]);
    said.extend(notes(report, verdict));
    said.retain(|sentence| !sentence.is_empty());
    said
}

fn job_sentence(report: &Report, verdict: &Verdict) -> Words {
    let rows = report.step_rows();
    let with = |wanted: fn(StepState) -> bool| {
        let found: Vec<&StepName> = rows
            .iter()
            .filter(|row| wanted(row.state))
            .map(|row| &row.name)
            .collect();
        found
    };
    match &verdict.job {
        JobAxis::NotAttempted => of_the_rest(report, words![verdict.reason.meaning()]),
        JobAxis::Done if checks_only(report) => {
            words!["Every check ended with 0, by the marks in the job's own log. No step was run."]
        }
        JobAxis::Done => {
            let done = with(|state| state == StepState::Done);
            let earlier = with(|state| matches!(state, StepState::DoneEarlier(..)));
            let before = match earlier.len() {
                0 => Words::default(),
                1 => words![
                    " Step ",
                    names(earlier),
                    " was done before and was not run again."
                ],
                _ => words![
                    " Steps ",
                    names(earlier),
                    " were done before and were not run again."
                ],
            };
            match done.len() {
                0 => words![
                    "Every step ended with 0, by the marks in the job's own log.",
                    before
                ],
                1 => words![
                    "Step ",
                    names(done),
                    " ended with 0, by the marks in the job's own log.",
                    before
                ],
                _ => words![
                    "Steps ",
                    names(done),
                    " each ended with 0, by the marks in the job's own log.",
                    before
                ],
            }
        }
        JobAxis::Failed {
            step,
            code,
            check: true,
        } => {
            let after = if report.part_done.is_empty() {
                words![". Checks come before all steps, so no step changed anything."]
            } else {
                let done = names(&report.part_done);
                words![
                    ", before any step of its job ran. Done before that, and staying done: ",
                    done,
                    "."
                ]
            };
            words![
                "The check of step ",
                step,
                " failed with exit code ",
                *code,
                Part::Words(after)
            ]
        }
        JobAxis::Failed {
            step,
            code,
            check: false,
        } => {
            let done = with(|state| matches!(state, StepState::Done | StepState::DoneEarlier(..)));
            let left = with(|state| state == StepState::NotRun);
            let before = match done.len() {
                0 => Words::default(),
                1 => words![" Step ", names(done), " is done and stays done."],
                _ => words![" Steps ", names(done), " are done and stay done."],
            };
            let after = match left.len() {
                0 => Words::default(),
                _ => words![" Not run: ", names(left), "."],
            };
            words![
                "Step ",
                step,
                " failed with exit code ",
                *code,
                ".",
                before,
                after
            ]
        }
        JobAxis::Refused { variable } => {
            let variable = name(&report.redactor.clean_line(variable));
            words![
                "Variable ",
                variable,
                " is empty or still encrypted inside the job, so the job stopped before any check or step."
            ]
        }
        JobAxis::Unproven { during: Some(step) } => {
            words![
                "Step ",
                step,
                " began, and no mark says how it ended. It may have run in part or in whole."
            ]
        }
        JobAxis::Unproven { during: None } => {
            words![
                "The job may have run: its log is missing, cut off or contradicts itself. Any of its steps may have run in part or in whole."
            ]
        }
        JobAxis::NeverStarted if verdict.reason == Reason::NeverStarted => {
            words!["The job's process never started, so no check and no step of it ran."]
        }
        JobAxis::NeverStarted => words![
            "The job's process never started, so no check and no step of it ran. ",
            verdict.reason.meaning()
        ],
        JobAxis::Running => words![
            "The job still runs inside the platform and was left to itself: killing a running migration does more harm than waiting."
        ],
    }
}

fn deployment_sentence(verdict: &Verdict) -> Words {
    let facts = &verdict.facts;
    let became = match (verdict.deployment, &facts.rollback) {
        (DeploymentAxis::RolledBack, Some(id)) => words![
            "The platform rolled the app back, with deployment ",
            short(id),
            ". "
        ],
        (DeploymentAxis::RolledBack, None) => words!["The platform rolled the app back. "],
        (DeploymentAxis::Failed, _) => {
            words![
                "The deployment failed and no rollback was seen; the app stays on what was live before. "
            ]
        }
        (DeploymentAxis::Cancelled, _) => {
            words!["The job's deployment was cancelled or superseded. "]
        }
        (DeploymentAxis::InFlight, _) => words!["A deployment is still in flight. "],
        (DeploymentAxis::Unknown, _) => {
            words!["What became of the job's deployment can't be told. "]
        }
        (DeploymentAxis::Active | DeploymentAxis::None, _) => Words::default(),
    };
    let live = match &facts.live {
        Some((id, Some(commit))) => {
            words!["Live now: deployment ", short(id), ", commit ", commit, "."]
        }
        Some((id, None)) => words!["Live now: deployment ", short(id), "."],
        None => Words::default(),
    };
    Words([became.0, live.0].concat())
}

/// Returns what a reader should look at although it is no failure.
pub(crate) fn notes(report: &Report, verdict: &Verdict) -> Vec<Words> {
    let facts = &verdict.facts;
    let own = |text: &String| name(&report.redactor.clean_line(text));
    let mut notes = Vec::new();
    if verdict.firewall == FirewallAxis::Drifted {
        notes.push(words![
            "The database's firewall also lets in ",
            list(facts.extra_rules.iter().map(own)),
            ". It was left as it is; take the rule out when nobody needs it, or ask for `firewall: restore`."
        ]);
    }
    if facts.healthy_before == Some(false) && verdict.job != JobAxis::NotAttempted {
        notes.push(words![
            "The app did not answer as healthy before this run began either."
        ]);
    }
    if !facts.changed_by_others.is_empty() {
        notes.push(words![
            "Others changed the app spec meanwhile, and their changes stay: ",
            list(facts.changed_by_others.iter().map(own)),
            "."
        ]);
    }
    if !facts.repaired.is_empty() {
        notes.push(words![
            "An update of ours had overwritten somebody's edit of the app spec; it was put back: ",
            list(facts.repaired.iter().map(own)),
            "."
        ]);
    }
    if !facts.conflicts.is_empty() {
        notes.push(words![
            "An update of ours may have overwritten somebody's edit of the app spec, and it was not put back: ",
            list(facts.conflicts.iter().map(own)),
            ". Compare the deployments' app specs in the control panel and set these places as they should be."
        ]);
    }
    notes.extend(more_starts(report));
    if !facts.recorded && verdict.job != JobAxis::NotAttempted {
        notes.push(words!["The ledger did not take the outcome; the next run reads it from the deployments and the log."]);
    }
    notes.extend(report.warnings.iter().take(MAX_WARNINGS).map(as_sentence));
    notes
}

/// How a job ran, or may have run, more than once.
fn more_starts(report: &Report) -> Vec<Words> {
    let mut starts: BTreeMap<&JobName, Vec<&SeenLog>> = BTreeMap::new();
    for log in &report.logs {
        if log.evidence.begins > 0 && log.evidence.disarmed.is_none() {
            starts.entry(&log.job).or_default().push(log);
        }
    }
    let mut said = Vec::new();
    for (job, logs) in starts {
        let times: u32 = logs.iter().map(|log| log.evidence.begins).sum();
        if times > 1 {
            let (noun, places) = in_deployments(logs.iter().map(|log| &log.deployment));
            said.push(words![
                "Job ",
                job,
                " was started ",
                times,
                " times, in ",
                noun,
                places,
                ". Look whether its steps may run twice."
            ]);
        }
    }
    // Where its own end is not known, that says it all.
    let proven =
        |verdict: &&Verdict| !matches!(verdict.job, JobAxis::Unproven { .. } | JobAxis::Running);
    let last = report.verdict.iter().filter(proven);
    let unproven: BTreeSet<&DeploymentId> = last
        .flat_map(|verdict| &verdict.facts.unproven)
        .chain(&report.part_unproven)
        .collect();
    if !unproven.is_empty() {
        let (noun, places) = in_deployments(unproven);
        said.push(words![
            "A job of this migration may have run once more, in whole or in part: no log shows what it did in ",
            noun,
            places,
            ". Look whether its steps may run twice."
        ]);
    }
    said
}

fn in_deployments<'a>(ids: impl IntoIterator<Item = &'a DeploymentId>) -> (&'static str, Words) {
    let ids: Vec<Part> = ids.into_iter().map(short).collect();
    let noun = if ids.len() == 1 {
        "deployment "
    } else {
        "deployments "
    };
    (noun, list(ids))
}

/// The most warnings that are repeated under the headline; the timeline has them all.
const MAX_WARNINGS: usize = 5;

fn names<'a>(steps: impl IntoIterator<Item = &'a StepName>) -> Words {
    list(steps.into_iter().map(Part::from))
}

/// Returns whether a failing step leaves the deployment alone.
pub(crate) fn contained(plan: &Plan) -> bool {
    plan.request.settings.on_failure == OnFailure::Contain
}

/// Returns the last lines that are worth a look without opening anything: at most `lines`, blank ones left out.
pub(crate) fn last_lines(tail: &[Clean], lines: usize) -> Vec<&Clean> {
    let told: Vec<&Clean> = tail
        .iter()
        .filter(|line| !line.as_str().trim().is_empty())
        .collect();
    told.get(told.len().saturating_sub(lines)..)
        .unwrap_or_default()
        .to_vec()
}
