//! `mode: status`: how things stand, for the step's log and its summary. Reads only.

use super::clean::apps;
use super::repository;
use super::work::Work;
use crate::commands::status::{survey_with, text};
use crate::ledger::github::GitHubLedger;
use crate::wiring;
use migration::render::escape;
use migration::{Exit, Key, Refusal};
use runner::Ledger as _;

/// How many manifests are looked up in the ledger; the newest by name.
const MANIFESTS: usize = 50;

/// Shows what of ours is in each app, what ran, and what would refuse a run.
///
/// # Errors
/// A [`Refusal`] when one of both platforms does not tell.
pub(crate) async fn status(work: &Work<'_>) -> Result<Exit, Refusal> {
    let branch = &work.info.default_branch;
    let config =
        repository::config(work.github(), work.asked.choices.config.as_deref(), branch).await?;
    let access = wiring::access(work.host, &work.asked.choices)?;
    let located = repository::manifests(work.github(), &config.manifests, branch).await?;
    for wanted in apps(work, &config).await? {
        let found = wiring::resolve_app(&access, &wanted).await?;
        let ledger = GitHubLedger::new(work.github().clone(), found.app.spec.name(), branch, None);
        let mut entries = Vec::new();
        for one in located.iter().rev().take(MANIFESTS) {
            let key = Key::of(&found.app.id, &one.id);
            entries.extend(
                ledger
                    .entries(&key)
                    .await
                    .map_err(|error| super::errand::no_ledger(&ledger, &error))?,
            );
        }
        let survey = survey_with(&access, &found, entries).await?;
        let text = work.redactor.clean(&text(&found, &survey, &config));
        work.console().say(text.as_str());
        work.publisher.summary(&escape::fence("", text.as_str()));
    }
    work.publisher.outputs_of_status();
    Ok(Exit::Success)
}
