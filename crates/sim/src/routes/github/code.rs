//! The repository itself, its commits, branches and collaborators.

use serde_json::json;

use super::call::Call;
use super::reply::{Refusal, Reply};
use crate::github::{Access, CommitDetail, Permission, Visibility, encode_path, node_id};

/// Answers `GET /repos/{owner}/{repo}`, which every token that reaches the repository may ask.
pub(super) fn repository(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::ok(
        &call.state.full_repository_json(call.repository()?),
    ))
}

/// Answers `GET commits/{ref}`.
pub(super) fn commit(call: &mut Call<'_>, reference: &str) -> Result<Reply, Refusal> {
    call.require(&[Permission::Contents], Access::Read)?;
    let repository = call.repository()?;
    let commit = call
        .state
        .resolve(repository, reference)
        .ok_or_else(|| Refusal::unprocessable(format!("No commit found for SHA: {reference}")))?;
    if call.wants("sha") {
        return Ok(Reply::bytes(
            "application/vnd.github.sha",
            commit.sha.to_string(),
        ));
    }
    Ok(Reply::ok(&call.state.commit_json(
        repository,
        commit,
        CommitDetail::Full,
    )))
}

/// Answers `GET branches/{branch}`.
pub(super) fn branch(call: &mut Call<'_>, name: &str) -> Result<Reply, Refusal> {
    call.require(&[Permission::Contents], Access::Read)?;
    let repository = call.repository()?;
    let head = repository
        .branches
        .get(name)
        .and_then(|sha| call.state.commits.get(sha));
    let head = head.ok_or_else(|| Refusal::new(http::StatusCode::NOT_FOUND, "Branch not found"))?;
    let url = format!(
        "{}/branches/{}",
        call.state.urls.repo(&call.repo),
        encode_path(name)
    );
    let page = call.state.urls.page(&call.repo);
    Ok(Reply::ok(&json!({
        "name": name,
        "commit": call.state.commit_json(repository, head, CommitDetail::Short),
        "_links": {"self": url, "html": format!("{page}/tree/{}", encode_path(name))},
        "protected": false,
        "protection": {
            "enabled": false,
            "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []},
        },
        "protection_url": format!("{url}/protection"),
    })))
}

/// Answers `GET git/ref/{ref}`, which knows full names only (`heads/main`).
pub(super) fn reference(call: &mut Call<'_>, name: &str) -> Result<Reply, Refusal> {
    call.require(&[Permission::Contents], Access::Read)?;
    let repository = call.repository()?;
    let branch = name.strip_prefix("heads/").ok_or_else(Refusal::not_found)?;
    let head = repository
        .branches
        .get(branch)
        .ok_or_else(Refusal::not_found)?;
    let git = format!("{}/git", call.state.urls.repo(&call.repo));
    Ok(Reply::ok(&json!({
        "ref": format!("refs/{name}"),
        "node_id": node_id("REF", repository.id),
        "url": format!("{git}/refs/{}", encode_path(name)),
        "object": {"sha": head.as_str(), "type": "commit", "url": format!("{git}/commits/{head}")},
    })))
}

/// Answers `GET collaborators/{username}/permission`.
pub(super) fn collaborator(call: &mut Call<'_>, login: &str) -> Result<Reply, Refusal> {
    if call.caller.login.is_none() {
        return Err(Refusal::requires_authentication());
    }
    let repository = call.repository()?;
    let user = call.state.users.get(login).ok_or_else(|| {
        Refusal::new(
            http::StatusCode::NOT_FOUND,
            format!("{login} is not a user"),
        )
    })?;
    let role = repository.role(login);
    let public = repository.visibility == Visibility::Public;
    let everyone = if public { "read" } else { "none" };
    let permission = role.map_or(everyone, |role| role.permission());
    let role_name = role.map_or(everyone, |role| role.name());
    let rank = ["none", "read", "triage", "write", "maintain", "admin"];
    let held = rank
        .iter()
        .position(|name| *name == role_name)
        .unwrap_or_default();
    let has = |name: &str| {
        rank.iter()
            .position(|other| *other == name)
            .is_some_and(|at| at <= held)
    };
    let mut json = call.state.user_json(&user.login);
    json["role_name"] = json!(role_name);
    json["permissions"] = json!({
        "pull": has("read"),
        "triage": has("triage"),
        "push": has("write"),
        "maintain": has("maintain"),
        "admin": has("admin"),
    });
    Ok(Reply::ok(
        &json!({"permission": permission, "role_name": role_name, "user": json}),
    ))
}
