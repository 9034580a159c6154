//! What people and pushes do to an app: each of these makes, ends or refuses a deployment.

use crate::advance::kill_job;
use crate::app::App;
use crate::clock::{later, rfc3339};
use crate::deployment::{
    Build, Cause, CauseType, Content, Deployment, JobKind, JobRun, Leaf, Origin, Phase, Rollout,
    Stage,
};
use crate::error::ApiError;
use crate::github::{GitHubState, Pushed};
use crate::ids::{hex_of, uuid};
use crate::knobs::{
    FirewallPut, PushRefreshes, ReadBack, RollbackJobs, SpecAfterRollback, seconds,
};
use crate::spec::{Component, Source, app_name, components, databases, normalise};
use crate::validate::{clusters, validate};
use crate::world::State;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many successful deployments back a rollback can go (published).
const ROLLBACK_REACH: usize = 10;

/// Whose content a new deployment fetches anew.
#[derive(Clone, Copy)]
pub(crate) enum Refresh<'a> {
    /// Only that of components that are new or moved.
    NewOnly,
    /// Everything.
    All,
    /// That of the components on a branch that was pushed to.
    Push(&'a Pushed),
}

/// Whether the deploy-time jobs of a spec have their turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jobs {
    Run,
    Skip,
}

/// Everything that sets one new deployment apart.
pub(crate) struct Order {
    pub(crate) cause: Cause,
    pub(crate) spec: Value,
    pub(crate) origins: BTreeMap<String, Origin>,
    pub(crate) cloned_from: Option<String>,
    pub(crate) previous: Option<String>,
    pub(crate) jobs: Jobs,
    pub(crate) force_build: bool,
}

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
        let origins = origins(app, submitted, refresh, &self.github)?;
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
        if let Some(app) = self.apps.get_mut(index) {
            app.spec = spec.clone();
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
        let origins = origins(app, &spec, Refresh::All, &self.github)?;
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
            let origins = origins(self.app_at(index)?, &spec, Refresh::NewOnly, &self.github)?;
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

    fn commit_rollback_spec(&mut self, app_id: &str) -> Result<Value, ApiError> {
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
            let Ok(origins) = origins(app, &spec, refresh, &self.github) else {
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

    fn app_at(&self, index: usize) -> Result<&App, ApiError> {
        self.apps.get(index).ok_or_else(ApiError::not_found)
    }
}

impl Order {
    pub(crate) fn of(cause: Cause, spec: Value, origins: BTreeMap<String, Origin>) -> Self {
        Self {
            cause,
            spec,
            origins,
            cloned_from: None,
            previous: None,
            jobs: Jobs::Run,
            force_build: false,
        }
    }
}

/// Lays a deployment out, with nothing of it begun.
pub(crate) fn new_deployment(
    app: &App,
    id: &str,
    order: Order,
    now: jiff::Timestamp,
) -> Deployment {
    let origin_text = |name: &str| {
        order
            .origins
            .get(name)
            .map_or_else(String::new, |origin| match &origin.content {
                Content::Commit { hash, .. } => format!("{}@{hash}", origin.place),
                Content::Image { digest } => format!("{}@{digest}", origin.place),
            })
    };
    let parts: Vec<Component<'_>> = components(&order.spec).collect();
    let builds = parts.iter().map(|component| Build {
        component: component.name.to_owned(),
        section: component.section,
        key: component.build_key(&origin_text(component.name)),
        leaf: Leaf::default(),
    });
    let rollouts = parts
        .iter()
        .filter(|component| component.section != "jobs")
        .map(|component| Rollout {
            component: component.name.to_owned(),
            section: component.section,
            deploy: Leaf::default(),
            wait: Leaf::default(),
        });
    let jobs = parts
        .iter()
        .filter(|component| component.section == "jobs" && order.jobs == Jobs::Run);
    let jobs = jobs.filter_map(|component| {
        let kind = match component.text("kind") {
            "PRE_DEPLOY" => JobKind::Pre,
            "FAILED_DEPLOY" => JobKind::Failed,
            "SCHEDULED" => return None,
            _ => JobKind::Post,
        };
        let name = component.name.to_owned();
        let invocation = uuid(&format!("invocation/{id}/{name}"), 0);
        let leaf = Leaf::default();
        Some(JobRun {
            name,
            kind,
            invocation,
            leaf,
            process_at: None,
            exit: None,
            lines: Vec::new(),
            cancelled_at: None,
        })
    });
    Deployment {
        id: id.to_owned(),
        builds: builds.collect(),
        rollouts: rollouts.collect(),
        jobs: jobs.collect(),
        cause: order.cause,
        origins: order.origins.clone(),
        previous: order
            .previous
            .or_else(|| app.deployments.last().map(|last| last.id.clone())),
        cloned_from: order.cloned_from,
        created_at: now,
        phase: Phase::PendingBuild,
        phase_at: now,
        stage: Stage::Pending,
        next_at: Some(later(now, seconds(app.timing.pending_seconds))),
        initialize: Leaf::default(),
        deploy_initialize: Leaf::default(),
        finalize: Leaf::default(),
        force_build: order.force_build,
        over_at: None,
        replaced: None,
        failure: None,
        spec: order.spec,
    }
}

/// Finds out what each component is built from: what stays in place keeps its content unless it is to be refreshed.
///
/// # Errors
/// A repository that is not there.
pub(crate) fn origins(
    app: &App,
    spec: &Value,
    refresh: Refresh<'_>,
    github: &GitHubState,
) -> Result<BTreeMap<String, Origin>, ApiError> {
    let mut found = BTreeMap::new();
    for component in components(spec) {
        let Some(source) = component.source() else {
            continue;
        };
        let place = source.place();
        let kept = app
            .origins
            .get(component.name)
            .filter(|origin| origin.place == place);
        let fresh = match refresh {
            Refresh::NewOnly => false,
            Refresh::All => true,
            Refresh::Push(pushed) => tracks(&component, pushed),
        };
        let origin = match kept {
            Some(kept) if !fresh => kept.clone(),
            _ => Origin {
                content: content(&source, github)?,
                place,
            },
        };
        found.insert(component.name.to_owned(), origin);
    }
    Ok(found)
}

fn content(source: &Source, github: &GitHubState) -> Result<Content, ApiError> {
    Ok(match source {
        Source::Repository {
            host: "github",
            repo,
            branch,
            deploy_on_push: _,
        } => {
            let head = github.branch_head(repo, branch);
            let hash = head.ok_or_else(|| {
                ApiError::bad_request(format!(
                    "GitHub user does not have access to {repo}, or it has no branch {branch}"
                ))
            })?;
            Content::Commit {
                repo: Some(repo.clone()),
                hash,
            }
        }
        Source::Repository { .. } | Source::Clone { .. } => Content::Commit {
            repo: None,
            hash: hex_of(&source.place(), 40),
        },
        Source::Image {
            digest: Some(digest),
            ..
        } => Content::Image {
            digest: digest.clone(),
        },
        Source::Image { digest: None, .. } => Content::Image {
            digest: format!("sha256:{}", hex_of(&source.place(), 64)),
        },
    })
}

fn tracks(component: &Component<'_>, pushed: &Pushed) -> bool {
    match component.source() {
        Some(Source::Repository {
            host,
            repo,
            branch,
            deploy_on_push,
        }) => host == "github" && deploy_on_push && repo == pushed.repo && branch == pushed.branch,
        Some(Source::Clone { .. } | Source::Image { .. }) | None => false,
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

fn by_user(text: &str, kind: CauseType, action: &str, user: &str) -> Cause {
    let details = json!({"digitalocean_user_action": {"name": action, "user": {"email": user}}});
    Cause {
        kind,
        text: text.to_owned(),
        details,
    }
}
