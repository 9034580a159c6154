//! The Markdown page that comment and summary share: what is on it, in which order, and what gives way for space.
//!
//! The verdict and what to do are never cut. Whole blocks give way next, the least important first; the log gives
//! way before the timeline, and both lose lines rather than their place.

use super::fold::{details, foldable, shows_log};
use super::story::{self, State};
use super::todo::{Todo, todo, urgent};
use super::words::{Part, Words, clock, day, list, name, span, words};
use super::{escape, headline, outlook, stands, timeline};
use crate::{
    Authority, Clean, JobAxis, LedgerEntry, LedgerOutcome, Links, Plan, Report, StepRow, StepState,
};

/// How many of a log's last lines are shown without opening anything, when a run went wrong.
const EXCERPT_LINES: usize = 5;

/// The most characters of such a line.
const EXCERPT_CHARS: usize = 400;

/// The most findings, steps and epochs that a page shows.
const SHOWN: usize = 40;

/// What is kept free for the note that something was left out, in bytes.
const RESERVE: usize = 300;

/// A part of the page. Parts of a greater rank give way first; rank 0 never does.
struct Block {
    rank: u8,
    markdown: String,
}

/// Returns the page; at most `budget` bytes as long as the verdict itself fits (some 30 KiB at its very longest).
pub(crate) fn page(report: &Report, links: &Links, budget: usize) -> String {
    let blocks = blocks(report, links, budget);
    let size = |block: &Block| block.markdown.len() + 2;
    let mut left = budget.saturating_sub(RESERVE);
    let mut kept = vec![false; blocks.len()];
    for rank in 0..=u8::MAX {
        for (block, kept) in blocks
            .iter()
            .zip(&mut kept)
            .filter(|(block, _)| block.rank == rank)
        {
            if rank == 0 || size(block) <= left {
                left = left.saturating_sub(size(block));
                *kept = true;
            }
        }
    }
    let all = kept.iter().all(|kept| *kept);
    let mut parts: Vec<String> = blocks
        .into_iter()
        .zip(kept)
        .filter(|(_, kept)| *kept)
        .map(|(block, _)| block.markdown)
        .collect();
    if !all {
        parts.push("Some parts are left out here: they are too long. The run's own log and summary have more.".to_owned());
    }
    let told = details(
        "Timeline (UTC)",
        |room| timeline::markdown(&report.timeline, room),
        left,
    );
    left = left.saturating_sub(told.as_ref().map_or(0, |told| told.len() + 2));
    parts.extend(told);
    parts.extend(foldable(report, left));
    parts.push(String::new());
    parts.join("\n\n").trim_end().to_owned() + "\n"
}

fn blocks(report: &Report, links: &Links, budget: usize) -> Vec<Block> {
    let (mark, headline) = headline::headline(report);
    let mut blocks = vec![must(format!("### {}{}", mark.sign(), headline.markdown()))];
    let mut urgent = urgent(report, links);
    if let Some(Todo::Say(first)) = urgent.first() {
        blocks.push(must(format!("> [!CAUTION]\n> {}", first.markdown())));
        urgent.remove(0);
    }
    blocks.extend(urgent.iter().map(|todo| must(todo_markdown(todo))));
    blocks.extend(
        story::told(report)
            .iter()
            .map(|words| must(words.markdown())),
    );
    blocks.extend(excerpt(report).map(|markdown| block(3, markdown)));
    let todos = todo(report, links);
    if !todos.is_empty() {
        blocks.push(must("**What to do now**".to_owned()));
        blocks.extend(todos.iter().map(|todo| must(todo_markdown(todo))));
    }
    blocks.extend(step_table(&report.step_rows()).map(|markdown| block(1, markdown)));
    if let State::Preview(plan) = story::state(report) {
        blocks.extend(plan_blocks(report, plan, budget));
    }
    blocks.extend(standing(report, links).map(|markdown| block(2, markdown)));
    blocks.extend(epochs(report).map(|markdown| block(6, markdown)));
    blocks.push(block(2, footer(report, links)));
    blocks
}

