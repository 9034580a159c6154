//! What a test or a story does to a world from outside, by Rust calls. `/_sim/…` offers the same over HTTP.

use crate::app::{App, Breakage, Health};
use crate::clock::rfc3339;
use crate::error::ApiError;
use crate::executor::Execute;
use crate::fault::Fault;
use crate::github::{Act, ControlError, Edits, GitHubState, MergeMethod, Pushed};
use crate::knobs::{Knobs, Timing};
use crate::order::Refresh;
use crate::record::Request;
use crate::render::{WithSpec, deployment};
use crate::world::{Execution, State, World};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Whether a rollback pins the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// No further deployment until it is committed or reverted.
    Pinned,
    /// It is committed at once.
    Unpinned,
}

impl World {
    /// Returns the simulated time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.with(|state| state.clock.now())
    }

    /// Makes absolute URLs begin with `base`.
    pub fn set_public_base(&self, base: &str) {
        self.with(|state| state.set_public_base(base));
    }

    /// Returns what absolute URLs begin with.
    #[must_use]
    pub fn public_base(&self) -> String {
        self.with(|state| state.public_base.clone())
    }

    /// Lets so much simulated time pass at once, as for whoever was suspended meanwhile: by `tokio::time` nothing passed.
    pub fn skip(&self, span: Duration) {
        self.at_now(|state| state.clock.skip(span));
    }

    /// Replaces what carries jobs out; the default runs real processes.
    pub fn set_executor(&self, executor: impl Execute + 'static) {
        self.with(|state| state.executor = Box::new(executor));
    }

    /// Turns knobs.
    pub fn turn(&self, knobs: impl FnOnce(&mut Knobs)) {
        self.at_now(|state| knobs(&mut state.knobs));
    }

    /// Returns the knobs as they stand.
    #[must_use]
    pub fn knobs(&self) -> Knobs {
        self.with(|state| state.knobs.clone())
    }

    /// Arms a fault.
    pub fn arm(&self, fault: Fault) {
        self.with(|state| state.faults.arm(fault));
    }

    /// Forgets every fault that has not struck yet.
    pub fn disarm(&self) {
        self.with(|state| state.faults.clear());
    }

    /// Returns the faults that have not struck yet.
    #[must_use]
    pub fn armed(&self) -> Vec<Fault> {
        self.with(|state| state.faults.armed().cloned().collect())
    }

    /// Returns every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.with(|state| state.record.requests.clone())
    }

    /// Waits until a request is left without an answer for good, and returns the first one that was. What effect it
    /// was to have at once it has had by then.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn unanswered(&self) -> Request {
        loop {
            let silence = self.silence.notified();
            // It is woken by what happens from here on.
            let first = self.with(|state| {
                let record = &state.record;
                let place = *record.unanswered.first()?;
                record.requests.get(place).cloned()
            });
            match first {
                Some(request) => return request,
                None => silence.await,
            }
        }
    }

    /// Returns every job process so far.
    #[must_use]
    pub fn executions(&self) -> Vec<Execution> {
        self.at_now(|state| state.executions.clone())
    }

    /// Pushes a commit, and lets App Platform hear of it.
    ///
    /// # Errors
    /// As [`GitHubState::push`].
    pub fn push(
        &self,
        repo: &str,
        branch: &str,
        (edits, message): (&Edits, &str),
        login: &str,
    ) -> Result<Pushed, ControlError> {
        self.github_push(|github, at| {
            github.push(repo, branch, (edits, message), Act { login, at })
        })
    }

    /// Merges a pull request, and lets App Platform hear of it.
    ///
    /// # Errors
    /// As [`GitHubState::merge`].
    pub fn merge(
        &self,
        repo: &str,
        number: u64,
        method: MergeMethod,
        login: &str,
    ) -> Result<Pushed, ControlError> {
        self.github_push(|github, at| github.merge(repo, number, method, Act { login, at }))
    }

    /// Lets App Platform hear of a push that was made through [`World::github`].
    pub fn on_push(&self, pushed: &Pushed) {
        self.at_now(|state| state.on_push(pushed));
    }

    /// Edits an app's spec as another person would, in the control panel, and returns the deployment's id.
    ///
    /// # Errors
    /// As the platform answers the update.
    pub fn edit_spec(
        &self,
        app: &str,
        user: &str,
        edit: impl FnOnce(&mut Value),
    ) -> Result<String, ApiError> {
        self.at_now(|state| {
            let found = state.named(app)?;
            let (id, mut spec) = (found.id.clone(), found.spec.as_ref().clone());
            edit(&mut spec);
            state.put_spec(&id, &spec, Refresh::NewOnly, user)
        })
    }

    /// Replaces the trusted sources of a cluster (by id or name) as another person would.
    ///
    /// # Errors
    /// As the platform answers the update.
    pub fn edit_firewall(&self, cluster: &str, rules: &[Value]) -> Result<(), ApiError> {
        self.at_now(|state| {
            let found = state
                .clusters
                .iter()
                .find(|each| each.id == cluster || each.name == cluster);
            let id = found
                .map(|cluster| cluster.id.clone())
                .ok_or_else(ApiError::not_found)?;
            state.put_firewall(&id, rules)
        })
    }

    /// Deploys an app again as another person would, with the newest sources, and returns the deployment's id.
    ///
    /// # Errors
    /// As the platform answers.
    pub fn create_deployment(&self, app: &str, user: &str) -> Result<String, ApiError> {
        self.at_now(|state| {
            let id = state.named(app)?.id.clone();
            state.create_deployment(&id, false, user)
        })
    }

    /// Rolls an app back as another person would, and returns the new deployment's id.
    ///
    /// # Errors
    /// As the platform answers.
    pub fn rollback(
        &self,
        app: &str,
        deployment: &str,
        pin: Pin,
        user: &str,
    ) -> Result<String, ApiError> {
        self.at_now(|state| {
            let id = state.named(app)?.id.clone();
            state.rollback(&id, deployment, pin == Pin::Unpinned, user)
        })
    }

    /// Keeps the rollback that pinned an app as another person would.
    ///
    /// # Errors
    /// As the platform answers.
    pub fn commit_rollback(&self, app: &str) -> Result<(), ApiError> {
        self.at_now(|state| {
            let id = state.named(app)?.id.clone();
            state.commit_rollback(&id)
        })
    }

    /// Undoes the rollback that pinned an app as another person would, and returns the new deployment's id.
    ///
    /// # Errors
    /// As the platform answers.
    pub fn revert_rollback(&self, app: &str, user: &str) -> Result<String, ApiError> {
        self.at_now(|state| {
            let id = state.named(app)?.id.clone();
            state.revert_rollback(&id, user)
        })
    }

    /// Cancels a deployment of an app as another person would.
    ///
    /// # Errors
    /// As the platform answers.
    pub fn cancel_deployment(&self, app: &str, deployment: &str) -> Result<(), ApiError> {
        self.at_now(|state| {
            let id = state.named(app)?.id.clone();
            state.cancel(&id, deployment)
        })
    }

    /// Makes an app's live services answer or not.
    ///
    /// # Errors
    /// No such app.
    pub fn set_health(&self, app: &str, health: Health) -> Result<(), ApiError> {
        self.at_now(|state| state.named_mut(app).map(|app| app.health = health))
    }

    /// Makes something go wrong in the app's next deployment.
    ///
    /// # Errors
    /// No such app.
    pub fn break_next(&self, app: &str, breakage: Breakage) -> Result<(), ApiError> {
        self.at_now(|state| state.named_mut(app).map(|app| app.breakages.push(breakage)))
    }

    /// Changes how long the app's deployments take, from the next stage of the one in flight on.
    ///
    /// # Errors
    /// No such app.
    pub fn set_timing(&self, app: &str, set: impl FnOnce(&mut Timing)) -> Result<(), ApiError> {
        self.at_now(|state| state.named_mut(app).map(|app| set(&mut app.timing)))
    }

    /// Changes how long the processes of jobs take whose name fits `pattern` (`*` stands for any text), in seconds.
    ///
    /// # Errors
    /// No such app.
    pub fn set_job_seconds(&self, app: &str, pattern: &str, seconds: u64) -> Result<(), ApiError> {
        self.at_now(|state| {
            let app = state.named_mut(app)?;
            app.job_seconds.insert(pattern.to_owned(), seconds);
            Ok(())
        })
    }

    /// Returns everything there is to see, as JSON: apps with their deployments (newest first), databases with their
    /// rules, executions, and the comments and deployments of every repository.
    #[must_use]
    pub fn state(&self) -> Value {
        self.at_now(|state| {
            let apps: Vec<Value> = state.apps.iter().map(|app| app_state(state, app)).collect();
            let databases: Vec<Value> = state
                .clusters
                .iter()
                .map(|cluster| json!({"id": cluster.id, "name": cluster.name, "rules": cluster.rules}))
                .collect();
            json!({
                "now": rfc3339(state.now), "apps": apps, "databases": databases,
                "executions": state.executions, "github": github_state(&state.github),
            })
        })
    }
}

