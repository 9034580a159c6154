//! Once, and again: which steps an insert would run now, as which epoch, and by what authority.
//!
//! | newest epoch | this request | what follows |
//! |---|---|---|
//! | none | any | epoch 0 |
//! | in the app, its end unknown | any | it is followed, under its own nonce and authority |
//! | claimed, never seen in the app | any | the same number under our own nonce; `next` settles with the claimer |
//! | done | `run`, `retry` | nothing, or the steps that are new |
//! | done | `again` | all steps once more |
//! | failed | authority used up for the step | nothing: it is reported |
//! | failed | a fresh authority | the steps that are not done |
//! | unproven | `run` | refused; a person decides |
//! | unproven | `retry` | the steps that are not proven done |
//! | never started | same authority, the first and second time | tried again |
//! | never started | same authority, the third time | refused |
//!
//! An epoch that only ran checks decides nothing about steps, and the other way round.

use crate::document::in_backticks;
use crate::{
    Authority, Clean, DoneStep, Ended, Entry, Epoch, EpochState, History, Intent, LedgerOutcome,
    Manifest, Nonce, PastEpoch, Reason, Refusal, Request, RunMode, Shell, Step, StepName, Strategy,
};
use app_spec::App;

/// How many times an authority whose jobs never started is tried again by itself.
pub(crate) const TRIED_AGAIN: usize = 2;

/// What a request comes to.
pub(super) enum Turn {
    /// Every step is done.
    AlreadyDone(Vec<DoneStep>),
    /// What the authority allowed has ended.
    Ended(Ended),
    /// An epoch to run or to follow.
    Run(Chosen),
}

/// An epoch to run or to follow.
pub(super) struct Chosen {
    pub(super) epoch: Epoch,
    pub(super) nonce: Nonce,
    pub(super) entry: Entry,
    pub(super) authority: Authority,
    pub(super) steps: Vec<Step>,
    pub(super) already_done: Vec<DoneStep>,
    pub(super) left: Vec<StepName>,
}

/// Returns the epoch whose job was put into the app and whose end is not known, or whose deployment is not at its end, or
/// whose job still is in the spec: it has to come out again, whatever is known of it.
pub(super) fn followed(history: &History) -> Option<&PastEpoch> {
    history.newest().filter(|newest| {
        newest.inserted()
            && (newest.state == EpochState::Open || newest.in_flight || newest.in_spec)
    })
}

/// Returns what `request` comes to after `history`.
pub(super) fn turn(request: &Request, app: &App, history: &History) -> Result<Turn, Refusal> {
    if let Some(epoch) = followed(history) {
        return follow(request, history, epoch).map(Turn::Run);
    }
    let manifest = &request.manifest;
    let done = history.done_steps();
    id_reused(manifest, history, &done)?;
    let (todo, already_done) = match request.intent {
        Intent::Again { .. } => again(request, history, &done)?,
        Intent::Run | Intent::Retry | Intent::Check => {
            changed_after_done(manifest, &done)?;
            not_done(manifest, &done)
        }
    };
    let mut todo = match request.intent {
        Intent::Check => checked(manifest, todo)?,
        Intent::Run | Intent::Retry | Intent::Again { .. } => todo,
    };
    if todo.is_empty() {
        return Ok(match ended(history, request, &manifest.steps) {
            Some(ended) if matches!(request.intent, Intent::Again { .. }) => Turn::Ended(ended),
            Some(_) | None => Turn::AlreadyDone(already_done),
        });
    }
    let left = if one_at_a_time(request) {
        names(&todo.split_off(1))
    } else {
        Vec::new()
    };
    unproven(request, app, history, &todo, &done)?;
    if let Some(ended) = ended(history, request, &todo) {
        return Ok(Turn::Ended(ended));
    }
    never_started(request, app, history)?;
    Ok(Turn::Run(Chosen {
        epoch: match history.newest() {
            // Claimed and nothing more: the number is still to be had.
            Some(newest) if newest.state == EpochState::Open => newest.epoch,
            Some(_) | None => history.next_epoch(),
        },
        nonce: request.nonce.clone(),
        entry: Entry::Fresh,
        authority: request.authority.clone(),
        steps: todo,
        already_done,
        left,
    }))
}

