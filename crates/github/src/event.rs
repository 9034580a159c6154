//! The event that started a workflow, as the runner leaves it in `GITHUB_EVENT_PATH`.
//!
//! Only what Harbor Pilot decides by is read. Payloads arrive trimmed (a scheduled run's holds
//! little more than the cron line) and grow without notice, so every field is optional here and
//! unknown ones are passed over. All texts in an event are somebody's: they select, they are
//! shown after escaping, they never become a command.
//!
//! Documents: <https://docs.github.com/webhooks/webhook-events-and-payloads>.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::id::{PullNumber, RepoName, Sha};
use crate::pulls::{PullRequest, WirePull};
use crate::wire::{Account, Label, Repository, sha_or_none};

/// The largest payload that is read, in bytes: GitHub's own cap for webhooks.
const PAYLOAD_BYTES: usize = 25 * 1024 * 1024;

/// Why a payload cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Larger than GitHub ever sends.
    #[error(
        "the payload of the `{event}` event is {size_bytes} bytes long, beyond GitHub's 25 MiB"
    )]
    TooLarge {
        /// The event's name.
        event: String,
        /// The payload's length.
        size_bytes: usize,
    },
    /// Not JSON, or a field of a wrong type.
    #[error("cannot read the payload of the `{event}` event at `{path}`")]
    Unreadable {
        /// The event's name.
        event: String,
        /// Where in the payload; `.` for the whole.
        path: String,
        /// What the JSON reader said.
        source: serde_json::Error,
    },
    /// A field is not there without which the event means nothing.
    #[error("the payload of the `{event}` event has no `{field}`")]
    Missing {
        /// The event's name.
        event: String,
        /// The field.
        field: &'static str,
    },
}

/// What started the workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Commits arrived on a branch, or a branch was made or deleted.
    Push(Push),
    /// Something happened to a pull request.
    PullRequest(Box<PullRequestEvent>),
    /// Somebody started it by hand or through the API.
    WorkflowDispatch(WorkflowDispatch),
    /// Its time had come.
    Schedule(Schedule),
    /// A pull request, with the secrets of the base repository. Kept to be refused.
    PullRequestTarget,
    /// Another workflow ran. Kept to be refused.
    WorkflowRun,
    /// Somebody commented. Kept to be refused.
    IssueComment,
    /// Any other event, a push of a tag among them.
    Other {
        /// Its name, such as `merge_group`.
        name: String,
        /// The ref that it is about, where it tells, such as `refs/tags/v1`.
        git_ref: Option<String>,
    },
}

/// A push to a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The repository.
    pub repo: Option<RepoName>,
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// Where the branch stood; `None` when the push made it.
    pub before: Option<Sha>,
    /// Where it stands now; `None` when the push deleted it.
    pub after: Option<Sha>,
    /// How many commits the payload lists. GitHub lists at most 2048 of them.
    pub commits: usize,
    /// Whether history was rewritten.
    pub forced: bool,
    /// Whose credentials pushed.
    pub sender: Option<String>,
    /// Whether that was an App or another machine.
    pub by_bot: bool,
}

/// What happened to a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullRequestAction {
    /// Opened.
    Opened,
    /// Opened again.
    Reopened,
    /// New commits.
    Synchronize,
    /// Its title, text or base changed.
    Edited,
    /// A label was put on.
    Labeled,
    /// A label was taken off.
    Unlabeled,
    /// It is no longer a draft.
    ReadyForReview,
    /// Closed, merged or not.
    Closed,
    /// Anything else, as GitHub names it.
    Other(String),
}

/// An event of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestEvent {
    /// What happened.
    pub action: PullRequestAction,
    /// The repository whose workflow runs.
    pub repo: Option<RepoName>,
    /// The pull request after it happened.
    pub pull: PullRequest,
    /// The label that was put on or taken off.
    pub label: Option<String>,
    /// Who did it.
    pub sender: Option<String>,
}

