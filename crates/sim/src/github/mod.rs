//! What GitHub remembers: repositories, commits, pull requests, comments, labels, deployments.
//!
//! The state is plain data behind Rust methods. The HTTP half (`routes::github`) turns calls into
//! these methods and these values into answers; a test or a story turns what people do (push,
//! merge, label, edit a comment) into the same methods.
//!
//! Written from GitHub's published REST description and webhook payloads. It deliberately holds
//! no clock (every method that writes takes the time), no sockets, no faults (the general fault
//! layer loses replies), and no git: a commit holds its whole tree, object names are forty hex
//! digits that depend on the content but are not what `git` would compute, and two sides merge
//! file by file, never line by line.

mod comment;
mod commit;
mod config;
mod control;
mod deployment;
mod diff;
mod event;
mod issue;
mod label;
mod merge;
mod open;
mod pull;
mod repository;
mod talk;
mod token;
mod urls;
mod user;
mod workflow;
mod world;

use std::collections::BTreeMap;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

pub use comment::Comment;
pub use control::{Act, ControlError, Edits, MergeMethod, Pushed};
pub use deployment::{Deployment, DeploymentStatus};
pub use open::NewPullRequest;
pub use workflow::{Dispatch, NewRun};

pub(crate) use comment::BODY_LIMIT;
pub(crate) use commit::{Commit, CommitDetail, Commits, Sha, Tree, blob_sha, tree_sha};
pub(crate) use deployment::{DeploymentRefusal, DeploymentRequest, StatusRequest};
pub(crate) use diff::{FileChange, changes};
pub(crate) use issue::{Issue, IssueState};
pub(crate) use label::{DEFAULT_COLOR, Label, NAME_LIMIT};
pub(crate) use pull::{PullDetail, PullRequest};
pub(crate) use repository::{Repository, Visibility};
pub(crate) use token::{Access, Caller, Permission, RateLimit};
pub(crate) use urls::{Urls, encode_path, encode_segment};
pub(crate) use workflow::Run;

/// The GitHub half of the simulated world.
#[derive(Debug, Clone, Default)]
pub struct GitHubState {
    pub(crate) urls: Urls,
    pub(crate) users: user::Users,
    pub(crate) tokens: token::Tokens,
    pub(crate) commits: Commits,
    /// By lower-case `owner/name`: GitHub ignores case in both.
    pub(crate) repositories: BTreeMap<String, Repository>,
    pub(crate) knobs: Knobs,
    pub(crate) ids: Ids,
}

/// How this GitHub behaves where the real one varies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Knobs {
    /// How long after a merge `commits/{sha}/pulls` still answers with an empty list.
    ///
    /// Observed by other projects: seconds, and longer for squash and rebase than for a merge commit.
    pub commit_pull_index_lag: Duration,
}

impl GitHubState {
    /// Builds the state that a JSON document describes.
    ///
    /// ```json
    /// { "html_url": "https://github.com",
    ///   "users": ["mona", {"login": "acme", "type": "Organization"}],
    ///   "tokens": {"ghs_run": {"login": "github-actions[bot]", "limit_per_hour": 1000,
    ///       "permissions": {"contents": "read", "pull-requests": "write", "deployments": "write"},
    ///       "repositories": ["acme/shop"]}},
    ///   "repositories": [{"name": "acme/shop", "visibility": "private", "default_branch": "main",
    ///       "files": {"README.md": "Shop\n"},
    ///       "commits": [{"branch": "main", "message": "add", "author": "mona", "files": {"a": "1"},
    ///                    "delete": ["README.md"], "sha": "40 hex digits", "date": "2026-01-02T03:04:05Z"}],
    ///       "collaborators": {"mona": "admin"}, "labels": ["bug"],
    ///       "pull_requests": [{"number": 428, "title": "Move ids", "user": "mona", "head": "move-ids",
    ///                          "files": {"b": "2"}, "labels": ["needs-migration"]}],
    ///       "issues": [{"number": 1, "title": "Plain", "user": "mona"}]},
    ///     {"name": "eve/shop", "fork_of": "acme/shop"}],
    ///   "knobs": {"commit_pull_index_lag_seconds": 8} }
    /// ```
    ///
    /// Everything is optional but the names above that say what a thing is: a user's `login`, a
    /// repository's `name`, a commit's `message`, the `title`, `user` and `head` of a pull request.
    /// `files` of a repository is the tree of its first commit; `commits` follow it in order. A
    /// pull request's `head` is a branch, or `owner:branch` of a fork; where it does not exist it
    /// is made from the base branch, with `files` and `delete` as one commit (`head_sha` names it).
    /// It can also have `base`, `body`, `draft` and `created_at`; a repository `description` and
    /// `has_issues`; a label `color` and `description`. A permission that is not named is `none`;
    /// accounts that are not declared are made.
    ///
    /// # Errors
    ///
    /// A sentence that names the key that cannot be used.
    pub fn from_config(config: &Value) -> Result<Self, String> {
        config::build(config)
    }

