//! What people and pushes do to an app: each of these makes, ends or refuses a deployment.

use crate::app::App;
use crate::clock::{later, rfc3339};
use crate::deployment::{Cause, CauseType, Phase, Stage};
use crate::error::ApiError;
use crate::github::Pushed;
use crate::ids::uuid;
use crate::knobs::{FirewallPut, PushRefreshes, ReadBack, seconds};
use crate::order::{Jobs, Order, Refresh, Shelves, new_deployment, origins, tracks};
use crate::spec::{app_name, components, normalise};
use crate::stages::kill_job;
use crate::validate::{clusters, validate};
use crate::world::State;
use serde_json::{Value, json};
use std::sync::Arc;

impl State {
    /// Replaces an app's spec and returns the id of the deployment that makes.
    ///
    /// # Errors
    /// As the platform answers: no such app, pinned, a spec that is not valid, a name that is taken.
    pub(crate) fn put_spec(
        &mut self,
        app_id: &str,
        submitted: &Value,
        refresh: Refresh<'_>,
        user: &str,
    ) -> Result<String, ApiError> {
        let index = self.app_index(app_id)?;
        self.check_spec(submitted, Some(app_id))?;
        let app = self.app_at(index)?;
        refuse_pinned(app)?;
        let origins = origins(app, submitted, refresh, self.shelves())?;
        let before = app.spec.clone();
        let mut spec = submitted.clone();
        let elsewhere = self.knobs.ev_in_new_component;
        self.vault
            .seal_spec(app_id, &mut spec, Some(&before), elsewhere)
            .map_err(ApiError::bad_request)?;
        let spec = match self.knobs.read_back {
            ReadBack::Normalised => normalise(&spec),
            ReadBack::Verbatim => spec,
        };
        let spec = Arc::new(spec);
        if let Some(app) = self.apps.get_mut(index) {
            app.spec = Arc::clone(&spec);
            app.origins.clone_from(&origins);
        }
        let cause = by_user("app spec updated", CauseType::Manual, "UPDATE_SPEC", user);
        Ok(self.deploy(index, Order::of(cause, spec, origins)))
    }

    /// Checks a spec without doing anything.
    ///
    /// # Errors
    /// As the platform answers a spec that is not valid, or a name that another app has.
    pub(crate) fn check_spec(&self, spec: &Value, app_id: Option<&str>) -> Result<(), ApiError> {
        validate(spec, self.knobs.unknown_spec_field).map_err(ApiError::bad_request)?;
        let known = |name: &str| self.clusters.iter().any(|cluster| cluster.name == name);
        if clusters(spec).any(|name| !known(name)) {
            return Err(ApiError::bad_request("database cluster was not found"));
        }
        let taken = self
            .apps
            .iter()
            .any(|app| Some(app.id.as_str()) != app_id && app.name() == app_name(spec));
        if taken && app_id.is_some() {
            return Err(ApiError::conflict("app name is already in use"));
        }
        Ok(())
    }

    /// Checks what a spec refers to, for an app: its sources and its encrypted values. Nothing comes of it.
    ///
    /// # Errors
    /// As the platform answers an update.
    pub(crate) fn check_sources(&mut self, app_id: &str, spec: &Value) -> Result<(), ApiError> {
        let app = self.app(app_id)?;
        origins(app, spec, Refresh::NewOnly, self.shelves())?;
        let before = app.spec.clone();
        let elsewhere = self.knobs.ev_in_new_component;
        let sealed = self
            .vault
            .seal_spec(app_id, &mut spec.clone(), Some(&before), elsewhere);
        sealed.map_err(ApiError::bad_request)
    }

