//! What to do now: sentences and commands, in the order a person at 2 a.m. should take them.

use super::headline::{self, app};
use super::story::{self, State, contained};
use super::words::{Part, Words, as_sentence, list, name, words};
use crate::planner::TRIED_AGAIN;
use crate::{
    Clean, DeploymentAxis, Entry, FirewallAxis, JobAxis, LedgerOutcome, Links, Plan, Reason,
    Report, Severity, StepName, StepState, Verdict,
};

/// The label that asks for a migration where the repository names no other.
const DEFAULT_LABEL: &str = "needs-migration";

/// The most characters of a hint or command that are shown.
const HINT_CHARS: usize = 3_000;

/// One thing to do or to know.
#[derive(Debug, Clone)]
pub(crate) enum Todo {
    /// A sentence.
    Say(Words),
    /// Lines to paste.
    Paste(Clean),
}

/// Returns what must not be overlooked, to be told before anything else: a job that is left in the app, or a database
/// that nobody can vouch for.
pub(crate) fn urgent(report: &Report, links: &Links) -> Vec<Todo> {
    let State::Ended(verdict) = story::state(report) else {
        return Vec::new();
    };
    let mut todo = Vec::new();
    if headline::left_behind(verdict) {
        todo.extend(take_out(report, links, verdict));
    }
    if let JobAxis::Unproven { during } = &verdict.job {
        todo.push(look(during.as_ref()));
    }
    todo
}

/// Returns what to do now beside the urgent, nothing where nothing is left to do.
pub(crate) fn todo(report: &Report, links: &Links) -> Vec<Todo> {
    match story::state(report) {
        State::Ended(verdict) => ended(report, links, verdict),
        State::Refused(refusal) => {
            let hint = refusal
                .hint
                .as_ref()
                .map(|hint| report.redactor.clean(hint));
            hint.map(|hint| lines(&hint)).unwrap_or_default()
        }
        State::EndedEarlier(ended) => match ended.outcome {
            LedgerOutcome::Failed { .. } | LedgerOutcome::Unproven { .. } => retry(report, links),
            LedgerOutcome::Done | LedgerOutcome::NeverStarted | LedgerOutcome::Withdrawn => {
                Vec::new()
            }
        },
        State::Preview(plan) => preview(plan),
        State::AlreadyDone(_) | State::UnderWay => Vec::new(),
    }
}

fn preview(plan: &Plan) -> Vec<Todo> {
    let refusing = plan
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    match (refusing, plan.request.origin.pull_request) {
        (true, _) => vec![Todo::Say(words![
            "Something below refuses the run. Put it right first; until then a run sends nothing."
        ])],
        (false, Some(_)) => vec![Todo::Say(words![
            "Read the commands below. Merge when they are right; take the label off when they must not run."
        ])],
        (false, None) => Vec::new(),
    }
}

fn ended(report: &Report, links: &Links, verdict: &Verdict) -> Vec<Todo> {
    let mut todo = Vec::new();
    let in_part = !report.part_done.is_empty();
    match &verdict.job {
        JobAxis::Failed { step, check, .. } => {
            todo.extend(fix(report, links, verdict, step, *check))
        }
        JobAxis::Refused { .. } => {
            todo.push(Todo::Say(words![
                "Give the variable a value in the app's settings, or take it out of `env` in the manifest. ",
                if in_part { "The rest changed nothing in the database." } else { "Nothing was changed in the database." }
            ]));
            todo.extend(retry(report, links));
        }
        JobAxis::Unproven { .. } => todo.extend(once_more(report, links)),
        JobAxis::NeverStarted => {
            let nothing = if in_part {
                "Nothing of the rest ran"
            } else {
                "Nothing ran"
            };
            let tries = verdict.facts.never_started;
            todo.push(Todo::Say(if tries > TRIED_AGAIN {
                words![
                    nothing, ". As ", tries, " jobs never started, to re-run this workflow puts no other one in. \
                     See in the deployments why (a build that fails, a newer deployment each time); then ask for a retry:"
                ]
            } else {
                words![
                    nothing, " and nothing is used up. Once the cause is gone, re-run this workflow; \
                     where that says that it is not tried again by itself, ask for a retry:"
                ]
            }));
            todo.extend(retry_lines(report, links));
        }
        JobAxis::NotAttempted if verdict.reason == Reason::EarlierUnproven => {
            todo.push(look(None));
            todo.extend(once_more(report, links));
        }
        JobAxis::Running if !headline::left_behind(verdict) => {
            todo.push(Todo::Say(words!["Let it end, then take it out:"]));
            todo.extend(command(report, links.reap_command.as_ref()));
        }
        JobAxis::NotAttempted | JobAxis::Done | JobAxis::Running => {}
    }
    if verdict.reason == Reason::Unhealthy {
        todo.push(Todo::Say(words![
            "The migration itself is done and is not run again. Look at the app's own runtime log; rolling the app back does not undo the migration."
        ]));
    }
    if verdict.reason == Reason::AppGone {
        todo.push(Todo::Say(words![
            "There is nothing left to put back. If the app was deleted by mistake, restore it first."
        ]));
    }
    if verdict.firewall == FirewallAxis::Failed {
        let rules = list(
            verdict
                .facts
                .extra_rules
                .iter()
                .map(|rule| name(&report.redactor.clean_line(rule))),
        );
        let rules = if rules.is_empty() {
            words!["rules that were not asked for"]
        } else {
            rules
        };
        todo.push(Todo::Say(words![
            "The database's firewall may still let in ",
            rules,
            ". Look at its trusted sources in the control panel and take them out."
        ]));
    }
    todo
}

