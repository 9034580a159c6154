//! Deployments: phase, cause, components, and which jobs they carry.
//!
//! Follows the platform's API description and Go client; causes and rollbacks as recorded from live apps.
//! Whether a deployment *succeeded at something* is not decided here: an automatic rollback is `ACTIVE` too.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::component::ComponentKind;
use crate::id::DeploymentId;
use crate::progress::Progress;
use crate::read::{self, DocumentError};
use crate::spec::AppSpec;
use crate::wire::wire_enum;

wire_enum! {
    /// How far a deployment is.
    Phase {
        /// Not told.
        Unknown = "UNKNOWN",
        /// Waits for its build.
        PendingBuild = "PENDING_BUILD",
        /// Is built.
        Building = "BUILDING",
        /// Is built and waits for its rollout.
        PendingDeploy = "PENDING_DEPLOY",
        /// Is rolled out; deploy-time jobs run here.
        Deploying = "DEPLOYING",
        /// Is live.
        Active = "ACTIVE",
        /// Was live until a newer one was.
        Superseded = "SUPERSEDED",
        /// Failed.
        Error = "ERROR",
        /// Was cancelled, by somebody or by a newer deployment.
        Canceled = "CANCELED",
    }
}

impl Phase {
    /// Tells whether the deployment will not go on; a live one can still be superseded.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Active | Self::Superseded | Self::Error | Self::Canceled => true,
            Self::Unknown
            | Self::PendingBuild
            | Self::Building
            | Self::PendingDeploy
            | Self::Deploying
            | Self::Other(_) => false,
        }
    }

    /// Tells whether the deployment is known to be under way. A phase that is not known is neither in
    /// flight nor terminal.
    #[must_use]
    pub fn is_in_flight(&self) -> bool {
        match self {
            Self::PendingBuild | Self::Building | Self::PendingDeploy | Self::Deploying => true,
            Self::Unknown
            | Self::Active
            | Self::Superseded
            | Self::Error
            | Self::Canceled
            | Self::Other(_) => false,
        }
    }
}

wire_enum! {
    /// What made a deployment.
    CauseKind {
        /// A person or program through the API or the control panel.
        Manual = "MANUAL",
        /// A push of code or of an image.
        DeployOnPush = "DEPLOY_ON_PUSH",
        /// The platform's own maintenance.
        Maintenance = "MAINTENANCE",
        /// A rollback that somebody asked for.
        ManualRollback = "MANUAL_ROLLBACK",
        /// The platform's answer to a failed deployment.
        AutoRollback = "AUTO_ROLLBACK",
        /// A change of a database's trusted sources.
        UpdateDatabaseTrustedSources = "UPDATE_DATABASE_TRUSTED_SOURCES",
        /// A change of the number of instances.
        Autoscaled = "AUTOSCALED",
        /// Not told.
        Unknown = "UNKNOWN",
    }
}

impl CauseKind {
    /// Returns the kind that a cause's text shows, for rows without `cause_details`, which the published API
    /// description does not promise. The texts are those recorded from live apps; any other is `Unknown`,
    /// and where the deployment is a copy of an earlier one a person's rollback, for nothing else is known
    /// to copy one (inferred).
    fn from_text(cause: &str, is_copy: bool) -> Self {
        if cause.starts_with(ROLLBACK_TEXT) {
            Self::AutoRollback
        } else if cause.starts_with("commit ") && cause.contains(" pushed to ") {
            Self::DeployOnPush
        } else if ["manual", "app spec updated", "restarting app"].contains(&cause) {
            Self::Manual
        } else if is_copy {
            Self::ManualRollback
        } else {
            Self::Unknown
        }
    }
}

/// How the cause of an automatic rollback begins; the failed deployment's id follows in quotes.
const ROLLBACK_TEXT: &str = "automated rollback after failed deployment of ";

/// A component as a deployment carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedComponent {
    /// The component's name.
    pub name: String,
    /// The component's kind.
    pub kind: ComponentKind,
    /// The commit that it was built from.
    pub source_commit: Option<String>,
    /// The digest of the image that it runs.
    pub image_digest: Option<String>,
}

/// One deployment of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The deployment's id.
    pub id: DeploymentId,
    /// How far it is.
    pub phase: Phase,
    /// What made it, in the platform's words; may be empty.
    pub cause: String,
    /// What made it.
    pub cause_kind: CauseKind,
    /// The e-mail address of the user who made it, where the platform tells.
    pub caused_by: Option<String>,
    /// What that user did, such as `UPDATE_SPEC` or `CREATE_DEPLOYMENT`.
    pub user_action: Option<String>,
    /// The deployment before it; of an automatic rollback, the one that failed.
    pub previous: Option<DeploymentId>,
    /// The deployment that a rollback copies.
    pub cloned_from: Option<DeploymentId>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When anything in it changed last.
    pub updated_at: Option<Timestamp>,
    /// When its phase changed last.
    pub phase_updated_at: Option<Timestamp>,
    /// The spec that it deploys; rows of a list may lack it.
    pub spec: Option<AppSpec>,
    /// The components that it carries, databases excepted.
    pub components: Vec<DeployedComponent>,
    /// Its steps.
    pub progress: Option<Progress>,
    /// The pricing tier.
    pub tier_slug: Option<String>,
    lists_jobs: bool,
}

