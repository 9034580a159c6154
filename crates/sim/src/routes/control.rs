//! `/_sim/…`: what a test or a story does to a world from outside, over HTTP.
//!
//! | call | body |
//! |---|---|
//! | `GET /_sim/state`, `/_sim/requests`, `/_sim/executions`, `/_sim/knobs`, `/_sim/faults` | – |
//! | `POST /_sim/knobs` | the knobs to turn |
//! | `POST /_sim/faults`, `DELETE /_sim/faults` | one fault |
//! | `POST /_sim/push` | `repo, branch?, message?, files, by?`; a file that is null is deleted |
//! | `POST /_sim/pull-request` | `repo, title, head, number?, body?, base?, files?, labels?, by?` |
//! | `POST /_sim/merge` | `repo, number, method?, by?` |
//! | `POST /_sim/label`, `POST /_sim/unlabel` | `repo, number, label, by?` |
//! | `POST /_sim/edit-spec` | `app, spec, user?` |
//! | `POST /_sim/edit-firewall` | `cluster, rules` |
//! | `POST /_sim/create-deployment` | `app, user?` |
//! | `POST /_sim/rollback` | `app, deployment, skip_pin?, user?` |
//! | `POST /_sim/health` | `app, health: "up" or "down"` |
//! | `POST /_sim/timing` | `app, timing?, job_seconds?`; `timing` is whole, what it leaves out is at its default |
//! | `POST /_sim/break` | `app, breakage` |

use crate::app::{Breakage, Health};
use crate::control::Pin;
use crate::error::ApiError;
use crate::fault::Fault;
use crate::github::{Act, ControlError, Edits, MergeMethod, NewPullRequest, Pushed};
use crate::knobs::Timing;
use crate::world::World;
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) fn router(world: World) -> Router {
    Router::new()
        .route("/_sim/state", get(state))
        .route("/_sim/requests", get(requests))
        .route("/_sim/executions", get(executions))
        .route("/_sim/knobs", get(knobs).post(turn))
        .route("/_sim/faults", get(faults).post(arm).delete(disarm))
        .route("/_sim/push", post(push))
        .route("/_sim/pull-request", post(pull_request))
        .route("/_sim/merge", post(merge))
        .route("/_sim/label", post(label))
        .route("/_sim/unlabel", post(unlabel))
        .route("/_sim/edit-spec", post(edit_spec))
        .route("/_sim/edit-firewall", post(edit_firewall))
        .route("/_sim/create-deployment", post(create_deployment))
        .route("/_sim/rollback", post(rollback))
        .route("/_sim/health", post(health))
        .route("/_sim/timing", post(timing))
        .route("/_sim/break", post(break_next))
        .with_state(world)
}

type Answer = Result<Json<Value>, ApiError>;

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::bad_request(error.to_string()))
}

fn write(value: &impl serde::Serialize) -> Answer {
    serde_json::to_value(value)
        .map(Json)
        .map_err(|error| ApiError::bad_request(error.to_string()))
}

fn somebody() -> String {
    "somebody".to_owned()
}

fn main_branch() -> String {
    "main".to_owned()
}

async fn state(State(world): State<World>) -> Json<Value> {
    Json(world.state())
}

async fn requests(State(world): State<World>) -> Answer {
    write(&world.requests())
}

async fn executions(State(world): State<World>) -> Answer {
    write(&world.executions())
}

async fn knobs(State(world): State<World>) -> Answer {
    write(&world.knobs())
}

async fn turn(State(world): State<World>, body: Bytes) -> Answer {
    let turned: BTreeMap<String, Value> = read(&body)?;
    let mut all = write(&world.knobs())?.0;
    for (name, value) in turned {
        all[&name] = value;
    }
    let knobs =
        serde_json::from_value(all).map_err(|error| ApiError::bad_request(error.to_string()))?;
    world.turn(|old| *old = knobs);
    write(&world.knobs())
}

async fn faults(State(world): State<World>) -> Answer {
    write(&world.armed())
}

async fn arm(State(world): State<World>, body: Bytes) -> Answer {
    world.arm(read::<Fault>(&body)?);
    write(&world.armed())
}

async fn disarm(State(world): State<World>) -> Answer {
    world.disarm();
    write(&world.armed())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Push {
    repo: String,
    #[serde(default = "main_branch")]
    branch: String,
    #[serde(default)]
    message: String,
    files: BTreeMap<String, Option<String>>,
    #[serde(default = "somebody")]
    by: String,
}

fn edits(files: &BTreeMap<String, Option<String>>) -> Edits {
    files
        .iter()
        .fold(Edits::new(), |edits, (path, content)| match content {
            Some(content) => edits.write(path, content.clone()),
            None => edits.delete(path),
        })
}

async fn push(State(world): State<World>, body: Bytes) -> Answer {
    let push: Push = read(&body)?;
    let edits = edits(&push.files);
    told(world.push(&push.repo, &push.branch, (&edits, &push.message), &push.by))
}

/// Says what was pushed.
fn told(pushed: Result<Pushed, ControlError>) -> Answer {
    let pushed = pushed.map_err(refused)?;
    Ok(Json(
        json!({"repo": pushed.repo, "branch": pushed.branch, "before": pushed.before, "after": pushed.after}),
    ))
}

/// Takes the error by value because that is what `map_err` gives.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that `map_err` asks for"
)]
fn refused(error: ControlError) -> ApiError {
    ApiError::unprocessable(error.to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenPullRequest {
    repo: String,
    title: String,
    head: String,
    number: Option<u64>,
    body: Option<String>,
    base: Option<String>,
    #[serde(default)]
    files: BTreeMap<String, Option<String>>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default = "somebody")]
    by: String,
}