    /// Deploys the app again with the newest sources and returns the deployment's id.
    ///
    /// # Errors
    /// No such app, pinned, or a repository that is not there.
    pub(crate) fn create_deployment(
        &mut self,
        app_id: &str,
        force: bool,
        user: &str,
    ) -> Result<String, ApiError> {
        let index = self.app_index(app_id)?;
        let app = self.app_at(index)?;
        refuse_pinned(app)?;
        let spec = app.spec.clone();
        let origins = origins(app, &spec, Refresh::All, self.shelves())?;
        if let Some(app) = self.apps.get_mut(index) {
            app.origins.clone_from(&origins);
        }
        let cause = by_user("manual", CauseType::Manual, "CREATE_DEPLOYMENT", user);
        Ok(self.deploy(
            index,
            Order {
                force_build: force,
                ..Order::of(cause, spec, origins)
            },
        ))
    }

    /// Starts the app's services again; its jobs are left alone.
    ///
    /// # Errors
    /// No such app, or pinned.
    pub(crate) fn restart(&mut self, app_id: &str, user: &str) -> Result<String, ApiError> {
        let index = self.app_index(app_id)?;
        let app = self.app_at(index)?;
        refuse_pinned(app)?;
        let (spec, origins) = (app.spec.clone(), app.origins.clone());
        let cause = by_user("restarting app", CauseType::Manual, "RESTART", user);
        Ok(self.deploy(
            index,
            Order {
                jobs: Jobs::Skip,
                ..Order::of(cause, spec, origins)
            },
        ))
    }

    /// Ends a deployment that is in flight.
    ///
    /// # Errors
    /// No such app or deployment, or it is over.
    pub(crate) fn cancel(&mut self, app_id: &str, deployment_id: &str) -> Result<(), ApiError> {
        let index = self.app_index(app_id)?;
        let now = self.now;
        let Some(app) = self.apps.get_mut(index) else {
            return Err(ApiError::not_found());
        };
        let found = app
            .deployments
            .iter_mut()
            .find(|each| each.id == deployment_id)
            .ok_or_else(ApiError::not_found)?;
        if found.is_over() {
            return Err(ApiError::bad_request(format!(
                "cannot cancel a deployment in phase {}",
                found.phase.text()
            )));
        }
        found.end(Phase::Canceled, now);
        if let Some(origins) = app.active_deployment().map(|active| active.origins.clone()) {
            app.origins = origins;
        }
        app.start_next(now);
        Ok(())
    }

    /// Starts the deployments that a push causes on apps whose components track the branch.
    pub(crate) fn on_push(&mut self, pushed: &Pushed) {
        for index in 0..self.apps.len() {
            let Some(app) = self.apps.get(index) else {
                continue;
            };
            let tracks = components(&app.spec).any(|component| tracks(&component, pushed));
            // A pinned app takes no push (published); the commit waits for the next deployment.
            if !tracks || app.pinned.is_some() {
                continue;
            }
            let spec = app.spec.clone();
            let refresh = match self.knobs.push_refreshes {
                PushRefreshes::All => Refresh::All,
                PushRefreshes::Tracking => Refresh::Push(pushed),
            };
            let Ok(origins) = origins(app, &spec, refresh, self.shelves()) else {
                continue;
            };
            if let Some(app) = self.apps.get_mut(index) {
                app.origins.clone_from(&origins);
            }
            let short: String = pushed.after.chars().take(7).collect();
            let cause = Cause {
                kind: CauseType::DeployOnPush,
                text: format!(
                    "commit {short} pushed to github.com/{}/tree/{}",
                    pushed.repo, pushed.branch
                ),
                details: json!({"git_push": {"github": {"repo": pushed.repo, "branch": pushed.branch},
                    "username": "", "commit_author": "", "commit_sha": pushed.after,
                    "commit_message": pushed.message}}),
            };
            self.deploy(index, Order::of(cause, spec, origins));
        }
    }

