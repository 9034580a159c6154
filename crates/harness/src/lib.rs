//! The test hall: the real driver against the simulator, under every fault, kill and unknown.
//!
//! A run is a list of choices (`choice`); played in virtual time (`scene`), judged by what must always hold
//! (`invariants`). The `matrix` goes through every place where a request is made; `seeds` draw at random; what
//! is found is cut down to the choices that matter (`shrink`) and kept under `regressions/`.
//!
//! Never shipped. It knows every crate of the house and tests none of their insides: only what a user or the platform
//! would see.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test hall stops loudly, and its tables are its output"
)]

mod actor;
mod book;
mod choice;
mod command;
mod coverage;
mod direct;
pub mod fuzz;
mod invariants;
mod job;
mod matrix;
mod model;
mod process;
mod random;
mod scene;
mod seeds;
mod shown;
mod shrink;
mod trace;
mod wire;

#[cfg(test)]
mod tests;

pub use command::run;
