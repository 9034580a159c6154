//! The world file: what there is at the beginning.

use crate::knobs::{Knobs, Timing};
use crate::token::Token;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A world file.
///
/// ```json
/// {
///   "start": "2026-02-18T00:00:00Z",
///   "public_base": "http://127.0.0.1:8080",
///   "tokens": [{"token": "…", "user": "dev@example.com", "scopes": ["app:read", "app:update"]}],
///   "tools": ["/absolute/directory/put/on/PATH/of/jobs"],
///   "apps": [{
///     "id": "11111111-1111-4111-8111-111111111111",
///     "spec": {"name": "shop", "services": []},
///     "commit": "40 hex digits; the head of each component's branch where it is left out",
///     "secrets": {"EV[1:…:…]": "the plain text behind an encrypted value of the spec"},
///     "age_seconds": 86400,
///     "timing": {"build_seconds": 270},
///     "job_seconds": {"migrate-*": 60}
///   }],
///   "databases": [{
///     "id": "55555555-5555-4555-8555-555555555555", "name": "shop-mysql", "engine": "mysql", "version": "8",
///     "database_url": "mysql://user:password@127.0.0.1:3306/shop",
///     "rules": [{"type": "app", "value": "11111111-1111-4111-8111-111111111111"}]
///   }],
///   "images": [{"repository": "shop", "tags": ["latest"], "digest": "sha256:…", "repo": "acme/shop", "commit": "…"}],
///   "knobs": {"post_deploy_failure": "rollback"},
///   "github": {}
/// }
/// ```
///
/// Each app begins with one deployment that is live, made of its spec. Plain text in a secret is encrypted like any
/// other. `databases` components find their cluster by `cluster_name`, else by their own name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldConfig {
    /// The simulated time at the beginning; whoever makes the clock reads it.
    #[serde(default)]
    pub start: Option<Timestamp>,
    /// What absolute URLs begin with. Over sockets the listener's own address where it is left out.
    #[serde(default)]
    pub public_base: Option<String>,
    /// The tokens of the DigitalOcean side.
    #[serde(default)]
    pub tokens: Vec<Token>,
    /// Directories that jobs find on their `PATH`.
    #[serde(default)]
    pub tools: Vec<PathBuf>,
    /// The apps.
    #[serde(default)]
    pub apps: Vec<AppConfig>,
    /// The database clusters.
    #[serde(default)]
    pub databases: Vec<ClusterConfig>,
    /// The images whose content is known.
    #[serde(default)]
    pub images: Vec<ImageConfig>,
    /// The answers to open questions.
    #[serde(default)]
    pub knobs: Knobs,
    /// The GitHub half; its own module reads it.
    #[serde(default)]
    pub github: Value,
}

/// An app of a world file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppConfig {
    /// Its UUID.
    pub id: String,
    /// Its spec.
    pub spec: Value,
    /// The commit that is live, where it is not the head of the branch.
    #[serde(default)]
    pub commit: Option<String>,
    /// The plain texts behind encrypted values of the spec; one that is not listed here is refused.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// How long before the beginning its deployment was made.
    #[serde(default = "one_day")]
    pub age_seconds: u64,
    /// How long its deployments take.
    #[serde(default)]
    pub timing: Timing,
    /// How long the jobs of these names take; `*` stands for anything.
    #[serde(default)]
    pub job_seconds: BTreeMap<String, u64>,
}

/// A database cluster of a world file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    /// Its UUID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The engine's slug.
    #[serde(default = "mysql")]
    pub engine: String,
    /// The engine's version.
    #[serde(default = "eight")]
    pub version: String,
    /// What jobs are given as `DATABASE_URL`.
    pub database_url: String,
    /// The trusted sources, in the form of a firewall update.
    #[serde(default)]
    pub rules: Vec<Value>,
}

/// An image of a world file: what a tag stands for, and which commit's files its jobs find.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageConfig {
    /// The repository's name, as an image source gives it.
    pub repository: String,
    /// The tags that stand for it.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Its digest, `sha256:` and 64 hex digits.
    pub digest: String,
    /// The source repository, `owner/name`.
    pub repo: String,
    /// The commit it was built from.
    pub commit: String,
}

fn one_day() -> u64 {
    86_400
}

fn mysql() -> String {
    "mysql".to_owned()
}

fn eight() -> String {
    "8".to_owned()
}

/// Why a world cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The file is not what it should be.
    #[error("cannot read the world file")]
    File(#[source] serde_json::Error),
    /// An app is not valid.
    #[error("cannot set up app `{app}`: {message}")]
    App {
        /// The app's id.
        app: String,
        /// What is wrong.
        message: String,
    },
    /// A database is not valid.
    #[error("cannot set up database `{database}`: {message}")]
    Database {
        /// The cluster's name.
        database: String,
        /// What is wrong.
        message: String,
    },
    /// The GitHub half is not valid.
    #[error("cannot set up the GitHub half: {0}")]
    GitHub(String),
}

impl WorldConfig {
    /// Reads a world file.
    ///
    /// # Errors
    /// [`WorldError::File`] for anything but the documented form.
    pub fn read(text: &str) -> Result<Self, WorldError> {
        serde_json::from_str(text).map_err(WorldError::File)
    }
}