fn mode(request: &Request) -> RunMode {
    match request.intent {
        Intent::Check => RunMode::ChecksOnly,
        Intent::Run | Intent::Retry | Intent::Again { .. } => RunMode::Steps,
    }
}

/// Whether a job runs one step: by choice, or because without a shell it can run no more.
fn one_at_a_time(request: &Request) -> bool {
    let settings = &request.settings;
    mode(request) == RunMode::Steps
        && match settings.shell {
            Shell::None => true,
            Shell::Sh => settings.strategy == Strategy::OneJobPerStep,
        }
}

/// Follows an epoch that is in the app: under its own nonce, or its marks would not count.
fn follow(request: &Request, history: &History, epoch: &PastEpoch) -> Result<Chosen, Refusal> {
    let manifest = &request.manifest;
    if epoch.mode() != mode(request) {
        let (runs, asked) = match epoch.mode() {
            RunMode::ChecksOnly => ("only the checks", "its steps"),
            RunMode::Steps => ("its steps", "only the checks"),
        };
        return Err(Refusal::new(
            Reason::Owned,
            format!(
                "epoch {} of `{}` is under way and runs {runs}, and {asked} were asked for",
                epoch.epoch, manifest.id
            ),
            "wait for its end, then run again",
        ));
    }
    let runs = |step: &Step| epoch.steps().iter().any(|known| known.name == step.name);
    let steps: Vec<Step> = manifest
        .steps
        .iter()
        .filter(|step| runs(step))
        .cloned()
        .collect();
    if steps.is_empty() && !epoch.steps().is_empty() {
        return Err(id_is_used(
            manifest,
            epoch.steps().iter().map(|step| step.name.as_str()),
            "runs",
        ));
    }
    let done = history.done_steps();
    let (todo, already_done) = not_done(manifest, &done);
    Ok(Chosen {
        left: left_by(request, history, epoch, (&done, &todo)),
        epoch: epoch.epoch,
        nonce: match (&epoch.record, epoch.claims.first()) {
            (Some(record), _) => record.nonce.clone(),
            (None, Some(entry)) => entry.claim.nonce.clone(),
            // Nobody knows its nonce; no mark will count, and its end stays unproven.
            (None, None) => request.nonce.clone(),
        },
        entry: Entry::Resumed,
        authority: epoch.authority().unwrap_or(&request.authority).clone(),
        already_done: already_done
            .into_iter()
            .filter(|done| steps.iter().all(|step| step.name != done.step.name))
            .collect(),
        // Where the deployments' rows tell nothing of its steps, it is taken to run what is not done.
        steps: if epoch.steps().is_empty() {
            todo
        } else {
            steps
        },
    })
}

/// The steps that `request` asks for beside those of the epoch which it follows: added to the manifest since, or changed. Who
/// asks for all of them once more asks for those that somebody else's epoch runs, too.
fn left_by(
    request: &Request,
    history: &History,
    epoch: &PastEpoch,
    (done, todo): (&[DoneStep], &[Step]),
) -> Vec<StepName> {
    let known = epoch.steps();
    // Where its rows tell nothing of its steps, it is taken to run what is not done.
    if known.is_empty() || request.intent == Intent::Check {
        return Vec::new();
    }
    let runs = |step: &Step| known.contains(&step.reference());
    let mut asked = match request.intent {
        Intent::Again { .. } => not_done_again(request, history, done).0,
        Intent::Check | Intent::Run | Intent::Retry => todo.to_vec(),
    };
    let elses = matches!(request.intent, Intent::Again { .. })
        && epoch.authority() != Some(&request.authority);
    asked.retain(|step| elses || !runs(step));
    names(&asked)
}

fn names(steps: &[Step]) -> Vec<StepName> {
    steps.iter().map(|step| step.name.clone()).collect()
}

fn id_reused(manifest: &Manifest, history: &History, done: &[DoneStep]) -> Result<(), Refusal> {
    let known = |name: &StepName| {
        history
            .epochs
            .iter()
            .any(|epoch| epoch.steps().iter().any(|step| step.name == *name))
    };
    if done.is_empty() || manifest.steps.iter().any(|step| known(&step.name)) {
        return Ok(());
    }
    Err(id_is_used(
        manifest,
        done.iter().map(|done| done.step.name.as_str()),
        "has run",
    ))
}

