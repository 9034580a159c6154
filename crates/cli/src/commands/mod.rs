//! The commands, one module each.

pub mod action;
pub(crate) mod clean;
pub(crate) mod firewall;
pub(crate) mod logs;
mod prepare;
pub(crate) mod run;
pub(crate) mod schema;
#[cfg(feature = "demo")]
pub(crate) mod sim;
pub(crate) mod status;
