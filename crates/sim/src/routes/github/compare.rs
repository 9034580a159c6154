//! How two commits stand to each other.

use serde_json::{Value, json};

use super::call::Call;
use super::reply::{Refusal, Reply};
use crate::github::{Access, Commit, CommitDetail, Permission, encode_path};

/// Most commits in an answer that asks for no page (published limit).
const COMMITS: usize = 250;
/// Most files in an answer (published limit).
const FILES: usize = 300;

/// Answers `GET compare/{base}...{head}`; either may be `owner:branch` of a fork.
pub(super) fn compare(call: &mut Call<'_>, basehead: &str) -> Result<Reply, Refusal> {
    call.require(&[Permission::Contents], Access::Read)?;
    let (base, head) = basehead.split_once("...").ok_or_else(Refusal::not_found)?;
    let (from, to) = (resolve(call, base)?, resolve(call, head)?);
    let commits = &call.state.commits;
    let no_ancestor = || {
        let message = format!("No common ancestor between {base} and {head}.");
        Refusal::new(http::StatusCode::NOT_FOUND, message)
    };
    let fork_point = commits
        .merge_base(&from.sha, &to.sha)
        .ok_or_else(no_ancestor)?;
    let ahead = commits.between(&from.sha, &to.sha);
    let behind = commits.between(&to.sha, &from.sha).len();
    let status = match (ahead.len(), behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        (_, _) => "diverged",
    };
    let repository = call.repository()?;
    let (page, links) = call.slice(&ahead, COMMITS)?;
    let render = |commit: &Commit, detail| call.state.commit_json(repository, commit, detail);
    let list: Vec<Value> = page
        .iter()
        .map(|commit| render(commit, CommitDetail::Short))
        .collect();
    // Three dots: against the point where the two parted, and on the first page only.
    let first_page = call.query.get("page").is_none_or(|page| page == "1");
    let files: Vec<Value> = crate::github::changes(&fork_point.tree, &to.tree)
        .iter()
        .take(if first_page { FILES } else { 0 })
        .map(|file| file.json(&call.state.urls, &call.repo, &to.sha))
        .collect();
    let url = format!(
        "{}/compare/{}",
        call.state.urls.repo(&call.repo),
        encode_path(basehead)
    );
    let html = format!(
        "{}/compare/{}",
        call.state.urls.page(&call.repo),
        encode_path(basehead)
    );
    let mut json = json!({
        "url": url,
        "html_url": html,
        "permalink_url": html,
        "diff_url": format!("{html}.diff"),
        "patch_url": format!("{html}.patch"),
        "base_commit": render(from, CommitDetail::Short),
        "merge_base_commit": render(fork_point, CommitDetail::Short),
        "status": status,
        "ahead_by": ahead.len(),
        "behind_by": behind,
        "total_commits": ahead.len(),
        "commits": list,
    });
    json["files"] = json!(files);
    Ok(Reply::ok(&json).with(links))
}

fn resolve<'c>(call: &'c Call<'_>, name: &str) -> Result<&'c Commit, Refusal> {
    let own = call.repository()?;
    let found = match name.split_once(':') {
        None => call.state.resolve(own, name),
        Some((owner, branch)) => {
            let mut all = call.state.repositories.values();
            let fork =
                all.find(|one| one.network == own.network && one.owner.eq_ignore_ascii_case(owner));
            fork.and_then(|fork| call.state.resolve(fork, branch))
        }
    };
    found.ok_or_else(Refusal::not_found)
}
