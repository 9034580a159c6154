//! The commands, one module each.

pub mod action;
pub(crate) mod clean;
#[cfg(feature = "demo")]
pub mod demo;
pub(crate) mod firewall;
pub(crate) mod logs;
mod prepare;
pub(crate) mod run;
pub(crate) mod schema;
#[cfg(feature = "demo")]
pub(crate) mod sim;
#[cfg(feature = "demo")]
pub mod sql;
pub(crate) mod status;