/// A start by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowDispatch {
    /// The repository.
    pub repo: Option<RepoName>,
    /// The full ref that was chosen, such as `refs/heads/main`.
    pub git_ref: Option<String>,
    /// The inputs.
    pub inputs: DispatchInputs,
    /// Who started it.
    pub sender: Option<String>,
}

/// The inputs of a start by hand. An empty one counts as not given, as everywhere in Actions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DispatchInputs(BTreeMap<String, String>);

impl DispatchInputs {
    /// Returns an input, without white space around it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// Returns the names of those that were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(|(_, value)| !value.trim().is_empty())
            .map(|(name, _)| name.as_str())
    }
}

/// A scheduled start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The line of the schedule that was due.
    pub cron: Option<String>,
}

#[derive(Deserialize)]
struct WirePush {
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    #[serde(default, deserialize_with = "sha_or_none")]
    before: Option<Sha>,
    #[serde(default, deserialize_with = "sha_or_none")]
    after: Option<Sha>,
    commits: Option<Vec<serde::de::IgnoredAny>>,
    forced: Option<bool>,
    repository: Option<Repository>,
    sender: Option<Account>,
    pusher: Option<WirePusher>,
}

/// Unlike every other account, a pusher has a `name` and no `login`.
#[derive(Deserialize)]
struct WirePusher {
    name: Option<String>,
}

#[derive(Deserialize)]
struct WirePullRequestEvent {
    action: Option<String>,
    pull_request: Option<WirePull>,
    label: Option<Label>,
    repository: Option<Repository>,
    sender: Option<Account>,
}

#[derive(Deserialize)]
struct WireDispatch {
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    inputs: Option<BTreeMap<String, Value>>,
    repository: Option<Repository>,
    sender: Option<Account>,
}

#[derive(Deserialize)]
struct WireSchedule {
    schedule: Option<String>,
}

#[derive(Deserialize)]
struct WireOther {
    #[serde(rename = "ref")]
    git_ref: Option<String>,
}

impl Event {
    /// Reads the payload of the event called `name` (the value of `GITHUB_EVENT_NAME`).
    ///
    /// # Errors
    ///
    /// [`EventError::TooLarge`], [`EventError::Unreadable`] for what is not JSON or nests too
    /// deep, [`EventError::Missing`] for a push without a ref or a pull request event without
    /// its pull request. Events that are only kept to be refused are not read at all.
    pub fn parse(name: &str, payload: &[u8]) -> Result<Self, EventError> {
        if payload.len() > PAYLOAD_BYTES {
            return Err(EventError::TooLarge {
                event: name.to_owned(),
                size_bytes: payload.len(),
            });
        }
        match name {
            "push" => push(read(name, payload)?),
            "pull_request" => pull_request(read(name, payload)?),
            "workflow_dispatch" => Ok(dispatch(read(name, payload)?)),
            "schedule" => {
                let wire: WireSchedule = read(name, payload)?;
                Ok(Self::Schedule(Schedule {
                    cron: wire.schedule,
                }))
            }
            "pull_request_target" => Ok(Self::PullRequestTarget),
            "workflow_run" => Ok(Self::WorkflowRun),
            "issue_comment" => Ok(Self::IssueComment),
            other => Ok(Self::Other {
                name: other.to_owned(),
                git_ref: read::<WireOther>(name, payload)
                    .ok()
                    .and_then(|wire| wire.git_ref),
            }),
        }
    }

    /// Returns the event's name, as `on:` in a workflow spells it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Push(_) => "push",
            Self::PullRequest(_) => "pull_request",
            Self::WorkflowDispatch(_) => "workflow_dispatch",
            Self::Schedule(_) => "schedule",
            Self::PullRequestTarget => "pull_request_target",
            Self::WorkflowRun => "workflow_run",
            Self::IssueComment => "issue_comment",
            Self::Other { name, git_ref: _ } => name,
        }
    }
}

fn read<T: DeserializeOwned>(event: &str, payload: &[u8]) -> Result<T, EventError> {
    let mut deserializer = serde_json::Deserializer::from_slice(payload);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| EventError::Unreadable {
        event: event.to_owned(),
        path: error.path().to_string(),
        source: error.into_inner(),
    })
}

