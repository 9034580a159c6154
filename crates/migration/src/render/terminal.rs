//! Plain text for a terminal or a log: a line for each event, and the closing text.
//!
//! No colours and no width: the command line adds those where there is a terminal. Text is free of control
//! characters, but lines that an Actions runner would obey are the publisher's to break.

use super::fold::shows_log;
use super::story::{self, State};
use super::todo::{Todo, todo, urgent};
use super::words::{Words, clock, span};
use super::{document, headline, outlook, stands, timeline};
use crate::{Clean, Event, Links, Redactor, Report};
use std::fmt::Write as _;

/// How many of a log's last lines the closing text repeats when a run went wrong.
const LOG_LINES: usize = 20;

/// Returns the progress line for an event, with the time in UTC; nothing for events that need none.
#[must_use]
pub fn line(event: &Event, redactor: &Redactor) -> Option<String> {
    let sentence = timeline::sentence(&event.what, redactor).plain();
    (!sentence.as_str().is_empty()).then(|| format!("{} {sentence}", clock(event.at)))
}

/// Returns the closing text.
#[must_use]
pub fn render_final(report: &Report, links: &Links) -> String {
    let mut out = String::new();
    let (mark, headline) = headline::headline(report);
    put(&mut out, &format!("{}{}", mark.sign(), headline.plain()));
    out.push('\n');
    let urgent = urgent(report, links);
    for todo in &urgent {
        put(&mut out, &indented(todo));
    }
    if !urgent.is_empty() {
        out.push('\n');
    }
    for sentence in story::told(report) {
        put(&mut out, sentence.plain().as_str());
    }
    let failed = report
        .reason()
        .is_some_and(|reason| reason.exit().code() != 0);
    if let Some(log) = report
        .telling_log()
        .filter(|log| failed && shows_log(report) && !log.tail.is_empty())
    {
        put(&mut out, "\nThe job's log ends with:");
        for line in story::last_lines(&log.tail, LOG_LINES) {
            put(&mut out, &format!("  | {line}"));
        }
    }
    let todos = todo(report, links);
    if !todos.is_empty() {
        put(&mut out, "\nWhat to do now:");
    }
    for todo in &todos {
        put(&mut out, &indented(todo));
    }
    steps(&mut out, report);
    if let State::Preview(plan) = story::state(report) {
        preview(&mut out, report, plan);
    }
    let standing = stands::stands(report, links);
    if !standing.is_empty() {
        put(&mut out, "\nWhere things stand:");
    }
    for (axis, words) in standing {
        put(
            &mut out,
            &format!("  {:<11} {}", format!("{axis}:"), words.plain()),
        );
    }
    if let Some(reason) = report.reason() {
        put(
            &mut out,
            &format!(
                "\nReason {}, exit code {}.",
                reason.code(),
                reason.exit().code()
            ),
        );
    }
    out
}

fn preview(out: &mut String, report: &Report, plan: &crate::Plan) {
    if !plan.findings.is_empty() {
        put(out, "\nWorth knowing:");
    }
    for finding in &plan.findings {
        put(
            out,
            &format!(
                "  - {}",
                outlook::finding(finding, &report.redactor).plain()
            ),
        );
    }
    put(out, &format!("\n{}", outlook::source(report, plan).plain()));
    for step in &plan.steps {
        let commands = step
            .check
            .iter()
            .map(|check| ("check of", check))
            .chain([("step", &step.run)]);
        for (what, command) in commands {
            put(out, &format!("  {what} {}:", step.name));
            put(out, &block(&report.redactor.clean(command), "    "));
        }
    }
    put(out, "\nWhat will happen:");
    for sentence in outlook::outlook(report, plan) {
        put(out, &format!("  - {}", sentence.plain()));
    }
    if let Some(diff) = &report.plan_diff {
        put(out, "\nThe app spec, with and without the job:");
        put(out, &block(diff, "  "));
    }
}

fn steps(out: &mut String, report: &Report) {
    let rows = report.step_rows();
    let width = rows
        .iter()
        .map(|row| row.name.as_str().len())
        .max()
        .unwrap_or_default();
    if !rows.is_empty() {
        put(out, "\nSteps:");
    }
    for row in rows {
        let took = row
            .took
            .map(|took| format!(", {}", span(took)))
            .unwrap_or_default();
        put(
            out,
            &format!(
                "  {:<width$}  {}{took}",
                row.name.as_str(),
                document::state(row.state).plain()
            ),
        );
    }
}

fn indented(todo: &Todo) -> String {
    match todo {
        Todo::Say(words) => format!("  - {}", Words::plain(words)),
        Todo::Paste(lines) => block(lines, "      "),
    }
}

fn block(lines: &Clean, indent: &str) -> String {
    let lines: Vec<String> = lines
        .as_str()
        .lines()
        .map(|line| format!("{indent}{line}"))
        .collect();
    lines.join("\n")
}

fn put(out: &mut String, line: &str) {
    // Writing into a String can't fail.
    let _written = writeln!(out, "{line}");
}
