//! Apps and deployments as the API shows them at a moment.

use crate::app::App;
use crate::clock::rfc3339;
use crate::deployment::{Content, Deployment, JobKind, JobRun, Leaf, Phase, Status};
use crate::environment::live_url;
use crate::executor::JobExit;
use crate::ids::{hex_of, uuid};
use crate::knobs::{Knobs, UnsetTimes};
use crate::spec::{SECTIONS, components, list};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// What a time that was never set reads as, in Go.
const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// Whether a deployment is shown with its spec.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WithSpec {
    Yes,
    No,
}

/// Returns a deployment.
pub(crate) fn deployment(
    deployment: &Deployment,
    now: Timestamp,
    knobs: &Knobs,
    spec: WithSpec,
) -> Value {
    let mut shown = Map::new();
    shown.insert("id".to_owned(), json!(deployment.id));
    if spec == WithSpec::Yes {
        shown.insert("spec".to_owned(), deployment.spec.clone());
    }
    for section in SECTIONS {
        let parts: Vec<Value> = components(&deployment.spec)
            .filter(|component| component.section == section)
            .map(|component| built_component(deployment, component.name))
            .collect();
        if !parts.is_empty() {
            shown.insert(section.to_owned(), Value::Array(parts));
        }
    }
    let seen = deployment.seen_at(now);
    shown.insert(
        "phase_last_updated_at".to_owned(),
        json!(rfc3339(deployment.phase_at)),
    );
    shown.insert(
        "created_at".to_owned(),
        json!(rfc3339(deployment.created_at)),
    );
    shown.insert(
        "updated_at".to_owned(),
        json!(rfc3339(seen.max(deployment.phase_at))),
    );
    shown.insert("cause".to_owned(), json!(deployment.cause.text));
    if let Some(id) = &deployment.cloned_from {
        shown.insert("cloned_from".to_owned(), json!(id));
    }
    shown.insert("progress".to_owned(), progress(deployment, seen, knobs));
    shown.insert("phase".to_owned(), json!(deployment.phase.text()));
    shown.insert("tier_slug".to_owned(), json!("basic"));
    if let Some(id) = &deployment.previous {
        shown.insert("previous_deployment_id".to_owned(), json!(id));
    }
    let mut details = json!({"type": deployment.cause.kind.text()});
    if let (Some(into), Some(from)) = (
        details.as_object_mut(),
        deployment.cause.details.as_object(),
    ) {
        into.extend(from.clone());
    }
    shown.insert("cause_details".to_owned(), details);
    shown.insert("timing".to_owned(), timing(deployment, seen));
    Value::Object(shown)
}

/// How long the parts took so far, in Go's notation (in the official client, not in the published description).
fn timing(deployment: &Deployment, at: Timestamp) -> Value {
    let mut timing = Map::new();
    let built = deployment
        .builds
        .iter()
        .filter_map(|build| build.leaf.end)
        .max();
    let spans = [
        (
            "pending",
            Some(deployment.created_at),
            deployment.initialize.start,
        ),
        ("build_total", deployment.initialize.start, built),
        (
            "deploying",
            deployment.deploy_initialize.start,
            deployment.finalize.end.or(deployment.over_at),
        ),
    ];
    for (name, start, end) in spans {
        if let (Some(start), Some(end)) = (start, end.filter(|end| *end <= at)) {
            let span = end.duration_since(start).as_secs();
            timing.insert(name.to_owned(), json!(format!("{span}s")));
        }
    }
    Value::Object(timing)
}

fn built_component(deployment: &Deployment, name: &str) -> Value {
    match deployment.origins.get(name).map(|origin| &origin.content) {
        Some(Content::Commit { hash, .. }) => json!({"name": name, "source_commit_hash": hash}),
        Some(Content::Image { digest }) => json!({"name": name, "source_image_digest": digest}),
        None => json!({"name": name}),
    }
}

