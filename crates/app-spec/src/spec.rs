//! The app spec, kept exactly as the platform sent it.
//!
//! A `PUT` replaces the whole spec, so a field that a typed model forgets is a setting of a live app that
//! is silently deleted. The spec is therefore the raw JSON map in its order, types are lenses over it, and
//! exactly two edits exist: putting a job in and taking jobs out. Both return a new spec and touch nothing
//! but the `jobs` list.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::component::{Component, ComponentKind, Database};
use crate::env::Env;
use crate::fingerprint::Fingerprint;
use crate::id::ComponentName;
use crate::job::JobComponent;
use crate::read;

/// An app spec: every field, null, empty list and the order of keys as the platform wrote them.
///
/// Equality is that of the values, whatever the order of keys; [`AppSpec::is_identical`] compares the
/// order too, and [`AppSpec::fingerprint`] compares what the spec means to the platform. A spec is never changed in
/// place, so its copies share it.
#[derive(Clone)]
pub struct AppSpec(Arc<Kept>);

/// The map, and what was once worked out about it.
struct Kept {
    map: Map<String, Value>,
    without_secrets: OnceLock<Fingerprint>,
}

impl AppSpec {
    /// Takes a spec as the platform sent it.
    ///
    /// # Errors
    /// [`SpecError::NotAnObject`] when the value is not a JSON object.
    pub fn from_value(value: Value) -> Result<Self, SpecError> {
        let found = read::type_of(&value);
        match value {
            Value::Object(map) => Ok(Self::from(map)),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(SpecError::NotAnObject { found }),
        }
    }

    /// Returns the raw map. It holds secrets.
    #[must_use]
    pub fn raw(&self) -> &Map<String, Value> {
        &self.0.map
    }

    /// Returns the fingerprint in which secrets count only as present or absent.
    pub(crate) fn fingerprint_without_secrets(
        &self,
        work_out: impl FnOnce(&Map<String, Value>) -> Fingerprint,
    ) -> Fingerprint {
        let kept = &self.0;
        kept.without_secrets
            .get_or_init(|| work_out(&kept.map))
            .clone()
    }

    /// Returns the spec as it is to be sent.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.raw().clone())
    }

    /// Tells whether both specs are the same text: values, order of keys and of lists.
    #[must_use]
    pub fn is_identical(&self, other: &Self) -> bool {
        self.text() == other.text()
    }

    fn text(&self) -> String {
        self.to_value().to_string()
    }

    /// Returns the fingerprint of what the spec means to the platform.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_spec(self)
    }

    /// Returns the app's name; empty where the spec has none.
    #[must_use]
    pub fn name(&self) -> &str {
        read::text(self.raw(), "name").unwrap_or_default()
    }

    /// Returns every component, databases included, kind by kind in the order of [`ComponentKind::ALL`].
    pub fn components(&self) -> impl Iterator<Item = Component<'_>> {
        ComponentKind::ALL
            .into_iter()
            .flat_map(|kind| self.components_of(kind))
    }

    /// Returns the components of one kind in order.
    pub fn components_of(&self, kind: ComponentKind) -> impl Iterator<Item = Component<'_>> {
        read::children(self.raw(), kind.list_key()).map(move |raw| Component::new(kind, raw))
    }

    /// Returns a component of any kind by its name.
    #[must_use]
    pub fn component(&self, name: &str) -> Option<Component<'_>> {
        self.components().find(|component| component.name() == name)
    }

    /// Returns the services in order.
    pub fn services(&self) -> impl Iterator<Item = Component<'_>> {
        self.components_of(ComponentKind::Service)
    }

    /// Returns the jobs in order.
    pub fn jobs(&self) -> impl Iterator<Item = Component<'_>> {
        self.components_of(ComponentKind::Job)
    }

    /// Returns a job by its name.
    #[must_use]
    pub fn job(&self, name: &str) -> Option<Component<'_>> {
        self.jobs().find(|job| job.name() == name)
    }

    /// Returns the databases in order.
    pub fn databases(&self) -> impl Iterator<Item = Database<'_>> {
        read::children(self.raw(), ComponentKind::Database.list_key()).map(Database::new)
    }

    /// Returns a database by its name.
    #[must_use]
    pub fn database(&self, name: &str) -> Option<Database<'_>> {
        self.databases().find(|database| database.name() == name)
    }

    /// Returns the variables that the app gives to all its components, in order.
    pub fn app_envs(&self) -> impl Iterator<Item = Env> + use<'_> {
        read::children(self.raw(), "envs").filter_map(|raw| Env::from_raw(raw.clone()))
    }

    /// Returns the spec with one job more, at the end of the list of jobs; a list that is not there is
    /// made, as the last key of the spec.
    ///
    /// # Errors
    /// - [`SpecError::NameTaken`] when any component, a database included, has the job's name.
    /// - [`SpecError::NotAList`] when `jobs` holds something else than a list.
    pub fn insert_job(&self, job: &JobComponent) -> Result<Self, SpecError> {
        if let Some(taken) = self.component(job.name()) {
            return Err(SpecError::NameTaken {
                name: job.name().to_owned(),
                kind: taken.kind(),
            });
        }
        let mut edited = self.raw().clone();
        // `jobs: null` is a list that is not there, written out; its place among the keys is kept.
        let slot = edited.entry(JOBS).or_insert(Value::Null);
        if slot.is_null() {
            *slot = Value::Array(Vec::new());
        }
        let found = read::type_of(slot);
        let Some(jobs) = slot.as_array_mut() else {
            return Err(SpecError::NotAList { key: JOBS, found });
        };
        jobs.push(job.to_value());
        Ok(Self::from(edited))
    }

    /// Returns the spec without exactly the named jobs; everything else stays as it is.
    ///
    /// When the list runs empty the key goes as well, unless `before`, the spec as it was without us, had
    /// an empty list or null there: then that comes back. A spec that holds none of the jobs is returned
    /// unchanged.
    #[must_use]
    pub fn remove_jobs(&self, names: &[ComponentName], before: Option<&Self>) -> Self {
        let ours = |job: &Value| {
            job.get("name")
                .and_then(Value::as_str)
                .is_some_and(|name| names.iter().any(|ours| ours.as_str() == name))
        };
        let held = self.raw().get(JOBS).and_then(Value::as_array);
        if !held.is_some_and(|jobs| jobs.iter().any(ours)) {
            return self.clone();
        }
        let mut edited = self.raw().clone();
        let Some(jobs) = edited.get_mut(JOBS).and_then(Value::as_array_mut) else {
            return self.clone();
        };
        jobs.retain(|job| !ours(job));
        if jobs.is_empty() {
            match before
                .and_then(|before| before.raw().get(JOBS))
                .filter(|jobs| is_empty_list(jobs))
            {
                Some(as_it_was) => {
                    edited.insert(JOBS.to_owned(), as_it_was.clone());
                }
                None => {
                    // Not `remove`: that would swap the last key of the spec into the hole.
                    edited.shift_remove(JOBS);
                }
            }
        }
        Self::from(edited)
    }

    /// Returns where the spec has a secret variable without a value, such as `services[web].envs[KEY]`.
    ///
    /// Sending such a spec would wipe the secret, so one that has any must not be sent.
    #[must_use]
    pub fn secrets_without_value(&self) -> Vec<String> {
        let app = self
            .app_envs()
            .filter(Env::wipes_its_secret)
            .map(|env| format!("envs[{}]", env.key()));
        let components = self.components().flat_map(|component| {
            component
                .envs()
                .filter(Env::wipes_its_secret)
                .map(move |env| {
                    format!(
                        "{}[{}].envs[{}]",
                        component.kind().list_key(),
                        component.name(),
                        env.key()
                    )
                })
        });
        app.chain(components).collect()
    }
}

