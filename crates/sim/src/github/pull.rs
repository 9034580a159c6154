//! Pull requests: two ends, what lies between them, and what became of it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::diff::{changes, merge};
use super::{
    Commit, FileChange, GitHubState, Issue, IssueState, Repository, Sha, Tree, node_id, stamp,
};
use crate::clock::later;

/// What makes an issue a pull request.
#[derive(Debug, Clone)]
pub(crate) struct PullRequest {
    /// `owner/name`; another repository than its own where it comes from a fork.
    pub(crate) head_repo: String,
    pub(crate) head_branch: String,
    pub(crate) head: Sha,
    pub(crate) base_branch: String,
    /// The head of the base branch when the pull request was opened, pushed to or merged.
    pub(crate) base: Sha,
    pub(crate) draft: bool,
    pub(crate) merged: Option<Merged>,
}

/// How a pull request was merged.
#[derive(Debug, Clone)]
pub(crate) struct Merged {
    pub(crate) at: Timestamp,
    pub(crate) by: String,
    /// The merge commit, the squashed commit, or the last of the rebased ones.
    pub(crate) commit: Sha,
    /// What the merge added to the base branch.
    pub(crate) landed: Vec<Sha>,
}

impl PullRequest {
    pub(crate) fn merged_at(&self) -> Option<Timestamp> {
        self.merged.as_ref().map(|merged| merged.at)
    }
}

/// How much of a pull request an answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PullDetail {
    /// `pull-request-simple`, as in lists.
    Simple,
    /// `pull-request`, with counts and whether it can be merged.
    Full,
}

impl GitHubState {
    /// Returns the commits of a pull request, oldest first.
    pub(crate) fn pull_commits(&self, pull: &PullRequest) -> Vec<&Commit> {
        self.commits.between(&pull.base, &pull.head)
    }

    /// Returns what a pull request changes against the commit it started from.
    pub(crate) fn pull_files(&self, pull: &PullRequest) -> Vec<FileChange> {
        let empty = Tree::new();
        let start = self.commits.merge_base(&pull.base, &pull.head);
        let before = start.map_or(&empty, |commit| &commit.tree);
        match self.commits.get(&pull.head) {
            Some(head) => changes(before, &head.tree),
            None => Vec::new(),
        }
    }

    /// Returns the tree that merging would give, or the paths in conflict.
    pub(crate) fn merged_tree(&self, onto: &Sha, head: &Sha) -> Result<Tree, Vec<String>> {
        let tree = |sha: &Sha| {
            self.commits
                .get(sha)
                .map(|commit| Tree::clone(&commit.tree))
        };
        let start = self
            .commits
            .merge_base(onto, head)
            .map(|commit| Tree::clone(&commit.tree));
        merge(
            &start.unwrap_or_default(),
            &tree(onto).unwrap_or_default(),
            &tree(head).unwrap_or_default(),
        )
    }

