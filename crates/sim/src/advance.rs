//! What happens by itself: the world moved on, one event after the other, in the order of their times.
//!
//! The order inside a deployment is the published one: builds, `PRE_DEPLOY` jobs, services, `POST_DEPLOY` jobs. Jobs of
//! one kind run one after the other in the order of the spec; whether the platform runs them side by side is not known.

use crate::app::{App, Breakage};
use crate::clock::{earlier, later};
use crate::deployment::{
    BUILD_FAILED, Deployment, EXIT_NON_ZERO, Failure, JobKind, Leaf, NOT_EXECUTABLE, Phase, Reason,
    Stage, UNHEALTHY,
};
use crate::environment::{Surroundings, job_seconds, job_start};
use crate::executor::{JobExit, JobStart};
use crate::knobs::{JobTimeout, PostDeployFailure, PostJobPhase, PreDeployFailure, seconds};
use crate::spec::{Source, component};
use crate::validate::duration_seconds;
use crate::world::{Execution, State};
use jiff::Timestamp;
use std::time::Duration;

impl State {
    /// Moves the world on to a time.
    pub(crate) fn advance(&mut self, to: Timestamp) {
        while let Some((at, app)) = self.next_event()
            && at <= to
        {
            self.now = self.now.max(at);
            self.happen(app);
        }
        self.now = self.now.max(to);
    }

    fn next_event(&self) -> Option<(Timestamp, usize)> {
        self.apps
            .iter()
            .enumerate()
            .filter_map(|(index, app)| Some((app.next_at()?, index)))
            .min()
    }

    /// Lets the one thing happen that is due at an app.
    fn happen(&mut self, app_index: usize) {
        let now = self.now;
        let Some(app) = self.apps.get_mut(app_index) else {
            return;
        };
        if app.rollback_due.as_ref().is_some_and(|(at, _)| *at <= now) {
            let failed = app.rollback_due.take();
            if let Some((_, failed)) = failed {
                self.roll_back(app_index, &failed);
            }
            return;
        }
        let due = |each: &Deployment| each.next_at.is_some_and(|at| at <= now);
        let Some(index) = app.deployments.iter().position(due) else {
            return;
        };
        // Taken out for the step, for a job that starts looks at the whole world around it.
        let mut deployment = app.deployments.remove(index);
        deployment.next_at = None;
        self.step(app_index, &mut deployment);
        let Some(app) = self.apps.get_mut(app_index) else {
            return;
        };
        let id = deployment.id.clone();
        app.deployments.insert(index, deployment);
        app.updated_at = now;
        self.settle(app_index, index, &id);
    }

    /// Does what the end of a stage asks for and enters the next stage.
    fn step(&mut self, app_index: usize, deployment: &mut Deployment) {
        let now = self.now;
        let Some(app) = self.apps.get_mut(app_index) else {
            return;
        };
        let timing = app.timing.clone();
        match deployment.stage {
            Stage::Queued | Stage::Over => {}
            Stage::Pending => build(app, deployment, now),
            Stage::Building => {
                let failed = deployment
                    .builds
                    .iter()
                    .any(|build| build.leaf.failure.is_some());
                if failed {
                    deployment.failure = Some(Failure::Build);
                    deployment.end(Phase::Error, now);
                    return;
                }
                app.built
                    .extend(deployment.builds.iter().map(|build| build.key.clone()));
                deployment.enter(Phase::PendingDeploy, now);
                deployment.stage = Stage::PendingDeploy;
                deployment.next_at = Some(later(now, seconds(timing.pending_deploy_seconds)));
            }
            Stage::PendingDeploy => {
                deployment.enter(Phase::Deploying, now);
                deployment.deploy_initialize = done(now);
                self.proceed(app_index, deployment);
            }
            Stage::JobStarting(index) => self.start_process(app_index, deployment, index),
            Stage::JobRunning(index) => {
                self.end_process(deployment, index);
                self.proceed(app_index, deployment);
            }
            Stage::RollingOut => {
                if deployment
                    .rollouts
                    .iter()
                    .any(|rollout| rollout.wait.failure.is_some())
                {
                    deployment.failure = Some(Failure::Rollout);
                }
                self.proceed(app_index, deployment);
            }
            Stage::Finalizing => deployment.end(Phase::Active, now),
        }
    }

