//! What a job's own log proves.
//!
//! Marks count only with the epoch's own nonce, wherever in a line they stand (the platform puts the component and
//! a time before each line). Everything else in the log is foreign text and proves nothing.
//!
//! The log is foreign text throughout and may be cut, mixed with another start's, or shown twice. So nothing is
//! concluded from a part: an ending counts only when every mark that the script prints on the way to it is there once
//! and in order, and all else is [`Conclusion::Cut`]. How the marks are written is told in the wrapper's module.

mod lines;
mod mark;
mod reader;

pub use lines::LogLines;
pub use reader::{EvidenceReader, is_mark};

use crate::{RunMode, StepName, StepRef};

/// What the marks in one log prove, for one job on one deployment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// How many begin marks were seen; more than one means the platform started the job more than once.
    pub begins: u32,
    /// The commit that the job said it was built from, where one of its two bindings resolved.
    pub commit: Option<String>,
    /// It ran nothing, and why.
    pub disarmed: Option<Disarmed>,
    /// The needed variable that was empty or encrypted, so that nothing ran.
    pub refused: Option<String>,
    /// Checks in the order they started.
    pub checks: Vec<Ran>,
    /// Steps in the order they started.
    pub steps: Vec<Ran>,
    /// The done mark.
    pub done: Option<DoneMark>,
    /// Whether a TERM was passed on.
    pub terminated: bool,
    /// Whether the marks contradict each other: one is missing, doubled or out of place, so that the log is cut, mixed,
    /// or tells of several starts. It proves that the job began (`begins` still counts), and no more.
    pub contradictory: bool,
    /// The exit code in the platform's own last line, where it showed one. Counts only behind the last mark; before it,
    /// the line can only be something that a command printed.
    pub platform_exit: Option<i32>,
}

/// Why a job ran nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disarmed {
    /// It started after its lease.
    Lease,
    /// It was built from another commit than planned.
    Commit {
        /// The commit it was built from.
        built: String,
    },
    /// No usable `date` in the image, so that the lease can't be checked.
    NoClock,
}

/// A check or step that started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its step.
    pub step: StepName,
    /// Unix seconds by the job's own clock, where it told.
    pub started_at: Option<i64>,
    /// Its exit code; nothing when no end mark was seen.
    pub code: Option<i32>,
    /// Unix seconds by the job's own clock, where it told.
    pub ended_at: Option<i64>,
}

/// The last mark of a job that came to its end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoneMark {
    /// Exit code of the failing check or step, or 0.
    pub code: i32,
    /// How many steps ended with 0.
    pub ran: u32,
    /// How many steps it was to run.
    pub of: u32,
}

/// What follows from the evidence about one start of the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// One begin, every step in order with 0, and a done mark that agrees.
    Done,
    /// A check or a step ended with another code than 0; steps before it are done.
    Failed {
        /// The step.
        step: StepName,
        /// Its exit code.
        code: i32,
        /// Whether it was its check: then no step ran.
        check: bool,
    },
    /// It began and said why it ran nothing.
    Disarmed(Disarmed),
    /// It began, and a needed variable was empty or encrypted; nothing ran.
    Refused {
        /// The variable's name.
        variable: String,
    },
    /// It began, and its marks do not tell how it ended, or contradict each other.
    Cut {
        /// The step that was running, where one was.
        during: Option<StepName>,
    },
    /// No mark of this epoch.
    Silent,
}

impl Evidence {
    /// Returns what follows about the job's start, given the steps that the epoch was `expected` to run.
    ///
    /// - *Silent*: no mark at all.
    /// - *Done*, *Failed*, *Disarmed*, *Refused*: exactly one begin mark, no contradiction, no TERM, and all marks of
    ///   that ending. For *Done*: every expected step (with [`RunMode::ChecksOnly`]: none) started and ended with 0, in
    ///   order, every check that the script announced passed, the done mark says so too, and the platform's own line,
    ///   where it follows, gives no other exit code. For *Failed*: the last check or step ended with the done mark's
    ///   code, and all before it with 0.
    /// - *Cut*: anything else. Two begin marks in one log mean that the platform started the job twice, at once or one
    ///   after the other, and marks do not tell which start they belong to; so this is *Cut* however complete they look.
    #[must_use]
    pub fn conclusion(&self, expected: &[StepRef], mode: RunMode) -> Conclusion {
        let unmarked = Self {
            platform_exit: self.platform_exit,
            ..Self::default()
        };
        if *self == unmarked {
            return Conclusion::Silent;
        }
        self.proven(expected, mode)
            .unwrap_or_else(|| Conclusion::Cut {
                during: self.running(),
            })
    }

    /// Returns the step that started and has no end mark. A check that runs is harmless and none.
    fn running(&self) -> Option<StepName> {
        let ran = self.steps.last()?;
        ran.code.is_none().then(|| ran.step.clone())
    }

    fn proven(&self, expected: &[StepRef], mode: RunMode) -> Option<Conclusion> {
        if self.begins != 1 || self.contradictory || self.terminated {
            return None;
        }
        let ran_nothing = self.checks.is_empty() && self.steps.is_empty();
        match (&self.disarmed, &self.refused, self.done) {
            (Some(why), None, None) if ran_nothing => Some(Conclusion::Disarmed(why.clone())),
            (None, Some(variable), None) if ran_nothing => Some(Conclusion::Refused {
                variable: variable.clone(),
            }),
            (None, None, Some(done)) => self.ended(done, expected, mode),
            _ => None,
        }
    }

    fn ended(&self, done: DoneMark, expected: &[StepRef], mode: RunMode) -> Option<Conclusion> {
        let wanted = match mode {
            // A run of no steps proves nothing about any.
            RunMode::Steps if expected.is_empty() => return None,
            RunMode::Steps => expected,
            RunMode::ChecksOnly => &[],
        };
        let in_order = self.steps.len() <= wanted.len()
            && self
                .steps
                .iter()
                .zip(wanted)
                .all(|(ran, step)| ran.step == step.name)
            && are_among(&self.checks, expected);
        let good = self.steps.iter().filter(|ran| ran.code == Some(0)).count();
        let agrees =
            usize::try_from(done.of) == Ok(wanted.len()) && usize::try_from(done.ran) == Ok(good);
        if !in_order || !agrees {
            return None;
        }

        let checks = self.checks.iter().map(|ran| (ran, true));
        let mut all = checks.chain(self.steps.iter().map(|ran| (ran, false)));
        let Some((ran, check)) = all.find(|(ran, _)| ran.code != Some(0)) else {
            let complete = done.code == 0
                && good == wanted.len()
                && matches!(self.platform_exit, None | Some(0));
            return complete.then_some(Conclusion::Done);
        };
        let last = all.next().is_none();
        let code = ran.code.filter(|code| last && *code == done.code)?;
        Some(Conclusion::Failed {
            step: ran.step.clone(),
            code,
            check,
        })
    }
}

/// Returns whether `checks` are checks of `expected` steps, in the same order; not every step has one.
fn are_among(checks: &[Ran], expected: &[StepRef]) -> bool {
    let mut names = expected.iter().map(|step| &step.name);
    checks
        .iter()
        .all(|check| names.any(|name| *name == check.step))
}

#[cfg(test)]
mod tests;
