//! Deployments and their statuses.

use http::StatusCode;
use serde_json::{Value, json};

use super::call::Call;
use super::reply::{Refusal, Reply};
use crate::github::{
    Access, Deployment, DeploymentRefusal, DeploymentRequest, Permission, StatusRequest,
};

/// Answers `GET deployments`, newest first.
pub(super) fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    call.require(&[Permission::Deployments], Access::Read)?;
    let repository = call.repository()?;
    // The description gives `none` as the default of every filter.
    let fits = |name: &str, value: &str| {
        call.query
            .get(name)
            .is_none_or(|want| want == "none" || want == value)
    };
    let deployments: Vec<&Deployment> = repository
        .deployments
        .values()
        .rev()
        .filter(|one| fits("sha", &one.sha) && fits("ref", &one.reference))
        .filter(|one| fits("task", &one.task) && fits("environment", &one.environment))
        .collect();
    call.page(&deployments, |one| {
        call.state.deployment_json(repository, one)
    })
}

/// Answers `POST deployments`.
pub(super) fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    call.require(&[Permission::Deployments], Access::Write)?;
    let request: DeploymentRequest = call.request()?;
    let reference = request.reference.clone();
    let (repo, login, now) = (call.repo.clone(), call.login(), call.now);
    let made = call
        .state
        .add_deployment(&repo, &login, request, now)
        .map(|deployment| deployment.id);
    match made {
        Ok(id) => show(call, id, StatusCode::CREATED),
        Err(DeploymentRefusal::Merged(message)) => Ok(Reply::json(
            StatusCode::ACCEPTED,
            &json!({"message": message}),
        )),
        Err(DeploymentRefusal::Conflict(message) | DeploymentRefusal::ChecksFailed(message)) => {
            Err(Refusal::new(StatusCode::CONFLICT, message))
        }
        Err(DeploymentRefusal::NoRef) => Err(Refusal::unprocessable(format!(
            "No ref found for: {reference}"
        ))),
        Err(DeploymentRefusal::NoRepository) => Err(Refusal::not_found()),
    }
}

/// Answers `GET deployments/{id}`.
pub(super) fn get(call: &mut Call<'_>, id: u64) -> Result<Reply, Refusal> {
    call.require(&[Permission::Deployments], Access::Read)?;
    show(call, id, StatusCode::OK)
}

/// Answers `GET deployments/{id}/statuses`, newest first.
pub(super) fn statuses(call: &mut Call<'_>, id: u64) -> Result<Reply, Refusal> {
    call.require(&[Permission::Deployments], Access::Read)?;
    let deployment = find(call, id)?;
    let repository = call.repository()?;
    let statuses: Vec<Value> = deployment
        .statuses
        .iter()
        .rev()
        .map(|status| {
            call.state
                .deployment_status_json(repository, deployment, status)
        })
        .collect();
    call.page(&statuses, Value::clone)
}

/// Answers `POST deployments/{id}/statuses`.
pub(super) fn add_status(call: &mut Call<'_>, id: u64) -> Result<Reply, Refusal> {
    call.require(&[Permission::Deployments], Access::Write)?;
    find(call, id)?;
    let request: StatusRequest = call.request()?;
    if !StatusRequest::STATES.contains(&request.state.as_str()) {
        return Err(Refusal::invalid(
            "DeploymentStatus",
            "state",
            "custom",
            Some("state is not included in the list"),
        ));
    }
    let length = request
        .description
        .as_ref()
        .map_or(0, |text| text.chars().count());
    if length > StatusRequest::DESCRIPTION_LIMIT {
        let limit = StatusRequest::DESCRIPTION_LIMIT;
        let message = format!("description is too long (maximum is {limit} characters)");
        return Err(Refusal::invalid(
            "DeploymentStatus",
            "description",
            "custom",
            Some(&message),
        ));
    }
    let (repo, login, now) = (call.repo.clone(), call.login(), call.now);
    let status = call
        .state
        .add_deployment_status(&repo, id, (&login, request), now);
    let status = status.ok_or_else(Refusal::not_found)?.id;
    show_status(call, id, status, StatusCode::CREATED)
}

/// Answers `GET deployments/{id}/statuses/{status}`.
pub(super) fn status(call: &mut Call<'_>, id: u64, status: u64) -> Result<Reply, Refusal> {
    call.require(&[Permission::Deployments], Access::Read)?;
    show_status(call, id, status, StatusCode::OK)
}

fn find<'c>(call: &'c Call<'_>, id: u64) -> Result<&'c Deployment, Refusal> {
    call.repository()?
        .deployments
        .get(&id)
        .ok_or_else(Refusal::not_found)
}

fn show(call: &Call<'_>, id: u64, status: StatusCode) -> Result<Reply, Refusal> {
    let json = call
        .state
        .deployment_json(call.repository()?, find(call, id)?);
    Ok(Reply::json(status, &json))
}

fn show_status(call: &Call<'_>, id: u64, status: u64, code: StatusCode) -> Result<Reply, Refusal> {
    let deployment = find(call, id)?;
    let status = deployment
        .statuses
        .iter()
        .find(|one| one.id == status)
        .ok_or_else(Refusal::not_found)?;
    let json = call
        .state
        .deployment_status_json(call.repository()?, deployment, status);
    Ok(Reply::json(code, &json))
}
