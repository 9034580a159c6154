//! Issues and the comments on them.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::call::Call;
use super::reply::{Refusal, Reply};
use crate::github::{Access, Act, BODY_LIMIT, Comment};

/// Answers `GET issues/{number}`.
pub(super) fn get(call: &mut Call<'_>, number: u64) -> Result<Reply, Refusal> {
    let issue = call.issue(number, Access::Read)?;
    Ok(Reply::ok(&call.state.issue_json(call.repository()?, issue)))
}

/// Answers `GET issues/{number}/comments`, oldest first.
pub(super) fn comments(call: &mut Call<'_>, number: u64) -> Result<Reply, Refusal> {
    call.issue(number, Access::Read)?;
    let since: Option<Timestamp> = call.query.get("since").and_then(|since| since.parse().ok());
    let mut comments = call.state.comments(&call.repo, number);
    comments.retain(|comment| since.is_none_or(|since| comment.updated_at >= since));
    let repository = call.repository()?;
    call.page(&comments, |comment| {
        call.state.comment_json(repository, comment)
    })
}

/// Answers `POST issues/{number}/comments`.
pub(super) fn add_comment(call: &mut Call<'_>, number: u64) -> Result<Reply, Refusal> {
    let issue = call.issue(number, Access::Write)?;
    if issue.locked {
        let message = "Unable to create comment because issue is locked.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, message));
    }
    let body = body(call)?;
    let (repo, login) = (call.repo.clone(), call.login());
    let comment = call
        .state
        .add_comment(&repo, number, (&login, &body), call.now);
    let id = comment.ok_or_else(Refusal::not_found)?.id;
    show(call, id, StatusCode::CREATED)
}

/// Answers `GET issues/comments/{id}`.
pub(super) fn comment(call: &mut Call<'_>, id: u64) -> Result<Reply, Refusal> {
    find(call, id, Access::Read)?;
    show(call, id, StatusCode::OK)
}

/// Answers `PATCH issues/comments/{id}`; who may write may edit what others wrote.
pub(super) fn edit_comment(call: &mut Call<'_>, id: u64) -> Result<Reply, Refusal> {
    find(call, id, Access::Write)?;
    let body = body(call)?;
    let (repo, login) = (call.repo.clone(), call.login());
    let act = Act {
        login: &login,
        at: call.now,
    };
    call.state
        .edit_comment(&repo, id, &body, act)
        .map_err(|_gone| Refusal::not_found())?;
    show(call, id, StatusCode::OK)
}

/// Answers `DELETE issues/comments/{id}`.
pub(super) fn delete_comment(call: &mut Call<'_>, id: u64) -> Result<Reply, Refusal> {
    find(call, id, Access::Write)?;
    let repo = call.repo.clone();
    call.state
        .delete_comment(&repo, id)
        .map_err(|_gone| Refusal::not_found())?;
    Ok(Reply::empty())
}

fn find<'c>(call: &'c Call<'_>, id: u64, access: Access) -> Result<&'c Comment, Refusal> {
    let comment = call
        .repository()?
        .comments
        .get(&id)
        .ok_or_else(Refusal::not_found)?;
    call.issue(comment.number, access)?;
    Ok(comment)
}

fn show(call: &Call<'_>, id: u64, status: StatusCode) -> Result<Reply, Refusal> {
    let repository = call.repository()?;
    let comment = repository
        .comments
        .get(&id)
        .ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(
        status,
        &call.state.comment_json(repository, comment),
    ))
}

/// Reads the text of a comment.
fn body(call: &Call<'_>) -> Result<String, Refusal> {
    let request = call.json()?;
    let body = match &request["body"] {
        Value::String(body) => body,
        Value::Null => {
            return Err(Refusal::unprocessable(
                "Invalid request.\n\n\"body\" wasn't supplied.",
            ));
        }
        other => {
            return Err(Refusal::unprocessable(format!(
                "Invalid request.\n\nFor 'properties/body', {other} is not a string."
            )));
        }
    };
    if body.trim().is_empty() {
        return Err(Refusal::invalid(
            "IssueComment",
            "data",
            "unprocessable",
            Some("Body cannot be blank"),
        ));
    }
    if body.chars().count() > BODY_LIMIT {
        let message = format!("Body is too long (maximum is {BODY_LIMIT} characters)");
        return Err(Refusal::invalid(
            "IssueComment",
            "data",
            "unprocessable",
            Some(&message),
        ));
    }
    Ok(body.clone())
}
