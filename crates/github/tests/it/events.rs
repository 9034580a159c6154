//! Real payloads, recorded from GitHub, where they lie beside the workspace.

use std::path::{Path, PathBuf};

use github::{Event, PullNumber, PullRequestAction, PullState, RepoName, Sha};

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/github-events");
    if folder.is_dir() {
        Some(folder)
    } else {
        println!("the recorded events are not there");
        None
    }
}

fn read(file: &str) -> Option<Event> {
    let name = file
        .trim_start_matches("derived.")
        .split('.')
        .next()
        .unwrap();
    let payload = std::fs::read(folder()?.join(file)).unwrap();
    Some(Event::parse(name, &payload).unwrap())
}

fn pull_request(file: &str) -> Option<github::PullRequestEvent> {
    match read(file)? {
        Event::PullRequest(event) => Some(*event),
        other => panic!("{file}: {other:?}"),
    }
}

fn hello_world() -> RepoName {
    RepoName::parse("Codertocat/Hello-World").unwrap()
}

/// Each recorded file and what it is taken for.
const RECORDED: &[(&str, &str)] = &[
    ("deployment_status.created.json", "other: deployment_status"),
    (
        "derived.issue_comment.created.on-pr.json",
        "refused: issue_comment",
    ),
    (
        "derived.pull_request.closed.merged.json",
        "pull request Closed",
    ),
    (
        "derived.pull_request.labeled.from-fork.json",
        "pull request Labeled",
    ),
    (
        "issue_comment.created.on-issue.json",
        "refused: issue_comment",
    ),
    ("issue_comment.edited.json", "refused: issue_comment"),
    ("merge_group.checks_requested.json", "other: merge_group"),
    ("pull_request.closed.unmerged.json", "pull request Closed"),
    ("pull_request.labeled.json", "pull request Labeled"),
    ("pull_request.synchronize.json", "pull request Synchronize"),
    ("pull_request.unlabeled.json", "pull request Unlabeled"),
    ("push.branch.json", "push"),
    ("workflow_dispatch.json", "dispatch"),
    ("workflow_run.completed.json", "refused: workflow_run"),
];

#[test]
fn every_recorded_event_is_taken_for_what_it_is() {
    let Some(folder) = folder() else { return };
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|file| file.ends_with(".json"));
    let mut checked = 0;
    for file in files {
        let taken_for = match read(&file).unwrap() {
            Event::Push(_) => "push".to_owned(),
            Event::PullRequest(event) => format!("pull request {:?}", event.action),
            Event::WorkflowDispatch(_) => "dispatch".to_owned(),
            Event::Schedule(_) => "schedule".to_owned(),
            Event::PullRequestTarget => "refused: pull_request_target".to_owned(),
            Event::WorkflowRun => "refused: workflow_run".to_owned(),
            Event::IssueComment => "refused: issue_comment".to_owned(),
            Event::Other { name, git_ref: _ } => format!("other: {name}"),
        };
        // A file that was added since only has to be readable.
        if let Some((_, expected)) = RECORDED.iter().find(|(name, _)| *name == file) {
            assert_eq!(taken_for, *expected, "{file}");
            checked += 1;
        }
    }
    assert_eq!(checked, RECORDED.len());
}

#[test]
fn a_recorded_push_is_read() {
    let Some(event) = read("push.branch.json") else {
        return;
    };
    let Event::Push(push) = event else {
        panic!("{event:?}");
    };
    assert_eq!(push.repo, Some(hello_world()));
    assert_eq!(push.branch, "master");
    assert_eq!(push.before, None, "the push made the branch");
    let after = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";
    assert_eq!(push.after, Some(Sha::parse(after).unwrap()));
    assert_eq!(push.commits, 1);
    assert_eq!(push.sender.as_deref(), Some("Codertocat"));
    assert!(!push.by_bot && !push.forced);
}

#[test]
fn a_recorded_label_is_read() {
    let Some(event) = pull_request("pull_request.labeled.json") else {
        return;
    };
    assert_eq!(event.action, PullRequestAction::Labeled);
    assert_eq!(event.label.as_deref(), Some("bug"));
    assert_eq!(event.number(), PullNumber(2));
    assert_eq!(event.repo, Some(hello_world()));
    let pull = event.pull;
    assert_eq!(pull.state, PullState::Open);
    assert_eq!(pull.base_ref.as_deref(), Some("master"));
    assert_eq!(pull.head_ref.as_deref(), Some("changes"));
    assert_eq!(pull.labels, ["bug"]);
    assert_eq!(pull.author.as_deref(), Some("Codertocat"));
    assert!(!pull.is_fork());
}

#[test]
fn a_recorded_fork_is_a_fork() {
    let Some(event) = pull_request("derived.pull_request.labeled.from-fork.json") else {
        return;
    };
    assert!(event.pull.is_fork());
    assert_eq!(
        event.pull.head_repo,
        Some(RepoName::parse("mallory/Hello-World").unwrap())
    );
    assert_eq!(event.pull.author.as_deref(), Some("mallory"));
}

#[test]
fn a_merge_is_told_from_a_mere_close() {
    let Some(merged) = pull_request("derived.pull_request.closed.merged.json") else {
        return;
    };
    let closed = pull_request("pull_request.closed.unmerged.json").unwrap();
    assert_eq!(merged.action, PullRequestAction::Closed);
    assert_eq!(merged.pull.state, PullState::Merged);
    assert!(merged.pull.merge_commit_sha.is_some());
    assert_eq!(closed.action, PullRequestAction::Closed);
    assert_eq!(closed.pull.state, PullState::Closed);
}

#[test]
fn a_recorded_dispatch_is_read() {
    let Some(event) = read("workflow_dispatch.json") else {
        return;
    };
    let Event::WorkflowDispatch(dispatch) = event else {
        panic!("{event:?}");
    };
    assert_eq!(dispatch.git_ref.as_deref(), Some("refs/heads/master"));
    assert_eq!(dispatch.inputs.names().count(), 0);
    assert_eq!(dispatch.sender.as_deref(), Some("Codertocat"));
}
