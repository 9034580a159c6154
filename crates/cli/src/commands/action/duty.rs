//! Which events may do what: one table, decided before any token is used.
//!
//! Only a push to a branch and a start by hand may insert. A `pull_request` event plans or comments. Events that hand
//! the base repository's secrets to code of others are refused whatever they ask for.

use super::inputs::Mode;
use github::{Event, PullRequestAction, PullRequestEvent, Push, Sha, WorkflowDispatch};
use migration::{Reason, Refusal};

/// What an event comes to.
#[derive(Debug)]
pub(crate) enum Duty<'e> {
    /// Nothing, for this reason.
    Nothing(&'static str),
    /// Plan what the pull request asks for.
    Preview(&'e PullRequestEvent),
    /// The label came after the merge: say what to do.
    Late(&'e PullRequestEvent),
    /// Carry out what a push merged.
    Merged(&'e Push, &'e Sha, Mode),
    /// Carry out what a person asked for.
    ByHand(&'e WorkflowDispatch, Mode),
    /// Take left-over jobs out.
    Reap,
    /// Show how things stand.
    Status,
}

/// Returns what `event` comes to.
///
/// # Errors
/// A [`Refusal`] with [`Reason::EventRefused`] for an event that may not do what `mode` says.
pub(crate) fn duty<'e>(event: &'e Event, mode: Mode, label: &str) -> Result<Duty<'e>, Refusal> {
    match (event, mode) {
        (Event::PullRequestTarget, _) => Err(refused(
            "a `pull_request_target` event brings the repository's secrets together with code that nobody has reviewed",
            "Use `pull_request` for plans and `push` for runs, as examples/workflows/migrate.yml does.",
        )),
        (Event::WorkflowRun | Event::IssueComment, _) => Err(other(event.name())),
        (
            Event::Other {
                name,
                git_ref: Some(git_ref),
            },
            _,
        ) if name == "push" => Err(refused(
            format!("`{git_ref}` was pushed, which is not a branch"),
            "Give `on: push:` the branch that the app is built from: `branches: [main]`.",
        )),
        (Event::Other { name, git_ref: _ }, _) => Err(other(name)),
        (Event::PullRequest(event), Mode::Auto | Mode::Plan) => pull_request(event, label),
        (Event::PullRequest(_), Mode::Status)
        | (Event::Push(_), Mode::Status)
        | (Event::Schedule(_), Mode::Status) => Ok(Duty::Status),
        (Event::PullRequest(_), mode) => Err(refused(
            format!(
                "a `pull_request` event may only plan, and `mode` is `{}`",
                mode.word()
            ),
            "Leave `mode` out: a merged, labelled pull request is run by the push that merges it.",
        )),
        (Event::Push(push), Mode::Auto) => Ok(merged(push, Mode::Run)),
        (Event::Push(push), Mode::Run | Mode::Plan | Mode::Check) => Ok(merged(push, mode)),
        (Event::Push(_) | Event::Schedule(_), Mode::Reap) | (Event::Schedule(_), Mode::Auto) => {
            Ok(Duty::Reap)
        }
        (Event::Push(_) | Event::Schedule(_), mode) => Err(refused(
            format!(
                "`mode: {}` needs a person who asks for it, and this is a `{}` event",
                mode.word(),
                event.name()
            ),
            "Start the workflow by hand (workflow_dispatch) with this mode.",
        )),
        (Event::WorkflowDispatch(_), Mode::Status) => Ok(Duty::Status),
        (Event::WorkflowDispatch(by_hand), Mode::Auto) => Ok(Duty::ByHand(by_hand, Mode::Run)),
        (
            Event::WorkflowDispatch(by_hand),
            Mode::Plan
            | Mode::Check
            | Mode::Run
            | Mode::Retry
            | Mode::Again
            | Mode::Stop
            | Mode::Reap,
        ) => Ok(Duty::ByHand(by_hand, mode)),
    }
}

fn merged(push: &Push, mode: Mode) -> Duty<'_> {
    match &push.after {
        Some(after) => Duty::Merged(push, after, mode),
        None => Duty::Nothing("the push deleted a branch"),
    }
}

fn pull_request<'e>(event: &'e PullRequestEvent, label: &str) -> Result<Duty<'e>, Refusal> {
    let same = |name: &String| name.to_lowercase() == label.to_lowercase();
    let asked = event.pull.has_label(label);
    let put_on =
        event.action == PullRequestAction::Labeled && event.label.as_ref().is_some_and(same);
    if event.pull.is_merged() {
        return Ok(if put_on {
            Duty::Late(event)
        } else {
            Duty::Nothing("the pull request is merged")
        });
    }
    let news = match &event.action {
        PullRequestAction::Labeled => put_on,
        PullRequestAction::Opened
        | PullRequestAction::Reopened
        | PullRequestAction::Synchronize => asked,
        PullRequestAction::ReadyForReview | PullRequestAction::Edited => asked,
        PullRequestAction::Unlabeled | PullRequestAction::Closed | PullRequestAction::Other(_) => {
            false
        }
    };
    if !news {
        return Ok(Duty::Nothing(
            "the pull request does not ask for a migration, or nothing about it changed",
        ));
    }
    if event.pull.is_fork() {
        return Err(refused(
            format!(
                "#{} comes from a fork, whose events get no secrets, so nothing can be planned for it here",
                event.number()
            ),
            "Review its manifest as code. Once it is merged with the label, the push runs it; to see the plan first, bring \
             its commits to a branch of this repository and open a pull request from there.",
        ));
    }
    Ok(Duty::Preview(event))
}

fn other(name: &str) -> Refusal {
    refused(
        format!("a `{name}` event may not run a migration"),
        "Use `push`, `pull_request`, `workflow_dispatch` and `schedule`, as examples/workflows/migrate.yml does.",
    )
}

fn refused(message: impl Into<String>, hint: impl Into<String>) -> Refusal {
    Refusal::new(Reason::EventRefused, message, hint)
}
