//! What happens by itself: the world moved on, one event after the other, in the order of their times.
//!
//! The order inside a deployment is the published one: builds, `PRE_DEPLOY` jobs, services, `POST_DEPLOY` jobs. Jobs of
//! one kind run one after the other in the order of the spec; whether the platform runs them side by side is not known.

use crate::clock::later;
use crate::deployment::{
    Deployment, EXIT_NON_ZERO, Failure, JobKind, Leaf, NOT_EXECUTABLE, Phase, Stage,
};
use crate::environment::{Surroundings, job_seconds, job_start};
use crate::executor::JobExit;
use crate::knobs::{JobTimeout, PostDeployFailure, PostJobPhase, PreDeployFailure, seconds};
use crate::spec::component;
use crate::stages::{begin_job, build, done, execution, last_words, roll_out, spread};
use crate::validate::duration_seconds;
use crate::world::State;
use jiff::Timestamp;

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
            shelves: self.shelves(),
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
        let duration = end.seconds.map_or(duration, seconds);
        let limit = limit.filter(|limit| *limit < duration);
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
