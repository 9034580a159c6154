//! The ports of `runner`, implemented: where claims and verdicts are kept.

pub mod file;
pub mod github;
