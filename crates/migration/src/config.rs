//! The config of a repository, `.github/harbor-pilot.yml`: which app, and what applies to all its migrations.
//!
//! It is read from the base branch for a plan and from the merged commit for a run. Inputs and the manifest outrank
//! it; that order is not decided here.

use crate::document::{FileError, FileKind, LocatedText, Source, Value};
use crate::manifest::{JOB_TIMEOUT, ON_FAILURE, STRATEGY, kind_of};
use crate::{
    FirewallPolicy, HealthCheck, Kind, LogPolicy, OnFailure, Shell, Strategy, WaitForDeploy,
};
use app_spec::{ClusterId, ComponentName, RuleKind, RuleMatch};
use schemars::JsonSchema;
use serde::Deserialize;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Where the config stands in a repository.
pub const CONFIG_PATH: &str = ".github/harbor-pilot.yml";

/// What `deadline` may be. Less than ten minutes is less than a clean-up may take; two days is beyond what any runner
/// keeps a job.
const DEADLINE: RangeInclusive<Duration> =
    Duration::from_secs(10 * 60)..=Duration::from_secs(48 * 60 * 60);

/// What a repository has settled for all its migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The app, by id or name.
    pub app: Option<String>,
    /// The reference component; nothing means the app's only service.
    pub component: Option<ComponentName>,
    /// The database component that `DATABASE_URL` is bound to; nothing means the app's only database.
    pub database: Option<String>,
    /// The folder of the manifests, relative to the root of the repository.
    pub manifests: String,
    /// The label that asks for a migration.
    pub label: String,
    /// The labels that tell how far it is.
    pub labels: Labels,
    /// Where the app's health is probed.
    pub health: Option<HealthCheck>,
    /// What is done about the database's firewall.
    pub firewall: Option<FirewallPolicy>,
    /// The database cluster whose firewall is meant.
    pub database_cluster: Option<ClusterId>,
    /// Rules that stay beside the app's own when the firewall is restored.
    pub keep_rules: Vec<RuleMatch>,
    /// Jobs that were left in the spec by hand; removed with ours.
    pub also_stale: Vec<ComponentName>,
    /// Other deploy-time jobs that belong in the spec.
    pub accept_jobs: Vec<ComponentName>,
    /// What a manifest and the inputs may choose otherwise.
    pub defaults: Defaults,
}

/// The labels that tell how far a migration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// It is under way.
    pub running: String,
    /// It is done.
    pub done: String,
    /// It failed, or its end is not proven.
    pub failed: String,
}

/// What a manifest and the inputs may choose otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// When the platform starts the job.
    pub kind: Option<Kind>,
    /// The job's instance size slug.
    pub instance_size: Option<String>,
    /// How long the platform lets the job run.
    pub job_timeout: Option<Duration>,
    /// How long the whole run may take.
    pub deadline: Option<Duration>,
    /// One job for all steps, or one after another.
    pub strategy: Option<Strategy>,
    /// What a failing step does to the app.
    pub on_failure: Option<OnFailure>,
    /// Whether the merge's own deployment must have settled first.
    pub wait_for_deploy: Option<WaitForDeploy>,
    /// How much of the job's log is shown.
    pub log: Option<LogPolicy>,
    /// Whether the commands run in a shell.
    pub shell: Option<Shell>,
    /// Further variables of the reference component to copy, by name.
    pub env: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            app: None,
            component: None,
            database: None,
            manifests: ".harbor-pilot".to_owned(),
            label: "needs-migration".to_owned(),
            labels: Labels::default(),
            health: None,
            firewall: None,
            database_cluster: None,
            keep_rules: Vec::new(),
            also_stale: Vec::new(),
            accept_jobs: Vec::new(),
            defaults: Defaults::default(),
        }
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self {
            running: "migration-running".to_owned(),
            done: "migration-done".to_owned(),
            failed: "migration-failed".to_owned(),
        }
    }
}

