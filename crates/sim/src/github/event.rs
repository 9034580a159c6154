//! Webhook payloads: what `GITHUB_EVENT_PATH` holds when a workflow starts.
//!
//! Their shape is that of the payloads that GitHub publishes for `push`, `pull_request` and
//! `workflow_dispatch`. An `installation` is left out, as it is for a repository without an app.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::commit::tree_sha;
use super::diff::FileStatus;
use super::{Commit, GitHubState, PullDetail, Pushed, Repository, Sha, stamp};

impl GitHubState {
    /// Returns the payload of `push`; `None` for a push to a repository that is not here.
    #[must_use]
    pub fn push_event(&self, pushed: &Pushed) -> Option<Value> {
        let repository = self.repository(&pushed.repo)?;
        let page = self.urls.page(&repository.full_name());
        let after = Sha::parse(&pushed.after)?;
        let before = Sha::parse(&pushed.before).filter(|before| self.commits.get(before).is_some());
        let commits = match &before {
            Some(before) => self.commits.between(before, &after),
            None => self.commits.get(&after).into_iter().collect(),
        };
        let commits: Vec<Value> = commits
            .into_iter()
            .map(|commit| self.push_commit(repository, commit))
            .collect();
        let head = self
            .commits
            .get(&after)
            .map(|commit| self.push_commit(repository, commit));
        let forced = before
            .as_ref()
            .is_some_and(|before| !self.commits.contains(&after, before));
        let compare = format!(
            "{page}/compare/{}...{}",
            short(&pushed.before),
            short(&pushed.after)
        );
        Some(json!({
            "ref": format!("refs/heads/{}", pushed.branch),
            "before": pushed.before,
            "after": pushed.after,
            "repository": self.push_repository(repository),
            "pusher": {"name": pushed.by, "email": self.email(&pushed.by)},
            "sender": self.user_json(&pushed.by),
            "created": before.is_none(),
            "deleted": false,
            "forced": forced,
            "base_ref": null,
            "compare": compare,
            "commits": commits,
            "head_commit": head,
        }))
    }

    /// Returns the payload of `pull_request` with an action such as `labeled` or `closed`.
    ///
    /// `None` where there is no such pull request, or where the repository lacks the label.
    #[must_use]
    pub fn pull_request_event(
        &self,
        (repo, number): (&str, u64),
        action: &str,
        label: Option<&str>,
        sender: &str,
    ) -> Option<Value> {
        let repository = self.repository(repo)?;
        let issue = repository.issue(number)?;
        let mut event = json!({
            "action": action,
            "number": number,
            "pull_request": self.pull_json(repository, issue, PullDetail::Full)?,
            "repository": self.repository_json(repository),
            "sender": self.user_json(sender),
        });
        if let Some(name) = label {
            event["label"] = self.label_json(repository, repository.label(name)?);
        }
        if action == "synchronize" {
            let head = issue
                .pull
                .as_ref()
                .and_then(|pull| self.commits.get(&pull.head))?;
            event["after"] = json!(head.sha.as_str());
            event["before"] = json!(head.parents.first().map_or(Sha::NONE, Sha::as_str));
        }
        Some(event)
    }

    /// Returns the payload of `workflow_dispatch` on a branch; the inputs are those given, as text.
    ///
    /// `None` where there is no such repository.
    #[must_use]
    pub fn workflow_dispatch_event(
        &self,
        repo: &str,
        (workflow, branch): (&str, &str),
        inputs: &BTreeMap<String, String>,
        sender: &str,
    ) -> Option<Value> {
        let repository = self.repository(repo)?;
        Some(json!({
            "inputs": inputs,
            "ref": format!("refs/heads/{branch}"),
            "repository": self.repository_json(repository),
            "sender": self.user_json(sender),
            "workflow": workflow,
        }))
    }

    /// A push tells more of the owner, and gives two of the times as seconds.
    fn push_repository(&self, repository: &Repository) -> Value {
        let mut json = self.repository_json(repository);
        json["created_at"] = json!(repository.created_at.as_second());
        json["pushed_at"] = json!(repository.pushed_at.as_second());
        json["stargazers"] = json!(0);
        json["master_branch"] = json!(repository.default_branch);
        let mut owner = Map::new();
        owner.insert("name".into(), json!(repository.owner));
        owner.insert("email".into(), json!(self.email(&repository.owner)));
        if let Value::Object(facts) = self.user_json(&repository.owner) {
            owner.extend(facts);
        }
        json["owner"] = Value::Object(owner);
        json["url"] = json["html_url"].clone();
        json
    }

    fn push_commit(&self, repository: &Repository, commit: &Commit) -> Value {
        let changes = self.changed_files(commit);
        let (mut added, mut removed, mut modified) = (Vec::new(), Vec::new(), Vec::new());
        for change in changes {
            match change.status {
                FileStatus::Added => added.push(change.path),
                FileStatus::Removed => removed.push(change.path),
                FileStatus::Modified => modified.push(change.path),
                FileStatus::Renamed(from) => {
                    removed.push(from);
                    added.push(change.path);
                }
            }
        }
        let author = json!({
            "name": commit.author,
            "email": self.email(&commit.author),
            "username": commit.author,
        });
        let page = self.urls.page(&repository.full_name());
        json!({
            "id": commit.sha.as_str(),
            "tree_id": tree_sha(&commit.tree).as_str(),
            "distinct": true,
            "message": commit.message,
            "timestamp": stamp(commit.date),
            "url": format!("{page}/commit/{}", commit.sha),
            "author": author,
            "committer": author,
            "added": added,
            "removed": removed,
            "modified": modified,
        })
    }

    fn email(&self, login: &str) -> String {
        self.users
            .get(login)
            .map(super::user::User::email)
            .unwrap_or_default()
    }
}

/// Web addresses cut commit names to twelve digits.
fn short(sha: &str) -> &str {
    sha.get(..12).unwrap_or(sha)
}
