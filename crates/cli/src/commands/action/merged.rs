//! A push: which pull requests it merged, which of them ask for a migration, and in which order they run.
//!
//! A merge queue brings several pull requests with one push, so every commit is looked up. What runs is what the
//! labelled ones added or changed; a fix that changes only code runs the app's one migration that failed.

use super::conduct::finish;
use super::errand::{Errand, carry_out};
use super::inputs::Mode;
use super::repository::{self, Located, refusal};
use super::work::Work;
use crate::ledger::github::GitHubLedger;
use crate::publish::{Labels, Stage};
use crate::settings::quoted;
use crate::wiring;
use github::{ErrorKind, Patience, PullNumber, PullRequest, Push, Sha};
use migration::{
    Authority, Config, Exit, Intent, Key, LedgerOutcome, MigrationId, Origin, Purpose, Reason,
    Refusal, Report, RunMode, Subject,
};
use runner::Ledger as _;
use std::collections::BTreeSet;

/// How many commits of one push are looked up; a merge queue brings at most a hundred pull requests.
const LOOKED_UP: usize = 250;

/// Carries out what a push merged.
///
/// # Errors
/// A [`Refusal`] when it can't be told what that is; what goes wrong with one migration is that one's report.
pub(crate) async fn merged(
    work: &Work<'_>,
    push: &Push,
    after: &Sha,
    mode: Mode,
) -> Result<Exit, Refusal> {
    let config = repository::config(
        work.github(),
        work.asked.choices.config.as_deref(),
        after.as_str(),
    )
    .await?;
    let label = work.asked.label.as_deref().unwrap_or(&config.label);
    let pulls = pulls(work, push, after).await?;
    let asked = |pull: &&PullRequest| pull.has_label(label);
    let mut errands = Vec::new();
    for pull in pulls.iter().filter(asked) {
        errands.extend(of_pull(work, push, pull, mode).await);
    }
    let mut unasked = Vec::new();
    for pull in pulls.iter().filter(|pull| !pull.has_label(label)) {
        for located in repository::touched(work.github(), pull, &config.manifests).await? {
            unasked.push((located, Some(pull)));
        }
    }
    if pulls.is_empty()
        && let Some(before) = &push.before
    {
        let arrived = repository::arrived(work.github(), &config.manifests, before, after).await?;
        unasked.extend(arrived.into_iter().map(|located| (located, None)));
    }
    let mut exit = None;
    for (located, pull) in unasked {
        exit = Some(not_asked(work, (push, after), &config, (located, pull)).await);
    }
    let mut errands = errands.into_iter();
    while let Some(todo) = errands.next() {
        let ended = match todo {
            Todo::Errand(errand) => Box::pin(carry_out(work, *errand)).await,
            Todo::Refused(pull, refusal) => refused(work, push, &config, pull, refusal).await,
        };
        exit = Some(ended);
        if ended != Exit::Success {
            not_started(work, errands.as_slice());
            break;
        }
    }
    match exit {
        Some(exit) => Ok(exit),
        None => Ok(work
            .nothing("the push brought no pull request that asks for a migration")
            .await),
    }
}

/// What a labelled pull request comes to.
#[derive(Debug)]
enum Todo {
    Errand(Box<Errand>),
    Refused(PullNumber, Refusal),
}

/// Returns the pull requests that the push merged into its branch, oldest merge first.
async fn pulls(work: &Work<'_>, push: &Push, after: &Sha) -> Result<Vec<PullRequest>, Refusal> {
    let commits = commits(work, push, after).await?;
    let mut found: Vec<(usize, PullRequest)> = Vec::new();
    for sha in commits.iter().rev().take(LOOKED_UP) {
        // The newest first: once GitHub has indexed that one, it knows the others too.
        let patience = if sha == after {
            Patience::UntilIndexed
        } else {
            Patience::Once
        };
        for pull in work
            .github()
            .pulls_of_commit(sha, patience)
            .await
            .map_err(|error| refusal(&error))?
        {
            let landed = pull
                .merge_commit_sha
                .as_ref()
                .and_then(|merge| commits.iter().position(|sha| sha == merge));
            let into_branch =
                pull.is_merged() && pull.base_ref.as_deref() == Some(push.branch.as_str());
            let is_new = found.iter().all(|(_, known)| known.number != pull.number);
            // One that was merged elsewhere, and came along with another merge, has asked for nothing here.
            if let (Some(landed), true, true) = (landed, into_branch, is_new) {
                found.push((landed, pull));
            }
        }
    }
    found.sort_by_key(|(landed, pull)| (*landed, pull.number.0));
    Ok(found.into_iter().map(|(_, pull)| pull).collect())
}

