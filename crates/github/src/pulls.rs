//! Pull requests: which ones a commit came from, what they change, whether they are merged.

use serde::Deserialize;

use crate::client::{Call, GitHub, PagesEnd};
use crate::error::{Error, ErrorKind, Permission};
use crate::id::{PullNumber, RepoName, Sha};
use crate::wire::{Account, Label, Repository, sha_or_none};

/// How long to wait for GitHub to know which pull requests a commit belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Take the first answer, also an empty one. For the older commits of a push.
    Once,
    /// Ask again for [`Timing::index_wait`](crate::Timing::index_wait), because GitHub indexes
    /// a fresh merge late. For the newest commit of a push.
    UntilIndexed,
}

/// Whether a pull request is open, and how it was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullState {
    /// Open, or not told.
    Open,
    /// Closed without a merge.
    Closed,
    /// Merged.
    Merged,
}

/// A pull request, as replies and events show it.
///
/// What GitHub left out is `None`; `title`, `head_ref` and the labels are anybody's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: PullNumber,
    /// Open, closed or merged.
    pub state: PullState,
    /// The commit that the merge made. While the pull request is open, GitHub puts a trial
    /// merge here that is on no branch; only of a merged one does this mean anything.
    pub merge_commit_sha: Option<Sha>,
    /// The branch that it goes into.
    pub base_ref: Option<String>,
    /// Where that branch stood.
    pub base_sha: Option<Sha>,
    /// The repository that it goes into.
    pub base_repo: Option<RepoName>,
    /// The branch that it comes from.
    pub head_ref: Option<String>,
    /// The newest commit of that branch.
    pub head_sha: Option<Sha>,
    /// The repository that it comes from; `None` also when that was deleted.
    pub head_repo: Option<RepoName>,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// Its title.
    pub title: Option<String>,
    /// Its page.
    pub html_url: Option<String>,
    /// Who opened it.
    pub author: Option<String>,
}

impl PullRequest {
    /// Returns whether it was merged.
    #[must_use]
    pub fn is_merged(&self) -> bool {
        self.state == PullState::Merged
    }

    /// Returns whether its code comes from another repository. When GitHub does not tell, as
    /// with a deleted fork, the answer is yes.
    #[must_use]
    pub fn is_fork(&self) -> bool {
        match (&self.head_repo, &self.base_repo) {
            (Some(head), Some(base)) => head != base,
            (None, _) | (_, None) => true,
        }
    }

    /// Returns whether it carries the label; GitHub's labels are the same in either case.
    #[must_use]
    pub fn has_label(&self, name: &str) -> bool {
        self.labels
            .iter()
            .any(|label| label.to_lowercase() == name.to_lowercase())
    }
}

/// What a pull request does to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileStatus {
    /// Makes it.
    Added,
    /// Deletes it.
    Removed,
    /// Changes its content.
    Modified,
    /// Moves it, perhaps with changes.
    Renamed,
    /// Makes it from another file.
    Copied,
    /// Changes its mode only.
    Changed,
    /// Leaves it as it is.
    Unchanged,
    /// Something else, as GitHub names it.
    Other(String),
}

/// A file that a pull request touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedFile {
    /// Its path from the root of the repository, after the change.
    pub path: String,
    /// What happens to it.
    pub status: FileStatus,
    /// Its path before, when it was moved.
    pub previous_path: Option<String>,
}

/// A pull request in GitHub's JSON. Events and both REST forms fit.
#[derive(Deserialize)]
pub(crate) struct WirePull {
    number: u64,
    state: Option<String>,
    merged: Option<bool>,
    merged_at: Option<String>,
    #[serde(default, deserialize_with = "sha_or_none")]
    merge_commit_sha: Option<Sha>,
    title: Option<String>,
    html_url: Option<String>,
    user: Option<Account>,
    labels: Option<Vec<Label>>,
    head: Option<WireEnd>,
    base: Option<WireEnd>,
}

