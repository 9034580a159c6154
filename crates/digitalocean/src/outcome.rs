//! How a write ended, in the three classes that decide what may be done next.

use crate::error::Error;

/// How a write ended. It was sent once, and this crate never sends it again.
#[derive(Debug)]
#[must_use = "a write that may have applied must be looked at"]
pub enum WriteOutcome<T = ()> {
    /// The platform took it.
    Applied(T),
    /// It certainly changed nothing: it was not sent, or it was refused.
    NotApplied(Error),
    /// It may or may not have changed something. Read before doing anything else.
    Ambiguous(Error),
}

impl<T> WriteOutcome<T> {
    /// Sorts an error of a write by what it leaves open.
    pub(crate) fn from_result(result: Result<T, Error>) -> Self {
        match result {
            Ok(value) => Self::Applied(value),
            Err(error) if error.may_have_applied() => Self::Ambiguous(error),
            Err(error) => Self::NotApplied(error),
        }
    }

    /// Returns the error, if there is one.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Applied(_) => None,
            Self::NotApplied(error) | Self::Ambiguous(error) => Some(error),
        }
    }
}