fn id_is_used<'a>(
    manifest: &Manifest,
    steps: impl Iterator<Item = &'a str>,
    verb: &str,
) -> Refusal {
    Refusal::new(
        Reason::IdReused,
        format!(
            "migration id `{}` is used: on this app it {verb} {}, and none of these is in the manifest",
            manifest.id,
            in_backticks(steps)
        ),
        "give the new work an id of its own: a manifest under another file name",
    )
}

fn changed_after_done(manifest: &Manifest, done: &[DoneStep]) -> Result<(), Refusal> {
    for step in &manifest.steps {
        let digest = step.digest();
        if let Some(past) = done
            .iter()
            .find(|past| past.step.name == step.name && past.step.digest != digest)
        {
            return Err(Refusal::new(
                Reason::ChangedAfterDone,
                format!(
                    "step `{}` of `{}` has changed since it was done: {} ran it as {}, and it is now {}",
                    step.name,
                    manifest.id,
                    by(past),
                    past.step.digest.0,
                    digest.0
                ),
                "put the new work into a migration with an id of its own, or run the changed steps on purpose with `--again --reason TEXT` (`mode: again`)",
            ));
        }
    }
    Ok(())
}

/// Says who did a step.
fn by(done: &DoneStep) -> String {
    let asker = match (&done.repository, done.pull_request) {
        (Some(repository), Some(number)) => format!("{repository}#{number}"),
        (None, Some(number)) => format!("pull request #{number}"),
        (Some(repository), None) => format!("{repository} ({})", done.authority),
        (None, None) => done.authority.to_string(),
    };
    format!("epoch {} of {asker}", done.epoch)
}

/// Parts the manifest's steps into those that are to do and those that are done.
fn not_done(manifest: &Manifest, done: &[DoneStep]) -> (Vec<Step>, Vec<DoneStep>) {
    let mut todo = Vec::new();
    let mut already_done = Vec::new();
    for step in &manifest.steps {
        match done.iter().find(|past| past.step.name == step.name) {
            Some(past) => already_done.push(past.clone()),
            None => todo.push(step.clone()),
        }
    }
    (todo, already_done)
}

/// All steps once more, but for those that this very authority has done already.
fn again(
    request: &Request,
    history: &History,
    done: &[DoneStep],
) -> Result<(Vec<Step>, Vec<DoneStep>), Refusal> {
    let manifest = &request.manifest;
    if done.is_empty() {
        return Err(Refusal::new(
            Reason::Usage,
            format!(
                "no step of `{}` is done on this app, so there is nothing to run again",
                manifest.id
            ),
            "leave `--again` away (`mode: run`); for what failed or is unproven, use `--retry` (`mode: retry`)",
        ));
    }
    Ok(not_done_again(request, history, done))
}

/// Parts the manifest's steps into those that this very authority has not done yet, and those that it has.
fn not_done_again(
    request: &Request,
    history: &History,
    done: &[DoneStep],
) -> (Vec<Step>, Vec<DoneStep>) {
    let by_this: Vec<DoneStep> = history
        .epochs
        .iter()
        .filter(|epoch| epoch.authority() == Some(&request.authority))
        .flat_map(|epoch| {
            let names = epoch.done().iter().map(|step| &step.name);
            names
                .filter_map(|name| done.iter().find(|past| past.step.name == *name))
                .cloned()
        })
        .collect();
    not_done(&request.manifest, &by_this)
}

fn checked(manifest: &Manifest, todo: Vec<Step>) -> Result<Vec<Step>, Refusal> {
    if manifest.steps.iter().all(|step| step.check.is_none()) {
        return Err(Refusal::new(
            Reason::Usage,
            format!("no step of `{}` has a check", manifest.id),
            "give a step a harmless command that must pass first:\n    check: node scripts/backfill.js --dry-run",
        ));
    }
    Ok(todo
        .into_iter()
        .filter(|step| step.check.is_some())
        .collect())
}

