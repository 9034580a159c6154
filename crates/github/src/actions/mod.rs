//! What the Actions runner gives to a container action, and what it reads back.
//!
//! The runner's protocol is variables and files on the way in, lines on standard output and
//! files on the way out. Here are its encodings, complete and without side channels: variables
//! come in as an iterator, output goes to a writer, random tokens come from the caller. Nothing
//! here reads the process environment, opens the network or decides anything.
//!
//! Documents: <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>
//! and <https://docs.github.com/actions/reference/workflows-and-actions/variables>. Where they are
//! silent, the facts are of the runner's own source (version 2.336): how it splits lines, where it
//! looks for commands, what it cuts and drops.

mod command;
mod environment;
mod inputs;
mod output;
mod state;
mod summary;

use std::io;

pub use command::{ANNOTATION_CHARS, Annotation, Commands, Level, MASK_CHARS, neutralise};
pub use environment::{EnvironmentError, RunnerEnvironment};
pub use inputs::{InputError, Inputs};
pub use output::{FileCommandError, Outputs};
pub use state::{SavedState, StateFile};
pub use summary::{Appended, SUMMARY_BYTES, Summary};

/// A source of 128 random bits, fresh with every call; the operating system's in production.
///
/// The bits guard against text that ends a block early, so they must not be foreseeable.
pub type FreshToken = Box<dyn FnMut() -> io::Result<[u8; 16]> + Send>;

/// Returns a fresh token as 32 hexadecimal digits.
fn fresh(source: &mut FreshToken) -> io::Result<String> {
    let bytes = source()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
