//! Servers that behave like App Platform and the GitHub calls Harbor Pilot uses.
//!
//! Written from the two published API descriptions and from what was observed of the real services, never from a
//! client: the documents in here are raw JSON, and nothing of Harbor Pilot's own is known. Where the facts leave a
//! question open there is a knob with every answer ([`Knobs`]); what can go wrong between a caller and a service is a
//! fault ([`Fault`]); time is one clock with a pace ([`Clock`]), virtual under tokio's paused time; jobs are real
//! processes ([`Processes`]). A world begins as its file says ([`WorldConfig`]) and is reached in process
//! ([`World::in_process`]) or over a socket ([`serve`]).
//!
//! It deliberately holds no sandbox, no persistence, and no endpoint that Harbor Pilot does not use.

mod advance;
mod answer;
mod app;
mod clock;
mod config;
mod control;
mod database;
mod deployment;
mod environment;
mod error;
mod executor;
mod fault;
mod gate;
pub mod github;
mod ids;
mod knobs;
mod limit;
mod logs;
mod operations;
mod order;
mod peek;
mod progress;
mod record;
mod render;
mod rollbacks;
mod routes;
mod serve;
mod spec;
mod stages;
mod token;
mod validate;
mod vault;
mod world;

pub use app::{Breakage, Health};
pub use clock::Clock;
pub use config::{AppConfig, ClusterConfig, ImageConfig, WorldConfig, WorldError};
pub use control::Pin;
pub use error::ApiError;
pub use executor::{Execute, JobEnd, JobExit, JobStart, Processes};
pub use fault::{Applied, Fault, FaultKind};
pub use github::{Act, ControlError, Edits, GitHubState, MergeMethod, NewPullRequest, Pushed};
pub use knobs::*;
pub use peek::{Glimpse, Mark, Peek, Specs};
pub use record::{Answer, Face, Request};
pub use serve::{ConnectionFailed, InProcess, serve};
pub use token::{Side, Token};
pub use world::{Execution, World};
