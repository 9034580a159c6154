//! Rollbacks: the ones people ask for, with the pin they put on an app, and the ones that follow a failure.

use crate::app::App;
use crate::deployment::{Cause, CauseType, Deployment, Phase};
use crate::error::ApiError;
use crate::knobs::{RollbackJobs, SpecAfterRollback};
use crate::operations::by_user;
use crate::order::{Jobs, Order, Refresh, origins};
use crate::spec::databases;
use crate::world::State;
use serde_json::{Value, json};
use std::sync::Arc;

/// How many successful deployments back a rollback can go (published).
const ROLLBACK_REACH: usize = 10;

impl State {
    /// Tells what speaks against a rollback: a code of the published list and a sentence.
    pub(crate) fn rollback_obstacle(
        &self,
        app: &App,
        target: &Deployment,
    ) -> Option<(&'static str, String)> {
        if app.pinned.is_some() {
            return Some((
                "app_pinned",
                "a rollback is already in progress and the app is pinned".to_owned(),
            ));
        }
        if !target.is_over() {
            return Some((
                "incompatible_phase",
                format!("deployment phase {} is unsuitable", target.phase.text()),
            ));
        }
        if !matches!(target.phase, Phase::Active | Phase::Superseded) {
            return Some((
                "incompatible_result",
                "deployment result \"failed\" is unsuitable for rollback".to_owned(),
            ));
        }
        let good = |each: &&Deployment| {
            each.is_over() && matches!(each.phase, Phase::Active | Phase::Superseded)
        };
        if !app
            .deployments
            .iter()
            .rev()
            .filter(good)
            .take(ROLLBACK_REACH)
            .any(|each| each.id == target.id)
        {
            let text = format!(
                "the deployment is past the maximum historical revision limit of {ROLLBACK_REACH}"
            );
            return Some(("exceeded_revision_limit", text));
        }
        let places = |spec: &Value| -> Vec<Value> {
            databases(spec)
                .map(|database| json!([database.get("name"), database.get("cluster_name")]))
                .collect()
        };
        if places(&target.spec) != places(&app.spec) {
            return Some((
                "database_config_conflict",
                "the database configuration has changed".to_owned(),
            ));
        }
        (target.spec.get("region") != app.spec.get("region"))
            .then(|| ("region_conflict", "the region has changed".to_owned()))
    }

    /// Deploys an earlier deployment's spec and builds again and returns the new deployment's id.
    ///
    /// # Errors
    /// No such app or deployment, or something speaks against it.
    pub(crate) fn rollback(
        &mut self,
        app_id: &str,
        target: &str,
        skip_pin: bool,
        user: &str,
    ) -> Result<String, ApiError> {
        let index = self.app_index(app_id)?;
        let app = self.app_at(index)?;
        let target = app.deployment(target).ok_or_else(ApiError::not_found)?;
        if let Some((_, message)) = self.rollback_obstacle(app, target) {
            return Err(ApiError::bad_request(message));
        }
        let text = format!("manual rollback to deployment {:?}", target.id);
        let cause = by_user(&text, CauseType::ManualRollback, "ROLLBACK_APP", user);
        let order = Order {
            cloned_from: Some(target.id.clone()),
            jobs: self.rollback_jobs(),
            ..Order::of(cause, target.spec.clone(), target.origins.clone())
        };
        let (spec, origins) = (order.spec.clone(), order.origins.clone());
        let id = self.deploy(index, order);
        if let Some(app) = self.apps.get_mut(index) {
            let before = std::mem::replace(&mut app.spec, spec);
            app.origins = origins;
            if !skip_pin {
                app.pinned = Some(id.clone());
                app.spec_before_rollback = Some(before);
            }
        }
        Ok(id)
    }

    /// Keeps a rollback: the app is no longer pinned.
    ///
    /// # Errors
    /// No such app, or it is not pinned.
    pub(crate) fn commit_rollback(&mut self, app_id: &str) -> Result<(), ApiError> {
        let index = self.app_index(app_id)?;
        let Some(app) = self.apps.get_mut(index) else {
            return Err(ApiError::not_found());
        };
        app.pinned
            .take()
            .ok_or_else(|| ApiError::bad_request("app is not pinned to a rollback deployment"))?;
        app.spec_before_rollback = None;
        Ok(())
    }

    /// Undoes a rollback: deploys the spec from before it and unpins.
    ///
    /// # Errors
    /// No such app, or it is not pinned.
    pub(crate) fn revert_rollback(&mut self, app_id: &str, user: &str) -> Result<String, ApiError> {
        self.commit_rollback_spec(app_id).and_then(|spec| {
            let index = self.app_index(app_id)?;
            let origins = origins(self.app_at(index)?, &spec, Refresh::NewOnly, self.shelves())?;
            if let Some(app) = self.apps.get_mut(index) {
                app.spec = spec.clone();
                app.origins.clone_from(&origins);
            }
            let cause = by_user(
                "rollback reverted",
                CauseType::Manual,
                "REVERT_APP_ROLLBACK",
                user,
            );
            let jobs = self.rollback_jobs();
            Ok(self.deploy(
                index,
                Order {
                    jobs,
                    ..Order::of(cause, spec, origins)
                },
            ))
        })
    }

    fn commit_rollback_spec(&mut self, app_id: &str) -> Result<Arc<Value>, ApiError> {
        let index = self.app_index(app_id)?;
        let Some(app) = self.apps.get_mut(index) else {
            return Err(ApiError::not_found());
        };
        let unpinned = app.pinned.take();
        match (unpinned, app.spec_before_rollback.take()) {
            (Some(_), Some(spec)) => Ok(spec),
            _ => Err(ApiError::bad_request(
                "app is not pinned to a rollback deployment",
            )),
        }
    }

    /// Starts the rollback that follows a failure, unless something else has begun meanwhile.
    pub(crate) fn roll_back(&mut self, index: usize, failed: &str) {
        let Some(app) = self.apps.get(index) else {
            return;
        };
        let Some(target) = app.active_deployment() else {
            return;
        };
        let cause = Cause {
            kind: CauseType::AutoRollback,
            text: format!("automated rollback after failed deployment of \"{failed}\""),
            details: json!({"internal": true}),
        };
        let order = Order {
            cloned_from: Some(target.id.clone()),
            previous: Some(failed.to_owned()),
            jobs: self.rollback_jobs(),
            ..Order::of(cause, target.spec.clone(), target.origins.clone())
        };
        let spec = order.spec.clone();
        self.deploy(index, order);
        if self.knobs.spec_after_rollback == SpecAfterRollback::Reverted
            && let Some(app) = self.apps.get_mut(index)
        {
            app.spec = spec;
        }
    }

    fn rollback_jobs(&self) -> Jobs {
        match self.knobs.rollback_jobs {
            RollbackJobs::Skip => Jobs::Skip,
            RollbackJobs::Rerun => Jobs::Run,
        }
    }
}
