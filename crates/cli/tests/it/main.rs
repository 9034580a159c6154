//! The binary as a user meets it, against a simulator on a socket of this machine; and the arrows between the crates.
#![cfg(test)]

mod arrows;
mod bad_input;
mod bench;
#[cfg(feature = "demo")]
mod help;
mod runs;
mod schema;
mod signals;
