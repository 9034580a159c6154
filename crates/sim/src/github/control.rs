//! What people do to code: push and move branches; opening, merging and talking are next door.
//!
//! None of this asks for a permission: whoever tells the story may do everything.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::commit::NewCommit;
use super::{GitHubState, Issue, IssueState, Repository, Sha, Tree};

/// Who does something, and when.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// A login; an account that nobody declared is made.
    pub login: &'a str,
    /// The simulated time.
    pub at: Timestamp,
}

/// Changes to files.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    files: BTreeMap<String, Option<Vec<u8>>>,
}

impl Edits {
    /// Returns no changes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file or replaces what it holds.
    #[must_use]
    pub fn write(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.to_owned(), Some(content.into()));
        self
    }

    /// Takes a file away.
    #[must_use]
    pub fn delete(mut self, path: &str) -> Self {
        self.files.insert(path.to_owned(), None);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub(crate) fn apply(&self, tree: &mut Tree) {
        for (path, content) in &self.files {
            match content {
                Some(content) => tree.insert(path.clone(), content.clone()),
                None => tree.remove(path),
            };
        }
    }
}

/// A push, as GitHub tells it to everyone who listens.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// The login of whoever pushed or merged.
    pub by: String,
}

/// How a pull request lands on its base branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeMethod {
    /// A commit with two parents.
    Merge,
    /// One new commit with all changes.
    Squash,
    /// Each commit again on top of the base branch.
    Rebase,
}

/// Why something could not be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// No repository has this name.
    #[error("there is no repository `{0}`")]
    NoRepository(String),
    /// The repository has no such branch.
    #[error("`{repo}` has no branch `{branch}`")]
    NoBranch {
        /// `owner/name`.
        repo: String,
        /// The branch.
        branch: String,
    },
    /// Nothing in the repository has this name.
    #[error("`{repo}` has no commit `{reference}`")]
    NoCommit {
        /// `owner/name`.
        repo: String,
        /// The name as given.
        reference: String,
    },
    /// No issue or pull request has this number.
    #[error("`{repo}` has no issue or pull request #{number}")]
    NoIssue {
        /// `owner/name`.
        repo: String,
        /// The number.
        number: u64,
    },
    /// The number is taken already.
    #[error("`{repo}` has an issue or pull request #{number} already")]
    NumberTaken {
        /// `owner/name`.
        repo: String,
        /// The number.
        number: u64,
    },
    /// No comment has this id.
    #[error("`{repo}` has no comment {id}")]
    NoComment {
        /// `owner/name`.
        repo: String,
        /// The id.
        id: u64,
    },
    /// A merge that names no pull request.
    #[error("no pull request to merge is named")]
    NothingToMerge,
    /// It is closed, a draft, no pull request, or not for the same branch as the others.
    #[error("#{number} cannot be merged: {why}")]
    NotMergeable {
        /// The number.
        number: u64,
        /// What stands in the way.
        why: &'static str,
    },
    /// Both sides changed the same files.
    #[error("#{number} conflicts in {}", paths.join(", "))]
    Conflict {
        /// The number.
        number: u64,
        /// The files.
        paths: Vec<String>,
    },
}

impl GitHubState {
    pub(crate) fn repo(&self, name: &str) -> Result<&Repository, ControlError> {
        self.repository(name)
            .ok_or_else(|| ControlError::NoRepository(name.to_owned()))
    }

    pub(crate) fn repo_mut(&mut self, name: &str) -> Result<&mut Repository, ControlError> {
        self.repository_mut(name)
            .ok_or_else(|| ControlError::NoRepository(name.to_owned()))
    }

    pub(crate) fn head(&self, repo: &str, branch: &str) -> Result<Sha, ControlError> {
        let head = self.repo(repo)?.branches.get(branch).cloned();
        head.ok_or_else(|| ControlError::NoBranch {
            repo: repo.to_owned(),
            branch: branch.to_owned(),
        })
    }

