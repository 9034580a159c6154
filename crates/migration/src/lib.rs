//! Everything that is decided or worded about one migration.
//!
//! This crate is pure: no I/O, no async, no clock, no randomness, no environment. What the outside world shows
//! enters as [`Observed`], what was asked for enters as a [`Request`], and out come a [`Plan`], the [`next`] thing
//! to do, a [`Verdict`] and the words that tell it.
//!
//! **Architecture invariant:** nothing here sends, waits or reads a clock; the same inputs always give the same
//! answer. Resume, retry, cancel and the sweeper are the same functions entered with other facts.
#![warn(clippy::wildcard_enum_match_arm)]

mod baseline;
mod check;
mod config;
mod document;
mod edit;
mod event;
mod evidence;
mod key;
mod ledger;
mod manifest;
mod next;
mod observed;
mod plan;
mod planner;
mod reason;
mod redact;
pub mod render;
mod repair;
mod report;
mod request;
mod stage;
mod verdict;
mod wrapper;

pub use baseline::*;
pub use check::*;
pub use config::*;
pub use document::{FileError, FileKind, MAX_FILE_BYTES, NotText, Place, Problem, in_words};
pub use edit::*;
pub use event::*;
pub use evidence::*;
pub use key::*;
pub use ledger::*;
pub use manifest::*;
pub use next::*;
pub use observed::*;
pub use plan::*;
pub use planner::*;
pub use reason::*;
pub use redact::*;
pub use repair::*;
pub use report::*;
pub use request::*;
pub use verdict::*;
pub use wrapper::*;