/// Returns the commits that the push brought, oldest first.
async fn commits(work: &Work<'_>, push: &Push, after: &Sha) -> Result<Vec<Sha>, Refusal> {
    let Some(before) = &push.before else {
        return Ok(vec![after.clone()]);
    };
    let range = match work.github().commits_between(before, after).await {
        Ok(range) => range,
        // After a forced push the old commit may be gone.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound) => {
            return Ok(vec![after.clone()]);
        }
        Err(error) => return Err(refusal(&error)),
    };
    if !range.is_complete() || range.commits.len() > LOOKED_UP {
        work.console().say(&format!(
            "The push brought {} commits; only the newest {LOOKED_UP} are looked up. A migration of an older one is started by hand.",
            range.total
        ));
    }
    let mut commits: Vec<Sha> = range.commits.into_iter().map(|commit| commit.sha).collect();
    if !commits.contains(after) {
        commits.push(after.clone());
    }
    Ok(commits)
}

/// Returns what one labelled pull request asks for.
async fn of_pull(work: &Work<'_>, push: &Push, pull: &PullRequest, mode: Mode) -> Vec<Todo> {
    let settled = async {
        let Some(merge) = &pull.merge_commit_sha else {
            return Ok(Vec::new());
        };
        let at = merge.as_str();
        let config =
            repository::config(work.github(), work.asked.choices.config.as_deref(), at).await?;
        let located = meant(work, &config, pull, at).await?;
        let errand = |located| Errand {
            located,
            at: at.to_owned(),
            config: config.clone(),
            branch: push.branch.clone(),
            pull: Some(pull.number),
            intent: if mode == Mode::Check {
                Intent::Check
            } else {
                Intent::Run
            },
            authority: Authority::Merge(at.to_owned()),
            purpose: if mode == Mode::Plan {
                Purpose::Preview
            } else {
                Purpose::Run
            },
        };
        Ok(located
            .into_iter()
            .map(|located| Todo::Errand(Box::new(errand(located))))
            .collect())
    };
    settled
        .await
        .unwrap_or_else(|refusal| vec![Todo::Refused(pull.number, refusal)])
}

/// Returns the migrations that a pull request means: those whose manifests it touches, or else the one that failed.
///
/// # Errors
/// A [`Refusal`] when there is none, or several could be meant.
pub(crate) async fn meant(
    work: &Work<'_>,
    config: &Config,
    pull: &PullRequest,
    at: &str,
) -> Result<Vec<Located>, Refusal> {
    let touched = repository::touched(work.github(), pull, &config.manifests).await?;
    if !touched.is_empty() {
        return Ok(touched);
    }
    let mut failed = Vec::new();
    let mut unproven = Vec::new();
    for located in repository::manifests(work.github(), &config.manifests, at).await? {
        match on_record(work, config, &located, at)
            .await?
            .and_then(|known| known.newest)
        {
            Some(LedgerOutcome::Failed { .. }) => failed.push(located),
            Some(LedgerOutcome::Unproven { .. }) => unproven.push(located),
            Some(LedgerOutcome::Done | LedgerOutcome::NeverStarted | LedgerOutcome::Withdrawn)
            | None => {}
        }
    }
    let ids = |all: &[Located]| quoted(&all.iter().map(|one| one.id.as_str()).collect::<Vec<_>>());
    match failed.len() {
        1 => Ok(failed),
        0 => Err(Refusal::new(
            Reason::BadManifest,
            format!(
                "#{} has the label and brings no manifest, and no migration of this app has failed",
                pull.number
            ),
            match unproven.as_slice() {
                [] => format!(
                    "A manifest is a file `{}/<id>.yml`. Take the label off where no migration is meant.",
                    config.manifests
                ),
                some => format!(
                    "{} is unproven: look at the database first; where it is safe, run it again by hand with `mode: retry`.",
                    ids(some)
                ),
            },
        )),
        _ => Err(Refusal::new(
            Reason::Ambiguous,
            format!(
                "#{} has the label and brings no manifest, and several migrations have failed: {}",
                pull.number,
                ids(&failed)
            ),
            "Change the manifest of the one that is meant (a comment will do), or run it by hand with `mode: retry` and `migration`.",
        )),
    }
}

/// What is on record of a migration.
pub(crate) struct OnRecord {
    pub(crate) key: Key,
    /// How the newest epoch of its steps that decided anything ended.
    pub(crate) newest: Option<LedgerOutcome>,
}

