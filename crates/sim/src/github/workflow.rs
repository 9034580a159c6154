//! Workflows: the files under `.github/workflows`, the dispatches they got and the runs they made.
//!
//! Nothing runs here: a run is a record that a story starts and ends.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::commit::tree_sha;
use super::{GitHubState, Repository, Sha, node_id, stamp};

/// A `workflow_dispatch` that somebody asked for over the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// The path of the workflow's file.
    pub workflow: String,
    /// The branch or tag, as sent.
    pub reference: String,
    /// The inputs, as sent.
    pub inputs: BTreeMap<String, Value>,
    /// Who asked.
    pub sender: String,
    /// The run it made.
    pub run_id: u64,
    /// When.
    pub at: Timestamp,
}

/// A workflow file on the default branch.
#[derive(Debug, Clone)]
pub(crate) struct Workflow {
    pub(crate) id: u64,
    pub(crate) path: String,
    /// Whether the file mentions the event `workflow_dispatch` at all.
    pub(crate) dispatchable: bool,
}

/// What a story says about a run that it starts.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    /// The path of the workflow's file.
    pub workflow: &'a str,
    /// `push`, `workflow_dispatch` and the like.
    pub event: &'a str,
    /// The branch it runs on.
    pub branch: &'a str,
    /// Who caused it.
    pub actor: &'a str,
}

/// A workflow run.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) id: u64,
    number: u64,
    workflow: String,
    event: String,
    branch: String,
    head: Sha,
    actor: String,
    status: String,
    conclusion: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl GitHubState {
    /// Returns the workflow with a number or a file name.
    pub(crate) fn workflow(&self, repository: &Repository, id: &str) -> Option<Workflow> {
        let head = self.resolve(repository, &repository.default_branch)?;
        let files = head
            .tree
            .iter()
            .filter(|(path, _)| path.starts_with(".github/workflows/"));
        let mut workflows = files.map(|(path, content)| Workflow {
            id: workflow_id(path),
            path: path.clone(),
            dispatchable: String::from_utf8_lossy(content).contains("workflow_dispatch"),
        });
        workflows.find(|one| {
            one.path == id || one.path.rsplit('/').next() == Some(id) || one.id.to_string() == id
        })
    }

    /// Records a dispatch and the run that it makes; `None` where the reference means nothing.
    pub(crate) fn add_dispatch(
        &mut self,
        repo: &str,
        (workflow, reference): (&str, &str),
        (sender, inputs): (&str, BTreeMap<String, Value>),
        now: Timestamp,
    ) -> Option<u64> {
        let branch = reference.strip_prefix("refs/heads/").unwrap_or(reference);
        let run = NewRun {
            workflow,
            event: "workflow_dispatch",
            branch,
            actor: sender,
        };
        let run_id = self.start_run(repo, &run, now)?;
        let dispatch = Dispatch {
            workflow: workflow.to_owned(),
            reference: reference.to_owned(),
            inputs,
            sender: sender.to_owned(),
            run_id,
            at: now,
        };
        self.repository_mut(repo)?.dispatches.push(dispatch);
        Some(run_id)
    }

    /// Returns the dispatches that a repository got over the API, oldest first.
    #[must_use]
    pub fn dispatches(&self, repo: &str) -> &[Dispatch] {
        self.repository(repo)
            .map(|repository| repository.dispatches.as_slice())
            .unwrap_or_default()
    }

    /// Starts a run on the head of a branch and returns its id; `None` where there is no such branch.
    pub fn start_run(&mut self, repo: &str, new: &NewRun<'_>, now: Timestamp) -> Option<u64> {
        self.know_user(new.actor);
        let head = self
            .resolve(self.repository(repo)?, new.branch)?
            .sha
            .clone();
        let id = self.ids.next();
        let repository = self.repository_mut(repo)?;
        let number = repository
            .runs
            .values()
            .filter(|run| run.workflow == new.workflow)
            .count()
            + 1;
        let run = Run {
            id,
            number: number as u64,
            workflow: new.workflow.to_owned(),
            event: new.event.to_owned(),
            branch: new.branch.to_owned(),
            head,
            actor: new.actor.to_owned(),
            status: "in_progress".to_owned(),
            conclusion: None,
            created_at: now,
            updated_at: now,
        };
        repository.runs.insert(id, run);
        Some(id)
    }

    /// Ends a run with a conclusion such as `success` or `cancelled`; does nothing where there is none.
    pub fn end_run(&mut self, repo: &str, id: u64, conclusion: &str, now: Timestamp) {
        let run = self
            .repository_mut(repo)
            .and_then(|repository| repository.runs.get_mut(&id));
        if let Some(run) = run {
            "completed".clone_into(&mut run.status);
            run.conclusion = Some(conclusion.to_owned());
            run.updated_at = now;
        }
    }

    /// Returns `workflow-run`.
    pub(crate) fn run_json(&self, repository: &Repository, run: &Run) -> Value {
        let name = repository.full_name();
        let repo = self.urls.repo(&name);
        let url = format!("{repo}/actions/runs/{}", run.id);
        let head = self.commits.get(&run.head);
        let workflow_id = workflow_id(&run.workflow);
        let git_user = head.map(|commit| {
            let email = self.users.get(&commit.author).map(super::user::User::email);
            json!({"name": commit.author, "email": email.unwrap_or_default()})
        });
        let head_commit = head.map(|commit| {
            json!({
                "id": commit.sha.as_str(),
                "tree_id": tree_sha(&commit.tree).as_str(),
                "message": commit.message,
                "timestamp": stamp(commit.date),
                "author": git_user,
                "committer": git_user,
            })
        });
        let title = head
            .and_then(|commit| commit.message.lines().next())
            .unwrap_or_default();
        let mut json = json!({
            "id": run.id,
            "name": run.workflow.rsplit('/').next(),
            "node_id": node_id("WFR", run.id),
            "head_branch": run.branch,
            "head_sha": run.head.as_str(),
            "path": run.workflow,
            "display_title": title,
            "run_number": run.number,
            "event": run.event,
            "status": run.status,
            "conclusion": run.conclusion,
            "workflow_id": workflow_id,
            "url": url,
            "html_url": format!("{}/actions/runs/{}", self.urls.page(&name), run.id),
            "pull_requests": [],
            "created_at": stamp(run.created_at),
            "updated_at": stamp(run.updated_at),
            "run_started_at": stamp(run.created_at),
            "run_attempt": 1,
            "actor": self.user_json(&run.actor),
            "triggering_actor": self.user_json(&run.actor),
        });
        for part in ["jobs", "logs", "artifacts", "cancel", "rerun"] {
            json[format!("{part}_url")] = json!(format!("{url}/{part}"));
        }
        json["check_suite_url"] = json!(format!("{repo}/check-suites/{}", run.id));
        json["workflow_url"] = json!(format!("{repo}/actions/workflows/{workflow_id}"));
        json["head_commit"] = json!(head_commit);
        json["repository"] = self.repository_json(repository);
        json["head_repository"] = self.repository_json(repository);
        json
    }
}

/// Returns the number of a workflow, which stays the same as long as its path does.
fn workflow_id(path: &str) -> u64 {
    let digits = Sha::of(&[b"workflow", path.as_bytes()]);
    let short: String = digits.as_str().chars().take(8).collect();
    u64::from_str_radix(&short, 16).unwrap_or_default()
}