impl Config {
    /// Returns the config in `text`, which is YAML; `file` names it in messages. An empty file is a config that
    /// settles nothing.
    ///
    /// # Errors
    /// [`FileError`] with line and column for anything that is not exactly a config.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        let source = Source {
            kind: FileKind::Config,
            file,
        };
        let raw: Option<RawConfig> = source.read(text)?;
        let raw = raw.unwrap_or_default();
        let none = Self::default();
        let read = Reader { source };
        let labels = raw.labels.unwrap_or_default();
        Ok(Self {
            app: read.opt("app", raw.app.as_ref(), Value::plain)?,
            component: read.opt("component", raw.component.as_ref(), Value::component)?,
            database: read.opt("database", raw.database.as_ref(), Value::plain)?,
            manifests: read
                .opt("manifests", raw.manifests.as_ref(), folder)?
                .unwrap_or(none.manifests),
            label: read
                .opt("label", raw.label.as_ref(), label)?
                .unwrap_or(none.label),
            labels: Labels {
                running: read
                    .opt("running", labels.running.as_ref(), label)?
                    .unwrap_or(none.labels.running),
                done: read
                    .opt("done", labels.done.as_ref(), label)?
                    .unwrap_or(none.labels.done),
                failed: read
                    .opt("failed", labels.failed.as_ref(), label)?
                    .unwrap_or(none.labels.failed),
            },
            health: read.opt("health-url", raw.health_url.as_ref(), health)?,
            firewall: read.opt("firewall", raw.firewall.as_ref(), |value| {
                value.word(FIREWALL)
            })?,
            database_cluster: read
                .opt(
                    "database-cluster",
                    raw.database_cluster.as_ref(),
                    Value::plain,
                )?
                .map(ClusterId::new),
            keep_rules: raw
                .keep_rules
                .iter()
                .flatten()
                .map(|rule| {
                    let kind = read.one("type", &rule.kind, |value| value.word(RULE_KINDS))?;
                    Ok(RuleMatch::new(
                        RuleKind::from_word(kind),
                        read.one("value", &rule.value, Value::plain)?,
                    ))
                })
                .collect::<Result<_, FileError>>()?,
            also_stale: read.all("also-stale", raw.also_stale.as_ref(), Value::component)?,
            accept_jobs: read.all("accept-jobs", raw.accept_jobs.as_ref(), Value::component)?,
            defaults: read.defaults(&raw.defaults.unwrap_or_default())?,
        })
    }
}

/// Returns the JSON Schema of a config, for editors and for validation in CI.
#[must_use]
pub fn config_schema() -> serde_json::Value {
    schemars::schema_for!(RawConfig).to_value()
}

/// The words of `firewall`.
const FIREWALL: &[(&str, FirewallPolicy)] = &[
    ("check", FirewallPolicy::Check),
    ("restore", FirewallPolicy::Restore),
    ("off", FirewallPolicy::Off),
];

/// The platform's words for what a rule admits (the API description of the firewall).
const RULE_KINDS: &[(&str, &str)] = &[
    ("app", "app"),
    ("ip_addr", "ip_addr"),
    ("droplet", "droplet"),
    ("k8s", "k8s"),
    ("tag", "tag"),
];

/// Understands the values of one file.
#[derive(Clone, Copy)]
struct Reader<'a> {
    source: Source<'a>,
}

impl Reader<'_> {
    fn one<'v, T>(
        &'v self,
        key: &'static str,
        text: &'v LocatedText,
        mean: impl Fn(&Value<'v>) -> Result<T, FileError>,
    ) -> Result<T, FileError> {
        mean(&Value {
            source: self.source,
            key,
            text,
        })
    }

    fn opt<'v, T>(
        &'v self,
        key: &'static str,
        text: Option<&'v LocatedText>,
        mean: impl Fn(&Value<'v>) -> Result<T, FileError>,
    ) -> Result<Option<T>, FileError> {
        text.map(|text| self.one(key, text, mean)).transpose()
    }

    fn all<'v, T>(
        &'v self,
        key: &'static str,
        texts: Option<&'v Vec<LocatedText>>,
        mean: impl Fn(&Value<'v>) -> Result<T, FileError>,
    ) -> Result<Vec<T>, FileError> {
        texts
            .into_iter()
            .flatten()
            .map(|text| self.one(key, text, &mean))
            .collect()
    }

    fn defaults(&self, raw: &RawDefaults) -> Result<Defaults, FileError> {
        Ok(Defaults {
            kind: self.opt("kind", raw.kind.as_ref(), kind_of)?,
            instance_size: self.opt("instance-size", raw.instance_size.as_ref(), Value::plain)?,
            job_timeout: self.opt("job-timeout", raw.job_timeout.as_ref(), |value| {
                value.span(JOB_TIMEOUT)
            })?,
            deadline: self.opt("deadline", raw.deadline.as_ref(), |value| {
                value.span(DEADLINE)
            })?,
            strategy: self.opt("strategy", raw.strategy.as_ref(), |value| {
                value.word(STRATEGY)
            })?,
            on_failure: self.opt("on-failure", raw.on_failure.as_ref(), |value| {
                value.word(ON_FAILURE)
            })?,
            wait_for_deploy: self.opt(
                "wait-for-deploy",
                raw.wait_for_deploy.as_ref(),
                |value| value.word(&[("live", WaitForDeploy::Live), ("off", WaitForDeploy::Off)]),
            )?,
            log: self.opt("log", raw.log.as_ref(), |value| {
                value.word(&[
                    ("tail", LogPolicy::Tail),
                    ("full", LogPolicy::Full),
                    ("off", LogPolicy::Off),
                ])
            })?,
            shell: self.opt("shell", raw.shell.as_ref(), |value| {
                value.word(&[("sh", Shell::Sh), ("none", Shell::None)])
            })?,
            env: self.all("env", raw.env.as_ref(), Value::variable)?,
        })
    }
}

/// Returns the value as a folder inside the repository, without a slash at its end.
fn folder(value: &Value<'_>) -> Result<String, FileError> {
    let text = value.plain()?;
    let path = text.trim_end_matches('/');
    // An absolute path begins with an empty part.
    let inside =
        !path.contains('\\') && path.split('/').all(|part| part != ".." && !part.is_empty());
    if inside {
        Ok(path.strip_prefix("./").unwrap_or(path).to_owned())
    } else {
        Err(value.bad("it is not a folder inside the repository"))
    }
}

