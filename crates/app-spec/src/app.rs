//! An app with its spec and the slots that hold its deployments.
//!
//! The slots are a convenience of the platform, not the truth about a deployment: one that fails quickly
//! can drop out of all of them, and the pending one is certainly ours only on the reply to our own write.
//! A deployment is followed by its id.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::deployment::Deployment;
use crate::id::AppId;
use crate::read::{self, DocumentError};
use crate::spec::AppSpec;

/// An app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// The app's id.
    pub id: AppId,
    /// The spec as it now stands, which need not be what is live.
    pub spec: AppSpec,
    /// The live deployment.
    pub active: Option<Deployment>,
    /// The deployment under way.
    pub in_progress: Option<Deployment>,
    /// The newest deployment that waits; on the reply to a create or update, the one that it made.
    pub pending: Option<Deployment>,
    /// The deployment that a rollback pinned the app to; while set, nothing else is deployed.
    pub pinned: Option<Deployment>,
    /// The app's live URL.
    pub live_url: Option<String>,
    /// The URL that the platform gave the app.
    pub default_ingress: Option<String>,
    /// The domain of the live URL.
    pub live_domain: Option<String>,
    /// The app's own domains.
    pub domains: Vec<String>,
    /// When the app was made.
    pub created_at: Option<Timestamp>,
    /// When its configuration changed last.
    pub updated_at: Option<Timestamp>,
    /// When its newest deployment was made.
    pub last_deployment_created_at: Option<Timestamp>,
    /// The slug of its region, such as `nyc`.
    pub region_slug: Option<String>,
    /// The id of the account that owns it.
    pub owner_uuid: Option<String>,
    /// The pricing tier.
    pub tier_slug: Option<String>,
    /// The project; absent when the token may not read projects.
    pub project_id: Option<String>,
}

impl App {
    /// Returns the deployments that are still to come, by the app's slots: the one under way and the one that waits.
    pub fn to_come(&self) -> impl Iterator<Item = &Deployment> {
        [&self.in_progress, &self.pending].into_iter().flatten()
    }

    /// Reads an app, bare as it stands in a list.
    ///
    /// # Errors
    /// [`DocumentError`] when it is not an object, has no id or no spec, or a slot holds something that is
    /// not a deployment.
    pub fn from_value(value: &Value) -> Result<Self, DocumentError> {
        let raw = read::object(APP, value)?;
        let id = AppId::new(read::required_text(APP, raw, "id")?);
        let spec = raw
            .get("spec")
            .and_then(|spec| AppSpec::from_value(spec.clone()).ok())
            .ok_or(DocumentError::Missing {
                what: APP,
                field: "spec",
            })?;
        Ok(Self {
            id,
            spec,
            active: slot(raw, "active_deployment")?,
            in_progress: slot(raw, "in_progress_deployment")?,
            pending: slot(raw, "pending_deployment")?,
            pinned: slot(raw, "pinned_deployment")?,
            live_url: read::owned_text(raw, "live_url"),
            default_ingress: read::owned_text(raw, "default_ingress"),
            live_domain: read::owned_text(raw, "live_domain"),
            domains: read::children(raw, "domains")
                .filter_map(|domain| read::owned_text(read::child(domain, "spec")?, "domain"))
                .collect(),
            created_at: read::time(raw, "created_at"),
            updated_at: read::time(raw, "updated_at"),
            last_deployment_created_at: read::time(raw, "last_deployment_created_at"),
            region_slug: read::child(raw, "region")
                .and_then(|region| read::owned_text(region, "slug")),
            owner_uuid: read::owned_text(raw, "owner_uuid"),
            tier_slug: read::owned_text(raw, "tier_slug"),
            project_id: read::owned_text(raw, "project_id"),
        })
    }
}

impl<'de> Deserialize<'de> for App {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(&value).map_err(serde::de::Error::custom)
    }
}

const APP: &str = "an app";

/// Reads a slot; the platform writes an empty one as absent, and null or `{}` are taken for the same.
fn slot(raw: &Map<String, Value>, field: &str) -> Result<Option<Deployment>, DocumentError> {
    match raw.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(fields)) if fields.is_empty() => Ok(None),
        Some(deployment) => Deployment::from_value(deployment).map(Some),
    }
}