    /// Replaces a cluster's trusted sources.
    ///
    /// # Errors
    /// No such cluster, or a rule that cannot be.
    pub(crate) fn put_firewall(
        &mut self,
        cluster_id: &str,
        rules: &[Value],
    ) -> Result<(), ApiError> {
        let now = self.now;
        let found = self
            .clusters
            .iter_mut()
            .find(|cluster| cluster.id == cluster_id);
        let cluster = found.ok_or_else(ApiError::not_found)?;
        let stored = cluster
            .accept(rules, &rfc3339(now), &mut self.numbers)
            .map_err(ApiError::unprocessable)?;
        let effective_at = later(now, seconds(self.knobs.firewall_propagation_seconds));
        cluster.effective.push((effective_at, stored.clone()));
        cluster.rules = stored;
        if self.knobs.firewall_put == FirewallPut::Quiet {
            return Ok(());
        }
        let named = |rule: &Value, id: &str| {
            rule.get("type").is_some_and(|kind| kind == "app")
                && rule.get("value").is_some_and(|value| value == id)
        };
        for index in 0..self.apps.len() {
            let Some(app) = self.apps.get(index) else {
                continue;
            };
            if app.pinned.is_none() && rules.iter().any(|rule| named(rule, &app.id)) {
                let cause = Cause {
                    kind: CauseType::TrustedSources,
                    text: "database trusted sources updated".to_owned(),
                    details: json!({"internal": true}),
                };
                let order = Order::of(cause, app.spec.clone(), app.origins.clone());
                self.deploy(index, order);
            }
        }
        Ok(())
    }

    /// Stops one run of a job.
    ///
    /// # Errors
    /// No such app or invocation, or it is over.
    pub(crate) fn cancel_invocation(
        &mut self,
        app_id: &str,
        invocation: &str,
    ) -> Result<(), ApiError> {
        let index = self.app_index(app_id)?;
        let now = self.now;
        let Some(app) = self.apps.get_mut(index) else {
            return Err(ApiError::not_found());
        };
        for deployment in &mut app.deployments {
            let at = deployment
                .jobs
                .iter()
                .position(|job| job.invocation == invocation);
            if let Some(at) = at {
                if !matches!(deployment.stage, Stage::JobStarting(busy) | Stage::JobRunning(busy) if busy == at)
                {
                    return Err(ApiError::bad_request("job invocation is not running"));
                }
                kill_job(deployment, at, now);
                self.advance(now);
                return Ok(());
            }
        }
        Err(ApiError::not_found())
    }

    /// Makes a deployment and returns its id.
    pub(crate) fn deploy(&mut self, index: usize, order: Order) -> String {
        self.numbers += 1;
        let id = uuid("deployment", self.numbers);
        let now = self.now;
        if let Some(app) = self.apps.get_mut(index) {
            let deployment = new_deployment(app, &id, order, now);
            app.start(deployment, now, &self.knobs);
        }
        id
    }

    /// Returns where the content of sources is found.
    pub(crate) fn shelves(&self) -> Shelves<'_> {
        Shelves {
            github: &self.github,
            images: &self.images,
        }
    }

    /// Returns the place of an app.
    ///
    /// # Errors
    /// No such app, or a text that is no id.
    pub(crate) fn app_index(&self, app_id: &str) -> Result<usize, ApiError> {
        if !crate::ids::is_uuid(app_id) {
            return Err(ApiError::bad_request("invalid uuid"));
        }
        self.apps
            .iter()
            .position(|app| app.id == app_id)
            .ok_or_else(ApiError::not_found)
    }

    /// Returns an app by its id.
    ///
    /// # Errors
    /// As [`State::app_index`].
    pub(crate) fn app(&self, app_id: &str) -> Result<&App, ApiError> {
        self.app_at(self.app_index(app_id)?)
    }

    pub(crate) fn app_at(&self, index: usize) -> Result<&App, ApiError> {
        self.apps.get(index).ok_or_else(ApiError::not_found)
    }
}

fn refuse_pinned(app: &App) -> Result<(), ApiError> {
    match app.pinned {
        None => Ok(()),
        Some(_) => Err(ApiError::bad_request(
            "app is pinned to a rollback deployment; commit or revert the rollback before deploying",
        )),
    }
}

pub(crate) fn by_user(text: &str, kind: CauseType, action: &str, user: &str) -> Cause {
    let details = json!({"digitalocean_user_action": {"name": action, "user": {"email": user}}});
    Cause {
        kind,
        text: text.to_owned(),
        details,
    }
}
