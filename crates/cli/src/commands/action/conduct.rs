//! An errand under way: from the harbour to the last word of its report.
//!
//! After the insert, DigitalOcean comes first: every publication has an end of its own, and none of them fails a run.

use super::errand::{Ready, lacking};
use super::reporter::{Told, keep_posted};
use super::work::Work;
use crate::desk;
use crate::ledger::github::GitHubLedger;
use crate::lineage::GitHubLineage;
use crate::publish::{Labels, Stage};
use crate::wiring::{self, chain};
use github::PullNumber;
use github::actions::StateFile;
use migration::render::comment;
use migration::{CleanUpAxis, Exit, JobAxis, Key, Links, Purpose, Reason, Report, Subject};
use runner::{Ended, Harbor, Ledger as _};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

/// How long an edit of the comment that is under way may hold up the end of a run.
const LAST_EDIT: Duration = Duration::from_secs(15);

/// How long the comment may hold up the end after a signal: the runner kills the container 10 s after it, and other
/// things have to be written too.
const AFTER_SIGNAL: Duration = Duration::from_secs(2);

/// How long one publication may take; GitHub's own trouble must not hold the runner.
const PUBLISHING: Duration = Duration::from_secs(60);

impl Ready {
    fn harbor(
        &self,
        work: &Work<'_>,
        events: tokio::sync::mpsc::Sender<migration::Event>,
    ) -> Harbor {
        Harbor {
            client: self.access.client.clone(),
            app: self.found.app.id.clone(),
            transport: self.access.transport.clone(),
            ledger: Some(Arc::new(self.ledger.clone())),
            lineage: Arc::new(GitHubLineage::new(work.github().clone())),
            redactor: work.redactor.clone(),
            pace: self.access.pace,
            log_folder: wiring::log_folder(work.host, &work.asked.choices, None),
            events,
            stop: work.host.stop.clone(),
        }
    }
}

/// Makes the plan and shows it.
pub(super) async fn preview(
    work: &Work<'_>,
    ready: Ready,
    subject: Subject,
    links: &Links,
    (pull, labels): (Option<PullNumber>, &Labels),
) -> Exit {
    // The plan has no reporter: it is told once it is made.
    let (events, _unread) = runner::stream();
    let harbor = ready.harbor(work, events);
    let mut report = Box::pin(runner::plan(&harbor, ready.request.clone()))
        .await
        .report;
    report.subject = subject;
    report.redactor = work.redactor.clone();
    report.purpose = Purpose::Preview;
    report.epochs = ready.epochs;
    if let Some(plan) = &report.plan {
        let diff = migration::plan_diff(plan, &ready.found.app.spec).ok();
        report.plan_diff = diff.map(|diff| work.redactor.clean(&diff));
    }
    finish(work, report, links, (pull, labels, None)).await
}

/// Carries the migration out, and tells it while it goes on.
///
/// # Cancel safety
/// As [`runner::migrate`].
pub(super) async fn run(
    work: &Work<'_>,
    ready: Ready,
    subject: Subject,
    links: &Links,
    (pull, labels): (Option<PullNumber>, &Labels),
) -> Exit {
    save(work, &ready, &subject, pull);
    let mut report = Report::new(work.redactor.clone(), subject.clone());
    report.epochs.clone_from(&ready.epochs);
    let (live, seen) = watch::channel(None);
    let (over, ending) = oneshot::channel();
    let mut comments = JoinSet::new();
    if let Some(pull) = pull {
        comments.spawn(keep_posted(
            work.publisher.clone(),
            (pull, labels.clone()),
            links.clone(),
            ready.access.pace,
            seen,
            ending,
        ));
    }
    let told = Told {
        console: work.publisher.console.clone(),
        redactor: work.redactor.clone(),
        pace: ready.access.pace,
        log: ready.request.settings.log,
        report,
        live,
    };
    let (events, received) = runner::stream();
    let harbor = ready.harbor(work, events);
    let request = ready.request.clone();
    let migrate = Box::pin(async move {
        // The harbour goes with the run, and with it the stream's end that the reporter waits for.
        let harbor = harbor;
        runner::migrate(&harbor, request).await
    });
    let (ended, ()) = tokio::join!(migrate, told.follow(received));
    drop(over);
    let patience = if work.host.stop.is_asked() {
        AFTER_SIGNAL
    } else {
        LAST_EDIT
    };
    let quiet = async { while comments.join_next().await.is_some() {} };
    if tokio::time::timeout(patience, quiet).await.is_err() {
        comments.shutdown().await;
    }
    let Ended { mut report, .. } = ended;
    report.subject = subject;
    report.redactor = work.redactor.clone();
    blame(&mut report, &ready.ledger);
    // The newest word of the ledger; where it is not to be had, what was read before still stands.
    report.epochs = if work.host.stop.is_asked() {
        ready.epochs
    } else {
        let key = Key::of(&ready.found.app.id, &ready.request.manifest.id);
        let newest = work.bounded(ready.ledger.entries(&key)).await;
        newest.and_then(Result::ok).unwrap_or(ready.epochs)
    };
    note_end(work, &report);
    let attempted = report
        .verdict
        .as_ref()
        .is_some_and(|verdict| verdict.job != JobAxis::NotAttempted);
    if let (Some(pull), true, false) = (pull, attempted, work.host.stop.is_asked()) {
        work.bounded(hand_over(work, &report, pull)).await;
    }
    let stage = match report.reason().map(Reason::exit) {
        Some(Exit::Success) => Some(Stage::Done),
        // The post step goes on from here.
        Some(Exit::Interrupted | Exit::Terminated) => None,
        Some(_) | None => Some(Stage::Failed),
    };
    if let Some(pull) = pull.filter(|pull| is_told_already(&report, *pull)) {
        // What the run that did it wrote there says more than that nothing was run now.
        let posted = work
            .bounded(work.publisher.find(pull, report.key()))
            .await
            .flatten();
        if let (Some(stage), Some(_), false) = (stage, &posted, work.host.stop.is_asked()) {
            work.bounded(work.publisher.label(pull, labels, stage))
                .await;
            work.publisher.hand_out(&report, links, posted.as_ref());
            return report.reason().map_or(Exit::Usage, Reason::exit);
        }
    }
    finish(work, report, links, (pull, labels, stage)).await
}

