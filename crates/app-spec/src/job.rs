//! The temporary job component.
//!
//! A job copies what decides its *code* from the reference component (source, build, size) and nothing that
//! decides how that component is served. Its variables are given one by one: a job inherits none.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::component::{Component, ComponentKind, JobKind};
use crate::duration;
use crate::env::Env;
use crate::id::ComponentName;
use crate::spec::SpecError;

/// What a job copies from the reference component besides its source, in the order it is written.
const COPIED_BUILD_KEYS: [&str; 4] = [
    "dockerfile_path",
    "source_dir",
    "build_command",
    "environment_slug",
];

/// The grace periods that the platform accepts, in seconds (the API description).
const GRACE_SECONDS: std::ops::RangeInclusive<u64> = 1..=600;

/// A job component, ready to be put into a spec.
#[derive(Clone, PartialEq, Eq)]
pub struct JobComponent {
    raw: Map<String, Value>,
}

impl JobComponent {
    /// Starts a job that runs the code of a component: its source with `deploy_on_push` off, its build
    /// settings and its instance size.
    ///
    /// # Errors
    /// [`SpecError::NoSource`] when the component has no source in a form that we know.
    pub fn copy_of(
        reference: &Component<'_>,
        name: ComponentName,
    ) -> Result<JobBuilder, SpecError> {
        let no_source = || SpecError::NoSource {
            component: reference.name().to_owned(),
            kind: reference.kind(),
        };
        let (source_key, source) = reference.source_entry().ok_or_else(no_source)?;
        let source = source.as_object().ok_or_else(no_source)?;
        let build = COPIED_BUILD_KEYS
            .into_iter()
            .filter_map(|key| Some((key, reference.raw().get(key)?.clone())))
            .collect();
        Ok(JobBuilder {
            name,
            kind: JobKind::PostDeploy,
            source_key,
            source: without_deploy_on_push(source_key, source),
            digest: None,
            build,
            run_command: None,
            envs: Vec::new(),
            instance_size: reference.instance_size_slug().map(str::to_owned),
            timeout: None,
            grace: None,
        })
    }

    /// Returns the job's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.lens().name()
    }

    /// Returns when the job runs.
    #[must_use]
    pub fn kind(&self) -> JobKind {
        self.lens().job_kind()
    }

    /// Returns the job as a component of a spec.
    #[must_use]
    pub fn lens(&self) -> Component<'_> {
        Component::new(ComponentKind::Job, &self.raw)
    }

    /// Returns the value of one of the job's variables. Handle it as a secret.
    #[must_use]
    pub fn env_value(&self, key: &str) -> Option<&str> {
        self.lens().env_value(key)
    }

    /// Returns the job as it is to stand in a spec. It may hold secrets.
    #[must_use]
    pub fn raw(&self) -> &Map<String, Value> {
        &self.raw
    }

    /// Returns the job as it is to stand in a spec.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.raw.clone())
    }
}

impl fmt::Debug for JobComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JobComponent").field(&self.lens()).finish()
    }
}

/// Copies a source with its automatic deployment off. An image source says so by having no such object,
/// which a digest forbids anyway.
fn without_deploy_on_push(key: &str, source: &Map<String, Value>) -> Map<String, Value> {
    let mut copy = source.clone();
    match key {
        "github" | "gitlab" | "bitbucket" => {
            copy.insert("deploy_on_push".to_owned(), Value::Bool(false));
        }
        _ => {
            copy.shift_remove("deploy_on_push");
        }
    }
    copy
}

/// Makes a [`JobComponent`] step by step.
#[derive(Clone)]
#[must_use]
pub struct JobBuilder {
    name: ComponentName,
    kind: JobKind,
    source_key: &'static str,
    source: Map<String, Value>,
    digest: Option<String>,
    build: Vec<(&'static str, Value)>,
    run_command: Option<String>,
    envs: Vec<Env>,
    instance_size: Option<String>,
    timeout: Option<Duration>,
    grace: Option<Duration>,
}

impl JobBuilder {
    /// Sets when the job runs; without it, after the deployment.
    pub fn kind(mut self, kind: JobKind) -> Self {
        self.kind = kind;
        self
    }

