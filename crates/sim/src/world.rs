//! The handle on a world and everything that it holds.
//!
//! Nothing in here runs by itself. Whoever asks first lets everything happen that was due before the moment of asking;
//! that is why a world under tokio's paused clock needs no background task and is the same in every run.

use crate::app::App;
use crate::clock::{Clock, earlier};
use crate::config::{AppConfig, ClusterConfig, ImageConfig, WorldConfig, WorldError};
use crate::database::Cluster;
use crate::deployment::{Cause, CauseType, Content};
use crate::executor::{Execute, JobExit, Processes};
use crate::fault::Faults;
use crate::github::GitHubState;
use crate::knobs::{Knobs, ReadBack, seconds};
use crate::order::{Order, Refresh, new_deployment, origins};
use crate::record::Record;
use crate::spec::normalise;
use crate::stages::already_live;
use crate::token::{Side, Token, presented};
use crate::vault::Vault;
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The base of URLs until somebody says better.
pub(crate) const UNSET_BASE: &str = "http://127.0.0.1";

/// A cheap handle on one simulated pair of worlds; clones share it.
#[derive(Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    /// Wakes whoever waits for a request that is left without an answer.
    pub(crate) silence: Arc<Notify>,
}

/// One process that a job ran as.
#[derive(Clone, Debug, Serialize)]
pub struct Execution {
    /// The app.
    pub app_id: String,
    /// The deployment it ran in.
    pub deployment_id: String,
    /// The job component.
    pub component: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How the process ended, whatever the platform made of it.
    pub exit: JobExit,
    /// The names of its variables; `PATH` and `HOME` come on top.
    pub env_keys: Vec<String>,
}

/// What a world holds. Handlers see it through [`World::with`], already moved on to the time of the request.
pub(crate) struct State {
    /// The clock; handlers use [`State::now`] instead, so that one request sees one time.
    pub(crate) clock: Clock,
    /// The simulated time up to which everything has happened.
    pub(crate) now: Timestamp,
    pub(crate) knobs: Knobs,
    pub(crate) apps: Vec<App>,
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) vault: Vault,
    /// The GitHub half.
    pub(crate) github: GitHubState,
    /// Every token that is known.
    pub(crate) tokens: Vec<Token>,
    /// When each token was used within the last hour.
    pub(crate) used: BTreeMap<String, VecDeque<Timestamp>>,
    /// What absolute URLs begin with, without a slash at the end.
    pub(crate) public_base: String,
    pub(crate) tools: Vec<PathBuf>,
    pub(crate) images: Vec<ImageConfig>,
    pub(crate) executor: Box<dyn Execute>,
    pub(crate) executions: Vec<Execution>,
    pub(crate) record: Record,
    pub(crate) faults: Faults,
    /// Requests that take effect later than they were made, by the time they do.
    pub(crate) delayed: Vec<(Timestamp, http::Request<Bytes>)>,
    /// Counts everything that gets an invented identifier.
    pub(crate) numbers: usize,
}

impl World {
    /// Returns a world as a file describes it.
    ///
    /// # Errors
    /// Names the app or database that cannot be set up, or what the GitHub half lacks.
    pub fn new(config: WorldConfig, clock: Clock) -> Result<Self, WorldError> {
        let now = clock.now();
        let github = match &config.github {
            serde_json::Value::Null => GitHubState::default(),
            github => GitHubState::from_config(github).map_err(WorldError::GitHub)?,
        };
        let mut state = State {
            clock,
            now,
            knobs: config.knobs,
            apps: Vec::new(),
            clusters: Vec::new(),
            vault: Vault::default(),
            github,
            tokens: config.tokens,
            used: BTreeMap::new(),
            public_base: UNSET_BASE.to_owned(),
            tools: config.tools,
            images: config.images,
            executor: Box::new(Processes::default()),
            executions: Vec::new(),
            record: Record::default(),
            faults: Faults::default(),
            delayed: Vec::new(),
            numbers: 0,
        };
        if let Some(base) = config.public_base {
            state.set_public_base(&base);
        }
        for cluster in config.databases {
            state.add_cluster(cluster)?;
        }
        for app in config.apps {
            state.add_app(app)?;
        }
        Ok(Self {
            state: Arc::new(Mutex::new(state)),
            silence: Arc::default(),
        })
    }

