//! Workflow dispatches and runs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::Call;
use super::reply::{Refusal, Reply};
use crate::github::{Access, Permission};

/// Most inputs of a dispatch (published limit).
const INPUTS: usize = 25;

#[derive(Debug, serde::Deserialize)]
struct DispatchRequest {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(default)]
    inputs: BTreeMap<String, Value>,
    #[serde(default)]
    return_run_details: bool,
}

/// Answers `POST actions/workflows/{id}/dispatches`.
pub(super) fn dispatch(call: &mut Call<'_>, workflow: &str) -> Result<Reply, Refusal> {
    call.require(&[Permission::Actions], Access::Write)?;
    let workflow = call
        .state
        .workflow(call.repository()?, workflow)
        .ok_or_else(Refusal::not_found)?;
    let request: DispatchRequest = call.request()?;
    if !workflow.dispatchable {
        return Err(Refusal::unprocessable(
            "Workflow does not have 'workflow_dispatch' trigger",
        ));
    }
    if request.inputs.len() > INPUTS {
        return Err(Refusal::unprocessable(format!(
            "Too many inputs: at most {INPUTS} are allowed"
        )));
    }
    let (repo, login) = (call.repo.clone(), call.login());
    let what = (workflow.path.as_str(), request.reference.as_str());
    let run = call
        .state
        .add_dispatch(&repo, what, (&login, request.inputs), call.now);
    let run = run.ok_or_else(|| {
        Refusal::unprocessable(format!("No ref found for: {}", request.reference))
    })?;
    if !request.return_run_details {
        return Ok(Reply::empty());
    }
    Ok(Reply::ok(&json!({
        "workflow_run_id": run,
        "run_url": format!("{}/actions/runs/{run}", call.state.urls.repo(&repo)),
        "html_url": format!("{}/actions/runs/{run}", call.state.urls.page(&repo)),
    })))
}

/// Answers `GET actions/runs/{id}`.
pub(super) fn run(call: &mut Call<'_>, id: u64) -> Result<Reply, Refusal> {
    call.require(&[Permission::Actions], Access::Read)?;
    let repository = call.repository()?;
    let run = repository.runs.get(&id).ok_or_else(Refusal::not_found)?;
    Ok(Reply::ok(&call.state.run_json(repository, run)))
}
