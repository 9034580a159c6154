//! The progress tree of a deployment.
//!
//! Its outline was observed: `build` and `deploy`, each with an initial step and one entry per component. The names of
//! job steps are not known; as everywhere, a step is to be found by its `component_name`.

use crate::clock::rfc3339;
use crate::deployment::{Deployment, JobKind, Leaf, Status};
use crate::knobs::{Knobs, UnsetTimes};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// What a time that was never set reads as, in Go.
const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// The tree as it was observed: build and deploy, each with an initial step and one entry per component.
pub(crate) fn progress(deployment: &Deployment, at: Timestamp, knobs: &Knobs) -> Value {
    let show = &Show {
        at,
        unset: knobs.unset_times,
    };
    let builds = deployment.builds.iter().map(|build| {
        let what = format!("Building {}", noun(build.section));
        show.leaf(
            &build.component,
            &build.leaf,
            Some((&build.component, &what)),
        )
    });
    let jobs = |kind: JobKind| {
        deployment
            .jobs
            .iter()
            .filter(move |job| job.kind == kind)
            .map(move |job| {
                let what = match kind {
                    JobKind::Pre => "Running pre-deploy job",
                    JobKind::Post => "Running post-deploy job",
                    JobKind::Failed => "Running failed-deploy job",
                };
                show.leaf(&job.name, &job.leaf, Some((&job.name, what)))
            })
    };
    let rollouts = deployment.rollouts.iter().map(|rollout| {
        let name = &rollout.component;
        let noun = noun(rollout.section);
        let steps = vec![
            show.leaf(
                "deploy",
                &rollout.deploy,
                Some((name, &format!("Deploying {noun}"))),
            ),
            show.leaf(
                "wait",
                &rollout.wait,
                Some((name, &format!("Waiting for {noun}"))),
            ),
        ];
        let mut parent = parent(name, steps);
        parent["component_name"] = json!(name);
        parent
    });
    let deploys: Vec<Value> = jobs(JobKind::Pre)
        .chain(rollouts)
        .chain(jobs(JobKind::Post))
        .chain(jobs(JobKind::Failed))
        .collect();
    let steps = vec![
        parent(
            "build",
            vec![
                show.leaf("initialize", &deployment.initialize, None),
                parent("components", builds.collect()),
            ],
        ),
        parent(
            "deploy",
            vec![
                show.leaf("initialize", &deployment.deploy_initialize, None),
                parent("components", deploys),
                show.leaf("finalize", &deployment.finalize, None),
            ],
        ),
    ];
    let mut counts = [0_u32; 4];
    let mut flat = Vec::new();
    for step in &steps {
        count(step, &mut counts, &mut flat);
    }
    let [pending, running, success, error] = counts;
    let mut progress = Map::new();
    let total = pending + running + success + error;
    for (name, count) in [
        ("pending_steps", pending),
        ("running_steps", running),
        ("success_steps", success),
        ("error_steps", error),
        ("total_steps", total),
    ] {
        if count > 0 {
            progress.insert(name.to_owned(), json!(count));
        }
    }
    progress.insert("steps".to_owned(), Value::Array(steps));
    progress.insert("summary_steps".to_owned(), Value::Array(flat));
    Value::Object(progress)
}

struct Show {
    at: Timestamp,
    unset: UnsetTimes,
}

impl Show {
    fn leaf(&self, name: &str, leaf: &Leaf, component: Option<(&str, &str)>) -> Value {
        let status = leaf.status(self.at);
        let mut step = json!({"name": name, "status": text(status)});
        for (field, time) in [("started_at", leaf.start), ("ended_at", leaf.end)] {
            match time.filter(|time| *time <= self.at) {
                Some(time) => step[field] = json!(rfc3339(time)),
                None if self.unset == UnsetTimes::Zero => step[field] = json!(ZERO_TIME),
                None => {}
            }
        }
        if let Some((component, message)) = component {
            step["component_name"] = json!(component);
            step["message_base"] = json!(message);
        }
        if let (Status::Error, Some(reason)) = (status, &leaf.failure) {
            step["reason"] = json!({"code": reason.code, "message": reason.message});
        } else if let (Status::Success, Some(code)) = (status, leaf.remark) {
            step["reason"] = json!({"code": code});
        }
        step
    }
}

fn parent(name: &str, steps: Vec<Value>) -> Value {
    let has = |wanted: Status| steps.iter().any(|step| step["status"] == text(wanted));
    // A job for failures that never had its turn does not keep a good deployment from being done.
    let waits = |step: &Value| {
        step["status"] == text(Status::Pending)
            && step["message_base"] != "Running failed-deploy job"
    };
    let status = if has(Status::Error) {
        Status::Error
    } else if has(Status::Running) || (steps.iter().any(waits) && has(Status::Success)) {
        Status::Running
    } else if steps.iter().any(waits) {
        Status::Pending
    } else {
        Status::Success
    };
    json!({"name": name, "status": text(status), "steps": steps})
}

fn count(step: &Value, counts: &mut [u32; 4], flat: &mut Vec<Value>) {
    if let Some(steps) = step.get("steps").and_then(Value::as_array) {
        steps.iter().for_each(|step| count(step, counts, flat));
        return;
    }
    let statuses = [
        Status::Pending,
        Status::Running,
        Status::Success,
        Status::Error,
    ];
    for (status, count) in statuses.into_iter().zip(counts) {
        if step["status"] == text(status) {
            *count += 1;
        }
    }
    flat.push(step.clone());
}

fn text(status: Status) -> &'static str {
    match status {
        Status::Pending => "PENDING",
        Status::Running => "RUNNING",
        Status::Success => "SUCCESS",
        Status::Error => "ERROR",
    }
}

fn noun(section: &str) -> &'static str {
    match section {
        "services" => "service",
        "static_sites" => "static site",
        "workers" => "worker",
        "jobs" => "job",
        _ => "functions",
    }
}
