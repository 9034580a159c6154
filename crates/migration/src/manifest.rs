//! The reviewed manifest: an id and an ordered list of steps.
//!
//! This file is the only place a command that runs in production can come from (besides `run --step` on the
//! command line, which reports call unreviewed). It knows nothing of pull requests or of the platform.

use crate::{MigrationId, StepName};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// A reviewed list of steps for one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The migration's id: the manifest's file name without its ending.
    pub id: MigrationId,
    /// The steps, in the order they run; never empty, names unique.
    pub steps: Vec<Step>,
    /// The app it is for, by id or name, where one repository has several.
    pub app: Option<String>,
    /// When the platform starts the job.
    pub kind: Option<Kind>,
    /// Further variables of the reference component that the job needs, by name.
    pub env: Vec<String>,
    /// How long the platform lets the job run.
    pub job_timeout: Option<Duration>,
    /// The platform's instance size slug for the job.
    pub instance_size: Option<String>,
    /// What a failing step does to the app.
    pub on_failure: Option<OnFailure>,
    /// One job for all steps, or one after another.
    pub strategy: Option<Strategy>,
}

/// One named command, run inside the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The step's name, unique in its manifest.
    pub name: StepName,
    /// The command, for `sh -c` (or bare with `shell: none`).
    pub run: String,
    /// A harmless command that must pass before any step runs.
    pub check: Option<String>,
}

impl Step {
    /// Returns the digest of what this step does: its command and its check, not its name or its place.
    #[must_use]
    pub fn digest(&self) -> StepDigest {
        let mut hash = Sha256::new();
        for part in [self.run.as_str(), self.check.as_deref().unwrap_or_default()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        StepDigest(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }

    /// Returns the step's name with its digest.
    #[must_use]
    pub fn reference(&self) -> StepRef {
        StepRef {
            name: self.name.clone(),
            digest: self.digest(),
        }
    }
}

/// The first 64 bits of a SHA-256 over what a step does, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepDigest(pub String);

/// A step as records keep it: its name, and a digest of what it did.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StepRef {
    /// The step's name.
    pub name: StepName,
    /// What it does, as a digest.
    pub digest: StepDigest,
}

/// When the platform starts the job, in the words users write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// After the services are healthy (the platform's default, and the runbook's).
    #[default]
    PostDeploy,
    /// Before the services roll out.
    PreDeploy,
}

/// What a failing step does to the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The job exits with the step's code, so the platform fails the deployment and may roll the app back.
    #[default]
    Fail,
    /// The job exits 0 so that the app is not rolled back; its marks still tell the truth.
    Contain,
}

/// One job for all steps, or a job for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// One job runs all steps that are not done.
    #[default]
    SingleJob,
    /// A job for each step, removed before the next is inserted.
    OneJobPerStep,
}
