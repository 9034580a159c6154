//! GitHub Deployments as an append-only store: one deployment per entry, its statuses after it.
//!
//! GitHub never deploys anything because of these. What an entry means is the caller's business;
//! here it is a payload with an id. Deployments are only ever added, and their statuses never
//! switch others off (`auto_inactive: false`).
//!
//! API: <https://docs.github.com/rest/deployments/deployments> and `.../statuses`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Call, GitHub, Pages, PagesEnd};
use crate::error::{Effect, Error, ErrorKind, Permission};
use crate::id::{GitHubDeploymentId, Sha, StatusId};
use crate::wire::{Account, sha_or_none, time_or_none};

/// The longest description of a status, in characters. Source: the API description.
pub const STATUS_DESCRIPTION_CHARS: usize = 140;

/// How many pages of a hundred are read of one task's deployments, or one deployment's statuses.
const MOST_PAGES: u32 = 10;

/// A deployment to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDeployment {
    /// The commit or branch that it is about.
    pub git_ref: String,
    /// What it is for; deployments are looked up by it.
    pub task: String,
    /// The environment's name on GitHub's pages. GitHub makes it when it does not exist.
    pub environment: String,
    /// A short text for GitHub's pages.
    pub description: String,
    /// The entry. It must differ from that of every other deployment of the task (hold a nonce),
    /// because after a doubtful creation the entry is recognised by it.
    pub payload: Value,
}

/// A deployment as GitHub keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Its id; ascending in the order of creation.
    pub id: GitHubDeploymentId,
    /// When it was made, by GitHub's clock.
    pub created_at: Option<jiff::Timestamp>,
    /// The entry.
    pub payload: Value,
    /// The commit that it is about.
    pub sha: Option<Sha>,
    /// What it is for.
    pub task: String,
    /// The environment's name.
    pub environment: Option<String>,
    /// Who made it.
    pub creator: Option<String>,
}

/// The state of a deployment, in GitHub's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeploymentState {
    /// Waiting to begin.
    Queued,
    /// Waiting for something else.
    Pending,
    /// Under way.
    InProgress,
    /// Ended well.
    Success,
    /// Ended badly.
    Failure,
    /// Could not be done.
    Error,
    /// Replaced.
    Inactive,
    /// Something else; never sent.
    Other(String),
}

impl DeploymentState {
    /// Returns GitHub's word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Queued => "queued",
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Inactive => "inactive",
            Self::Other(word) => word,
        }
    }

    fn from_word(word: String) -> Self {
        match word.as_str() {
            "queued" => Self::Queued,
            "pending" => Self::Pending,
            "in_progress" => Self::InProgress,
            "success" => Self::Success,
            "failure" => Self::Failure,
            "error" => Self::Error,
            "inactive" => Self::Inactive,
            _ => Self::Other(word),
        }
    }
}

/// A status to be added to a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStatus {
    /// The state.
    pub state: DeploymentState,
    /// A text of at most [`STATUS_DESCRIPTION_CHARS`] characters.
    pub description: String,
    /// A page with the log.
    pub log_url: Option<String>,
    /// The page of what was deployed.
    pub environment_url: Option<String>,
}

/// A status of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentStatus {
    /// Its id; ascending in the order of creation.
    pub id: StatusId,
    /// The state.
    pub state: DeploymentState,
    /// Its text.
    pub description: String,
    /// The page with the log.
    pub log_url: Option<String>,
    /// When it was added, by GitHub's clock.
    pub created_at: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
struct WireDeployment {
    id: GitHubDeploymentId,
    #[serde(default, deserialize_with = "time_or_none")]
    created_at: Option<jiff::Timestamp>,
    #[serde(default)]
    payload: Value,
    #[serde(default, deserialize_with = "sha_or_none")]
    sha: Option<Sha>,
    #[serde(default)]
    task: String,
    environment: Option<String>,
    creator: Option<Account>,
}

impl From<WireDeployment> for Deployment {
    fn from(wire: WireDeployment) -> Self {
        Self {
            id: wire.id,
            created_at: wire.created_at,
            payload: unwrapped(wire.payload),
            sha: wire.sha,
            task: wire.task,
            environment: wire.environment,
            creator: wire.creator.and_then(|creator| creator.login),
        }
    }
}

/// Returns the payload as the object that it is: the API description allows both an object and
/// a text that holds JSON.
fn unwrapped(payload: Value) -> Value {
    match payload {
        Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        other => other,
    }
}

#[derive(Deserialize)]
struct WireStatus {
    id: StatusId,
    state: String,
    #[serde(default)]
    description: Option<String>,
    log_url: Option<String>,
    #[serde(default, deserialize_with = "time_or_none")]
    created_at: Option<jiff::Timestamp>,
}

impl From<WireStatus> for DeploymentStatus {
    fn from(wire: WireStatus) -> Self {
        Self {
            id: wire.id,
            state: DeploymentState::from_word(wire.state),
            description: wire.description.unwrap_or_default(),
            log_url: wire.log_url.filter(|url| !url.is_empty()),
            created_at: wire.created_at,
        }
    }
}