fn must(markdown: String) -> Block {
    block(0, markdown)
}

fn block(rank: u8, markdown: String) -> Block {
    Block { rank, markdown }
}

fn todo_markdown(todo: &Todo) -> String {
    match todo {
        Todo::Say(words) => words.markdown(),
        Todo::Paste(lines) => escape::fence("", lines.as_str()),
    }
}

/// The end of the log, where a step went wrong: most often it says why.
fn excerpt(report: &Report) -> Option<String> {
    let job = &report.verdict.as_ref()?.job;
    let wrong = matches!(
        job,
        JobAxis::Failed { .. } | JobAxis::Refused { .. } | JobAxis::Unproven { .. }
    );
    let log = report
        .telling_log()
        .filter(|_| wrong && shows_log(report))?;
    let lines: Vec<String> = story::last_lines(&log.tail, EXCERPT_LINES)
        .into_iter()
        .map(|line| line.shortened(EXCERPT_CHARS).to_string())
        .collect();
    (!lines.is_empty()).then(|| {
        format!(
            "The job's log ends with:\n\n{}",
            escape::fence("", &lines.join("\n"))
        )
    })
}

fn step_table(rows: &[StepRow]) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let timed = rows.iter().any(|row| row.took.is_some());
    let line = |step: &str, state: &str, took: &str| match timed {
        true => format!("| {step} | {state} | {took} |"),
        false => format!("| {step} | {state} |"),
    };
    let mut table = vec![line("Step", "State", "Took"), line("---", "---", "---")];
    for row in rows.iter().take(SHOWN) {
        // Names of steps hold no `|`, and the rest of a row is ours.
        let took = row.took.map(span).unwrap_or_default();
        table.push(line(
            &words![&row.name].markdown(),
            &state(row.state).markdown(),
            &took,
        ));
    }
    if rows.len() > SHOWN {
        table.push(line("…", &format!("{} more", rows.len() - SHOWN), ""));
    }
    Some(table.join("\n"))
}

/// Returns a step's state in words.
pub(crate) fn state(state: StepState) -> Words {
    match state {
        StepState::ToRun => words!["to run"],
        StepState::Running => words!["running"],
        StepState::Done => words!["done"],
        StepState::Failed(code) => words!["failed (exit ", code, ")"],
        StepState::CheckFailed(code) => words!["check failed (exit ", code, ")"],
        StepState::CheckPassed => words!["check passed"],
        StepState::NotRun => words!["not run"],
        StepState::DoneEarlier(epoch, Some(number)) => {
            words!["done earlier (epoch ", epoch, ", PR ", number, ")"]
        }
        StepState::DoneEarlier(epoch, None) => words!["done earlier (epoch ", epoch, ")"],
        StepState::Unproven => words!["unproven"],
    }
}

fn plan_blocks(report: &Report, plan: &Plan, budget: usize) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut findings: Vec<_> = plan.findings.iter().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let findings = findings
        .into_iter()
        .map(|finding| outlook::finding(finding, &report.redactor));
    blocks.extend(bullets("**Worth knowing**", findings).map(|markdown| block(4, markdown)));
    blocks.push(block(5, commands(report, plan, budget)));
    blocks.extend(
        bullets("**What will happen**", outlook::outlook(report, plan))
            .map(|markdown| block(5, markdown)),
    );
    blocks
}

/// The commands, word for word: they are what a reviewer says yes to.
fn commands(report: &Report, plan: &Plan, budget: usize) -> String {
    // Characters, of which each may take four bytes; two texts per step; half the page at most.
    let room = (budget / 16 / plan.steps.len().clamp(1, SHOWN)).max(40);
    let shown = |command: &str| {
        escape::fence(
            "sh",
            report.redactor.clean(command).shortened(room).as_str(),
        )
    };
    let mut parts = vec![outlook::source(report, plan).markdown()];
    for step in plan.steps.iter().take(SHOWN) {
        if let Some(check) = &step.check {
            parts.push(format!(
                "Check of {}, before any step:\n\n{}",
                words![&step.name].markdown(),
                shown(check)
            ));
        }
        parts.push(format!(
            "Step {}:\n\n{}",
            words![&step.name].markdown(),
            shown(&step.run)
        ));
    }
    parts.join("\n\n")
}

