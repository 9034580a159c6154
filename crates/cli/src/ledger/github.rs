//! The ledger of a workflow: a GitHub Deployment per claim.
//!
//! A claim is the deployment's payload, its place the deployment's id, its time the time that GitHub gives it. How it
//! ended is a status: a word for GitHub's pages and a short code in the description, since a status has no payload. A
//! reader goes by the codes alone, and by the strongest of those that are ours: GitHub itself adds `inactive` when other
//! deployments follow, and other tools may add what they like.
//!
//! At most one insertion per epoch holds among all workflows of one repository. Deployments are found by their task,
//! which names the key, so that an entry is found years later in one call.

use futures_util::future::BoxFuture;
use github::{
    Deployment, DeploymentState, Error, ErrorKind, GitHub, GitHubDeploymentId, NewDeployment,
    NewStatus, Permission,
};
use migration::{Claim, EntryId, Key, LedgerEntry, LedgerOutcome, StepName};
use runner::{Ledger, LedgerError};
use std::sync::{Arc, Mutex, PoisonError};

/// What the task of a claim's deployment begins with; the key follows.
const TASK: &str = "app-platform-migration:";

/// The version of an outcome's code.
const VERSION: &str = "v1";

/// Why an entry can't be believed.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// A workflow made it, and its payload is no claim: somebody may insert on it.
    #[error("the payload of GitHub deployment {id} is no claim that this version can read")]
    Payload {
        /// The deployment.
        id: GitHubDeploymentId,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// GitHub does not tell when it was made.
    #[error("GitHub deployment {id} has no time")]
    Undated {
        /// The deployment.
        id: GitHubDeploymentId,
    },
    /// A newer version recorded how it ended.
    #[error("a newer version recorded how GitHub deployment {id} ended")]
    Newer {
        /// The deployment.
        id: GitHubDeploymentId,
    },
}

/// The claims on one app, kept as deployments of a repository.
#[derive(Debug, Clone)]
pub struct GitHubLedger {
    github: GitHub,
    environment: String,
    git_ref: String,
    log_url: Option<String>,
    lacking: Arc<Mutex<Option<Permission>>>,
}

impl GitHubLedger {
    /// Returns the ledger of the app called `app` in the client's repository.
    ///
    /// `branch` is what a claim without a commit of its own is about; `log_url` is the page of this run, which GitHub
    /// shows beside the outcome.
    #[must_use]
    pub fn new(github: GitHub, app: &str, branch: &str, log_url: Option<String>) -> Self {
        Self {
            github,
            environment: format!("harbor-pilot/{app}"),
            git_ref: branch.to_owned(),
            log_url,
            lacking: Arc::default(),
        }
    }

    /// Returns the permission whose lack stopped the ledger, once it did.
    #[must_use]
    pub fn lacking(&self) -> Option<Permission> {
        *self.lacking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: Error) -> LedgerError {
        if let Some(what) = error.missing_permission() {
            *self.lacking.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
            return LedgerError::Refused(error.into());
        }
        match error.kind() {
            ErrorKind::Unauthorized | ErrorKind::NotFound | ErrorKind::Gone => {
                LedgerError::Refused(error.into())
            }
            _ => LedgerError::Unreachable(error.into()),
        }
    }

    async fn entry(
        &self,
        key: &Key,
        deployment: Deployment,
    ) -> Result<Option<LedgerEntry>, LedgerError> {
        let id = deployment.id;
        let claim: Claim = match serde_json::from_value(deployment.payload) {
            Ok(claim) => claim,
            // A person's deployment of that task is none of ours; a workflow's may be a claim of a newer version.
            Err(_)
                if !deployment
                    .creator
                    .is_some_and(|login| login.ends_with("[bot]")) =>
            {
                return Ok(None);
            }
            Err(source) => {
                return Err(LedgerError::Refused(
                    EntryError::Payload { id, source }.into(),
                ));
            }
        };
        if claim.key != *key {
            return Ok(None);
        }
        let Some(at) = deployment.created_at else {
            return Err(LedgerError::Unreachable(EntryError::Undated { id }.into()));
        };
        let statuses = self
            .github
            .statuses(id)
            .await
            .map_err(|error| self.failed(error))?;
        let mut entry = LedgerEntry {
            id: EntryId(id.0),
            at,
            claim,
            outcome: None,
        };
        for status in &statuses {
            match parse(&status.description) {
                Code::Ours(found) => entry.take(found),
                Code::Newer => return Err(LedgerError::Refused(EntryError::Newer { id }.into())),
                Code::Foreign => {}
            }
        }
        Ok(Some(entry))
    }
}

impl Ledger for GitHubLedger {
    fn append<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<EntryId, LedgerError>> {
        Box::pin(async move {
            let payload =
                serde_json::to_value(claim).map_err(|error| LedgerError::Refused(error.into()))?;
            let new = NewDeployment {
                git_ref: claim.sha.clone().unwrap_or_else(|| self.git_ref.clone()),
                task: task(&claim.key),
                environment: self.environment.clone(),
                description: format!("Migration {}, epoch {}", claim.migration, claim.epoch),
                // Holds the claimer's nonce, by which the client tells it from every other one.
                payload,
            };
            let made = self
                .github
                .create_deployment(&new)
                .await
                .map_err(|error| self.failed(error))?;
            Ok(EntryId(made.id.0))
        })
    }

