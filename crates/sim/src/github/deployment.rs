//! Deployments and their statuses: an append-only list that anyone with the permission can write.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::commit::NewCommit;
use super::{GitHubState, Repository, Sha, node_id, stamp};

/// A deployment.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Ascending with age.
    pub id: u64,
    /// What `ref` meant when the deployment was made: forty hex digits.
    pub sha: String,
    /// As sent.
    pub reference: String,
    /// `deploy` unless sent.
    pub task: String,
    /// Text or object, as sent; an empty object where nothing was sent.
    pub payload: Value,
    /// `production` unless sent; a status can change it.
    pub environment: String,
    /// `None` or text, as sent.
    pub description: Option<String>,
    /// The login of its author.
    pub creator: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its newest status was made.
    pub updated_at: Timestamp,
    /// Oldest first.
    pub statuses: Vec<DeploymentStatus>,
    original_environment: String,
    transient: bool,
    production: bool,
}

/// A status of a deployment.
#[derive(Debug, Clone)]
pub struct DeploymentStatus {
    /// Ascending with age.
    pub id: u64,
    /// `success`, `failure`, `inactive` and the like.
    pub state: String,
    /// Text, empty unless sent.
    pub description: String,
    /// As sent, or the deployment's.
    pub environment: String,
    /// Also the `target_url`; empty unless sent.
    pub log_url: String,
    /// Empty unless sent.
    pub environment_url: String,
    /// The login of its author.
    pub creator: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a call to make a deployment asks for.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct DeploymentRequest {
    #[serde(rename = "ref")]
    pub(crate) reference: String,
    #[serde(default = "default_task")]
    task: String,
    #[serde(default = "yes")]
    auto_merge: bool,
    required_contexts: Option<Vec<String>>,
    #[serde(default = "empty_object")]
    payload: Value,
    #[serde(default = "default_environment")]
    environment: String,
    description: Option<String>,
    #[serde(default)]
    transient_environment: bool,
    production_environment: Option<bool>,
}

fn default_task() -> String {
    "deploy".to_owned()
}

fn default_environment() -> String {
    "production".to_owned()
}

fn empty_object() -> Value {
    Value::Object(Map::new())
}

fn yes() -> bool {
    true
}

/// What a call to add a status asks for.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct StatusRequest {
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[serde(default)]
    log_url: Option<String>,
    #[serde(default)]
    target_url: Option<String>,
    environment: Option<String>,
    #[serde(default)]
    environment_url: Option<String>,
    #[serde(default = "yes")]
    auto_inactive: bool,
}

impl StatusRequest {
    /// The states the API description allows.
    pub(crate) const STATES: [&'static str; 7] = [
        "error",
        "failure",
        "inactive",
        "in_progress",
        "queued",
        "pending",
        "success",
    ];
    /// The longest description, in characters (published limit).
    pub(crate) const DESCRIPTION_LIMIT: usize = 140;
}

/// Why no deployment was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeploymentRefusal {
    NoRepository,
    /// The reference means nothing here.
    NoRef,
    /// The default branch was merged into the reference instead; the caller is to ask again.
    Merged(String),
    /// The reference is behind the default branch and cannot be brought up.
    Conflict(String),
    /// A required status is missing.
    ChecksFailed(String),
}

impl GitHubState {
    /// Makes a deployment.
    ///
    /// `auto_merge` is on unless switched off: a branch behind the default branch is brought up to
    /// it and *no* deployment is made; for a commit that is behind, the answer is a conflict.
    pub(crate) fn add_deployment(
        &mut self,
        repo: &str,
        creator: &str,
        request: DeploymentRequest,
        now: Timestamp,
    ) -> Result<&Deployment, DeploymentRefusal> {
        let repository = self
            .repository(repo)
            .ok_or(DeploymentRefusal::NoRepository)?;
        let commit = self
            .resolve(repository, &request.reference)
            .ok_or(DeploymentRefusal::NoRef)?;
        let sha = commit.sha.clone();
        if request.auto_merge {
            self.bring_up(repo, &request.reference, &sha, creator, now)?;
        }
        // Nobody reports statuses in this world: without a list there is nothing to wait for.
        if request
            .required_contexts
            .is_some_and(|contexts| !contexts.is_empty())
        {
            let reference = request.reference;
            return Err(DeploymentRefusal::ChecksFailed(format!(
                "Conflict: Commit status checks failed for {reference}."
            )));
        }
        let id = self.ids.next();
        let repository = self
            .repository_mut(repo)
            .ok_or(DeploymentRefusal::NoRepository)?;
        let production = request
            .production_environment
            .unwrap_or(request.environment == "production");
        let deployment = Deployment {
            id,
            sha: sha.to_string(),
            reference: request.reference,
            task: request.task,
            payload: request.payload,
            original_environment: request.environment.clone(),
            environment: request.environment,
            description: request.description,
            creator: creator.to_owned(),
            created_at: now,
            updated_at: now,
            statuses: Vec::new(),
            transient: request.transient_environment,
            production,
        };
        Ok(repository.deployments.entry(id).or_insert(deployment))
    }