impl Deployment {
    /// Reads a deployment, bare as it stands in a list or a slot of an app.
    ///
    /// # Errors
    /// [`DocumentError`] when it is not an object, has no id, or has a spec that is not an object.
    pub fn from_value(value: &Value) -> Result<Self, DocumentError> {
        let raw = read::object("a deployment", value)?;
        let cause = read::owned_text(raw, "cause").unwrap_or_default();
        let details = read::child(raw, "cause_details");
        let action = details.and_then(|details| read::child(details, "digitalocean_user_action"));
        let cloned_from = read::text(raw, "cloned_from").map(DeploymentId::new);
        Ok(Self {
            id: DeploymentId::new(read::required_text("a deployment", raw, "id")?),
            phase: read::text(raw, "phase").map_or(Phase::Unknown, Phase::from_word),
            cause_kind: details
                .and_then(|details| read::text(details, "type"))
                .map(CauseKind::from_word)
                .filter(|kind| *kind != CauseKind::Unknown)
                .unwrap_or_else(|| CauseKind::from_text(&cause, cloned_from.is_some())),
            cause,
            caused_by: action
                .and_then(|action| read::child(action, "user"))
                .and_then(|user| read::owned_text(user, "email")),
            user_action: action.and_then(|action| read::owned_text(action, "name")),
            previous: read::text(raw, "previous_deployment_id").map(DeploymentId::new),
            cloned_from,
            created_at: read::time(raw, "created_at"),
            updated_at: read::time(raw, "updated_at"),
            phase_updated_at: read::time(raw, "phase_last_updated_at"),
            spec: read_spec(raw)?,
            components: read_components(raw),
            progress: read::child(raw, "progress").map(Progress::read),
            tier_slug: read::owned_text(raw, "tier_slug"),
            lists_jobs: raw
                .get(ComponentKind::Job.list_key())
                .is_some_and(Value::is_array),
        })
    }

    /// Returns the deployment whose failure this automatic rollback answers; `None` for any other cause.
    ///
    /// The cause's text names it outright. `previous_deployment_id` is the fallback, because every
    /// deployment has one and only for rollbacks it was seen to be the failed one.
    #[must_use]
    pub fn rolls_back(&self) -> Option<DeploymentId> {
        if self.cause_kind != CauseKind::AutoRollback {
            return None;
        }
        let named = self
            .cause
            .strip_prefix(ROLLBACK_TEXT)
            .map(|rest| rest.trim().trim_matches('"'));
        match named {
            Some(id) if !id.is_empty() => Some(DeploymentId::new(id)),
            Some(_) | None => self.previous.clone(),
        }
    }

    /// Returns the names of the jobs that the deployment carries, by its spec and its list of jobs.
    #[must_use]
    pub fn job_names(&self) -> Vec<&str> {
        let listed = self
            .components
            .iter()
            .filter(|component| component.kind == ComponentKind::Job)
            .map(|component| component.name.as_str());
        let mut names: Vec<&str> = self
            .spec
            .iter()
            .flat_map(AppSpec::jobs)
            .map(|job| job.name())
            .collect();
        for name in listed {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Tells whether the deployment is known to carry a job. `false` proves nothing unless
    /// [`Deployment::knows_jobs`].
    #[must_use]
    pub fn carries_job(&self, name: &str) -> bool {
        self.job_names().contains(&name)
    }

    /// Tells whether this row says which jobs the deployment carries: rows of a list may have neither the
    /// spec nor the list of jobs, and must then be read by id.
    #[must_use]
    pub fn knows_jobs(&self) -> bool {
        self.spec.is_some() || self.lists_jobs
    }

    /// Returns the commit that a component was built from.
    #[must_use]
    pub fn commit_of(&self, component: &str) -> Option<&str> {
        self.deployed(component)?.source_commit.as_deref()
    }

    /// Returns the digest of the image that a component runs.
    #[must_use]
    pub fn digest_of(&self, component: &str) -> Option<&str> {
        self.deployed(component)?.image_digest.as_deref()
    }

    fn deployed(&self, component: &str) -> Option<&DeployedComponent> {
        self.components
            .iter()
            .find(|deployed| deployed.name == component)
    }
}

impl<'de> Deserialize<'de> for Deployment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(&value).map_err(serde::de::Error::custom)
    }
}

fn read_spec(raw: &Map<String, Value>) -> Result<Option<AppSpec>, DocumentError> {
    match raw.get("spec") {
        None | Some(Value::Null) => Ok(None),
        Some(spec) => {
            let map = read::object("the spec of a deployment", spec)?;
            Ok(Some(AppSpec::from(map.clone())))
        }
    }
}

fn read_components(raw: &Map<String, Value>) -> Vec<DeployedComponent> {
    ComponentKind::ALL
        .into_iter()
        .flat_map(|kind| {
            read::children(raw, kind.list_key()).filter_map(move |component| {
                Some(DeployedComponent {
                    name: read::owned_text(component, "name")?,
                    kind,
                    source_commit: read::owned_text(component, "source_commit_hash"),
                    image_digest: read::owned_text(component, "source_image_digest"),
                })
            })
        })
        .collect()
}