    /// Returns the pull requests that brought a commit, once the index knows of it.
    ///
    /// A commit on the base branch belongs to the pull request whose merge added it; one that is
    /// only on a head branch belongs to every open or merged pull request that has it.
    pub(crate) fn pulls_of<'a>(
        &self,
        repository: &'a Repository,
        sha: &Sha,
        now: Timestamp,
    ) -> Vec<&'a Issue> {
        let lag = self.knobs.commit_pull_index_lag;
        let belongs = |issue: &&Issue| {
            let Some(pull) = &issue.pull else {
                return false;
            };
            match &pull.merged {
                Some(merged) => {
                    let indexed = later(merged.at, lag) <= now;
                    indexed && (merged.landed.contains(sha) || self.has_commit(pull, sha))
                }
                // One that was closed without a merge is not listed.
                None => issue.state == IssueState::Open && self.has_commit(pull, sha),
            }
        };
        repository.issues.values().filter(belongs).collect()
    }

    fn has_commit(&self, pull: &PullRequest, sha: &Sha) -> bool {
        self.pull_commits(pull)
            .iter()
            .any(|commit| commit.sha == *sha)
    }

    /// Returns a pull request; `None` for a plain issue.
    pub(crate) fn pull_json(
        &self,
        repository: &Repository,
        issue: &Issue,
        detail: PullDetail,
    ) -> Option<Value> {
        let pull = issue.pull.as_ref()?;
        let repo = self.urls.repo(&repository.full_name());
        let (url, page) = (
            format!("{repo}/pulls/{}", issue.number),
            self.issue_page(repository, issue),
        );
        let issue_url = format!("{repo}/issues/{}", issue.number);
        let statuses = format!("{repo}/statuses/{}", pull.head);
        let mut json = json!({
            "url": url,
            "id": issue.id,
            "node_id": node_id("PR", issue.id),
            "html_url": page,
            "diff_url": format!("{page}.diff"),
            "patch_url": format!("{page}.patch"),
            "issue_url": issue_url,
            "number": issue.number,
            "state": issue.state.name(),
            "locked": issue.locked,
            "title": issue.title,
            "user": self.user_json(&issue.user),
            "body": issue.body,
            "created_at": stamp(issue.created_at),
            "updated_at": stamp(issue.updated_at),
            "closed_at": issue.closed_at.map(stamp),
            "merged_at": pull.merged_at().map(stamp),
            "merge_commit_sha": self.merge_commit_sha(pull),
            "assignee": null,
            "assignees": [],
            "requested_reviewers": [],
            "requested_teams": [],
            "labels": self.pull_labels(repository, issue, detail),
            "milestone": null,
            "draft": pull.draft,
        });
        json["commits_url"] = json!(format!("{url}/commits"));
        json["review_comments_url"] = json!(format!("{url}/comments"));
        json["review_comment_url"] = json!(format!("{repo}/pulls/comments{{/number}}"));
        json["comments_url"] = json!(format!("{issue_url}/comments"));
        json["statuses_url"] = json!(statuses);
        json["head"] = self.end(&pull.head_repo, &pull.head_branch, &pull.head);
        json["base"] = self.end(&repository.full_name(), &pull.base_branch, &pull.base);
        json["_links"] = json!({
            "self": {"href": url},
            "html": {"href": page},
            "issue": {"href": issue_url},
            "comments": {"href": format!("{issue_url}/comments")},
            "review_comments": {"href": format!("{url}/comments")},
            "review_comment": {"href": format!("{repo}/pulls/comments{{/number}}")},
            "commits": {"href": format!("{url}/commits")},
            "statuses": {"href": statuses},
        });
        json["author_association"] = json!(self.association(repository, &issue.user));
        json["auto_merge"] = Value::Null;
        json["active_lock_reason"] = Value::Null;
        if detail == PullDetail::Full {
            self.add_counts(&mut json, repository, issue, pull);
        }
        Some(json)
    }

    fn add_counts(
        &self,
        json: &mut Value,
        repository: &Repository,
        issue: &Issue,
        pull: &PullRequest,
    ) {
        let files = self.pull_files(pull);
        let mergeable = pull
            .merged
            .is_none()
            .then(|| self.test_merge(pull).is_some());
        json["merged"] = json!(pull.merged.is_some());
        // GitHub stops working it out once the pull request is merged.
        json["mergeable"] = json!(mergeable);
        json["rebaseable"] = json!(mergeable);
        json["mergeable_state"] = json!(match mergeable {
            Some(true) => "clean",
            Some(false) => "dirty",
            None => "unknown",
        });
        json["merged_by"] = pull
            .merged
            .as_ref()
            .map_or(Value::Null, |merged| self.user_json(&merged.by));
        json["comments"] = json!(self.comments(&repository.full_name(), issue.number).len());
        json["review_comments"] = json!(0);
        json["maintainer_can_modify"] = json!(false);
        json["commits"] = json!(self.pull_commits(pull).len());
        json["additions"] = json!(files.iter().map(|file| file.additions).sum::<usize>());
        json["deletions"] = json!(files.iter().map(|file| file.deletions).sum::<usize>());
        json["changed_files"] = json!(files.len());
    }

    /// Returns one end of a pull request.
    fn end(&self, repo: &str, branch: &str, sha: &Sha) -> Value {
        let (owner, _) = repo.split_once('/').unwrap_or((repo, ""));
        let repository = self
            .repository(repo)
            .map(|repository| self.repository_json(repository));
        json!({
            "label": format!("{owner}:{branch}"),
            "ref": branch,
            "sha": sha.as_str(),
            "user": self.user_json(owner),
            "repo": repository,
        })
    }

    /// An open pull request has one too: the commit GitHub made to see whether it can be merged.
    fn merge_commit_sha(&self, pull: &PullRequest) -> Option<String> {
        match &pull.merged {
            Some(merged) => Some(merged.commit.to_string()),
            None => self.test_merge(pull).map(|sha| sha.to_string()),
        }
    }

    /// Returns the name of the test merge, which is on no branch; `None` for a conflict.
    fn test_merge(&self, pull: &PullRequest) -> Option<Sha> {
        let parts = [
            b"test merge".as_slice(),
            pull.base.as_str().as_bytes(),
            pull.head.as_str().as_bytes(),
        ];
        self.merged_tree(&pull.base, &pull.head)
            .ok()
            .map(|_| Sha::of(&parts))
    }

    /// The API description wants text in a list's label descriptions where it allows `null` elsewhere.
    fn pull_labels(
        &self,
        repository: &Repository,
        issue: &Issue,
        detail: PullDetail,
    ) -> Vec<Value> {
        let mut labels = self.labels_json(repository, &issue.labels);
        if detail == PullDetail::Simple {
            for label in labels
                .iter_mut()
                .filter(|label| label["description"].is_null())
            {
                label["description"] = json!("");
            }
        }
        labels
    }
}
