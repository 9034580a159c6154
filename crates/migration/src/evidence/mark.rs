//! The form of a mark: reading one, as strictly as the wrapper writes it.

use super::{Disarmed, DoneMark};
use crate::{Epoch, Key, Nonce, StepName};

/// What every mark begins with; the number is the version of what follows.
const WORD: &str = "harbor-pilot/1";

/// One mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    Begin {
        steps: u32,
        checks: u32,
        commit: Option<String>,
    },
    Disarmed(Disarmed),
    Refused(String),
    Started(Place, StepName, Option<i64>),
    Ended(Place, StepName, i32, Option<i64>),
    Term,
    Done {
        done: DoneMark,
        passed: u32,
        checks: u32,
    },
}

/// Which command of the script: its kind and its step's place, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) index: u32,
}

/// Whether a command is a step's check or the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Check,
    Step,
}

/// Returns what a mark with this nonce begins with.
pub(super) fn opening(nonce: &Nonce) -> String {
    format!("{WORD} {nonce} ")
}

/// Returns the mark that `line` ends with, where its `opening` may stand anywhere.
pub(super) fn find(line: &str, opening: &str) -> Option<Mark> {
    let mut openings = line.match_indices(opening);
    openings.find_map(|(at, _)| parse(line.get(at + opening.len()..)?.trim_end()))
}

fn parse(text: &str) -> Option<Mark> {
    let (what, rest) = text.split_once(' ')?;
    match what {
        "begin" => {
            let [key, epoch, steps, checks, commit, at] =
                fields(rest, ["key", "epoch", "steps", "checks", "commit", "at"])?;
            Key::parse(key).ok()?;
            number(epoch).map(Epoch)?;
            time(at)?;
            Some(Mark::Begin {
                steps: number(steps)?,
                checks: number(checks)?,
                commit: match commit {
                    "unknown" => None,
                    commit => Some(hash(commit)?),
                },
            })
        }
        "disarmed" => Some(Mark::Disarmed(match rest {
            "why=lease" => Disarmed::Lease,
            "why=no-clock" => Disarmed::NoClock,
            rest => {
                let [why, built] = fields(rest, ["why", "built"])?;
                let built = hash(built).filter(|_| why == "commit")?;
                Disarmed::Commit { built }
            }
        })),
        "refused" => {
            let [variable] = fields(rest, ["variable"])?;
            let plain = variable
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            (plain && !variable.is_empty()).then(|| Mark::Refused(variable.to_owned()))
        }
        "check-started" => started(Kind::Check, rest),
        "check-ended" => ended(Kind::Check, rest),
        "step-started" => started(Kind::Step, rest),
        "step-ended" => ended(Kind::Step, rest),
        "term" => {
            let [at] = fields(rest, ["at"])?;
            time(at).map(|_| Mark::Term)
        }
        "done" => {
            let [code, ran, checks, at] = fields(rest, ["code", "ran", "checks", "at"])?;
            time(at)?;
            let (ran, of) = ran.split_once('/')?;
            let (passed, checks) = checks.split_once('/')?;
            Some(Mark::Done {
                done: DoneMark {
                    code: exit_code(code)?,
                    ran: number(ran)?,
                    of: number(of)?,
                },
                passed: number(passed)?,
                checks: number(checks)?,
            })
        }
        _ => None,
    }
}

fn started(kind: Kind, rest: &str) -> Option<Mark> {
    let [index, name, at] = fields(rest, ["index", "name", "at"])?;
    let index = number(index)?;
    Some(Mark::Started(
        Place { kind, index },
        StepName::parse(name).ok()?,
        time(at)?,
    ))
}

fn ended(kind: Kind, rest: &str) -> Option<Mark> {
    let [index, name, code, at] = fields(rest, ["index", "name", "code", "at"])?;
    let index = number(index)?;
    let name = StepName::parse(name).ok()?;
    Some(Mark::Ended(
        Place { kind, index },
        name,
        exit_code(code)?,
        time(at)?,
    ))
}

/// Returns the values of exactly these keys in exactly this order, one space between them.
fn fields<'a, const N: usize>(text: &'a str, keys: [&str; N]) -> Option<[&'a str; N]> {
    let mut words = text.split(' ');
    let mut values = [""; N];
    for (value, key) in values.iter_mut().zip(keys) {
        *value = words.next()?.strip_prefix(key)?.strip_prefix('=')?;
    }
    words.next().is_none().then_some(values)
}

fn number(text: &str) -> Option<u32> {
    // `parse` alone would take `+1` as well.
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(())?;
    text.parse().ok()
}

fn exit_code(text: &str) -> Option<i32> {
    let code = number(text).filter(|code| *code <= 255)?;
    i32::try_from(code).ok()
}

/// Returns the time where `text` is one, nothing inside where the job had no usable clock.
fn time(text: &str) -> Option<Option<i64>> {
    if text == "unknown" {
        return Some(None);
    }
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(())?;
    text.parse().ok().map(Some)
}

fn hash(text: &str) -> Option<String> {
    let hex = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| text.to_ascii_lowercase())
}
