//! The payload of the event that started a workflow.

use super::unread::Unread;
use github::{Event, EventError};

/// Events that are read, then those that are kept to be refused, then one that nobody knows.
const NAMES: [&str; 8] = [
    "push",
    "pull_request",
    "workflow_dispatch",
    "schedule",
    "pull_request_target",
    "workflow_run",
    "issue_comment",
    "merge_group",
];

/// A payload is read or refused, and what comes out is of the form that the rest relies on: names and commits are
/// checked, and an event that must be refused is one whatever its payload says.
pub fn event(bytes: &[u8]) {
    let mut unread = Unread::new(bytes);
    let name = unread.one_of(&NAMES);
    let payload = unread.rest();
    let event = match Event::parse(name, payload) {
        Ok(event) => event,
        Err(error) => {
            assert!(
                NAMES[..4].contains(&name),
                "`{name}` needs no payload: {error}"
            );
            assert_eq!(told(&error), name);
            return;
        }
    };
    assert_eq!(event.name(), name);
    assert_eq!(Event::parse(name, payload).unwrap(), event);
    match event {
        Event::Push(push) => {
            let commits = [&push.before, &push.after];
            commits.into_iter().flatten().for_each(is_commit);
            push.repo
                .as_ref()
                .map(ToString::to_string)
                .iter()
                .for_each(is_repository);
        }
        Event::PullRequest(event) => {
            let pull = &event.pull;
            let commits = [&pull.merge_commit_sha, &pull.base_sha, &pull.head_sha];
            commits.into_iter().flatten().for_each(is_commit);
            let repositories = [&event.repo, &pull.base_repo, &pull.head_repo];
            let names = repositories.into_iter().flatten();
            names
                .map(ToString::to_string)
                .for_each(|name| is_repository(&name));
            assert!(
                pull.is_fork() || (pull.head_repo.is_some() && pull.base_repo.is_some()),
                "{pull:?}"
            );
        }
        Event::WorkflowDispatch(dispatch) => {
            for name in dispatch.inputs.names() {
                let value = dispatch.inputs.get(name).unwrap();
                assert!(!value.is_empty() && value.trim() == value, "{value:?}");
            }
        }
        Event::Other { git_ref, .. } => {
            let branch = git_ref.is_some_and(|git_ref| git_ref.starts_with("refs/heads/"));
            assert!(name != "push" || !branch);
        }
        Event::Schedule(_)
        | Event::PullRequestTarget
        | Event::WorkflowRun
        | Event::IssueComment => {}
    }
}

/// Returns the event that an error is about.
fn told(error: &EventError) -> &str {
    match error {
        EventError::TooLarge { event, .. }
        | EventError::Unreadable { event, .. }
        | EventError::Missing { event, .. } => event,
    }
}

fn is_commit(sha: &github::Sha) {
    let text = sha.to_string();
    let hex = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    assert!(
        hex && text.len() == 40 && text.contains(|digit| digit != '0'),
        "{text}"
    );
}

/// Two plain segments, so that it can't lead anywhere else in a request's path.
fn is_repository(name: &String) {
    let segments: Vec<&str> = name.split('/').collect();
    let plain = segments.iter().all(|segment| {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        segment.bytes().all(letters) && !matches!(*segment, "" | "." | "..")
    });
    assert!(segments.len() == 2 && plain, "{name:?}");
}