async fn pull_request(State(world): State<World>, body: Bytes) -> Answer {
    let open: OpenPullRequest = read(&body)?;
    let new = NewPullRequest {
        number: open.number,
        title: open.title,
        body: open.body,
        head: open.head,
        base: open.base,
        edits: edits(&open.files),
        labels: open.labels,
        ..NewPullRequest::default()
    };
    let number = world.github(|github, at| {
        github.open_pull_request(
            &open.repo,
            &new,
            Act {
                login: &open.by,
                at,
            },
        )
    });
    Ok(Json(json!({"number": number.map_err(refused)?})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    repo: String,
    number: u64,
    #[serde(default)]
    method: Option<String>,
    #[serde(default = "somebody")]
    by: String,
}

async fn merge(State(world): State<World>, body: Bytes) -> Answer {
    let merge: Merge = read(&body)?;
    let method = match merge.method.as_deref() {
        None | Some("merge") => MergeMethod::Merge,
        Some("squash") => MergeMethod::Squash,
        Some("rebase") => MergeMethod::Rebase,
        Some(other) => {
            return Err(ApiError::bad_request(format!(
                "there is no merge method {other:?}"
            )));
        }
    };
    told(world.merge(&merge.repo, merge.number, method, &merge.by))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetLabel {
    repo: String,
    number: u64,
    label: String,
    #[serde(default = "somebody")]
    by: String,
}

async fn label(State(world): State<World>, body: Bytes) -> Answer {
    let set: SetLabel = read(&body)?;
    let act = |at| Act { login: &set.by, at };
    world
        .github(|github, at| github.add_label(&set.repo, set.number, &set.label, act(at)))
        .map_err(refused)?;
    Ok(Json(json!({})))
}

async fn unlabel(State(world): State<World>, body: Bytes) -> Answer {
    let set: SetLabel = read(&body)?;
    let act = |at| Act { login: &set.by, at };
    world
        .github(|github, at| github.remove_label(&set.repo, set.number, &set.label, act(at)))
        .map_err(refused)?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditSpec {
    app: String,
    spec: Value,
    #[serde(default = "somebody")]
    user: String,
}

async fn edit_spec(State(world): State<World>, body: Bytes) -> Answer {
    let edit: EditSpec = read(&body)?;
    let id = world.edit_spec(&edit.app, &edit.user, |spec| *spec = edit.spec)?;
    Ok(Json(json!({"deployment_id": id})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditFirewall {
    cluster: String,
    rules: Vec<Value>,
}

async fn edit_firewall(State(world): State<World>, body: Bytes) -> Answer {
    let edit: EditFirewall = read(&body)?;
    world.edit_firewall(&edit.cluster, &edit.rules)?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deploy {
    app: String,
    #[serde(default = "somebody")]
    user: String,
}

async fn create_deployment(State(world): State<World>, body: Bytes) -> Answer {
    let deploy: Deploy = read(&body)?;
    Ok(Json(
        json!({"deployment_id": world.create_deployment(&deploy.app, &deploy.user)?}),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rollback {
    app: String,
    deployment: String,
    #[serde(default)]
    skip_pin: bool,
    #[serde(default = "somebody")]
    user: String,
}

async fn rollback(State(world): State<World>, body: Bytes) -> Answer {
    let back: Rollback = read(&body)?;
    let pin = if back.skip_pin {
        Pin::Unpinned
    } else {
        Pin::Pinned
    };
    let id = world.rollback(&back.app, &back.deployment, pin, &back.user)?;
    Ok(Json(json!({"deployment_id": id})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetHealth {
    app: String,
    health: Health,
}

async fn health(State(world): State<World>, body: Bytes) -> Answer {
    let set: SetHealth = read(&body)?;
    world.set_health(&set.app, set.health)?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetTiming {
    app: String,
    timing: Option<Timing>,
    #[serde(default)]
    job_seconds: BTreeMap<String, u64>,
}

async fn timing(State(world): State<World>, body: Bytes) -> Answer {
    let set: SetTiming = read(&body)?;
    if let Some(timing) = set.timing {
        world.set_timing(&set.app, |old| *old = timing)?;
    }
    for (pattern, seconds) in &set.job_seconds {
        world.set_job_seconds(&set.app, pattern, *seconds)?;
    }
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Break {
    app: String,
    breakage: Breakage,
}

async fn break_next(State(world): State<World>, body: Bytes) -> Answer {
    let broken: Break = read(&body)?;
    world.break_next(&broken.app, broken.breakage)?;
    Ok(Json(json!({})))
}