/// Whether this pull request's own run ended before, and nothing was run now.
fn is_told_already(report: &Report, pull: PullNumber) -> bool {
    // Who had a plan has written there, and waited for another run.
    let nothing_new = report.plan.is_none()
        && report.verdict.is_none()
        && (report.ended.is_some() || !report.already_done.is_empty());
    let newest = report
        .epochs
        .iter()
        .rev()
        .find_map(|entry| entry.claim.pull_request);
    nothing_new && newest == Some(pull.0)
}

/// A claim that failed for want of a permission says which one.
fn blame(report: &mut Report, ledger: &GitHubLedger) {
    let (Some(Reason::LedgerUnreachable), Some(permission)) = (report.reason(), ledger.lacking())
    else {
        return;
    };
    report.refusal = Some(lacking(permission));
    if let Some(verdict) = &mut report.verdict {
        verdict.reason = Reason::MissingPermission;
    }
}

/// Leaves what the post step needs, before anything is sent.
fn save(work: &Work<'_>, ready: &Ready, subject: &Subject, pull: Option<PullNumber>) {
    let stale: Vec<&str> = ready
        .request
        .settings
        .also_stale
        .iter()
        .map(app_spec::ComponentName::as_str)
        .collect();
    let key = subject
        .key
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    work.save(&[
        ("app", ready.found.app.id.as_str()),
        ("key", &key),
        ("migration", ready.request.manifest.id.as_str()),
        ("also_stale", &stale.join(",")),
        (
            "pull",
            &pull.map(|pull| pull.to_string()).unwrap_or_default(),
        ),
        ("ended", ""),
    ]);
}

/// Tells the post step that nothing is left to do.
fn note_end(work: &Work<'_>, report: &Report) {
    let out = match &report.verdict {
        Some(verdict) => match verdict.clean_up {
            CleanUpAxis::Verified | CleanUpAxis::NotNeeded => {
                verdict.reason.exit() != Exit::Interrupted
            }
            CleanUpAxis::Sent | CleanUpAxis::Blocked => false,
        },
        None => report
            .reason()
            .is_some_and(|reason| reason != Reason::Interrupted),
    };
    if out {
        work.save(&[("ended", "clean")]);
    }
}

/// Closes the comment of the pull request that asked before.
async fn hand_over(work: &Work<'_>, report: &Report, pull: PullNumber) {
    let here = work.repo().to_string();
    let before = report.epochs.iter().rev().find_map(|entry| {
        let number = entry.claim.pull_request.map(PullNumber)?;
        (number != pull && entry.claim.repository.as_deref() == Some(here.as_str()))
            .then_some(number)
    });
    if let Some(before) = before {
        let line = format!("➡️ Continued in #{pull}.");
        work.publisher
            .close_with(before, &comment::marker(report.key()), &line)
            .await;
    }
}

/// Publishes a finished report and returns what the process exits with.
pub(crate) async fn finish(
    work: &Work<'_>,
    mut report: Report,
    links: &Links,
    (pull, labels, stage): (Option<PullNumber>, &Labels, Option<Stage>),
) -> Exit {
    desk::name_signal(work.host, &mut report);
    let mut posted = None;
    if let Some(pull) = pull {
        posted = work
            .bounded(work.publisher.comment(pull, &report, links))
            .await
            .flatten();
        if let (Some(stage), false) = (stage, work.host.stop.is_asked()) {
            work.bounded(work.publisher.label(pull, labels, stage))
                .await;
        }
    }
    work.publisher.hand_out(&report, links, posted.as_ref());
    report.reason().map_or(Exit::Usage, Reason::exit)
}

impl Work<'_> {
    /// Waits for a publication as long as one may take: seconds after a signal.
    async fn bounded<T>(&self, publication: impl Future<Output = T>) -> Option<T> {
        let patience = if self.host.stop.is_asked() {
            AFTER_SIGNAL
        } else {
            PUBLISHING
        };
        tokio::time::timeout(patience, publication).await.ok()
    }

    fn save(&self, values: &[(&str, &str)]) {
        let Some(path) = self.environment.state_path() else {
            return;
        };
        let saved = StateFile::open(&path, Box::new(self.host.random))
            .map_err(|error| error.to_string())
            .and_then(|mut file| {
                values.iter().try_for_each(|(name, value)| {
                    file.save(name, value).map_err(|error| chain(&error))
                })
            });
        if let Err(error) = saved {
            self.publisher.console.say(&format!(
                "The state for the post step could not be written: {error}"
            ));
        }
    }
}