/// One end of a pull request.
#[derive(Default, Deserialize)]
struct WireEnd {
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    #[serde(default, deserialize_with = "sha_or_none")]
    sha: Option<Sha>,
    repo: Option<Repository>,
}

impl From<WirePull> for PullRequest {
    fn from(wire: WirePull) -> Self {
        // The short form in lists has `merged_at` but no `merged`.
        let merged = wire.merged.unwrap_or(wire.merged_at.is_some());
        let state = if merged {
            PullState::Merged
        } else if wire.state.as_deref() == Some("closed") {
            PullState::Closed
        } else {
            PullState::Open
        };
        let head = wire.head.unwrap_or_default();
        let base = wire.base.unwrap_or_default();
        Self {
            number: PullNumber(wire.number),
            state,
            merge_commit_sha: wire.merge_commit_sha,
            base_ref: base.git_ref,
            base_sha: base.sha,
            base_repo: base.repo.and_then(|repo| repo.name()),
            head_ref: head.git_ref,
            head_sha: head.sha,
            head_repo: head.repo.and_then(|repo| repo.name()),
            labels: wire
                .labels
                .unwrap_or_default()
                .into_iter()
                .filter_map(|label| label.name)
                .collect(),
            title: wire.title,
            html_url: wire.html_url,
            author: wire.user.and_then(|user| user.login),
        }
    }
}

#[derive(Deserialize)]
struct WireFile {
    filename: String,
    status: String,
    previous_filename: Option<String>,
}

impl From<WireFile> for ChangedFile {
    fn from(wire: WireFile) -> Self {
        let status = match wire.status.as_str() {
            "added" => FileStatus::Added,
            "removed" => FileStatus::Removed,
            "modified" => FileStatus::Modified,
            "renamed" => FileStatus::Renamed,
            "copied" => FileStatus::Copied,
            "changed" => FileStatus::Changed,
            "unchanged" => FileStatus::Unchanged,
            other => FileStatus::Other(other.to_owned()),
        };
        Self {
            path: wire.filename,
            status,
            previous_path: wire.previous_filename,
        }
    }
}

impl GitHub {
    /// Reads one pull request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is none of that number.
    pub async fn pull(&self, number: PullNumber) -> Result<PullRequest, Error> {
        let call = Call::get(
            self.path(&format!("/pulls/{number}")),
            Permission::PullRequestsRead,
            format!("read pull request #{number} of `{}`", self.repo_name()),
        );
        Ok(self.json::<WirePull>(&call).await?.into())
    }

    /// Lists the files that a pull request touches.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] beyond the 3000 files that GitHub lists: which manifests such a
    /// pull request adds cannot be told.
    pub async fn pull_files(&self, number: PullNumber) -> Result<Vec<ChangedFile>, Error> {
        let call = Call::get(
            self.path(&format!("/pulls/{number}/files")),
            Permission::PullRequestsRead,
            format!("list the files of #{number} of `{}`", self.repo_name()),
        );
        let pages = self.pages::<WireFile>(call.clone(), FILE_PAGES).await?;
        if pages.end == PagesEnd::CutOff {
            return Err(call.failed(ErrorKind::TooLarge {
                limit: "3000 files".to_owned(),
            }));
        }
        Ok(pages.items.into_iter().map(ChangedFile::from).collect())
    }

