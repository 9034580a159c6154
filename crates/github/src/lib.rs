//! The Actions runner protocol and the GitHub calls that Harbor Pilot uses.
//!
//! Two halves that share nothing but this crate:
//!
//! - [`actions`]: what the runner passes to a container action and what it reads back (inputs,
//!   environment, workflow commands, outputs, state, summary). No network.
//! - everything else: GitHub's REST API through octocrab, over a transport that the caller
//!   chooses ([`Transport`]).
//!
//! Deliberately absent: any rule about migrations, any sentence of a report, the process
//! environment, the standard streams and the clock. The caller hands in variables, writers and
//! randomness; the only time that matters here is what GitHub's own headers say.
//!
//! API documents: <https://docs.github.com/rest> (version 2022-11-28) and
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>.

pub mod actions;
mod client;
mod compare;
mod contents;
mod deployments;
mod error;
mod event;
mod id;
mod labels;
mod markdown;
mod pulls;
mod repo;
mod sticky;
mod token;
mod transport;
mod wire;

pub use client::{GitHub, Timing};
pub use compare::{Commit, CommitRange, Relation};
pub use contents::{Entry, EntryKind};
pub use deployments::{
    Deployment, DeploymentState, DeploymentStatus, NewDeployment, NewStatus,
    STATUS_DESCRIPTION_CHARS,
};
pub use error::{Error, ErrorKind, Permission, Reached};
pub use event::{
    DispatchInputs, Event, EventError, PullRequestAction, PullRequestEvent, Push, Schedule,
    WorkflowDispatch,
};
pub use id::{CommentId, GitHubDeploymentId, IdError, PullNumber, RepoName, Sha, StatusId};
pub use labels::Label;
pub use pulls::{ChangedFile, FileStatus, Patience, PullRequest, PullState};
pub use repo::{RepoInfo, Visibility};
pub use sticky::{COMMENT_CHARS, CommentRef, Found};
pub use token::TokenError;
pub use transport::{BoxError, SetupError, Transport};
