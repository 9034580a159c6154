//! Read-only lenses over the components of an app spec.
//!
//! A lens never owns or normalises: what it does not name is still in [`Component::raw`]. Documented in
//! the platform's app spec reference and API description; where the two differ the tolerant reading wins.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::duration;
use crate::env::Env;
use crate::read;
use crate::source::Source;
use crate::wire::wire_enum;

/// The kind of a component, which is the list of the spec that it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ComponentKind {
    /// A service with a port.
    Service,
    /// A long-running process without a port.
    Worker,
    /// A process that runs at a deployment or on a schedule.
    Job,
    /// Files served as they are.
    StaticSite,
    /// Serverless functions.
    Function,
    /// A database, managed or for development.
    Database,
}

impl ComponentKind {
    /// Every kind, in the order in which specs are read.
    pub const ALL: [Self; 6] = [
        Self::Service,
        Self::Worker,
        Self::Job,
        Self::StaticSite,
        Self::Function,
        Self::Database,
    ];

    /// Returns the key of the spec's list that holds components of this kind.
    #[must_use]
    pub fn list_key(self) -> &'static str {
        match self {
            Self::Service => "services",
            Self::Worker => "workers",
            Self::Job => "jobs",
            Self::StaticSite => "static_sites",
            Self::Function => "functions",
            Self::Database => "databases",
        }
    }

    /// Returns the kind whose components stand in the list under this key.
    pub(crate) fn of_list(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.list_key() == key)
    }
}

impl fmt::Display for ComponentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service => "service",
            Self::Worker => "worker",
            Self::Job => "job",
            Self::StaticSite => "static site",
            Self::Function => "function",
            Self::Database => "database",
        })
    }
}

wire_enum! {
    /// When a job runs.
    JobKind {
        /// Before the services of a deployment are rolled out.
        PreDeploy = "PRE_DEPLOY",
        /// After the services are healthy; what the platform makes of an absent kind.
        PostDeploy = "POST_DEPLOY",
        /// After a component failed to deploy.
        FailedDeploy = "FAILED_DEPLOY",
        /// At the times of its schedule, and at no deployment (documented for the Go client only).
        Scheduled = "SCHEDULED",
    }
}

/// When a scheduled job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The cron expression.
    pub cron: String,
    /// The name of the time zone; absent is UTC.
    pub time_zone: Option<String>,
}

/// How the platform tells that a service is healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// The path that is asked; absent is a bare TCP check.
    pub http_path: Option<String>,
    /// The port that is asked; absent is the service's own.
    pub port: Option<u16>,
    /// How long the platform waits before the first check; its default is none.
    pub initial_delay: Duration,
}

/// One component of an app spec.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Component<'a> {
    kind: ComponentKind,
    raw: &'a Map<String, Value>,
}

impl<'a> Component<'a> {
    pub(crate) fn new(kind: ComponentKind, raw: &'a Map<String, Value>) -> Self {
        Self { kind, raw }
    }

    /// Returns the kind, which is the list that the component stands in.
    #[must_use]
    pub fn kind(&self) -> ComponentKind {
        self.kind
    }