/// Returns the value as a label. GitHub takes at most 50 characters.
fn label(value: &Value<'_>) -> Result<String, FileError> {
    let text = value.plain()?;
    if text.chars().count() > 50 {
        Err(value.bad("a label has at most 50 characters"))
    } else {
        Ok(text)
    }
}

/// Returns where the health is probed. Whether the address is the app's own can only be told with the app.
fn health(value: &Value<'_>) -> Result<HealthCheck, FileError> {
    let text = value.plain()?;
    if text.eq_ignore_ascii_case("off") {
        Ok(HealthCheck::Off)
    } else if text.starts_with("https://") || text.starts_with("http://") {
        Ok(HealthCheck::Url(text))
    } else {
        Err(value.bad("it is neither an address that begins with `https://` nor `off`"))
    }
}

/// What Harbor Pilot is told about this repository's app.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "Harbor Pilot config")]
struct RawConfig {
    /// The app, by id or name.
    app: Option<LocatedText>,
    /// The service whose source, build and environment the job copies; without it the app's only service.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,30}[a-z0-9]$"))]
    component: Option<LocatedText>,
    /// The database component that `DATABASE_URL` is bound to; without it the app's only database.
    database: Option<LocatedText>,
    /// The folder of the manifests. Default `.harbor-pilot`.
    manifests: Option<LocatedText>,
    /// The label that asks for a migration. Default `needs-migration`.
    #[schemars(length(max = 50))]
    label: Option<LocatedText>,
    /// The labels that tell how far it is.
    labels: Option<RawLabels>,
    /// An address on one of the app's own hosts, or `off`; without it the reference component's own health path.
    health_url: Option<LocatedText>,
    /// What is done about the database's firewall: report drift, put it back to app-only, or nothing.
    #[schemars(extend("enum" = ["check", "restore", "off", null]))]
    firewall: Option<LocatedText>,
    /// The id of the database cluster, where it can't be found by the name in the app's spec.
    database_cluster: Option<LocatedText>,
    /// Rules that stay beside the app's own when the firewall is restored.
    keep_rules: Option<Vec<RawRule>>,
    /// Jobs that were left in the spec by hand; removed together with ours.
    #[schemars(inner(regex(pattern = r"^[a-z][a-z0-9-]{0,30}[a-z0-9]$")))]
    also_stale: Option<Vec<LocatedText>>,
    /// Other deploy-time jobs that belong in the spec; each run of ours runs them again.
    #[schemars(inner(regex(pattern = r"^[a-z][a-z0-9-]{0,30}[a-z0-9]$")))]
    accept_jobs: Option<Vec<LocatedText>>,
    /// What a manifest and the inputs may choose otherwise.
    defaults: Option<RawDefaults>,
}

/// The labels that tell how far a migration is.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Labels")]
struct RawLabels {
    /// Default `migration-running`.
    #[schemars(length(max = 50))]
    running: Option<LocatedText>,
    /// Default `migration-done`.
    #[schemars(length(max = 50))]
    done: Option<LocatedText>,
    /// Default `migration-failed`.
    #[schemars(length(max = 50))]
    failed: Option<LocatedText>,
}

/// A firewall rule by what it admits.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Rule")]
struct RawRule {
    /// The platform's word for what is admitted.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["app", "ip_addr", "droplet", "k8s", "tag"]))]
    kind: LocatedText,
    /// The id, tag or address.
    value: LocatedText,
}

/// What a manifest and the inputs may choose otherwise.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Defaults")]
struct RawDefaults {
    /// When the platform starts the job.
    #[schemars(extend("enum" = ["POST_DEPLOY", "PRE_DEPLOY", "post-deploy", "pre-deploy", null]))]
    kind: Option<LocatedText>,
    /// The platform's instance size for the job.
    instance_size: Option<LocatedText>,
    /// How long the platform lets the job run, such as `30m`.
    job_timeout: Option<LocatedText>,
    /// How long a whole run may take, such as `110m`.
    deadline: Option<LocatedText>,
    /// One job for all steps, or a job for each.
    #[schemars(extend("enum" = ["single-job", "one-job-per-step", null]))]
    strategy: Option<LocatedText>,
    /// What a failing step does to the app.
    #[schemars(extend("enum" = ["fail", "contain", null]))]
    on_failure: Option<LocatedText>,
    /// Whether the merged commit must be live first.
    #[schemars(extend("enum" = ["live", "off", null]))]
    wait_for_deploy: Option<LocatedText>,
    /// How much of the job's log is shown.
    #[schemars(extend("enum" = ["tail", "full", "off", null]))]
    log: Option<LocatedText>,
    /// Whether the commands run in a shell.
    #[schemars(extend("enum" = ["sh", "none", null]))]
    shell: Option<LocatedText>,
    /// Further variables of the reference component that every job needs, by name.
    #[schemars(inner(regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$")))]
    env: Option<Vec<LocatedText>>,
}

#[cfg(test)]
mod tests;