    /// Enters whatever comes next inside the deploy stage.
    fn proceed(&mut self, app_index: usize, deployment: &mut Deployment) {
        let now = self.now;
        let Some(app) = self.apps.get_mut(app_index) else {
            return;
        };
        let waiting = |kind: JobKind, deployment: &Deployment| {
            deployment
                .jobs
                .iter()
                .position(|job| job.kind == kind && job.leaf.start.is_none())
        };
        if deployment.failure.is_some() {
            match waiting(JobKind::Failed, deployment) {
                Some(job) => begin_job(app, deployment, job, now),
                None => deployment.end(Phase::Error, now),
            }
            return;
        }
        if let Some(job) = waiting(JobKind::Pre, deployment) {
            begin_job(app, deployment, job, now);
        } else if deployment
            .rollouts
            .iter()
            .any(|rollout| rollout.deploy.start.is_none())
        {
            roll_out(app, deployment, now);
        } else if let Some(job) = waiting(JobKind::Post, deployment) {
            if self.knobs.post_job_phase == PostJobPhase::Active {
                deployment.enter(Phase::Active, now);
            }
            begin_job(app, deployment, job, now);
        } else {
            let end = later(now, seconds(app.timing.finalize_seconds));
            deployment.finalize = Leaf {
                start: Some(now),
                end: Some(end),
                ..Leaf::default()
            };
            deployment.stage = Stage::Finalizing;
            deployment.next_at = Some(end);
        }
    }

    fn start_process(&mut self, app_index: usize, deployment: &mut Deployment, index: usize) {
        let now = self.now;
        let Some(app) = self.apps.get(app_index) else {
            return;
        };
        let Some(name) = deployment.jobs.get(index).map(|job| job.name.clone()) else {
            return;
        };
        let world = Surroundings {
            knobs: &self.knobs,
            clusters: &self.clusters,
            vault: &self.vault,
            github: &self.github,
            tools: &self.tools,
            public_base: &self.public_base,
        };
        let start = job_start(&world, &app.id, deployment, &name, now);
        let duration = seconds(job_seconds(app, &name));
        let limit = match self.knobs.job_timeout {
            JobTimeout::Ignored => None,
            JobTimeout::Honoured => component(&deployment.spec, &name)
                .and_then(|job| duration_seconds(job.text("timeout")))
                .map(seconds)
                .filter(|limit| *limit < duration),
        };
        let end = self.executor.execute(&start);
        self.executions.push(execution(&start, end.exit));
        let over = later(now, limit.unwrap_or(duration));
        let Some(job) = deployment.jobs.get_mut(index) else {
            return;
        };
        job.process_at = Some(now);
        job.lines = spread(&end.output, now, duration);
        let (exit, failure) = match (limit, end.exit) {
            (Some(_), _) => (JobExit::Killed, Some(EXIT_NON_ZERO)),
            (None, JobExit::Code(0)) => (end.exit, None),
            (None, JobExit::Code(_) | JobExit::Killed) => (end.exit, Some(EXIT_NON_ZERO)),
            (None, JobExit::NotExecutable) => (end.exit, Some(NOT_EXECUTABLE)),
        };
        // What a process would have written after its end was never written.
        job.lines.retain(|(time, _)| *time <= over);
        if let Some(line) = last_words(exit) {
            job.lines.push((over, line));
        }
        job.exit = Some(exit);
        job.leaf.end = Some(over);
        job.leaf.failure = failure;
        deployment.stage = Stage::JobRunning(index);
        deployment.next_at = Some(over);
    }

