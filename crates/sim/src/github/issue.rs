//! Issues; a pull request is an issue with more to it, and shares its number, labels and comments.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::comment::reactions;
use super::{GitHubState, PullRequest, Repository, node_id, stamp};

/// Whether an issue is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IssueState {
    Open,
    Closed,
}

impl IssueState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// An issue or pull request.
#[derive(Debug, Clone)]
pub(crate) struct Issue {
    pub(crate) id: u64,
    pub(crate) number: u64,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) user: String,
    pub(crate) state: IssueState,
    /// Proper names of the repository's labels, in the order they were put on.
    pub(crate) labels: Vec<String>,
    /// A locked conversation refuses comments.
    pub(crate) locked: bool,
    /// A deleted issue answers 410.
    pub(crate) deleted: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) closed_at: Option<Timestamp>,
    pub(crate) pull: Option<PullRequest>,
}

impl GitHubState {
    /// Returns `issue`.
    pub(crate) fn issue_json(&self, repository: &Repository, issue: &Issue) -> Value {
        let repo = self.urls.repo(&repository.full_name());
        let url = format!("{repo}/issues/{}", issue.number);
        let comments = self.comments(&repository.full_name(), issue.number).len();
        let mut json = json!({
            "url": url,
            "repository_url": repo,
            "labels_url": format!("{url}/labels{{/name}}"),
            "comments_url": format!("{url}/comments"),
            "events_url": format!("{url}/events"),
            "html_url": self.issue_page(repository, issue),
            "id": issue.id,
            "node_id": node_id(if issue.pull.is_some() { "PR" } else { "I" }, issue.id),
            "number": issue.number,
            "title": issue.title,
            "user": self.user_json(&issue.user),
            "labels": self.labels_json(repository, &issue.labels),
            "state": issue.state.name(),
            "locked": issue.locked,
            "assignee": null,
            "assignees": [],
            "milestone": null,
            "comments": comments,
            "created_at": stamp(issue.created_at),
            "updated_at": stamp(issue.updated_at),
            "closed_at": issue.closed_at.map(stamp),
            "author_association": self.association(repository, &issue.user),
            "active_lock_reason": null,
            "body": issue.body,
        });
        json["reactions"] = reactions(&url);
        json["timeline_url"] = json!(format!("{url}/timeline"));
        json["state_reason"] = Value::Null;
        if let Some(pull) = &issue.pull {
            let page = self.issue_page(repository, issue);
            json["draft"] = json!(pull.draft);
            json["pull_request"] = json!({
                "url": format!("{repo}/pulls/{}", issue.number),
                "html_url": page,
                "diff_url": format!("{page}.diff"),
                "patch_url": format!("{page}.patch"),
                "merged_at": pull.merged_at().map(stamp),
            });
        }
        json
    }
}
