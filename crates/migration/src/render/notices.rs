//! The annotations beside a run: at most one error and one notice, so that the first cause is not lost among others.
//!
//! Text only; the runner's command syntax and its escaping are the publisher's.

use super::story::{self, State};
use super::todo::{Todo, todo, urgent};
use super::words::Words;
use crate::{Clean, Exit, Links, Report};

/// The most characters of a message; the runner cuts there too (`ExecutionContext.cs`).
const MESSAGE_CHARS: usize = 4_000;

/// The most characters of a title.
const TITLE_CHARS: usize = 200;

/// What is shown beside the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notices {
    /// What went wrong, and what to do.
    pub error: Option<Notice>,
    /// What else to look at, or that it went well.
    pub notice: Option<Notice>,
}

/// One annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its title, on one line.
    pub title: Clean,
    /// Its message, at most 4,096 characters; lines end with newlines.
    pub message: Clean,
}

/// Returns what is shown beside the run.
#[must_use]
pub fn render(report: &Report, links: &Links) -> Notices {
    let Some(reason) = report.reason() else {
        return Notices::default();
    };
    let notes: Vec<Words> = match story::state(report) {
        State::Ended(verdict) => story::notes(report, verdict),
        State::Refused(_)
        | State::EndedEarlier(_)
        | State::AlreadyDone(_)
        | State::Preview(_)
        | State::UnderWay => Vec::new(),
    };
    let told: Vec<Clean> = story::told(report).iter().map(Words::plain).collect();
    let title = report.headline().shortened(TITLE_CHARS);
    if reason.exit() == Exit::Success {
        return Notices {
            error: None,
            notice: Some(notice(title, told)),
        };
    }
    let plain = |todo| match todo {
        Todo::Say(words) => words.plain(),
        Todo::Paste(lines) => lines,
    };
    let (first, then) = (
        urgent(report, links).into_iter().map(plain),
        todo(report, links).into_iter().map(plain),
    );
    // The notes come with `told` and have an annotation of their own here.
    let causes = told.len().saturating_sub(notes.len());
    Notices {
        error: Some(notice(
            title,
            first.chain(told.into_iter().take(causes)).chain(then),
        )),
        notice: (!notes.is_empty()).then(|| {
            notice(
                Clean::own("Also worth a look"),
                notes.iter().map(Words::plain),
            )
        }),
    }
}

fn notice(title: Clean, lines: impl IntoIterator<Item = Clean>) -> Notice {
    let lines: Vec<String> = lines.into_iter().map(|line| line.to_string()).collect();
    Notice {
        title,
        message: Clean::composed(lines.join("\n")).shortened(MESSAGE_CHARS),
    }
}