    fn end_process(&self, deployment: &mut Deployment, index: usize) {
        let Some(job) = deployment.jobs.get(index) else {
            return;
        };
        if job.leaf.failure.is_none() {
            return;
        }
        let failure = match job.kind {
            JobKind::Pre => Some(Failure::PreJob),
            JobKind::Post => {
                let stays = self.knobs.post_deploy_failure == PostDeployFailure::StaysLive;
                (!stays).then_some(Failure::PostJob)
            }
            // It is failing already.
            JobKind::Failed => None,
        };
        deployment.failure = deployment.failure.or(failure);
    }

    /// Draws the consequences for the app of what a deployment has just done.
    fn settle(&mut self, app_index: usize, index: usize, id: &str) {
        let now = self.now;
        let knobs = self.knobs.clone();
        let Some(app) = self.apps.get_mut(app_index) else {
            return;
        };
        let Some(deployment) = app.deployments.get(index) else {
            return;
        };
        let (phase, over, failure) = (deployment.phase, deployment.is_over(), deployment.failure);
        if phase == Phase::Active {
            app.go_live(id, now);
        }
        if !over {
            return;
        }
        if phase == Phase::Error {
            let replaced = app
                .deployments
                .get_mut(index)
                .and_then(|failed| failed.replaced.take());
            if let Some(before) = replaced {
                app.active = before;
                let active = app.active.clone();
                let back = app
                    .deployments
                    .iter_mut()
                    .find(|each| Some(&each.id) == active.as_ref());
                if let Some(back) = back {
                    back.enter(Phase::Active, now);
                }
            }
            if let Some(origins) = app.active_deployment().map(|active| active.origins.clone()) {
                app.origins = origins;
            }
            let rolls_back = match failure {
                Some(Failure::Build) | None => false,
                Some(Failure::PreJob) => knobs.pre_deploy_failure == PreDeployFailure::Rollback,
                Some(Failure::Rollout) => true,
                Some(Failure::PostJob) => knobs.post_deploy_failure == PostDeployFailure::Rollback,
            };
            let alone = app.deployments.iter().all(Deployment::is_over);
            if rolls_back && alone && app.active.is_some() {
                let at = later(now, seconds(app.timing.rollback_delay_seconds));
                app.rollback_due = Some((at, id.to_owned()));
            }
        }
        app.start_next(now);
    }
}

fn build(app: &mut App, deployment: &mut Deployment, now: Timestamp) {
    deployment.enter(Phase::Building, now);
    deployment.stage = Stage::Building;
    deployment.initialize = done(now);
    let mut end = now;
    for build in &mut deployment.builds {
        let image = component(&deployment.spec, &build.component)
            .and_then(|component| component.source())
            .is_some_and(|source| matches!(source, Source::Image { .. }));
        let reused = !deployment.force_build && app.built.contains(&build.key);
        let (remark, span) = if image {
            (Some("PreBuiltImage"), app.timing.image_build_seconds)
        } else if reused {
            (Some("PreviousBuildReused"), app.timing.reused_build_seconds)
        } else {
            (None, app.timing.build_seconds)
        };
        let over = later(now, seconds(span));
        let breaks = Breakage::BuildFails {
            component: build.component.clone(),
        };
        let failure = take(&mut app.breakages, &breaks).then_some(BUILD_FAILED);
        build.leaf = Leaf {
            start: Some(now),
            end: Some(over),
            failure,
            remark,
        };
        end = end.max(over);
    }
    deployment.next_at = Some(end);
}

