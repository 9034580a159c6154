//! What a job's process sees: its variables with the bindings resolved, and the files of its commit.

use crate::app::App;
use crate::database::{Address, Cluster, unreachable};
use crate::deployment::{Content, Deployment};
use crate::executor::JobStart;
use crate::knobs::{CommitHash, Knobs};
use crate::order::Shelves;
use crate::spec::{Component, component, databases, envs};
use crate::vault::Vault;
use jiff::Timestamp;
use regex::{Captures, Regex};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

/// What lies around a job when it starts.
pub(crate) struct Surroundings<'a> {
    pub(crate) knobs: &'a Knobs,
    pub(crate) clusters: &'a [Cluster],
    pub(crate) vault: &'a Vault,
    pub(crate) shelves: Shelves<'a>,
    pub(crate) tools: &'a [PathBuf],
    pub(crate) public_base: &'a str,
}

/// Prepares the start of a job of a deployment.
pub(crate) fn job_start(
    world: &Surroundings<'_>,
    app_id: &str,
    deployment: &Deployment,
    job: &str,
    now: Timestamp,
) -> JobStart {
    let found = component(&deployment.spec, job);
    let mut start = JobStart {
        app_id: app_id.to_owned(),
        deployment_id: deployment.id.clone(),
        component: job.to_owned(),
        run_command: found
            .map(|job| job.text("run_command").to_owned())
            .unwrap_or_default(),
        started_by: world.knobs.run_command,
        env: BTreeMap::new(),
        files: files(world, deployment, job),
        tools: world.tools.to_vec(),
        now,
    };
    let Some(found) = found else { return start };
    let bindings = Bindings {
        world,
        app_id,
        deployment,
        own: found,
        now,
    };
    if let Some(top) = deployment.spec.as_object() {
        bindings.add(None, top, &mut start.env);
    }
    bindings.add(Some(job), found.fields, &mut start.env);
    start
}

/// Returns the tree of the commit that the job was built from, or that its image is known to hold.
fn files(
    world: &Surroundings<'_>,
    deployment: &Deployment,
    job: &str,
) -> BTreeMap<String, Vec<u8>> {
    let tree =
        |repo: &str, commit: &str| world.shelves.github.tree(repo, commit).unwrap_or_default();
    match deployment.origins.get(job).map(|origin| &origin.content) {
        Some(Content::Commit {
            repo: Some(repo),
            hash,
        }) => tree(repo, hash),
        Some(Content::Image { digest }) => {
            let image = world
                .shelves
                .images
                .iter()
                .find(|image| image.digest == *digest);
            image
                .map(|image| tree(&image.repo, &image.commit))
                .unwrap_or_default()
        }
        Some(Content::Commit { repo: None, .. }) | None => BTreeMap::new(),
    }
}

/// Returns the path of an app under the simulator's own address, where its services answer.
pub(crate) fn live_url(public_base: &str, app_name: &str) -> String {
    format!("{public_base}/_live/{app_name}")
}

/// `${NAME}` or `${component.NAME}`.
static BINDING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\$\{([A-Za-z0-9_-]+)(?:\.([A-Za-z0-9_]+))?\}").ok());

struct Bindings<'a> {
    world: &'a Surroundings<'a>,
    app_id: &'a str,
    deployment: &'a Deployment,
    own: Component<'a>,
    now: Timestamp,
}

