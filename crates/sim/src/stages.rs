//! The stages of a deployment: what each puts down when it begins, and for how long it lasts.

use crate::app::{App, Breakage};
use crate::clock::{earlier, later};
use crate::deployment::{
    BUILD_FAILED, Deployment, EXIT_NON_ZERO, JobKind, Leaf, Phase, Reason, Stage, UNHEALTHY,
};
use crate::executor::{JobExit, JobStart};
use crate::knobs::seconds;
use crate::spec::{Source, component};
use crate::world::Execution;
use jiff::Timestamp;
use std::time::Duration;

/// Begins all builds side by side.
pub(crate) fn build(app: &mut App, deployment: &mut Deployment, now: Timestamp) {
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

/// Begins the roll-out of everything that runs on.
pub(crate) fn roll_out(app: &mut App, deployment: &mut Deployment, now: Timestamp) {
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

/// Gives a job its turn; its process starts a little later.
pub(crate) fn begin_job(app: &App, deployment: &mut Deployment, index: usize, now: Timestamp) {
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

/// Returns a step that took no time.
pub(crate) fn done(at: Timestamp) -> Leaf {
    Leaf {
        start: Some(at),
        end: Some(at),
        ..Leaf::default()
    }
}

pub(crate) fn execution(start: &JobStart, exit: JobExit) -> Execution {
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
pub(crate) fn spread(output: &str, from: Timestamp, over: Duration) -> Vec<(Timestamp, String)> {
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
pub(crate) fn last_words(exit: JobExit) -> Option<String> {
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