/// What a failed step asks for.
fn fix(
    report: &Report,
    links: &Links,
    verdict: &Verdict,
    step: &StepName,
    check: bool,
) -> Vec<Todo> {
    let rows = report.step_rows();
    let done: Vec<Part> = rows
        .iter()
        .filter(|row| matches!(row.state, StepState::Done | StepState::DoneEarlier(..)))
        .map(|row| Part::from(&row.name))
        .collect();
    let left: Vec<Part> = rows
        .iter()
        .filter(|row| !matches!(row.state, StepState::Done | StepState::DoneEarlier(..)))
        .map(|row| Part::from(&row.name))
        .collect();
    let mut todo = Vec::new();
    let followed =
        |plan: &Plan| plan.entry == Entry::Resumed && plan.authority != plan.request.authority;
    if report.plan.as_ref().is_some_and(followed) {
        todo.push(Todo::Say(words![
            "The job was in the app already when this run came, and this run only followed it. Where the steps that it brought are \
             mended since, run this one again: they have not run."
        ]));
    }
    if !check {
        let rolled = verdict.deployment == DeploymentAxis::RolledBack;
        let lead = if rolled {
            "A rollback puts code back, not data: what "
        } else {
            "What "
        };
        todo.push(Todo::Say(words![
            lead,
            step,
            " wrote before it failed is still in the database, unless its script undoes it."
        ]));
    }
    let skips = match done.len() {
        0 => words!["."],
        1 => words!["; ", list(done), " is not run again."],
        _ => words!["; ", list(done), " are not run again."],
    };
    let label = links.label.as_deref().unwrap_or(DEFAULT_LABEL);
    todo.push(Todo::Say(words![
        "Fix it in a pull request, put the label ",
        name(&report.redactor.clean_line(label)),
        " on it and merge it. That run does ",
        list(left),
        skips
    ]));
    todo.push(Todo::Say(words![
        "If the fix is not in a pull request (data, a setting, a direct push), ask for a retry:"
    ]));
    todo.extend(retry_lines(report, links));
    if report.plan.as_ref().is_some_and(|plan| !contained(plan))
        && verdict.deployment == DeploymentAxis::Failed
    {
        todo.push(Todo::Say(words![
            "No rollback was seen. Look at the app's deployments before the next try."
        ]));
    }
    todo
}

/// What a run asks for first whose end is not known.
fn look(during: Option<&StepName>) -> Todo {
    let what = match during {
        Some(step) => words!["what ", step, " should have changed"],
        None => words!["what its steps should have changed"],
    };
    Todo::Say(words![
        "Look at the database before anything else: find out how much of ",
        what,
        " is there. Nothing runs it again by itself."
    ])
}

/// What it asks for then.
fn once_more(report: &Report, links: &Links) -> Vec<Todo> {
    let mut todo = vec![Todo::Say(words![
        "When it is safe to run once more (the script can meet its own half-done work):"
    ])];
    todo.extend(retry_lines(report, links));
    todo
}