    pub(crate) fn issue_mut(
        &mut self,
        repo: &str,
        number: u64,
    ) -> Result<&mut Issue, ControlError> {
        let missing = ControlError::NoIssue {
            repo: repo.to_owned(),
            number,
        };
        self.repo_mut(repo)?.issues.get_mut(&number).ok_or(missing)
    }

    /// Pushes one commit to a branch; an open pull request from there follows.
    ///
    /// # Errors
    ///
    /// `NoRepository` and `NoBranch`.
    pub fn push(
        &mut self,
        repo: &str,
        branch: &str,
        (edits, message): (&Edits, &str),
        act: Act<'_>,
    ) -> Result<Pushed, ControlError> {
        let head = self.head(repo, branch)?;
        let after = self.commit_on(repo, vec![head], (edits, message), act)?;
        self.move_branch(repo, branch, after, act)
    }

    /// Moves a branch to any commit, as a forced push does, or makes it.
    ///
    /// # Errors
    ///
    /// `NoRepository` and `NoCommit`.
    pub fn reset_branch(
        &mut self,
        repo: &str,
        branch: &str,
        reference: &str,
        act: Act<'_>,
    ) -> Result<Pushed, ControlError> {
        let commit = self
            .resolve(self.repo(repo)?, reference)
            .map(|commit| commit.sha.clone());
        let missing = ControlError::NoCommit {
            repo: repo.to_owned(),
            reference: reference.to_owned(),
        };
        self.move_branch(repo, branch, commit.ok_or(missing)?, act)
    }

    /// Adds a commit on top of the first parent's tree.
    pub(crate) fn commit_on(
        &mut self,
        repo: &str,
        parents: Vec<Sha>,
        (edits, message): (&Edits, &str),
        act: Act<'_>,
    ) -> Result<Sha, ControlError> {
        let parent = parents.first().and_then(|sha| self.commits.get(sha));
        let mut tree = parent
            .map(|commit| Tree::clone(&commit.tree))
            .unwrap_or_default();
        edits.apply(&mut tree);
        self.add_commit(repo, parents, (tree, message), act)
    }

    pub(crate) fn add_commit(
        &mut self,
        repo: &str,
        parents: Vec<Sha>,
        (tree, message): (Tree, &str),
        act: Act<'_>,
    ) -> Result<Sha, ControlError> {
        self.know_user(act.login);
        let network = self.repo(repo)?.network.clone();
        Ok(self.commits.add(NewCommit {
            network: &network,
            sha: None,
            parents,
            message,
            author: act.login,
            date: act.at,
            tree,
        }))
    }

    /// Moves a branch and every open pull request that comes from it.
    pub(crate) fn move_branch(
        &mut self,
        repo: &str,
        branch: &str,
        after: Sha,
        act: Act<'_>,
    ) -> Result<Pushed, ControlError> {
        self.know_user(act.login);
        let message = self
            .commits
            .get(&after)
            .map(|commit| commit.message.clone());
        let repository = self.repo_mut(repo)?;
        repository.pushed_at = act.at;
        let name = repository.full_name();
        let before = repository.branches.insert(branch.to_owned(), after.clone());
        for target in self.repositories.values_mut() {
            let branches = target.branches.clone();
            let open = target
                .issues
                .values_mut()
                .filter(|issue| issue.state == IssueState::Open);
            for issue in open {
                if let Some(pull) = &mut issue.pull
                    && pull.head_repo == name
                    && pull.head_branch == branch
                {
                    pull.head = after.clone();
                    if let Some(base) = branches.get(&pull.base_branch) {
                        pull.base = base.clone();
                    }
                    issue.updated_at = act.at;
                }
            }
        }
        Ok(Pushed {
            repo: name,
            branch: branch.to_owned(),
            before: before.map_or_else(|| Sha::NONE.to_owned(), |sha| sha.to_string()),
            after: after.to_string(),
            message: message.unwrap_or_default(),
            by: act.login.to_owned(),
        })
    }
}