    fn entries<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Vec<LedgerEntry>, LedgerError>> {
        Box::pin(async move {
            let deployments = self
                .github
                .deployments(&task(key))
                .await
                .map_err(|error| self.failed(error))?;
            let mut entries = Vec::new();
            for deployment in deployments {
                entries.extend(self.entry(key, deployment).await?);
            }
            Ok(entries)
        })
    }

    fn record<'a>(
        &'a self,
        entry: EntryId,
        outcome: &'a LedgerOutcome,
    ) -> BoxFuture<'a, Result<(), LedgerError>> {
        Box::pin(async move {
            let new = NewStatus {
                state: state(outcome),
                description: code(outcome),
                log_url: self.log_url.clone(),
                environment_url: None,
            };
            let recorded = self
                .github
                .create_status(GitHubDeploymentId(entry.0), &new)
                .await;
            recorded.map(drop).map_err(|error| self.failed(error))
        })
    }
}

fn task(key: &Key) -> String {
    format!("{TASK}{key}")
}

/// Returns the word that GitHub's pages show.
fn state(outcome: &LedgerOutcome) -> DeploymentState {
    match outcome {
        LedgerOutcome::Done => DeploymentState::Success,
        LedgerOutcome::Failed { .. } => DeploymentState::Failure,
        LedgerOutcome::Unproven { .. } => DeploymentState::Error,
        LedgerOutcome::NeverStarted | LedgerOutcome::Withdrawn => DeploymentState::Inactive,
    }
}

/// Returns the code that a reader goes by; a step's name has at most 64 characters, so it always fits.
fn code(outcome: &LedgerOutcome) -> String {
    match outcome {
        LedgerOutcome::Done => format!("{VERSION} done"),
        LedgerOutcome::Failed { step, code, check } => {
            format!("{VERSION} failed {step} {code} check={}", u8::from(*check))
        }
        LedgerOutcome::Unproven { done } => format!("{VERSION} unproven done={done}"),
        LedgerOutcome::NeverStarted => format!("{VERSION} never-started"),
        LedgerOutcome::Withdrawn => format!("{VERSION} withdrawn"),
    }
}

/// What a status's description says.
#[derive(Debug, PartialEq, Eq)]
enum Code {
    /// How the claim ended.
    Ours(LedgerOutcome),
    /// A code of a version that is not known here.
    Newer,
    /// Anything else, by GitHub or by other tools.
    Foreign,
}

fn parse(description: &str) -> Code {
    let words: Vec<&str> = description.split_whitespace().collect();
    let outcome = match words.as_slice() {
        [VERSION, "done"] => Some(LedgerOutcome::Done),
        [VERSION, "failed", step, code, check] => failed(step, code, check),
        [VERSION, "unproven", done] => {
            let done = done
                .strip_prefix("done=")
                .and_then(|done| done.parse().ok());
            done.map(|done| LedgerOutcome::Unproven { done })
        }
        [VERSION, "never-started"] => Some(LedgerOutcome::NeverStarted),
        [VERSION, "withdrawn"] => Some(LedgerOutcome::Withdrawn),
        _ => None,
    };
    match outcome {
        Some(outcome) => Code::Ours(outcome),
        None if words.first().is_some_and(|word| is_version(word)) => Code::Newer,
        None => Code::Foreign,
    }
}

fn failed(step: &str, code: &str, check: &str) -> Option<LedgerOutcome> {
    Some(LedgerOutcome::Failed {
        step: StepName::parse(step).ok()?,
        code: code.parse().ok()?,
        check: match check {
            "check=0" => false,
            "check=1" => true,
            _ => return None,
        },
    })
}

fn is_version(word: &str) -> bool {
    word.strip_prefix('v').is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes() -> Vec<LedgerOutcome> {
        let step = StepName::parse(&"s".repeat(64)).unwrap();
        vec![
            LedgerOutcome::Done,
            LedgerOutcome::Failed {
                step: step.clone(),
                code: i32::MIN,
                check: true,
            },
            LedgerOutcome::Failed {
                step,
                code: 1,
                check: false,
            },
            LedgerOutcome::Unproven { done: u32::MAX },
            LedgerOutcome::NeverStarted,
            LedgerOutcome::Withdrawn,
        ]
    }

    #[test]
    fn every_outcome_fits_a_status_and_comes_back() {
        for outcome in outcomes() {
            let code = code(&outcome);
            assert!(code.len() <= github::STATUS_DESCRIPTION_CHARS, "{code}");
            assert_eq!(parse(&code), Code::Ours(outcome));
        }
    }

    #[test]
    fn the_codes_stay_readable_for_years() {
        let step = StepName::parse("backfill").unwrap();
        let failed = LedgerOutcome::Failed {
            step,
            code: 1,
            check: false,
        };
        assert_eq!(code(&LedgerOutcome::Done), "v1 done");
        assert_eq!(code(&failed), "v1 failed backfill 1 check=0");
        assert_eq!(
            code(&LedgerOutcome::Unproven { done: 1 }),
            "v1 unproven done=1"
        );
    }

    #[test]
    fn what_others_write_is_passed_over_and_newer_codes_are_not() {
        for foreign in ["", "Deployment was marked inactive", "vast done", "done"] {
            assert_eq!(parse(foreign), Code::Foreign, "{foreign}");
        }
        for newer in [
            "v2 done",
            "v1 paused",
            "v1 failed backfill one check=0",
            "v1 failed Back 1 check=2",
            "v1",
        ] {
            assert_eq!(parse(newer), Code::Newer, "{newer}");
        }
    }
}