fn bullets(title: &str, sentences: impl IntoIterator<Item = Words>) -> Option<String> {
    let lines: Vec<String> = sentences
        .into_iter()
        .take(SHOWN)
        .map(|words| format!("- {}", words.markdown()))
        .collect();
    (!lines.is_empty()).then(|| format!("{title}\n\n{}", lines.join("\n")))
}

fn standing(report: &Report, links: &Links) -> Option<String> {
    let rows = stands::stands(report, links);
    let lines: Vec<String> = rows
        .iter()
        .map(|(axis, words)| format!("- **{axis}**: {}", words.markdown()))
        .collect();
    (!lines.is_empty()).then(|| format!("**Where things stand**\n\n{}", lines.join("\n")))
}

fn epochs(report: &Report) -> Option<String> {
    let entries = report
        .epochs
        .get(report.epochs.len().saturating_sub(SHOWN)..)
        .unwrap_or_default();
    bullets(
        "**Epochs so far**",
        entries.iter().map(|entry| epoch(report, entry)),
    )
}

fn epoch(report: &Report, entry: &LedgerEntry) -> Words {
    let claim = &entry.claim;
    let asked = match claim.pull_request {
        Some(number) => words!["PR ", number, ", "],
        None => Words::default(),
    };
    let authority = match &claim.authority {
        Authority::Merge(commit) => format!("merge:{}", commit.chars().take(7).collect::<String>()),
        Authority::Retry(_) | Authority::Again(_) | Authority::Cli(_) => {
            claim.authority.to_string()
        }
    };
    let authority = report.redactor.clean_line(&authority).shortened(30);
    let how = match &entry.outcome {
        None => words!["open"],
        Some(LedgerOutcome::Done) => words![
            "done: ",
            list(claim.steps.iter().map(|step| Part::from(&step.name)))
        ],
        Some(LedgerOutcome::Failed {
            step,
            code,
            check: false,
        }) => words![step, " failed (exit ", *code, ")"],
        Some(LedgerOutcome::Failed {
            step,
            code,
            check: true,
        }) => words!["check of ", step, " failed (exit ", *code, ")"],
        Some(LedgerOutcome::Unproven { .. }) => words!["unproven"],
        Some(LedgerOutcome::NeverStarted) => words!["never started"],
        Some(LedgerOutcome::Withdrawn) => words!["gave way to another run, nothing inserted"],
    };
    let at = Part::Figure(format!("{} {} UTC", day(entry.at), clock(entry.at)));
    words![
        "Epoch ",
        claim.epoch,
        ", ",
        at,
        ", ",
        asked,
        name(&authority),
        ": ",
        how
    ]
}

/// Links, the stable reason code and the time, on one line.
fn footer(report: &Report, links: &Links) -> String {
    let link = |label: &'static str, address: &Option<String>| {
        let address = address.clone()?;
        Some(Words(vec![Part::Link(words![label], address)]))
    };
    let mut parts: Vec<Words> = [
        link("Workflow run", &links.run),
        link("Whole log", &links.log),
        link("App in the control panel", &links.dashboard),
        link("Pull request", &links.pull_request),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let Some(reason) = report.reason() {
        let code = Clean::own(reason.code());
        parts.push(words![
            "reason ",
            name(&code),
            ", exit code ",
            u32::from(reason.exit().code())
        ]);
    }
    if let Some(at) = report.updated {
        parts.push(words![Part::Figure(format!(
            "{} {} UTC",
            day(at),
            clock(at)
        ))]);
    }
    parts
        .iter()
        .map(Words::markdown)
        .collect::<Vec<_>>()
        .join(" · ")
}