/// Refuses to run what may have run already, unless a person asked for just that.
fn unproven(
    request: &Request,
    app: &App,
    history: &History,
    todo: &[Step],
    done: &[DoneStep],
) -> Result<(), Refusal> {
    let all_done = request
        .manifest
        .steps
        .iter()
        .all(|step| done.iter().any(|past| past.step.name == step.name));
    match request.intent {
        Intent::Retry | Intent::Check => return Ok(()),
        // It was done before, and the person who asks for it again gave a reason.
        Intent::Again { .. } if all_done => return Ok(()),
        Intent::Run | Intent::Again { .. } => {}
    }
    // An epoch that never started decided nothing about the one before it.
    let decided = |concerns: &dyn Fn(&PastEpoch) -> bool| {
        let epochs = history.epochs.iter().rev();
        let mut epochs = epochs.filter(|epoch| epoch.mode() == RunMode::Steps && concerns(epoch));
        epochs.find_map(|epoch| match &epoch.state {
            EpochState::Open
            | EpochState::Ended(LedgerOutcome::NeverStarted | LedgerOutcome::Withdrawn) => None,
            EpochState::Ended(outcome) => Some((epoch, outcome)),
        })
    };
    // The newest of all, and for each step the newest that ran it: later ones may have run others.
    let of_steps = todo.iter().filter_map(|step| {
        decided(&|epoch| epoch.steps().iter().any(|known| known.name == step.name))
    });
    let unproven = decided(&|_| true)
        .into_iter()
        .chain(of_steps)
        .find(|(_, outcome)| matches!(outcome, LedgerOutcome::Unproven { .. }));
    let Some((epoch, _)) = unproven else {
        return Ok(());
    };
    let id = &request.manifest.id;
    let names = || in_backticks(todo.iter().map(|step| step.name.as_str()));
    Err(Refusal::new(
        Reason::EarlierUnproven,
        format!(
            "epoch {} of `{id}` may have run {}, and its log does not prove how that ended",
            epoch.epoch,
            in_backticks(
                epoch
                    .steps()
                    .iter()
                    .skip(epoch.done().len())
                    .map(|step| step.name.as_str())
            )
        ),
        format!(
            "look at the database first; where it is safe to run {} again: harbor-pilot run --app {} --migration-id {id} --retry (or the workflow with `mode: retry`)",
            names(),
            app.spec.name()
        ),
    ))
}

/// Returns how the newest epoch ended in which this authority was used up for one of `steps`.
fn ended(history: &History, request: &Request, steps: &[Step]) -> Option<Ended> {
    history.epochs.iter().rev().find_map(|epoch| {
        let outcome = match &epoch.state {
            EpochState::Open
            | EpochState::Ended(LedgerOutcome::NeverStarted | LedgerOutcome::Withdrawn) => {
                return None;
            }
            EpochState::Ended(outcome) => outcome.clone(),
        };
        let attempted = epoch.authority() == Some(&request.authority)
            && epoch.mode() == mode(request)
            && epoch
                .steps()
                .iter()
                .any(|known| steps.iter().any(|step| step.name == known.name));
        attempted.then(|| Ended {
            epoch: epoch.epoch,
            hint: what_now(&outcome),
            outcome,
        })
    })
}

fn what_now(outcome: &LedgerOutcome) -> Clean {
    Clean::own(match outcome {
        LedgerOutcome::Done => {
            "nothing is left to do; `--again --reason TEXT` (`mode: again`) would run it once more"
        }
        LedgerOutcome::Failed { .. } => {
            "merge the fix with the label, or run it again as it is with `--retry` (`mode: retry`); running this workflow again only reports"
        }
        LedgerOutcome::Unproven { .. } => {
            "look at the database first; where it is safe, run what is not proven done with `--retry` (`mode: retry`)"
        }
        LedgerOutcome::NeverStarted | LedgerOutcome::Withdrawn => {
            "run it again; its job never started"
        }
    })
}

fn never_started(request: &Request, app: &App, history: &History) -> Result<(), Refusal> {
    let count = history.never_started(&request.authority);
    if count <= TRIED_AGAIN {
        return Ok(());
    }
    let id = &request.manifest.id;
    Err(Refusal::new(
        Reason::NeverStarted,
        format!(
            "the job of `{id}` was inserted {count} times and never started, so it is not tried again by itself"
        ),
        format!(
            "see in the deployments of app `{0}` why (a build that fails, a newer deployment each time); then: harbor-pilot run --app {0} --migration-id {id} --retry (or the workflow with `mode: retry`)",
            app.spec.name()
        ),
    ))
}
