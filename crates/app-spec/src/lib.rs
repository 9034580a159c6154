//! The platform's documents: lossless app spec, jobs, deployments, firewall rules, ids.
//!
//! A fact about the shape or the meaning of App Platform's JSON belongs here. Everything is a value or a
//! lens over one: reading an app, finding a component, building the temporary job, putting it in and
//! taking it out again, and telling two documents apart.
//!
//! Deliberately absent: sockets, clock, randomness, environment, async, and every rule about *when* to do
//! something (that is `migration`). No document that is written back passes through a typed model: a
//! field that we do not know would be lost, so [`AppSpec`] keeps the raw map and the types are views.
//!
//! Debug output of these types holds no environment value and no credential.

#![warn(clippy::wildcard_enum_match_arm)]

pub mod app;
pub mod component;
pub mod deployment;
pub mod diff;
pub mod env;
pub mod fingerprint;
pub mod firewall;
pub mod id;
pub mod invocation;
pub mod job;
pub mod merge;
pub mod progress;
pub mod source;
pub mod spec;

mod canonical;
mod duration;
mod element;
mod read;
mod redact;
mod wire;

pub use app::App;
pub use component::{Component, ComponentKind, Database, HealthCheck, JobKind, Schedule};
pub use deployment::{CauseKind, DeployedComponent, Deployment, Phase};
pub use diff::{Change, ChangeKind, changes, redacted_diff};
pub use env::{Env, EnvKind, EnvScope};
pub use fingerprint::Fingerprint;
pub use firewall::{FirewallRule, FirewallRules, RuleKind, RuleMatch};
pub use id::{
    AppId, ClusterId, CommitSha, CommitShaError, ComponentName, DeploymentId, InvocationId,
    NameError,
};
pub use invocation::{InvocationPhase, JobInvocation};
pub use job::{JobBuilder, JobComponent};
pub use merge::{Merged, merge};
pub use progress::{ComponentProgress, Progress, Step, StepReason, StepStatus};
pub use read::DocumentError;
pub use source::Source;
pub use spec::{AppSpec, SpecError};