    /// Returns a small world for tests: the app `shop` with the service `web` and the database `db`, built from
    /// `acme/shop`. Its tokens are `do-token` (all scopes) and `do-read` (`app:read` and `database:read`).
    ///
    /// # Errors
    /// None in practice: the file is a constant.
    pub fn minimal(clock: Clock) -> Result<Self, WorldError> {
        Self::new(WorldConfig::read(include_str!("minimal.json"))?, clock)
    }

    /// Runs `work` on the state under the lock. Must not be nested.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.lock())
    }

    /// Runs `work` once everything has happened that was due by now.
    pub(crate) fn at_now<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        self.with(|state| {
            state.advance(state.clock.now());
            work(state)
        })
    }

    /// A panic in another test thread must not hide its message behind a poisoned lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns the known token that a request presents, if it is good on that side.
    pub(crate) fn token(&self, side: Side, headers: &HeaderMap) -> Option<&Token> {
        let text = presented(headers)?;
        self.tokens
            .iter()
            .find(|known| known.side == side && known.token == text)
    }

    pub(crate) fn set_public_base(&mut self, base: &str) {
        base.trim_end_matches('/').clone_into(&mut self.public_base);
        self.github.set_api_url(&self.public_base);
    }

    fn add_cluster(&mut self, config: ClusterConfig) -> Result<(), WorldError> {
        let created_at = earlier(self.now, seconds(86_400));
        let mut cluster = Cluster {
            id: config.id,
            name: config.name,
            engine: config.engine,
            version: config.version,
            created_at,
            database_url: config.database_url,
            rules: Vec::new(),
            effective: Vec::new(),
        };
        let rules = cluster
            .accept(
                &config.rules,
                &crate::clock::rfc3339(created_at),
                &mut self.numbers,
            )
            .map_err(|message| WorldError::Database {
                database: cluster.name.clone(),
                message,
            })?;
        cluster.effective.push((created_at, rules.clone()));
        cluster.rules = rules;
        self.clusters.push(cluster);
        Ok(())
    }

    fn add_app(&mut self, config: AppConfig) -> Result<(), WorldError> {
        let refused = |message: String| WorldError::App {
            app: config.id.clone(),
            message,
        };
        if !crate::ids::is_uuid(&config.id) {
            return Err(refused("its id is not a UUID".to_owned()));
        }
        self.check_spec(&config.spec, None)
            .map_err(|error| refused(error.message))?;
        for (text, plain) in &config.secrets {
            self.vault.accept(&config.id, text, plain);
        }
        let mut spec = config.spec.clone();
        let elsewhere = self.knobs.ev_in_new_component;
        self.vault
            .seal_spec(&config.id, &mut spec, None, elsewhere)
            .map_err(refused)?;
        let spec = match self.knobs.read_back {
            ReadBack::Normalised => normalise(&spec),
            ReadBack::Verbatim => spec,
        };
        let spec = Arc::new(spec);
        let created_at = earlier(self.now, seconds(config.age_seconds));
        let mut app = App {
            id: config.id.clone(),
            spec: spec.clone(),
            created_at,
            updated_at: created_at,
            deployments: Vec::new(),
            active: None,
            pinned: None,
            spec_before_rollback: None,
            origins: BTreeMap::new(),
            built: BTreeSet::new(),
            rollback_due: None,
            health: crate::app::Health::Up,
            timing: config.timing.clone(),
            job_seconds: config.job_seconds.clone(),
            breakages: Vec::new(),
        };
        let mut found = origins(&app, &spec, Refresh::All, self.shelves())
            .map_err(|error| refused(error.message))?;
        if let Some(commit) = &config.commit {
            for origin in found.values_mut() {
                if let Content::Commit {
                    repo: Some(_),
                    hash,
                } = &mut origin.content
                {
                    hash.clone_from(commit);
                }
            }
        }
        self.numbers += 1;
        let id = crate::ids::uuid("deployment", self.numbers);
        let cause = Cause {
            kind: CauseType::Manual,
            text: "manual".to_owned(),
            details: json!({}),
        };
        let mut first = new_deployment(&app, &id, Order::of(cause, spec, found.clone()), self.now);
        already_live(&mut first, seconds(config.age_seconds), self.now);
        app.built
            .extend(first.builds.iter().map(|build| build.key.clone()));
        app.origins = found;
        app.deployments.push(first);
        app.active = Some(id);
        self.apps.push(app);
        Ok(())
    }
}
