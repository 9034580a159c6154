//! Apps and deployments as the API shows them at a moment.

use crate::app::App;
use crate::clock::rfc3339;
use crate::deployment::{Content, Deployment, JobRun, Phase};
use crate::environment::live_url;
use crate::executor::JobExit;
use crate::ids::{hex_of, uuid};
use crate::knobs::{CauseDetails, Knobs};
use crate::progress::progress;
use crate::spec::{SECTIONS, components, list};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

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
        shown.insert("spec".to_owned(), deployment.spec.as_ref().clone());
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
        json!(rfc3339(deployment.changed_at(now))),
    );
    shown.insert("cause".to_owned(), json!(deployment.cause.text));
    if let Some(id) = &deployment.cloned_from {
        shown.insert("cloned_from".to_owned(), json!(id));
    }
    shown.insert("progress".to_owned(), progress(deployment, seen, knobs));
    shown.insert("phase".to_owned(), json!(deployment.phase.text()));
    shown.insert("tier_slug".to_owned(), json!("basic"));
    if knobs.cause_details == CauseDetails::Shown {
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
    }
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

/// Returns an app; `pending` replaces what its slot for pending deployments would show.
pub(crate) fn app(
    app: &App,
    now: Timestamp,
    knobs: &Knobs,
    public_base: &str,
    pending: Option<&Deployment>,
) -> Value {
    let mut shown = app_alone(app, public_base);
    shown["spec"] = app.spec.as_ref().clone();
    let slots = [
        ("active_deployment", app.active_deployment()),
        ("in_progress_deployment", app.in_progress(knobs)),
        ("pending_deployment", pending),
        ("pinned_deployment", app.pinned_deployment()),
    ];
    for (slot, held) in slots {
        if let Some(held) = held {
            shown[slot] = deployment(held, now, knobs, WithSpec::Yes);
        }
    }
    shown
}

/// Returns an app without its spec and without the deployments in its slots.
pub(crate) fn app_alone(app: &App, public_base: &str) -> Value {
    let live = live_url(public_base, app.name());
    let mut shown = json!({
        "id": app.id,
        "owner_uuid": uuid("owner", 1),
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
