//! How two commits lie to each other (`GET /repos/{owner}/{repo}/compare/{base}...{head}`).

use serde::Deserialize;

use crate::client::{Call, GitHub, PER_PAGE};
use crate::error::{Error, ErrorKind, Permission};
use crate::id::Sha;

/// Where `head` stands relative to `base`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// `head` contains `base` and more.
    Ahead,
    /// `base` contains `head` and more.
    Behind,
    /// Both are the same commit.
    Identical,
    /// Each has commits that the other lacks; after a force push, for instance.
    Diverged,
}

/// One commit of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub sha: Sha,
    /// The first line of its message. Anybody's text.
    pub subject: String,
}

/// The commits that `after` has and `before` has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRange {
    /// How `after` stands to `before`.
    pub relation: Relation,
    /// The commits, oldest first; the oldest [`CommitRange::MOST`] of a longer range.
    pub commits: Vec<Commit>,
    /// How many there are in all.
    pub total: u64,
}

impl CommitRange {
    /// The most commits that are read of one range. A merge queue puts at most a hundred pull
    /// requests into one push; ten pages leave room for rebased ones.
    pub const MOST: usize = 1000;

    /// Returns whether `commits` holds all of them.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        u64::try_from(self.commits.len()).is_ok_and(|read| read >= self.total)
    }
}

#[derive(Deserialize)]
struct WireCompare {
    status: String,
    #[serde(default)]
    total_commits: u64,
    #[serde(default)]
    commits: Vec<WireCommit>,
}

#[derive(Deserialize)]
pub(crate) struct WireCommit {
    sha: Sha,
    commit: Option<WireMessage>,
}

#[derive(Deserialize)]
struct WireMessage {
    message: Option<String>,
}

impl From<WireCommit> for Commit {
    fn from(wire: WireCommit) -> Self {
        let message = wire
            .commit
            .and_then(|commit| commit.message)
            .unwrap_or_default();
        Self {
            sha: wire.sha,
            subject: message.lines().next().unwrap_or_default().to_owned(),
        }
    }
}

impl GitHub {
    /// Lists the commits that came in between two states of a branch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when GitHub no longer knows one of the commits.
    pub async fn commits_between(&self, before: &Sha, after: &Sha) -> Result<CommitRange, Error> {
        let mut range = CommitRange {
            relation: Relation::Identical,
            commits: Vec::new(),
            total: 0,
        };
        for page in 1..=CommitRange::MOST / PER_PAGE {
            let call = self
                .compare_call(before, after)
                .query("per_page", PER_PAGE.to_string())
                .query("page", page.to_string());
            let wire: WireCompare = self.json(&call).await?;
            range.relation = relation(&wire.status, &call)?;
            range.total = wire.total_commits;
            let read = wire.commits.len();
            range
                .commits
                .extend(wire.commits.into_iter().map(Commit::from));
            if read < PER_PAGE || range.is_complete() {
                break;
            }
        }
        Ok(range)
    }

    /// Returns whether `commit` is `ancestor` or has it in its history.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when GitHub does not know one of the commits, or they have no
    /// history in common; a caller that guards something takes both for "no".
    pub async fn contains(&self, commit: &Sha, ancestor: &Sha) -> Result<bool, Error> {
        if commit == ancestor {
            return Ok(true);
        }
        // One commit a page: only the status matters.
        let call = self
            .compare_call(ancestor, commit)
            .query("per_page", "1")
            .query("page", "1");
        let wire: WireCompare = self.json(&call).await?;
        Ok(match relation(&wire.status, &call)? {
            Relation::Ahead | Relation::Identical => true,
            Relation::Behind | Relation::Diverged => false,
        })
    }

    /// Reads one commit (`GET /repos/{owner}/{repo}/commits/{sha}`).
    ///
    /// # Errors
    ///
    /// Those of a read; GitHub answers 422 for a commit that it does not know.
    pub async fn commit(&self, sha: &Sha) -> Result<Commit, Error> {
        let call = Call::get(
            self.path(&format!("/commits/{sha}")),
            Permission::ContentsRead,
            format!(
                "read the commit `{}` of `{}`",
                sha.short(),
                self.repo_name()
            ),
        );
        Ok(self.json::<WireCommit>(&call).await?.into())
    }

    fn compare_call(&self, base: &Sha, head: &Sha) -> Call {
        Call::get(
            self.path(&format!("/compare/{base}...{head}")),
            Permission::ContentsRead,
            format!(
                "compare `{}` with `{}` in `{}`",
                base.short(),
                head.short(),
                self.repo_name()
            ),
        )
    }
}

fn relation(status: &str, call: &Call) -> Result<Relation, Error> {
    match status {
        "ahead" => Ok(Relation::Ahead),
        "behind" => Ok(Relation::Behind),
        "identical" => Ok(Relation::Identical),
        "diverged" => Ok(Relation::Diverged),
        other => Err(call.failed(ErrorKind::Decode {
            path: "status".to_owned(),
            source: serde::de::Error::unknown_variant(
                other,
                &["ahead", "behind", "identical", "diverged"],
            ),
        })),
    }
}