fn roll_out(app: &mut App, deployment: &mut Deployment, now: Timestamp) {
    let span = if deployment.cloned_from.is_some() {
        app.timing.rollback_deploy_seconds
    } else {
        app.timing.deploy_seconds
    };
    let end = later(now, seconds(span));
    // The containers are placed in the first twelfth; waiting for them to turn healthy is the rest.
    let placed = later(now, seconds(span) / 12);
    for rollout in &mut deployment.rollouts {
        rollout.deploy = Leaf {
            start: Some(now),
            end: Some(placed),
            ..Leaf::default()
        };
        let breaks = Breakage::HealthCheckFails {
            component: rollout.component.clone(),
        };
        let failure = take(&mut app.breakages, &breaks).then_some(UNHEALTHY);
        rollout.wait = Leaf {
            start: Some(placed),
            end: Some(end),
            failure,
            remark: None,
        };
    }
    deployment.stage = Stage::RollingOut;
    deployment.next_at = Some(end);
}

fn begin_job(app: &App, deployment: &mut Deployment, index: usize, now: Timestamp) {
    if let Some(job) = deployment.jobs.get_mut(index) {
        job.leaf.start = Some(now);
    }
    deployment.stage = Stage::JobStarting(index);
    deployment.next_at = Some(later(now, seconds(app.timing.job_start_seconds)));
}

fn take(breakages: &mut Vec<Breakage>, wanted: &Breakage) -> bool {
    let found = breakages.iter().position(|each| each == wanted);
    found.map(|at| breakages.remove(at)).is_some()
}

fn done(at: Timestamp) -> Leaf {
    Leaf {
        start: Some(at),
        end: Some(at),
        ..Leaf::default()
    }
}

fn execution(start: &JobStart, exit: JobExit) -> Execution {
    Execution {
        app_id: start.app_id.clone(),
        deployment_id: start.deployment_id.clone(),
        component: start.component.clone(),
        started_at: start.now,
        exit,
        env_keys: start.env.keys().cloned().collect(),
    }
}

/// Gives every line of an output its time, evenly over the job's run and none at its very end.
fn spread(output: &str, from: Timestamp, over: Duration) -> Vec<(Timestamp, String)> {
    let lines: Vec<&str> = output.lines().collect();
    let parts = u32::try_from(lines.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    let mut at = from;
    lines
        .into_iter()
        .map(|line| {
            at = later(at, over / parts);
            (at, line.to_owned())
        })
        .collect()
}

/// The platform's own line at the end of a job that did not end well (observed).
fn last_words(exit: JobExit) -> Option<String> {
    let code = match exit {
        JobExit::Code(0) => return None,
        JobExit::Code(code) => code,
        JobExit::Killed => 137,
        JobExit::NotExecutable => 127,
    };
    Some(format!(
        "ERROR component terminated with non-zero exit code: {code}"
    ))
}

/// Returns a deployment that has been live for a while, for the beginning of a world.
pub(crate) fn already_live(deployment: &mut Deployment, age: Duration, now: Timestamp) {
    let created = earlier(now, age);
    deployment.created_at = created;
    deployment.phase = Phase::Active;
    deployment.phase_at = later(created, age / 2);
    let at = done(deployment.phase_at);
    deployment.initialize = at.clone();
    deployment.deploy_initialize = at.clone();
    deployment.finalize = at.clone();
    for build in &mut deployment.builds {
        build.leaf = at.clone();
    }
    for rollout in &mut deployment.rollouts {
        rollout.deploy = at.clone();
        rollout.wait = at.clone();
    }
    for job in &mut deployment.jobs {
        if job.kind != JobKind::Failed {
            job.leaf = at.clone();
        }
    }
    deployment.stage = Stage::Over;
    deployment.next_at = None;
    deployment.over_at = Some(deployment.phase_at);
}

/// Ends a running job from outside, as cancelling its invocation does.
pub(crate) fn kill_job(deployment: &mut Deployment, index: usize, now: Timestamp) {
    if let Some(job) = deployment.jobs.get_mut(index) {
        job.cancelled_at = Some(now);
        job.exit = Some(JobExit::Killed);
        job.leaf.end = Some(now);
        job.leaf.failure = Some(Reason { ..EXIT_NON_ZERO });
    }
    deployment.stage = Stage::JobRunning(index);
    deployment.next_at = Some(now);
}