impl GitHub {
    /// Makes a deployment, once: after a doubtful reply the task's deployments are searched for
    /// this payload before anything is sent again.
    ///
    /// Creation is not idempotent at GitHub, so a request that is carried out very late can
    /// still leave two with one payload; a reader folds them by what the payload says.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MissingPermission`] without `deployments: write`; an error with
    /// [`Error::may_have_applied`] when it stays unknown whether the deployment exists.
    pub async fn create_deployment(&self, new: &NewDeployment) -> Result<Deployment, Error> {
        let call = Call::create(
            self.path("/deployments"),
            json!({
                "ref": new.git_ref,
                "task": new.task,
                "environment": new.environment,
                "description": new.description,
                "payload": new.payload,
                "auto_merge": false,
                "required_contexts": [],
                "production_environment": false,
            }),
            Permission::DeploymentsWrite,
            format!("create a deployment in `{}`", self.repo_name()),
        );
        self.create_once(
            || async { Ok(self.json::<WireDeployment>(&call).await?.into()) },
            || async {
                let deployments = self.deployments(&new.task).await?;
                Ok(deployments
                    .into_iter()
                    .find(|deployment| deployment.payload == new.payload))
            },
        )
        .await
    }

    /// Lists the deployments of a task, oldest first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] beyond a thousand: an entry that was not read could be the one
    /// that matters.
    pub async fn deployments(&self, task: &str) -> Result<Vec<Deployment>, Error> {
        let call = Call::get(
            self.path("/deployments"),
            Permission::DeploymentsRead,
            format!("list the deployments of `{task}` in `{}`", self.repo_name()),
        )
        .query("task", task);
        let pages: Pages<WireDeployment> = self.pages(call.clone(), MOST_PAGES).await?;
        let items = whole(pages, &call, "1000 deployments")?;
        let mut deployments: Vec<Deployment> = items.into_iter().map(Deployment::from).collect();
        // GitHub lists the newest first, so one made meanwhile shows an older one twice.
        deployments.sort_by_key(|deployment| deployment.id);
        deployments.dedup_by_key(|deployment| deployment.id);
        Ok(deployments)
    }

    /// Reads one deployment.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is none of that id.
    pub async fn deployment(&self, id: GitHubDeploymentId) -> Result<Deployment, Error> {
        let call = Call::get(
            self.path(&format!("/deployments/{id}")),
            Permission::DeploymentsRead,
            format!("read the deployment {id} of `{}`", self.repo_name()),
        );
        Ok(self.json::<WireDeployment>(&call).await?.into())
    }

    /// Adds a status to a deployment; after a doubtful reply the newest status is looked at
    /// before anything is sent again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLong`] for a description beyond [`STATUS_DESCRIPTION_CHARS`], before
    /// anything is sent; [`ErrorKind::MissingPermission`] without `deployments: write`.
    pub async fn create_status(
        &self,
        id: GitHubDeploymentId,
        new: &NewStatus,
    ) -> Result<DeploymentStatus, Error> {
        let attempted = format!(
            "add the status `{}` to the deployment {id} of `{}`",
            new.state.as_str(),
            self.repo_name()
        );
        if new.description.chars().count() > STATUS_DESCRIPTION_CHARS {
            return Err(Error::new(
                attempted,
                Effect::Create,
                ErrorKind::TooLong {
                    limit_chars: STATUS_DESCRIPTION_CHARS,
                },
            ));
        }
        let mut body = json!({
            "state": new.state.as_str(),
            "description": new.description,
            "auto_inactive": false,
        });
        if let Value::Object(fields) = &mut body {
            let links = [
                ("log_url", &new.log_url),
                ("environment_url", &new.environment_url),
            ];
            for (name, link) in links {
                if let Some(link) = link {
                    fields.insert(name.to_owned(), Value::from(link.as_str()));
                }
            }
        }
        let call = Call {
            limit_chars: STATUS_DESCRIPTION_CHARS,
            ..Call::create(
                self.path(&format!("/deployments/{id}/statuses")),
                body,
                Permission::DeploymentsWrite,
                attempted,
            )
        };
        self.create_once(
            || async { Ok(self.json::<WireStatus>(&call).await?.into()) },
            || async {
                let newest = self.statuses(id).await?.pop();
                Ok(newest.filter(|status| {
                    status.state == new.state && status.description == new.description
                }))
            },
        )
        .await
    }

    /// Lists the statuses of a deployment, oldest first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] beyond a thousand.
    pub async fn statuses(&self, id: GitHubDeploymentId) -> Result<Vec<DeploymentStatus>, Error> {
        let call = Call::get(
            self.path(&format!("/deployments/{id}/statuses")),
            Permission::DeploymentsRead,
            format!(
                "list the statuses of the deployment {id} of `{}`",
                self.repo_name()
            ),
        );
        let pages: Pages<WireStatus> = self.pages(call.clone(), MOST_PAGES).await?;
        let items = whole(pages, &call, "1000 statuses")?;
        let mut statuses: Vec<DeploymentStatus> =
            items.into_iter().map(DeploymentStatus::from).collect();
        statuses.sort_by_key(|status| status.id);
        statuses.dedup_by_key(|status| status.id);
        Ok(statuses)
    }
}

fn whole<T>(pages: Pages<T>, call: &Call, limit: &str) -> Result<Vec<T>, Error> {
    match pages.end {
        PagesEnd::Complete => Ok(pages.items),
        PagesEnd::CutOff => Err(call.failed(ErrorKind::TooLarge {
            limit: limit.to_owned(),
        })),
    }
}
