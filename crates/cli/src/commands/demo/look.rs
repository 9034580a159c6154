//! What the story sees of the simulated app.

use super::stage::Stage;
use serde_json::Value;

/// Returns the app's spec as it is stored.
pub(super) fn spec(stage: &Stage) -> Value {
    stage.app()["spec"].take()
}

/// Returns the jobs of a spec.
pub(super) fn jobs(spec: &Value) -> &[Value] {
    spec["jobs"].as_array().map_or(&[], Vec::as_slice)
}

/// Returns the first temporary job of ours in the app's spec.
pub(super) fn ours(app: &Value) -> Option<&str> {
    jobs(&app["spec"])
        .iter()
        .filter_map(|job| job["name"].as_str())
        .find(|name| name.starts_with("migrate-"))
}

/// Whether the newest deployment is at the point where a process of our job has started.
pub(super) fn step_runs(app: &Value) -> bool {
    let newest = &app["deployments"][0];
    let steps = newest["progress"]["steps"].as_array();
    newest["phase"] == "DEPLOYING" && steps.is_some_and(|steps| steps.iter().any(runs_ours))
}

fn runs_ours(step: &Value) -> bool {
    let own = step["component_name"]
        .as_str()
        .is_some_and(|name| name.starts_with("migrate-"));
    let inner = step["steps"].as_array();
    (own && step["status"] == "RUNNING"
        && !step["name"]
            .as_str()
            .is_some_and(|name| name.contains("build")))
        || inner.is_some_and(|steps| steps.iter().any(runs_ours))
}

/// Whether no deployment is under way.
pub(super) fn is_quiet(app: &Value) -> bool {
    app["in_progress"].is_null() && app["pending"].is_null()
}

/// Returns how many jobs the live deployment carries.
pub(super) fn live_jobs(stage: &Stage) -> usize {
    let app = stage.app();
    let deployments = app["deployments"].as_array().map_or(&[][..], Vec::as_slice);
    let live = deployments.iter().find(|one| one["id"] == app["active"]);
    live.map_or(0, |live| jobs(&live["spec"]).len())
}

/// Returns how many deployments that went live carried a job.
pub(super) fn carried(stage: &Stage, job: &str) -> usize {
    let app = stage.app();
    let deployments = app["deployments"].as_array().into_iter().flatten();
    let went_live =
        deployments.filter(|one| one["phase"] == "ACTIVE" || one["phase"] == "SUPERSEDED");
    went_live
        .filter(|one| jobs(&one["spec"]).iter().any(|each| each["name"] == job))
        .count()
}

/// Returns how many deployments the app has had.
pub(super) fn deployments(stage: &Stage) -> usize {
    stage.app()["deployments"].as_array().map_or(0, Vec::len)
}

/// Returns how many updates through the API put a job of ours in.
pub(super) fn inserts(stage: &Stage) -> usize {
    let requests = stage.world.requests();
    let updates = requests
        .iter()
        .filter(|request| request.call == Some("apps.update"));
    updates
        .filter(|request| ours(&request.body).is_some())
        .count()
}