impl State {
    /// Returns an app by its id or name.
    ///
    /// # Errors
    /// No such app.
    pub(crate) fn named(&self, app: &str) -> Result<&App, ApiError> {
        self.apps
            .iter()
            .find(|each| each.id == app || each.name() == app)
            .ok_or_else(ApiError::not_found)
    }

    fn named_mut(&mut self, app: &str) -> Result<&mut App, ApiError> {
        self.apps
            .iter_mut()
            .find(|each| each.id == app || each.name() == app)
            .ok_or_else(ApiError::not_found)
    }
}

fn app_state(state: &State, app: &App) -> Value {
    let deployments = app.deployments.iter().rev();
    let deployments: Vec<Value> = deployments
        .map(|each| deployment(each, state.now, &state.knobs, WithSpec::Yes))
        .collect();
    json!({
        "id": app.id, "name": app.name(), "spec": app.spec.as_ref(), "health": app.health, "active": app.active,
        "in_progress": app.in_progress(&state.knobs).map(|each| &each.id),
        "pending": app.pending().map(|each| &each.id), "pinned": app.pinned, "deployments": deployments,
    })
}

/// Returns what of the GitHub half a story looks at: branches, issues with their labels, comments and deployments.
fn github_state(github: &GitHubState) -> Value {
    let repositories = github.repository_names().into_iter().filter_map(|name| {
        let repository = github.repository(&name)?;
        let branches: BTreeMap<&str, String> =
            repository.branches.iter().map(|(branch, sha)| (branch.as_str(), sha.to_string())).collect();
        let issues = repository.issues.values();
        let issues: Vec<Value> = issues
            .map(|issue| json!({"number": issue.number, "title": issue.title, "labels": issue.labels}))
            .collect();
        let comments = repository.comments.values();
        let comments: Vec<Value> = comments
            .map(|each| json!({"id": each.id, "number": each.number, "user": each.user, "body": each.body}))
            .collect();
        let deployments = repository.deployments.values();
        let deployments: Vec<Value> = deployments
            .map(|each| {
                let statuses: Vec<Value> = each
                    .statuses
                    .iter()
                    .map(|status| json!({"state": status.state, "description": status.description}))
                    .collect();
                json!({"id": each.id, "sha": each.sha, "task": each.task, "payload": each.payload,
                    "environment": each.environment, "statuses": statuses})
            })
            .collect();
        Some(json!({"name": name, "branches": branches, "issues": issues, "comments": comments,
            "deployments": deployments}))
    });
    Value::Array(repositories.collect())
}