impl PartialEq for AppSpec {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.raw() == other.raw()
    }
}

impl Eq for AppSpec {}

impl Serialize for AppSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.raw().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AppSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Self::from)
    }
}

impl From<Map<String, Value>> for AppSpec {
    fn from(map: Map<String, Value>) -> Self {
        Self(Arc::new(Kept {
            map,
            without_secrets: OnceLock::new(),
        }))
    }
}

/// The key of the list that we edit.
const JOBS: &str = "jobs";

fn is_empty_list(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

impl fmt::Debug for AppSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let components: Vec<String> = self
            .components()
            .map(|component| format!("{} {}", component.kind(), component.name()))
            .collect();
        f.debug_struct("AppSpec")
            .field("name", &self.name())
            .field("components", &components)
            .field("fingerprint", &self.fingerprint().short())
            .finish_non_exhaustive()
    }
}

/// Why a spec could not be read or edited, or a job not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The spec is not a JSON object.
    #[error("the app spec is {found}, not an object")]
    NotAnObject {
        /// The JSON type that stood there.
        found: &'static str,
    },
    /// A list of the spec is something else.
    #[error("`{key}` of the app spec is {found}, not a list")]
    NotAList {
        /// The key of the list.
        key: &'static str,
        /// The JSON type that stood there.
        found: &'static str,
    },
    /// The name belongs to another component; names are unique across all kinds.
    #[error("the name `{name}` belongs to a {kind} of the app")]
    NameTaken {
        /// The name.
        name: String,
        /// The kind of the component that has it.
        kind: ComponentKind,
    },
    /// The component to copy has no source, so a job made from it would have no code.
    #[error("{kind} `{component}` has no source that a job could be built from")]
    NoSource {
        /// The component's name.
        component: String,
        /// The component's kind.
        kind: ComponentKind,
    },
    /// An image digest was given for a component that is built from a repository.
    #[error("job `{job}` is not made from an image, so it cannot be pinned to a digest")]
    NotAnImage {
        /// The job's name.
        job: String,
    },
    /// A job has a variable twice.
    #[error("job `{job}` has the variable `{key}` twice")]
    DuplicateEnv {
        /// The job's name.
        job: String,
        /// The variable.
        key: String,
    },
    /// A variable's name is not one that the platform accepts (`^[_A-Za-z][_A-Za-z0-9]*$`).
    #[error("job `{job}` cannot have a variable named {key:?}")]
    BadEnvKey {
        /// The job's name.
        job: String,
        /// The variable.
        key: String,
    },
    /// The grace period is outside what the platform accepts, 1 to 600 seconds.
    #[error(
        "job `{job}` cannot have {seconds} seconds between TERM and KILL: the platform takes 1 to 600"
    )]
    GraceOutOfRange {
        /// The job's name.
        job: String,
        /// The grace period asked for, in whole seconds.
        seconds: u64,
    },
}