impl Bindings<'_> {
    fn add(
        &self,
        component: Option<&str>,
        fields: &Map<String, Value>,
        into: &mut BTreeMap<String, String>,
    ) {
        for env in envs(fields) {
            let text = |name: &str| env.get(name).and_then(Value::as_str).unwrap_or_default();
            if text("scope") != "BUILD_TIME" {
                let value = self.world.vault.open(component, text("value"));
                into.insert(text("key").to_owned(), self.resolve(value));
            }
        }
    }

    /// Replaces what can be resolved; anything else stays as it is written.
    fn resolve(&self, value: &str) -> String {
        // The pattern is a constant; were it ever wrong, values would pass unchanged.
        let Some(binding) = BINDING.as_ref() else {
            return value.to_owned();
        };
        binding
            .replace_all(value, |found: &Captures<'_>| {
                let literal = found.get(0).map_or("", |whole| whole.as_str());
                let name = found.get(1).map_or("", |name| name.as_str());
                let resolved = match found.get(2) {
                    None => self.of_app(name),
                    Some(variable) => self.of_component(name, variable.as_str()),
                };
                resolved.unwrap_or_else(|| literal.to_owned())
            })
            .into_owned()
    }

    fn of_app(&self, variable: &str) -> Option<String> {
        let url = live_url(
            self.world.public_base,
            crate::spec::app_name(&self.deployment.spec),
        );
        match variable {
            "APP_ID" => Some(self.app_id.to_owned()),
            "APP_URL" => Some(url),
            "APP_DOMAIN" => url.split("//").nth(1).map(str::to_owned),
            _ => None,
        }
    }

    fn of_component(&self, name: &str, variable: &str) -> Option<String> {
        let itself = name == "_self" || name == self.own.name;
        let target = if name == "_self" {
            Some(self.own)
        } else {
            component(&self.deployment.spec, name)
        };
        let Some(target) = target else {
            return self.of_database(name, variable);
        };
        let port = target
            .fields
            .get("http_port")
            .and_then(Value::as_u64)
            .unwrap_or(8080);
        let app = crate::spec::app_name(&self.deployment.spec);
        match variable {
            "COMMIT_HASH" => self.commit(target.name, itself),
            "PRIVATE_DOMAIN" => Some(target.name.to_owned()),
            "PRIVATE_PORT" => Some(port.to_string()),
            "PRIVATE_URL" => Some(format!("http://{}:{port}", target.name)),
            "PUBLIC_URL" => Some(live_url(self.world.public_base, app)),
            "PUBLIC_ROUTE_PATH" => Some("/".to_owned()),
            _ => None,
        }
    }

    fn commit(&self, component: &str, itself: bool) -> Option<String> {
        let knobs = self.world.knobs;
        match if itself {
            knobs.self_commit_hash
        } else {
            knobs.component_commit_hash
        } {
            CommitHash::Literal => None,
            CommitHash::Empty => Some(String::new()),
            CommitHash::Resolved => match &self.deployment.origins.get(component)?.content {
                Content::Commit { hash, .. } => Some(hash.clone()),
                Content::Image { .. } => Some(String::new()),
            },
        }
    }

    fn of_database(&self, name: &str, variable: &str) -> Option<String> {
        let cluster = bound_cluster(&self.deployment.spec, name, self.world.clusters)?;
        let url = if cluster.admits(self.app_id, self.now, self.world.knobs) {
            cluster.database_url.clone()
        } else {
            unreachable(&cluster.database_url)
        };
        let address = Address::read(&url);
        match variable {
            "HOSTNAME" => Some(address.host.to_owned()),
            "PORT" => Some(address.port.to_owned()),
            "USERNAME" => Some(address.user.to_owned()),
            "PASSWORD" => Some(address.password.to_owned()),
            "DATABASE" => Some(address.database.to_owned()),
            "JDBC_DATABASE_URL" => Some(format!("jdbc:{url}")),
            "DATABASE_URL" | "REDIS_URL" => Some(url),
            _ => None,
        }
    }
}

/// Returns the cluster behind a database component: the one it names, else the one that bears its own name.
fn bound_cluster<'a>(
    spec: &Value,
    component: &str,
    clusters: &'a [Cluster],
) -> Option<&'a Cluster> {
    let database = databases(spec)
        .find(|database| database.get("name").is_some_and(|name| name == component))?;
    let cluster = database
        .get("cluster_name")
        .and_then(Value::as_str)
        .unwrap_or(component);
    clusters.iter().find(|each| each.name == cluster)
}

/// Returns how long a job's process takes, by the first pattern that fits its name.
pub(crate) fn job_seconds(app: &App, job: &str) -> u64 {
    let fits = |pattern: &str| crate::fault::fits(pattern, job);
    let own = app
        .job_seconds
        .iter()
        .find(|(pattern, _)| fits(pattern))
        .map(|(_, seconds)| *seconds);
    own.unwrap_or(app.timing.job_seconds)
}