    /// Lists the pull requests that a commit belongs to: those that brought it onto its branch,
    /// and perhaps open ones that hold it. The caller picks the merged ones it cares for.
    ///
    /// With [`Patience::UntilIndexed`], an empty answer is asked for again with growing waits;
    /// when it stays empty, the number in the commit's subject (`… (#12)` of a squash, `Merge
    /// pull request #12 …`) is tried, and believed only when that pull request names this very
    /// commit as its merge.
    ///
    /// # Errors
    ///
    /// Those of a read. That GitHub does not know the commit (yet) counts as an empty answer.
    pub async fn pulls_of_commit(
        &self,
        sha: &Sha,
        patience: Patience,
    ) -> Result<Vec<PullRequest>, Error> {
        let deadline = tokio::time::Instant::now() + self.timing().index_wait;
        let mut wait = self.timing().first_wait;
        loop {
            let pulls = self.pulls_of_commit_now(sha).await?;
            if !pulls.is_empty() || patience == Patience::Once {
                return Ok(pulls);
            }
            let now = tokio::time::Instant::now();
            if now >= deadline {
                break;
            }
            tokio::time::sleep(wait.min(deadline - now)).await;
            wait = wait.saturating_mul(2);
        }
        Ok(self.pull_by_subject(sha).await?.into_iter().collect())
    }

    async fn pulls_of_commit_now(&self, sha: &Sha) -> Result<Vec<PullRequest>, Error> {
        let call = Call::get(
            self.path(&format!("/commits/{sha}/pulls")),
            Permission::PullRequestsRead,
            format!(
                "find the pull requests of `{}` in `{}`",
                sha.short(),
                self.repo_name()
            ),
        );
        // A commit in more pull requests than fit one page does not occur outside of attacks.
        match self.pages::<WirePull>(call, 1).await {
            Ok(pages) => Ok(pages.items.into_iter().map(PullRequest::from).collect()),
            Err(error) if is_unknown_commit(error.kind()) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn pull_by_subject(&self, sha: &Sha) -> Result<Option<PullRequest>, Error> {
        let subject = match self.commit(sha).await {
            Ok(commit) => commit.subject,
            Err(error) if is_unknown_commit(error.kind()) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(number) = number_in_subject(&subject) else {
            return Ok(None);
        };
        match self.pull(number).await {
            Ok(pull) if pull.is_merged() && pull.merge_commit_sha.as_ref() == Some(sha) => {
                Ok(Some(pull))
            }
            Ok(_) => Ok(None),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// GitHub lists at most 3000 files of a pull request, so a full last page may hide more.
const FILE_PAGES: u32 = 30;

fn is_unknown_commit(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound | ErrorKind::Refused { status: 422, .. }
    )
}

/// Returns the number that GitHub writes into the subject of a merge.
fn number_in_subject(subject: &str) -> Option<PullNumber> {
    let subject = subject.trim();
    if let Some(rest) = subject.strip_prefix("Merge pull request #") {
        return rest.split_whitespace().next()?.parse().ok();
    }
    let (_, last) = subject.rsplit_once("(#")?;
    last.strip_suffix(')')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_githubs_own_spellings_name_a_pull_request() {
        let number = |subject| number_in_subject(subject);
        assert_eq!(number("Add columns (#428)"), Some(PullNumber(428)));
        assert_eq!(number("Revert (#1) again (#2)"), Some(PullNumber(2)));
        assert_eq!(
            number("Merge pull request #7 from acme/topic"),
            Some(PullNumber(7))
        );
        assert_eq!(number("Fixes #428"), None);
        assert_eq!(number("(#12) first"), None);
        assert_eq!(number("x (#0)"), None);
        assert_eq!(number(""), None);
    }

    #[test]
    fn a_pull_request_without_a_head_repository_counts_as_a_fork() {
        let pull = |json| PullRequest::from(serde_json::from_str::<WirePull>(json).unwrap());
        let own = r#"{"number":1,"head":{"repo":{"full_name":"A/b"}},"base":{"repo":{"full_name":"a/B"}}}"#;
        let fork = r#"{"number":1,"head":{"repo":{"full_name":"m/b"}},"base":{"repo":{"full_name":"a/b"}}}"#;
        let deleted = r#"{"number":1,"head":{"repo":null},"base":{"repo":{"full_name":"a/b"}}}"#;
        assert!(!pull(own).is_fork());
        assert!(pull(fork).is_fork());
        assert!(pull(deleted).is_fork());
        assert!(pull(r#"{"number":1}"#).is_fork());
    }
}