    /// Returns the name; empty where the spec has none.
    #[must_use]
    pub fn name(&self) -> &'a str {
        read::text(self.raw, "name").unwrap_or_default()
    }

    /// Returns the component as it stands in the spec. It may hold secrets.
    #[must_use]
    pub fn raw(&self) -> &'a Map<String, Value> {
        self.raw
    }

    /// Returns how long a job may run, where its `timeout` says so.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        duration::from_text(read::text(self.raw, "timeout")?)
    }

    /// Returns where the code comes from; `None` for a component without code, such as a database.
    #[must_use]
    pub fn source(&self) -> Option<Source> {
        self.source_entry().map(|(key, raw)| Source::read(key, raw))
    }

    /// Returns the raw source and the key that it stands under.
    pub(crate) fn source_entry(&self) -> Option<(&'static str, &'a Value)> {
        Source::KEYS.into_iter().find_map(|key| {
            self.raw
                .get(key)
                .filter(|raw| !raw.is_null())
                .map(|raw| (key, raw))
        })
    }

    /// Returns the path of the Dockerfile, relative to the root of the repository.
    #[must_use]
    pub fn dockerfile_path(&self) -> Option<&'a str> {
        read::text(self.raw, "dockerfile_path")
    }

    /// Returns the size of an instance; absent is the platform's default.
    #[must_use]
    pub fn instance_size_slug(&self) -> Option<&'a str> {
        read::text(self.raw, "instance_size_slug")
    }

    /// Returns the port that a service listens on.
    #[must_use]
    pub fn http_port(&self) -> Option<u16> {
        read::number(self.raw, "http_port").and_then(|port| u16::try_from(port).ok())
    }

    /// Returns the variables of this component in order; entries without a key are passed over.
    pub fn envs(&self) -> impl Iterator<Item = Env> + use<'a> {
        read::children(self.raw, "envs").filter_map(|raw| Env::from_raw(raw.clone()))
    }

    /// Returns a variable of this component by its key.
    #[must_use]
    pub fn env(&self, key: &str) -> Option<Env> {
        self.envs().find(|env| env.key() == key)
    }

    /// Returns the value of a variable of this component. Handle it as a secret.
    #[must_use]
    pub fn env_value(&self, key: &str) -> Option<&'a str> {
        read::children(self.raw, "envs")
            .find(|env| read::text(env, "key") == Some(key))
            .and_then(|env| env.get("value"))
            .and_then(Value::as_str)
    }

    /// Returns how the platform tells that the component is healthy.
    #[must_use]
    pub fn health_check(&self) -> Option<HealthCheck> {
        let raw = read::child(self.raw, "health_check")?;
        Some(HealthCheck {
            http_path: read::owned_text(raw, "http_path"),
            port: read::number(raw, "port").and_then(|port| u16::try_from(port).ok()),
            initial_delay: Duration::from_secs(
                read::number(raw, "initial_delay_seconds").unwrap_or(0),
            ),
        })
    }

    /// Returns when a job runs: absent and `UNSPECIFIED` are `POST_DEPLOY` (the API description).
    ///
    /// Asked of another kind of component the answer means nothing; ask [`Component::kind`] first, or
    /// [`Component::runs_on_deploy`], which does.
    #[must_use]
    pub fn job_kind(&self) -> JobKind {
        match read::text(self.raw, "kind") {
            None | Some("UNSPECIFIED") => JobKind::PostDeploy,
            Some(word) => JobKind::from_word(word),
        }
    }

    /// Returns the times of a scheduled job.
    #[must_use]
    pub fn schedule(&self) -> Option<Schedule> {
        let raw = read::child(self.raw, "schedule")?;
        Some(Schedule {
            cron: read::owned_text(raw, "cron")?,
            time_zone: read::owned_text(raw, "time_zone"),
        })
    }

    /// Tells whether this is a job that a deployment may run. A kind that we do not know counts: taking
    /// such a job for a harmless one would be the costly mistake.
    #[must_use]
    pub fn runs_on_deploy(&self) -> bool {
        self.kind == ComponentKind::Job
            && match self.job_kind() {
                JobKind::PreDeploy
                | JobKind::PostDeploy
                | JobKind::FailedDeploy
                | JobKind::Other(_) => true,
                JobKind::Scheduled => false,
            }
    }
}

impl fmt::Debug for Component<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("kind", &self.kind)
            .field("name", &self.name())
            .field("source", &self.source())
            .field("envs", &self.envs().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// One database of an app spec.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Database<'a> {
    raw: &'a Map<String, Value>,
}

impl<'a> Database<'a> {
    pub(crate) fn new(raw: &'a Map<String, Value>) -> Self {
        Self { raw }
    }

    /// Returns the name under which bindings such as `${name.DATABASE_URL}` reach it.
    #[must_use]
    pub fn name(&self) -> &'a str {
        read::text(self.raw, "name").unwrap_or_default()
    }

    /// Returns the engine, such as `MYSQL` or `PG`.
    #[must_use]
    pub fn engine(&self) -> Option<&'a str> {
        read::text(self.raw, "engine")
    }

    /// Returns the name of the managed cluster; absent for a development database.
    #[must_use]
    pub fn cluster_name(&self) -> Option<&'a str> {
        read::text(self.raw, "cluster_name")
    }
}

impl fmt::Debug for Database<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("name", &self.name())
            .field("engine", &self.engine())
            .field("cluster_name", &self.cluster_name())
            .finish_non_exhaustive()
    }
}