/// What a job that may be left in the app asks for.
fn take_out(report: &Report, links: &Links, verdict: &Verdict) -> Vec<Todo> {
    let job = verdict.facts.job.as_ref();
    let named = job.map_or_else(|| words!["the temporary job"], |job| words!["job ", job]);
    let mut todo = Vec::new();
    if verdict.facts.pinned {
        todo.push(Todo::Say(words![
            "A rollback pins the app, and while it does the platform takes no update. Commit the rollback in the control panel first. (To revert it deploys the spec of before the rollback again; where the job was in that, it starts again.)"
        ]));
    }
    match verdict.job {
        JobAxis::Running => todo.push(Todo::Say(words![
            "The job may still run. Wait for its end in the platform's log if you can; then take ", named, " out of ", app(report), ":"
        ])),
        JobAxis::NotAttempted
        | JobAxis::Done
        | JobAxis::Failed { .. }
        | JobAxis::Refused { .. }
        | JobAxis::Unproven { .. }
        | JobAxis::NeverStarted => todo.push(Todo::Say(words![
            "Take ", named, " out of ", app(report), " now. Until then every deployment starts it again; such a copy runs nothing after its lease, but it belongs out of there:"
        ])),
    }
    todo.extend(command(report, links.reap_command.as_ref()));
    if let (Some(plan), Some(job)) = (&report.plan, job) {
        let app = &plan.app;
        let by_hand = format!(
            "doctl apps spec get {app} > app.yaml\n# delete the job named {job} under jobs: in app.yaml, nothing else\ndoctl apps update {app} --spec app.yaml"
        );
        todo.push(Todo::Say(words![
            "Or by hand, at once and in one go, so that nobody's change in between is lost:"
        ]));
        todo.push(Todo::Paste(report.redactor.clean(&by_hand)));
    }
    if verdict.reason == Reason::AccessLost {
        todo.push(Todo::Say(words!["The token is no longer accepted or lost a scope: give the run a new one with `app:read` and `app:update` first."]));
    }
    todo
}

fn retry(report: &Report, links: &Links) -> Vec<Todo> {
    let mut todo = vec![Todo::Say(words!["To run it again:"])];
    todo.extend(retry_lines(report, links));
    todo
}

/// The command for a retry, or in words where the caller gave none.
fn retry_lines(report: &Report, links: &Links) -> Vec<Todo> {
    if links.retry_command.is_some() {
        return command(report, links.retry_command.as_ref());
    }
    vec![Todo::Say(match report.migration() {
        Some(id) => words![
            "Run the workflow by hand (`workflow_dispatch`) with mode `retry` and migration ",
            id,
            "."
        ],
        None => words!["Run the workflow by hand (`workflow_dispatch`) with mode `retry`."],
    })]
}

fn command(report: &Report, command: Option<&String>) -> Vec<Todo> {
    let clean = command.map(|command| report.redactor.clean(command).shortened(HINT_CHARS));
    clean.map(Todo::Paste).into_iter().collect()
}

/// Returns a hint as sentences and lines to paste: lines that are indented by two spaces or more are lines to paste.
pub(crate) fn lines(hint: &Clean) -> Vec<Todo> {
    let hint = hint.shortened(HINT_CHARS);
    let mut todo = Vec::new();
    let mut paste: Vec<&str> = Vec::new();
    for line in hint.as_str().lines() {
        let pasted = line.starts_with("  ") || line.starts_with('\t');
        if pasted || (line.trim().is_empty() && !paste.is_empty()) {
            paste.push(line);
            continue;
        }
        todo.extend(pasted_block(std::mem::take(&mut paste)));
        if !line.trim().is_empty() {
            todo.push(Todo::Say(as_sentence(&Clean::composed(
                line.trim().to_owned(),
            ))));
        }
    }
    todo.extend(pasted_block(paste));
    todo
}

fn pasted_block(lines: Vec<&str>) -> Option<Todo> {
    let told = |line: &&&str| !line.trim().is_empty();
    let indent = lines
        .iter()
        .filter(told)
        .map(|line| line.len() - line.trim_start().len())
        .min()?;
    let block: Vec<&str> = lines
        .iter()
        .map(|line| line.get(indent..).unwrap_or_default())
        .collect();
    Some(Todo::Paste(Clean::composed(
        block.join("\n").trim_end().to_owned(),
    )))
}
