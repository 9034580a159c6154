//! What a job's own log proves.
//!
//! Marks count only with the epoch's own nonce, wherever in a line they stand (the platform puts the component and
//! a time before each line). Everything else in the log is foreign text and proves nothing.

use crate::StepName;

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
    /// The exit code in the platform's own last line, where it showed one.
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