    /// Sets the address that the API's own links carry, without a slash at the end.
    pub fn set_api_url(&mut self, url: &str) {
        url.trim_end_matches('/').clone_into(&mut self.urls.api);
    }

    /// Returns the knobs, to be turned at any time.
    pub fn knobs_mut(&mut self) -> &mut Knobs {
        &mut self.knobs
    }

    /// Returns the names, `owner/name`, of all repositories.
    #[must_use]
    pub fn repository_names(&self) -> Vec<String> {
        self.repositories
            .values()
            .map(Repository::full_name)
            .collect()
    }

    /// Returns a repository by `owner/name`.
    pub(crate) fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories.get(&name.to_lowercase())
    }

    /// Returns a repository by `owner/name`, to be changed.
    pub(crate) fn repository_mut(&mut self, name: &str) -> Option<&mut Repository> {
        self.repositories.get_mut(&name.to_lowercase())
    }

    /// Returns the commit at the head of a branch.
    #[must_use]
    pub fn branch_head(&self, repo: &str, branch: &str) -> Option<String> {
        Some(self.repository(repo)?.branches.get(branch)?.to_string())
    }

    /// Returns the files of a commit, by path.
    #[must_use]
    pub fn tree(&self, repo: &str, commit: &str) -> Option<BTreeMap<String, Vec<u8>>> {
        let commit = self.resolve(self.repository(repo)?, commit)?;
        Some(Tree::clone(&commit.tree))
    }

    /// Tells whether `commit` contains `ancestor` in its history (itself included).
    #[must_use]
    pub fn contains(&self, repo: &str, commit: &str, ancestor: &str) -> bool {
        let Some(repository) = self.repository(repo) else {
            return false;
        };
        let pair = self
            .resolve(repository, commit)
            .zip(self.resolve(repository, ancestor));
        pair.is_some_and(|(commit, ancestor)| self.commits.contains(&commit.sha, &ancestor.sha))
    }
}

/// Gives every object a number of its own, in ascending order.
///
/// GitHub counts per kind of object. One counter for all keeps what clients rely on (unique,
/// ascending) and makes it visible when an id of one kind is used for another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ids {
    given: u64,
}

impl Ids {
    /// Ids begin above every number that a pull request would have.
    const BASE: u64 = 1_000_000;

    pub(crate) fn next(&mut self) -> u64 {
        self.given += 1;
        Self::BASE + self.given
    }
}

/// Returns a GraphQL node id: GitHub's own are opaque, a prefix for the kind and base64 of an id.
pub(crate) fn node_id(prefix: &str, id: u64) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(id.to_be_bytes());
    format!("{prefix}_{encoded}")
}

/// Prints a time as the REST API does.
pub(crate) fn stamp(time: Timestamp) -> Value {
    Value::String(crate::clock::rfc3339(time))
}