fn push(wire: WirePush) -> Result<Event, EventError> {
    let git_ref = wire.git_ref.ok_or(EventError::Missing {
        event: "push".to_owned(),
        field: "ref",
    })?;
    let Some(branch) = git_ref.strip_prefix("refs/heads/") else {
        return Ok(Event::Other {
            name: "push".to_owned(),
            git_ref: Some(git_ref),
        });
    };
    let pusher = wire.pusher.and_then(|pusher| pusher.name);
    let by_bot = wire.sender.as_ref().is_some_and(Account::is_bot)
        || pusher
            .as_deref()
            .is_some_and(|name| name.ends_with("[bot]"));
    Ok(Event::Push(Push {
        repo: wire.repository.and_then(|repo| repo.name()),
        branch: branch.to_owned(),
        before: wire.before,
        after: wire.after,
        commits: wire.commits.map_or(0, |commits| commits.len()),
        forced: wire.forced.unwrap_or(false),
        sender: wire.sender.and_then(|sender| sender.login).or(pusher),
        by_bot,
    }))
}

fn pull_request(wire: WirePullRequestEvent) -> Result<Event, EventError> {
    let missing = |field| EventError::Missing {
        event: "pull_request".to_owned(),
        field,
    };
    let action = match wire.action.ok_or_else(|| missing("action"))?.as_str() {
        "opened" => PullRequestAction::Opened,
        "reopened" => PullRequestAction::Reopened,
        "synchronize" => PullRequestAction::Synchronize,
        "edited" => PullRequestAction::Edited,
        "labeled" => PullRequestAction::Labeled,
        "unlabeled" => PullRequestAction::Unlabeled,
        "ready_for_review" => PullRequestAction::ReadyForReview,
        "closed" => PullRequestAction::Closed,
        other => PullRequestAction::Other(other.to_owned()),
    };
    let pull = wire.pull_request.ok_or_else(|| missing("pull_request"))?;
    Ok(Event::PullRequest(Box::new(PullRequestEvent {
        action,
        repo: wire.repository.and_then(|repo| repo.name()),
        pull: pull.into(),
        label: wire.label.and_then(|label| label.name),
        sender: wire.sender.and_then(|sender| sender.login),
    })))
}

