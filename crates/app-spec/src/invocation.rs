//! One run of a job, where the platform lists it.
//!
//! Whether runs of deploy-time jobs are listed at all is not documented; nothing may depend on it.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::id::{DeploymentId, InvocationId};
use crate::read::{self, DocumentError};
use crate::wire::wire_enum;

wire_enum! {
    /// How far a run of a job is.
    InvocationPhase {
        /// Not told.
        Unknown = "UNKNOWN",
        /// Not begun.
        Pending = "PENDING",
        /// Under way.
        Running = "RUNNING",
        /// Ended well.
        Succeeded = "SUCCEEDED",
        /// Ended badly.
        Failed = "FAILED",
        /// Was cancelled.
        Canceled = "CANCELED",
        /// Did not run.
        Skipped = "SKIPPED",
    }
}

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobInvocation {
    /// The run's id.
    pub id: InvocationId,
    /// The job.
    pub job_name: String,
    /// The deployment that the run belongs to.
    pub deployment_id: Option<DeploymentId>,
    /// How far it is.
    pub phase: InvocationPhase,
    /// What began it, such as `MANUAL`; the platform writes both `SCHEDULE` and `SCHEDULED`.
    pub trigger: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

impl JobInvocation {
    /// Reads a run, bare or inside `job_invocation`: the API description forgets that wrapper, its
    /// examples and the Go client have it.
    ///
    /// # Errors
    /// [`DocumentError`] when it is not an object or has no id.
    pub fn from_value(value: &Value) -> Result<Self, DocumentError> {
        const WHAT: &str = "a job invocation";
        let raw = read::object(WHAT, value)?;
        let raw = read::child(raw, "job_invocation").unwrap_or(raw);
        Ok(Self {
            id: InvocationId::new(read::required_text(WHAT, raw, "id")?),
            job_name: read::owned_text(raw, "job_name").unwrap_or_default(),
            deployment_id: read::text(raw, "deployment_id").map(DeploymentId::new),
            phase: read::text(raw, "phase")
                .map_or(InvocationPhase::Unknown, InvocationPhase::from_word),
            trigger: read::child(raw, "trigger")
                .and_then(|trigger| read::owned_text(trigger, "type")),
            created_at: read::time(raw, "created_at"),
            started_at: read::time(raw, "started_at"),
            completed_at: read::time(raw, "completed_at"),
        })
    }
}

impl<'de> Deserialize<'de> for JobInvocation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(&value).map_err(serde::de::Error::custom)
    }
}