/// The tree as it was observed: build and deploy, each with an initial step and one entry per component.
fn progress(deployment: &Deployment, at: Timestamp, knobs: &Knobs) -> Value {
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

/// Returns an app; `pending` replaces what its slot for pending deployments would show.
pub(crate) fn app(
    app: &App,
    now: Timestamp,
    knobs: &Knobs,
    public_base: &str,
    pending: Option<&Deployment>,
) -> Value {
    let live = live_url(public_base, app.name());
    let mut shown = json!({
        "id": app.id,
        "owner_uuid": uuid("owner", 1),
        "spec": app.spec,
        "default_ingress": live,
        "created_at": rfc3339(app.created_at),
        "updated_at": rfc3339(app.updated_at),
        "live_url": live,
        "live_url_base": live,
        "live_domain": live.split("//").nth(1).unwrap_or_default(),
        "tier_slug": "basic",
        "region": region(&app.spec),
        "domains": domains(app),
    });
    if app.active.is_none() {
        for field in [
            "default_ingress",
            "live_url",
            "live_url_base",
            "live_domain",
        ] {
            shown[field] = json!("");
        }
    }
    let slots = [
        ("active_deployment", app.active_deployment()),
        ("in_progress_deployment", app.in_progress(knobs)),
        ("pending_deployment", pending),
        (
            "pinned_deployment",
            app.pinned.as_deref().and_then(|id| app.deployment(id)),
        ),
    ];
    for (slot, held) in slots {
        if let Some(held) = held {
            shown[slot] = deployment(held, now, knobs, WithSpec::Yes);
        }
    }
    if let Some(last) = app.deployments.last() {
        shown["last_deployment_created_at"] = json!(rfc3339(last.created_at));
    }
    shown
}

fn region(spec: &Value) -> Value {
    let slug = spec.get("region").and_then(Value::as_str).unwrap_or("nyc");
    json!({"slug": slug, "label": "New York", "flag": "usa", "continent": "North America",
        "data_centers": [format!("{slug}1"), format!("{slug}3")], "default": true})
}

fn domains(app: &App) -> Vec<Value> {
    let domains = list(&app.spec, "domains").enumerate();
    domains
        .map(|(at, spec)| {
            json!({"id": uuid(&format!("domain/{}", app.id), at), "phase": "ACTIVE", "spec": spec,
                "progress": {"steps": []}})
        })
        .collect()
}

/// Returns one run of a deploy-time job as an invocation.
pub(crate) fn invocation(deployment: &Deployment, job: &JobRun, at: Timestamp) -> Value {
    let started = job.process_at.filter(|started| *started <= at);
    let ended = job
        .leaf
        .end
        .or(job.cancelled_at)
        .filter(|ended| *ended <= at);
    let phase = match (job.cancelled_at, started, ended, job.exit) {
        (Some(_), ..) => "CANCELED",
        (None, _, Some(_), Some(JobExit::Code(0))) => "SUCCEEDED",
        (None, _, Some(_), _) => "FAILED",
        (None, Some(_), None, _) => "RUNNING",
        (None, None, None, _) if deployment.is_over() => "SKIPPED",
        (None, None, None, _) => "PENDING",
    };
    let mut shown = json!({
        "id": job.invocation, "job_name": job.name, "deployment_id": deployment.id, "phase": phase,
        "trigger": {"type": "UNKNOWN"}, "created_at": rfc3339(deployment.created_at),
    });
    for (field, time) in [("started_at", started), ("completed_at", ended)] {
        if let Some(time) = time {
            shown[field] = json!(rfc3339(time));
        }
    }
    shown
}

/// Returns a request id, as each answer bears one.
pub(crate) fn request_id(number: usize) -> String {
    let hex = hex_of(&format!("request/{number}"), 32);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}

/// Tells whether a phase means that services of this deployment answer or once did.
pub(crate) fn was_deployed(phase: Phase) -> bool {
    matches!(phase, Phase::Active | Phase::Superseded)
}