fn dispatch(wire: WireDispatch) -> Event {
    // Started through the API, an input can be a boolean or a number.
    let inputs = wire
        .inputs
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(name, value)| match value {
            Value::String(text) => Some((name, text)),
            Value::Bool(_) | Value::Number(_) => Some((name, value.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        })
        .collect();
    Event::WorkflowDispatch(WorkflowDispatch {
        repo: wire.repository.and_then(|repo| repo.name()),
        git_ref: wire.git_ref,
        inputs: DispatchInputs(inputs),
        sender: wire.sender.and_then(|sender| sender.login),
    })
}

impl PullRequestEvent {
    /// Returns the number of the pull request.
    #[must_use]
    pub fn number(&self) -> PullNumber {
        self.pull.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, payload: &str) -> Result<Event, EventError> {
        Event::parse(name, payload.as_bytes())
    }

    #[test]
    fn a_push_says_which_commits_came_to_which_branch() {
        let sha = "c4295bd74fb0f4fda03689c3df3f2803b658fd85";
        let event = parse(
            "push",
            &format!(
                r#"{{"ref":"refs/heads/release/1","before":"{}","after":"{sha}",
                "commits":[{{}},{{}}],"repository":{{"full_name":"acme/shop"}},
                "pusher":{{"name":"merge-queue[bot]"}}}}"#,
                "0".repeat(40)
            ),
        );
        let Event::Push(push) = event.unwrap() else {
            panic!("not a push");
        };
        assert_eq!(push.branch, "release/1");
        assert_eq!(push.before, None);
        assert_eq!(push.after, Some(Sha::parse(sha).unwrap()));
        assert_eq!(push.commits, 2);
        assert!(push.by_bot);
        assert_eq!(push.repo, Some(RepoName::parse("acme/shop").unwrap()));
    }

    #[test]
    fn a_pushed_tag_is_no_push_to_a_branch() {
        let event = parse("push", r#"{"ref":"refs/tags/main"}"#).unwrap();
        assert_eq!(
            event,
            Event::Other {
                name: "push".to_owned(),
                git_ref: Some("refs/tags/main".to_owned())
            }
        );
        assert_eq!(event.name(), "push");
    }

    #[test]
    fn trimmed_payloads_are_read_as_far_as_they_go() {
        assert!(matches!(
            parse("schedule", r#"{"schedule":"*/15 * * * *"}"#),
            Ok(Event::Schedule(Schedule { cron: Some(cron) })) if cron == "*/15 * * * *"
        ));
        assert!(matches!(parse("schedule", "{}"), Ok(Event::Schedule(_))));
        assert!(matches!(
            parse("workflow_dispatch", r#"{"inputs":null}"#),
            Ok(Event::WorkflowDispatch(_))
        ));
        assert!(matches!(
            parse("push", r#"{"ref":"refs/heads/main"}"#),
            Ok(Event::Push(_))
        ));
        assert!(matches!(
            parse(
                "pull_request",
                r#"{"action":"labeled","pull_request":{"number":7}}"#
            ),
            Ok(Event::PullRequest(_))
        ));
    }

    #[test]
    fn what_an_event_cannot_do_without_is_named() {
        let missing = |name, payload| parse(name, payload).unwrap_err().to_string();
        assert_eq!(
            missing("push", "{}"),
            "the payload of the `push` event has no `ref`"
        );
        assert_eq!(
            missing("pull_request", r#"{"action":"opened"}"#),
            "the payload of the `pull_request` event has no `pull_request`"
        );
        assert_eq!(
            missing(
                "pull_request",
                r#"{"action":"opened","pull_request":{"number":"x"}}"#
            ),
            "cannot read the payload of the `pull_request` event at `pull_request.number`"
        );
    }

    #[test]
    fn dispatch_inputs_are_texts_and_empty_ones_are_absent() {
        let event = parse(
            "workflow_dispatch",
            r#"{"ref":"refs/heads/main","inputs":{"mode":" retry ","dry-run":true,"n":3,"reason":"","x":null}}"#,
        );
        let Event::WorkflowDispatch(dispatch) = event.unwrap() else {
            panic!("not a dispatch");
        };
        assert_eq!(dispatch.inputs.get("mode"), Some("retry"));
        assert_eq!(dispatch.inputs.get("dry-run"), Some("true"));
        assert_eq!(dispatch.inputs.get("n"), Some("3"));
        assert_eq!(dispatch.inputs.get("reason"), None);
        assert_eq!(dispatch.inputs.get("x"), None);
        assert_eq!(
            dispatch.inputs.names().collect::<Vec<_>>(),
            ["dry-run", "mode", "n"]
        );
    }

    #[test]
    fn events_to_be_refused_need_no_readable_payload() {
        for name in ["pull_request_target", "workflow_run", "issue_comment", "x"] {
            assert_eq!(parse(name, "not json").unwrap().name(), name);
        }
    }

    #[test]
    fn deep_nesting_and_monstrous_size_are_errors_and_not_crashes() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(
            parse(
                "workflow_dispatch",
                &format!(r#"{{"inputs":{{"x":{deep}}}}}"#)
            ),
            Err(EventError::Unreadable { .. })
        ));
        // Where nobody looks, nesting is passed over without recursion.
        assert!(
            parse(
                "push",
                &format!(r#"{{"ref":"refs/heads/main","x":{deep}}}"#)
            )
            .is_ok()
        );
        let huge = vec![b' '; PAYLOAD_BYTES + 1];
        assert!(matches!(
            Event::parse("push", &huge),
            Err(EventError::TooLarge { .. })
        ));
    }
}
