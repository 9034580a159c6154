//! The edge: turns arguments, environment and events into a request, wires the crates below, publishes, exits.
//!
//! **Architecture invariant:** every rule and every sentence about a migration lives in `migration`; here are flags,
//! names of variables, prints, and the ports over GitHub and a state file.

pub mod choices;
pub mod host;