    fn bring_up(
        &mut self,
        repo: &str,
        reference: &str,
        sha: &Sha,
        author: &str,
        now: Timestamp,
    ) -> Result<(), DeploymentRefusal> {
        let repository = self
            .repository(repo)
            .ok_or(DeploymentRefusal::NoRepository)?;
        let default = repository.default_branch.clone();
        let network = repository.network.clone();
        let Some(tip) = repository.branches.get(&default).cloned() else {
            return Ok(());
        };
        if self.commits.contains(sha, &tip) {
            return Ok(());
        }
        let is_branch = repository.branches.contains_key(reference);
        let tree = self.merged_tree(sha, &tip).ok().filter(|_| is_branch);
        let Some(tree) = tree else {
            return Err(DeploymentRefusal::Conflict(format!(
                "Conflict merging {default} into {reference}."
            )));
        };
        let message = format!("Merge branch '{default}' into {reference}");
        let merged = self.commits.add(NewCommit {
            network: &network,
            sha: None,
            parents: vec![sha.clone(), tip],
            message: &message,
            author,
            date: now,
            tree,
        });
        if let Some(repository) = self.repository_mut(repo) {
            repository.branches.insert(reference.to_owned(), merged);
        }
        Err(DeploymentRefusal::Merged(format!(
            "Auto-merged {default} into {reference} on deployment."
        )))
    }

    /// Adds a status; `None` where there is no such deployment.
    ///
    /// A success makes older successes in the same environment `inactive`, unless the request
    /// says not to; production and transient deployments are left alone, as published.
    pub(crate) fn add_deployment_status(
        &mut self,
        repo: &str,
        deployment: u64,
        (creator, request): (&str, StatusRequest),
        now: Timestamp,
    ) -> Option<&DeploymentStatus> {
        let id = self.ids.next();
        let repository = self.repositories.get_mut(&repo.to_lowercase())?;
        let target = repository.deployments.get_mut(&deployment)?;
        let environment = request
            .environment
            .unwrap_or_else(|| target.environment.clone());
        target.environment.clone_from(&environment);
        let log_url = request
            .log_url
            .filter(|url| !url.is_empty())
            .or(request.target_url);
        target.updated_at = now;
        target.statuses.push(DeploymentStatus {
            id,
            state: request.state.clone(),
            description: request.description.unwrap_or_default(),
            environment: environment.clone(),
            log_url: log_url.unwrap_or_default(),
            environment_url: request.environment_url.unwrap_or_default(),
            creator: creator.to_owned(),
            created_at: now,
        });
        if request.auto_inactive && request.state == "success" {
            let older = repository
                .deployments
                .range_mut(..deployment)
                .map(|(_, older)| older);
            for older in older.filter(|older| !older.transient && !older.production) {
                let Some(last) = older.statuses.last().cloned() else {
                    continue;
                };
                if last.state == "success" && last.environment == environment {
                    let state = "inactive".to_owned();
                    let (id, created_at) = (self.ids.next(), now);
                    older.updated_at = now;
                    older.statuses.push(DeploymentStatus {
                        id,
                        state,
                        created_at,
                        ..last
                    });
                }
            }
        }
        repository
            .deployments
            .get(&deployment)?
            .statuses
            .iter()
            .find(|status| status.id == id)
    }

    /// Returns the deployments of a repository, oldest first.
    #[must_use]
    pub fn deployments(&self, repo: &str) -> Vec<&Deployment> {
        self.repository(repo)
            .map(|one| one.deployments.values().collect())
            .unwrap_or_default()
    }

    /// Returns `deployment`.
    pub(crate) fn deployment_json(
        &self,
        repository: &Repository,
        deployment: &Deployment,
    ) -> Value {
        let repo = self.urls.repo(&repository.full_name());
        let url = format!("{repo}/deployments/{}", deployment.id);
        json!({
            "url": url,
            "id": deployment.id,
            "node_id": node_id("DE", deployment.id),
            "sha": deployment.sha,
            "ref": deployment.reference,
            "task": deployment.task,
            "payload": deployment.payload,
            "original_environment": deployment.original_environment,
            "environment": deployment.environment,
            "description": deployment.description,
            "creator": self.user_json(&deployment.creator),
            "created_at": stamp(deployment.created_at),
            "updated_at": stamp(deployment.updated_at),
            "statuses_url": format!("{url}/statuses"),
            "repository_url": repo,
            "transient_environment": deployment.transient,
            "production_environment": deployment.production,
            "performed_via_github_app": null,
        })
    }

    /// Returns `deployment-status`.
    pub(crate) fn deployment_status_json(
        &self,
        repository: &Repository,
        deployment: &Deployment,
        status: &DeploymentStatus,
    ) -> Value {
        let repo = self.urls.repo(&repository.full_name());
        let url = format!("{repo}/deployments/{}", deployment.id);
        json!({
            "url": format!("{url}/statuses/{}", status.id),
            "id": status.id,
            "node_id": node_id("DES", status.id),
            "state": status.state,
            "creator": self.user_json(&status.creator),
            "description": status.description,
            "environment": status.environment,
            "target_url": status.log_url,
            "created_at": stamp(status.created_at),
            "updated_at": stamp(status.created_at),
            "deployment_url": url,
            "repository_url": repo,
            "environment_url": status.environment_url,
            "log_url": status.log_url,
            "performed_via_github_app": null,
        })
    }
}