    /// Pins an image source to a digest such as `sha256:…`, in place of its tag.
    pub fn image_digest(mut self, digest: impl Into<String>) -> Self {
        self.digest = Some(digest.into());
        self
    }

    /// Sets the command that runs in place of the image's own.
    pub fn run_command(mut self, command: impl Into<String>) -> Self {
        self.run_command = Some(command.into());
        self
    }

    /// Adds a variable.
    pub fn env(mut self, env: Env) -> Self {
        self.envs.push(env);
        self
    }

    /// Adds a variable as another component has it, byte for byte, its encrypted text included.
    pub fn copy_env(self, env: &Env) -> Self {
        self.env(env.clone())
    }

    /// Sets how long the job may run; written in whole seconds, rounded up. The platform's default is 30
    /// minutes (the Go client's documentation; the API description does not have the field).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the time between TERM and KILL, 1 to 600 seconds; the platform's default is 120.
    pub fn termination_grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Sets the instance size in place of the reference component's.
    pub fn instance_size(mut self, slug: impl Into<String>) -> Self {
        self.instance_size = Some(slug.into());
        self
    }

    /// Returns the job.
    ///
    /// # Errors
    /// - [`SpecError::NotAnImage`] when a digest is given and the source is a repository.
    /// - [`SpecError::BadEnvKey`], [`SpecError::DuplicateEnv`] for variables the platform would refuse.
    /// - [`SpecError::GraceOutOfRange`] for a grace period that the platform would refuse.
    pub fn build(mut self) -> Result<JobComponent, SpecError> {
        self.check_envs()?;
        self.pin()?;
        let mut raw = Map::new();
        let mut put = |key: &str, value: Value| {
            raw.insert(key.to_owned(), value);
        };
        put("name", json!(self.name.as_str()));
        put("kind", json!(self.kind.as_str()));
        put(self.source_key, Value::Object(self.source));
        for (key, value) in self.build {
            put(key, value);
        }
        if let Some(command) = self.run_command {
            put("run_command", json!(command));
        }
        if !self.envs.is_empty() {
            put(
                "envs",
                self.envs
                    .iter()
                    .map(|env| Value::Object(env.raw().clone()))
                    .collect(),
            );
        }
        if let Some(slug) = self.instance_size {
            put("instance_size_slug", json!(slug));
        }
        put("instance_count", json!(1));
        if let Some(timeout) = self.timeout {
            put("timeout", json!(duration::to_text(timeout)));
        }
        if let Some(grace) = self.grace {
            let seconds = grace.as_secs();
            if !GRACE_SECONDS.contains(&seconds) {
                return Err(SpecError::GraceOutOfRange {
                    job: self.name.as_str().to_owned(),
                    seconds,
                });
            }
            put("termination", json!({ "grace_period_seconds": seconds }));
        }
        Ok(JobComponent { raw })
    }

    fn check_envs(&self) -> Result<(), SpecError> {
        let job = || self.name.as_str().to_owned();
        let mut seen = BTreeSet::new();
        for env in &self.envs {
            let key = env.key();
            if !is_env_key(key) {
                return Err(SpecError::BadEnvKey {
                    job: job(),
                    key: key.to_owned(),
                });
            }
            if !seen.insert(key) {
                return Err(SpecError::DuplicateEnv {
                    job: job(),
                    key: key.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Puts the digest in the place of the tag; the platform refuses both together.
    fn pin(&mut self) -> Result<(), SpecError> {
        let Some(digest) = self.digest.take() else {
            return Ok(());
        };
        if self.source_key != "image" {
            return Err(SpecError::NotAnImage {
                job: self.name.as_str().to_owned(),
            });
        }
        self.source.shift_remove("tag");
        self.source
            .insert("digest".to_owned(), Value::String(digest));
        Ok(())
    }
}

impl fmt::Debug for JobBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobBuilder")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("envs", &self.envs)
            .finish_non_exhaustive()
    }
}

fn is_env_key(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes
        .next()
        .is_some_and(|byte| byte == b'_' || byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}
