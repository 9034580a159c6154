//! Pull requests, what they change, and which one brought a commit.

use serde_json::Value;

use super::call::Call;
use super::reply::{Refusal, Reply};
use crate::github::{Access, CommitDetail, Permission, PullDetail, PullRequest};

/// Answers `GET pulls/{number}`.
pub(super) fn get(call: &mut Call<'_>, number: u64) -> Result<Reply, Refusal> {
    let repository = call.repository()?;
    let issue = repository.issue(number).ok_or_else(Refusal::not_found)?;
    pull(call, number)?;
    let json = call.state.pull_json(repository, issue, PullDetail::Full);
    json.map(|json| Reply::ok(&json))
        .ok_or_else(Refusal::not_found)
}

/// Answers `GET pulls/{number}/files`.
pub(super) fn files(call: &mut Call<'_>, number: u64) -> Result<Reply, Refusal> {
    let pull = pull(call, number)?;
    let files = call.state.pull_files(pull);
    call.page(&files, |file| {
        file.json(&call.state.urls, &call.repo, &pull.head)
    })
}

/// Answers `GET pulls/{number}/commits`.
pub(super) fn commits(call: &mut Call<'_>, number: u64) -> Result<Reply, Refusal> {
    let commits = call.state.pull_commits(pull(call, number)?);
    let repository = call.repository()?;
    call.page(&commits, |commit| {
        call.state
            .commit_json(repository, commit, CommitDetail::Short)
    })
}

/// Answers `GET commits/{sha}/pulls`: an empty list until the index has caught up.
pub(super) fn of_commit(call: &mut Call<'_>, reference: &str) -> Result<Reply, Refusal> {
    call.require(&[Permission::PullRequests], Access::Read)?;
    let repository = call.repository()?;
    let commit = call
        .state
        .resolve(repository, reference)
        .ok_or_else(|| Refusal::unprocessable(format!("No commit found for SHA: {reference}")))?;
    let issues = call.state.pulls_of(repository, &commit.sha, call.now);
    let pulls: Vec<Value> = issues
        .into_iter()
        .filter_map(|issue| call.state.pull_json(repository, issue, PullDetail::Simple))
        .collect();
    call.page(&pulls, Value::clone)
}

fn pull<'c>(call: &'c Call<'_>, number: u64) -> Result<&'c PullRequest, Refusal> {
    call.require(&[Permission::PullRequests], Access::Read)?;
    let issue = call
        .repository()?
        .issue(number)
        .ok_or_else(Refusal::not_found)?;
    issue.pull.as_ref().ok_or_else(Refusal::not_found)
}
