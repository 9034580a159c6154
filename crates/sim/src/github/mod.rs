//! The GitHub half of a world: repositories, commits with their trees, branches and pull requests.

use serde_json::Value;
use std::collections::BTreeMap;

/// A push as App Platform hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// `owner/name`.
    pub repo: String,
    /// The branch without `refs/heads/`.
    pub branch: String,
    /// The head before, 40 hex digits (zeros for a new branch).
    pub before: String,
    /// The head after, 40 hex digits.
    pub after: String,
    /// The head commit's message.
    pub message: String,
}

/// Everything GitHub knows.
#[derive(Clone, Debug, Default)]
pub struct GitHubState {}

impl GitHubState {
    /// Reads the `github` part of a world file.
    ///
    /// # Errors
    /// A sentence that names what is wrong with the configuration.
    pub fn from_config(_config: &Value) -> Result<Self, String> {
        Ok(Self::default())
    }

    /// Returns the commit at the head of a branch.
    #[must_use]
    pub fn branch_head(&self, _repo: &str, _branch: &str) -> Option<String> {
        None
    }

    /// Returns the files of a commit, by path.
    #[must_use]
    pub fn tree(&self, _repo: &str, _commit: &str) -> Option<BTreeMap<String, Vec<u8>>> {
        None
    }

    /// Tells whether `commit` contains `ancestor` in its history (itself included).
    #[must_use]
    pub fn contains(&self, _repo: &str, _commit: &str, _ancestor: &str) -> bool {
        false
    }
}