/// Looks a migration up in the ledger; nothing for a manifest that can't be read.
///
/// # Errors
/// A [`Refusal`] when the app is not to be had, or GitHub does not tell.
pub(crate) async fn on_record(
    work: &Work<'_>,
    config: &Config,
    located: &Located,
    at: &str,
) -> Result<Option<OnRecord>, Refusal> {
    let Ok(manifest) = repository::manifest(work.github(), located, &config.manifests, at).await
    else {
        return Ok(None);
    };
    let choices = &work.asked.choices;
    let wanted = wiring::wanted_app(choices, manifest.app.as_deref(), config)?;
    let access = wiring::access(work.host, choices)?;
    let found = wiring::resolve_app(&access, &wanted).await?;
    let ledger = GitHubLedger::new(work.github().clone(), found.app.spec.name(), at, None);
    let key = Key::of(&found.app.id, &located.id);
    let entries = ledger
        .entries(&key)
        .await
        .map_err(|error| super::errand::no_ledger(&ledger, &error))?;
    let counts = |outcome: &LedgerOutcome| {
        *outcome != LedgerOutcome::Withdrawn && *outcome != LedgerOutcome::NeverStarted
    };
    let steps = entries
        .into_iter()
        .filter(|entry| entry.claim.mode == RunMode::Steps);
    let newest = steps.rev().find_map(|entry| entry.outcome.filter(counts));
    Ok(Some(OnRecord { key, newest }))
}

/// Tells that a manifest was merged without the label, and how to run it.
async fn not_asked(
    work: &Work<'_>,
    (push, after): (&Push, &Sha),
    config: &Config,
    (located, pull): (Located, Option<&PullRequest>),
) -> Exit {
    let labels = Labels::of(config, work.asked.label.as_deref());
    // Only a notice: where the app is not to be seen, it goes without its key.
    let known = on_record(work, config, &located, after.as_str())
        .await
        .ok()
        .flatten();
    // A done migration lost the request's label with that; what is done is not told to be run.
    let is_done = known
        .as_ref()
        .is_some_and(|known| known.newest == Some(LedgerOutcome::Done));
    if is_done || pull.is_some_and(|pull| pull.has_label(&labels.done)) {
        return work
            .nothing("the migration was done by an earlier run")
            .await;
    }
    let Located { id, path } = located;
    let command = work.dispatch(&push.branch, "run", Some(&id));
    let refusal = Refusal::new(
        Reason::Skipped,
        format!(
            "`{path}` was merged without the label `{}`, so it was not run",
            labels.request
        ),
        format!("Run it by hand when it is wanted:\n\n    {command}"),
    );
    let links = work.links(&push.branch, Some(&id), pull.map(|pull| pull.number));
    let mut report = work.refusal(Some(id), pull.map(|pull| pull.number), refusal);
    report.subject.key = known.map(|known| known.key);
    finish(
        work,
        report,
        &links,
        (pull.map(|pull| pull.number), &labels, None),
    )
    .await
}

/// Tells why a labelled pull request runs nothing.
async fn refused(
    work: &Work<'_>,
    push: &Push,
    config: &Config,
    pull: PullNumber,
    refusal: Refusal,
) -> Exit {
    let labels = Labels::of(config, work.asked.label.as_deref());
    let links = work.links(&push.branch, None, Some(pull));
    finish(
        work,
        work.refusal(None, Some(pull), refusal),
        &links,
        (Some(pull), &labels, Some(Stage::Failed)),
    )
    .await
}

/// Says which migrations did not get their turn.
fn not_started(work: &Work<'_>, left: &[Todo]) {
    let names: BTreeSet<String> = left
        .iter()
        .map(|todo| match todo {
            Todo::Errand(errand) => match errand.pull {
                Some(pull) => format!("`{}` of #{pull}", errand.located.id),
                None => format!("`{}`", errand.located.id),
            },
            Todo::Refused(pull, _) => format!("#{pull}"),
        })
        .collect();
    if names.is_empty() {
        return;
    }
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    let message = format!(
        "Not started, because what was merged before it failed: {names}. Re-run this job once the failure is mended, or start them by hand."
    );
    work.console().annotate(
        github::actions::Level::Warning,
        "Some migrations were not started",
        &message,
    );
    work.publisher
        .summary(&format!("\n> [!WARNING]\n> {message}\n"));
}

impl Work<'_> {
    /// Returns a report that says only why nothing was run.
    pub(crate) fn refusal(
        &self,
        id: Option<MigrationId>,
        pull: Option<PullNumber>,
        refusal: Refusal,
    ) -> Report {
        let subject = Subject {
            migration: id,
            origin: Origin {
                repository: Some(self.repo().to_string()),
                pull_request: pull.map(|pull| pull.0),
                run_url: self.run_url.clone(),
                actor: self.environment.actor().map(str::to_owned),
            },
            ..Subject::default()
        };
        Report {
            refusal: Some(refusal),
            ..Report::new(self.redactor.clone(), subject)
        }
    }

    /// Ends a run that has nothing to do.
    pub(crate) async fn nothing(&self, why: &'static str) -> Exit {
        let report = self.refusal(None, None, Refusal::new(Reason::Skipped, why, ""));
        self.publisher
            .hand_out(&report, &self.links("", None, None), None);
        Exit::Success
    }
}
