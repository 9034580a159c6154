//! Sentences with their parts told apart, so that one sentence serves Markdown and plain text alike.
//!
//! Our own words are literals and are written as they are; everything else is a number, a name, or [`Clean`] text,
//! and each sink escapes it in its own way. A `String` does not fit in, which keeps foreign text out of the raw parts.

use super::escape;
use crate::{Clean, Epoch, JobName, Key, MigrationId, StepName};
use app_spec::{AppId, CommitSha, ComponentName, DeploymentId};
use jiff::Timestamp;
use std::time::Duration;

/// The most characters of a name that are shown. The platform's own end at 36.
const NAME_CHARS: usize = 80;

/// The most characters of a foreign sentence that are shown inside ours.
const PROSE_CHARS: usize = 1_500;

/// The most names that a sentence lists before it counts the rest.
const LISTED: usize = 10;

/// A piece of a sentence.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// Our own words. Backticks in them mean code; there is no other markup.
    Own(&'static str),
    /// Digits and units.
    Figure(String),
    /// The name of a thing, shown as code.
    Name(Clean),
    /// A foreign sentence; names in backticks are shown as code.
    Prose(Clean),
    /// A link with its address.
    Link(Words, String),
    /// A thing with a page of its own: its short name, its full one, and the page's address where there is one.
    Page(Clean, Clean, Option<String>),
    /// A sentence inside a sentence.
    Words(Words),
}

/// A sentence, or a piece of one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words(pub(crate) Vec<Part>);

/// Puts a sentence together: `words!["step ", &step, " failed"]`.
macro_rules! words {
    ($($part:expr),* $(,)?) => {
        $crate::render::words::Words(vec![$($crate::render::words::Part::from($part)),*])
    };
}
pub(crate) use words;

impl Words {
    /// Returns the sentence as Markdown on one line.
    pub(crate) fn markdown(&self) -> String {
        let mut out = String::new();
        for part in &self.0 {
            let piece = match part {
                Part::Own(words) => (*words).to_owned(),
                Part::Figure(figure) => figure.clone(),
                Part::Name(name) => escape::code_span(name.as_str()),
                Part::Prose(clean) => escape::prose(clean.as_str()),
                Part::Link(label, address) => link(label, address),
                Part::Page(short, _, Some(address)) => {
                    link(&words![Part::Name(short.clone())], address)
                }
                Part::Page(_, full, None) => escape::code_span(full.as_str()),
                Part::Words(words) => words.markdown(),
            };
            escape::push(&mut out, &piece);
        }
        out
    }

    /// Returns the sentence as plain text on one line, names in backticks.
    pub(crate) fn plain(&self) -> Clean {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Own(words) => out.push_str(words),
                Part::Figure(figure) => out.push_str(figure),
                Part::Name(name) | Part::Page(_, name, _) => {
                    out.push('`');
                    out.push_str(&name.as_str().replace('`', "'"));
                    out.push('`');
                }
                Part::Prose(clean) => out.push_str(
                    &clean
                        .as_str()
                        .split_whitespace()
                        .collect::<Vec<_>>()
                        .join(" "),
                ),
                Part::Link(label, _) => out.push_str(label.plain().as_str()),
                Part::Words(words) => out.push_str(words.plain().as_str()),
            }
        }
        Clean::composed(out)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Returns a link, or only its label where the address is not a plain web address.
fn link(label: &Words, address: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@!$&*+,;=%".contains(c);
    let web = address.starts_with("https://") || address.starts_with("http://");
    if web && address.chars().all(plain) {
        format!("[{}](<{address}>)", label.markdown())
    } else {
        label.markdown()
    }
}

/// Returns a value that was made clean as a name, shown as code.
pub(crate) fn name(clean: &Clean) -> Part {
    Part::Name(clean.shortened(NAME_CHARS))
}

/// Returns a deployment's id, short where it is a UUID: its first eight digits tell an app's deployments apart.
pub(crate) fn short(id: &DeploymentId) -> Part {
    Part::Name(short_id(id))
}

/// Returns a deployment's id with its page: short where it links there, in full where it does not.
pub(crate) fn page(id: &DeploymentId, address: Option<String>) -> Part {
    Part::Page(short_id(id), platform_id(id.as_str()), address)
}

fn short_id(id: &DeploymentId) -> Clean {
    let full = platform_id(id.as_str());
    let uuid = full.as_str().len() == 36 && full.as_str().split('-').count() == 5;
    match full.as_str().split_once('-') {
        Some((first, _)) if uuid => Clean::composed(first.to_owned()),
        Some(_) | None => full,
    }
}

