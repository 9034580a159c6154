//! The reviewed manifest: an id and an ordered list of steps.
//!
//! This file is the only place a command that runs in production can come from (besides `run --step` on the
//! command line, which reports call unreviewed). It knows nothing of pull requests or of the platform.

use crate::document::{FileError, FileKind, Located, LocatedText, Problem, Source, Text, Value};
use crate::{MigrationId, StepName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The most steps that a manifest may have: more are a program, which belongs into a script.
pub const MAX_STEPS: usize = 50;

/// What `job-timeout` may be. A job is billed by the minute, and one that takes longer than a day is no passage.
pub(crate) const JOB_TIMEOUT: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(24 * 60 * 60);

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

impl Manifest {
    /// Returns the manifest in `text`, which is YAML; `file` names it in messages.
    ///
    /// # Errors
    /// [`FileError`] with line and column for anything that is not exactly a manifest.
    pub fn parse(id: MigrationId, file: &str, text: &str) -> Result<Self, FileError> {
        let source = Source {
            kind: FileKind::Manifest,
            file,
        };
        if text.trim().is_empty() {
            return Err(source.error(None, Problem::NoSteps));
        }
        let raw: RawManifest = source.read(text)?;
        let steps = source.steps(&raw.steps)?;
        let value = |key, text| Value { source, key, text };
        let given = |key, text| Option::map(text, |text| value(key, text));
        let env: Result<_, _> = raw
            .env
            .iter()
            .flatten()
            .map(|name| value("env", name).variable())
            .collect();
        Ok(Self {
            id,
            steps,
            app: given("app", raw.app.as_ref())
                .map(|app| app.plain())
                .transpose()?,
            kind: given("kind", raw.kind.as_ref())
                .map(|kind| kind_of(&kind))
                .transpose()?,
            env: env?,
            job_timeout: given("job-timeout", raw.job_timeout.as_ref())
                .map(|span| span.span(JOB_TIMEOUT))
                .transpose()?,
            instance_size: given("instance-size", raw.instance_size.as_ref())
                .map(|size| size.plain())
                .transpose()?,
            on_failure: given("on-failure", raw.on_failure.as_ref())
                .map(|word| word.word(ON_FAILURE))
                .transpose()?,
            strategy: given("strategy", raw.strategy.as_ref())
                .map(|word| word.word(STRATEGY))
                .transpose()?,
        })
    }

    /// Returns a manifest of commands given on the command line, in order.
    ///
    /// # Errors
    /// [`FileError`], which names `--step` as the file, when there are none or too many, or a name or command can't
    /// be taken.
    pub fn from_steps(
        id: MigrationId,
        steps: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, FileError> {
        let source = Source {
            kind: FileKind::Manifest,
            file: "--step",
        };
        let located = |text| Located {
            value: Text::Is(text),
            place: None,
        };
        let raw = steps
            .into_iter()
            .map(|(name, run)| RawStep {
                name: located(name),
                run: located(run),
                check: None,
            })
            .collect();
        let steps = source.steps(&Located {
            value: raw,
            place: None,
        })?;
        Ok(Self {
            id,
            steps,
            app: None,
            kind: None,
            env: Vec::new(),
            job_timeout: None,
            instance_size: None,
            on_failure: None,
            strategy: None,
        })
    }
}

/// Returns the JSON Schema of a manifest, for editors and for validation in CI.
#[must_use]
pub fn manifest_schema() -> serde_json::Value {
    schemars::schema_for!(RawManifest).to_value()
}

impl Source<'_> {
    fn steps(&self, raw: &Located<Vec<RawStep>>) -> Result<Vec<Step>, FileError> {
        let count = raw.value.len();
        if count == 0 {
            return Err(self.error(raw.place, Problem::NoSteps));
        }
        if count > MAX_STEPS {
            return Err(self.error(
                raw.place,
                Problem::TooManySteps {
                    count,
                    max: MAX_STEPS,
                },
            ));
        }
        let mut steps: Vec<Step> = Vec::with_capacity(count);
        for step in &raw.value {
            let value = |key, text| Value {
                source: *self,
                key,
                text,
            };
            let name = value("name", &step.name).name(StepName::parse)?;
            if let Some(first) = steps.iter().position(|known| known.name == name) {
                return Err(self.error(
                    step.name.place,
                    Problem::RepeatedStep {
                        name: name.to_string(),
                        first_line: raw
                            .value
                            .get(first)
                            .and_then(|first| first.name.place)
                            .map(|place| place.line),
                    },
                ));
            }
            let check = step
                .check
                .as_ref()
                .map(|check| value("check", check).plain());
            steps.push(Step {
                name,
                run: value("run", &step.run).plain()?,
                check: check.transpose()?,
            });
        }
        Ok(steps)
    }
}

/// The words of `on-failure`.
pub(crate) const ON_FAILURE: &[(&str, OnFailure)] =
    &[("fail", OnFailure::Fail), ("contain", OnFailure::Contain)];

/// The words of `strategy`.
pub(crate) const STRATEGY: &[(&str, Strategy)] = &[
    ("single-job", Strategy::SingleJob),
    ("one-job-per-step", Strategy::OneJobPerStep),
];

/// Returns the value as a job's kind, in the platform's spelling or in ours.
pub(crate) fn kind_of(value: &Value<'_>) -> Result<Kind, FileError> {
    value.word_in_any_case(&[
        ("POST_DEPLOY", Kind::PostDeploy),
        ("PRE_DEPLOY", Kind::PreDeploy),
        ("post-deploy", Kind::PostDeploy),
        ("pre-deploy", Kind::PreDeploy),
    ])
}

/// A migration: named commands that run once, in order, inside the app.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "Harbor Pilot migration manifest")]
struct RawManifest {
    /// The steps, in the order they run.
    #[schemars(length(min = 1, max = 50))]
    steps: Located<Vec<RawStep>>,
    /// The app it is for, by id or name, where one repository has several.
    app: Option<LocatedText>,
    /// When the platform starts the job: after the services are healthy, or before they roll out.
    #[schemars(extend("enum" = ["POST_DEPLOY", "PRE_DEPLOY", "post-deploy", "pre-deploy", null]))]
    kind: Option<LocatedText>,
    /// Further variables of the reference component that the job needs, by name. `DATABASE_URL` and `NODE_ENV` are
    /// always there.
    #[schemars(inner(regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$")))]
    env: Option<Vec<LocatedText>>,
    /// How long the platform lets the job run, such as `30m` or `1h 30m`; from one minute to a day.
    job_timeout: Option<LocatedText>,
    /// The platform's instance size for the job, such as `apps-s-1vcpu-1gb`; without it the reference component's.
    instance_size: Option<LocatedText>,
    /// What a failing step does to the app: fail its deployment, or be contained.
    #[schemars(extend("enum" = ["fail", "contain", null]))]
    on_failure: Option<LocatedText>,
    /// One job for all steps, or a job for each.
    #[schemars(extend("enum" = ["single-job", "one-job-per-step", null]))]
    strategy: Option<LocatedText>,
}

/// A named command.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Step")]
struct RawStep {
    /// The step's name, unique in the manifest.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{0,63}$"))]
    name: LocatedText,
    /// The command, run by `sh`.
    run: LocatedText,
    /// A harmless command that must pass before any step runs.
    check: Option<LocatedText>,
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
        StepDigest(
            hash.finalize()
                .iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
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

#[cfg(test)]
mod tests;
