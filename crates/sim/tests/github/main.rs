//! The simulated GitHub from outside: every answer is checked against GitHub's own description.
#![cfg(test)]

mod client;
mod code;
mod contract;
mod deployments;
mod doors;
mod events;
mod issues;
mod octocrab_models;
mod pulls;