/// Returns a plain sentence with its first letter in lower case, to stand inside another.
pub(crate) fn inside(sentence: &Clean) -> Clean {
    let mut chars = sentence.as_str().chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    Clean::composed(first.into_iter().chain(chars).collect())
}

/// Returns a plain sentence with its first letter in upper case.
pub(crate) fn capital(sentence: &Clean) -> Clean {
    let mut chars = sentence.as_str().chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    Clean::composed(first.into_iter().chain(chars).collect())
}

/// Returns a foreign clause (lower case, no full stop, as errors are written) as a sentence.
pub(crate) fn as_sentence(clause: &Clean) -> Words {
    with_stop(&capital(clause))
}

/// Returns a foreign clause with a full stop, where it has no end of its own.
pub(crate) fn with_stop(clause: &Clean) -> Words {
    match clause
        .as_str()
        .trim_end()
        .ends_with(['.', '!', '?', ':', '…'])
    {
        true => words![clause],
        false => words![clause, "."],
    }
}

/// Returns "a", "a and b", or "a, b and c"; of many, the first ten and a count.
pub(crate) fn list(items: impl IntoIterator<Item = Part>) -> Words {
    let mut items: Vec<Part> = items.into_iter().collect();
    let more = items.len().saturating_sub(LISTED);
    items.truncate(LISTED);
    if more > 0 {
        items.push(Part::Words(words![more, " more"]));
    }
    let last = items.len().saturating_sub(1);
    let mut parts = Vec::new();
    for (place, item) in items.into_iter().enumerate() {
        match place {
            0 => {}
            _ if place == last => parts.push(Part::Own(" and ")),
            _ => parts.push(Part::Own(", ")),
        }
        parts.push(item);
    }
    Words(parts)
}

/// Returns a count with its noun: "1 step", "2 steps".
pub(crate) fn count(number: usize, one: &'static str, many: &'static str) -> Words {
    words![number, " ", if number == 1 { one } else { many }]
}

/// Returns a span as people say it: `45 s`, `4 min 5 s`, `14 min`, `2 h 5 min`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
    match (hours, minutes, rest) {
        (0, 0, _) => format!("{rest} s"),
        (0, _, 0) => format!("{minutes} min"),
        (0, _, _) => format!("{minutes} min {rest} s"),
        (_, 0, _) => format!("{hours} h"),
        (_, _, _) => format!("{hours} h {minutes} min"),
    }
}

/// Returns the time of day in UTC (`01:11:07`).
pub(crate) fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

/// Returns the day in UTC (`2026-02-18`).
pub(crate) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// Returns an identifier of the platform, which has the form of one; other text is not shown at all, for it could be
/// anything.
fn platform_id(text: &str) -> Clean {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let fits = !text.is_empty() && text.len() <= NAME_CHARS && text.chars().all(plain);
    Clean::composed(if fits { text } else { "(not an id)" }.to_owned())
}

impl From<&'static str> for Part {
    fn from(words: &'static str) -> Self {
        Self::Own(words)
    }
}

impl From<Words> for Part {
    fn from(words: Words) -> Self {
        Self::Words(words)
    }
}

impl From<&Clean> for Part {
    fn from(clean: &Clean) -> Self {
        Self::Prose(clean.shortened(PROSE_CHARS))
    }
}

impl From<Duration> for Part {
    fn from(duration: Duration) -> Self {
        Self::Figure(span(duration))
    }
}

macro_rules! figures {
    ($($type:ty),*) => {$(
        impl From<$type> for Part {
            fn from(figure: $type) -> Self {
                Self::Figure(figure.to_string())
            }
        }
    )*};
}

macro_rules! names {
    ($($type:ty),*) => {$(
        impl From<&$type> for Part {
            fn from(name: &$type) -> Self {
                Self::Name(Clean::from(name))
            }
        }
    )*};
}

macro_rules! platform_ids {
    ($($type:ty),*) => {$(
        impl From<&$type> for Part {
            fn from(name: &$type) -> Self {
                Self::Name(platform_id(name.as_str()))
            }
        }
    )*};
}

figures!(i32, u32, u64, usize, Epoch);
names!(JobName, StepName, MigrationId, Key);
platform_ids!(AppId, DeploymentId, ComponentName);

impl From<&CommitSha> for Part {
    fn from(commit: &CommitSha) -> Self {
        Self::Name(Clean::composed(commit.short().to_owned()))
    }
}
