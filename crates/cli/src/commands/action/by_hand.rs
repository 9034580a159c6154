//! A start by hand: what the person asked for, with the manifest as it is on the branch now.

use super::errand::{Errand, carry_out};
use super::inputs::Mode;
use super::repository::{self, Located, refusal};
use super::work::Work;
use crate::settings::quoted;
use github::WorkflowDispatch;
use migration::{Authority, Exit, Intent, Purpose, Reason, Refusal};

/// Carries out what was asked for by hand.
///
/// # Errors
/// A [`Refusal`] when what was asked for can't be told, or not from that branch.
pub(crate) async fn by_hand(
    work: &Work<'_>,
    event: &WorkflowDispatch,
    mode: Mode,
) -> Result<Exit, Refusal> {
    let branch = branch(work, event)?;
    let head = work
        .github()
        .branch_head(&branch)
        .await
        .map_err(|error| refusal(&error))?;
    let head = head.ok_or_else(|| not_a_branch(&branch))?;
    let at = head.as_str().to_owned();
    let config =
        repository::config(work.github(), work.asked.choices.config.as_deref(), &at).await?;
    match mode {
        Mode::Stop | Mode::Reap => return super::clean::clean(work, &config, mode).await,
        Mode::Auto
        | Mode::Status
        | Mode::Plan
        | Mode::Check
        | Mode::Run
        | Mode::Retry
        | Mode::Again => {}
    }
    let Some(id) = work.asked.migration.clone() else {
        let known = repository::manifests(work.github(), &config.manifests, &at).await?;
        let known: Vec<&str> = known.iter().map(|one| one.id.as_str()).collect();
        return Err(Refusal::new(
            Reason::Usage,
            format!("`mode: {}` needs the input `migration`", mode.word()),
            if known.is_empty() {
                format!(
                    "The folder `{}` of `{branch}` holds no manifest.",
                    config.manifests
                )
            } else {
                format!("On `{branch}` there are {}.", quoted(&known))
            },
        ));
    };
    // The same in every attempt of a run, so that re-running it reports and never runs anything twice.
    let run = work
        .environment
        .run_id()
        .map_err(|error| Refusal::new(Reason::Usage, error.to_string(), ""))?
        .to_string();
    let (intent, authority) = match mode {
        Mode::Again => {
            let reason = work.asked.reason.clone().unwrap_or_default();
            (Intent::Again { reason }, Authority::Again(run))
        }
        Mode::Retry => (Intent::Retry, Authority::Retry(run)),
        Mode::Check => (Intent::Check, Authority::Retry(run)),
        // A start by hand is a fresh authority for what failed as well: no merge stands behind it.
        Mode::Auto | Mode::Run | Mode::Plan | Mode::Stop | Mode::Status | Mode::Reap => {
            (Intent::Run, Authority::Retry(run))
        }
    };
    let path = format!("{}/{id}.yml", config.manifests.trim_end_matches('/'));
    let errand = Errand {
        located: Located { id, path },
        at,
        config,
        branch,
        pull: None,
        intent,
        authority,
        purpose: if mode == Mode::Plan {
            Purpose::Preview
        } else {
            Purpose::Run
        },
    };
    Ok(Box::pin(carry_out(work, errand)).await)
}

/// Returns the branch that was chosen at the start.
fn branch(work: &Work<'_>, event: &WorkflowDispatch) -> Result<String, Refusal> {
    let chosen = event
        .git_ref
        .as_deref()
        .or_else(|| work.environment.git_ref())
        .unwrap_or_default();
    let branch = chosen.strip_prefix("refs/heads/");
    branch
        .map(str::to_owned)
        .ok_or_else(|| not_a_branch(chosen))
}

fn not_a_branch(chosen: &str) -> Refusal {
    Refusal::new(
        Reason::EventRefused,
        format!("the workflow was started on `{chosen}`, which is not a branch of this repository"),
        "Start it on the branch that the app is built from.",
    )
}
