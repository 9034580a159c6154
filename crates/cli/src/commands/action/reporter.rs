//! Tells a run while it goes on: in the step's log, and in the comment at a pace that GitHub bears.
//!
//! Two reporters of the driver's one stream. They decide nothing and may fall behind; the finished report makes up for
//! whatever they lost.

use crate::publish::console::Console;
use crate::publish::{Labels, Publisher, Stage};
use app_spec::DeploymentId;
use github::PullNumber;
use migration::render::terminal;
use migration::{Event, Happening, Links, LogPolicy, Redactor, Report};
use runner::Pace;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// How long the log may be silent.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Between two edits of the comment, of which GitHub allows 80 writes in a minute and 500 in an hour, for everybody.
const COMMENT_EVERY: Duration = Duration::from_secs(20);

/// How many of a job's last lines stand in the step's log, unless all are wanted.
const LOG_LINES: usize = 100;

/// What the two reporters share with the run.
pub(super) struct Told {
    pub(super) console: Console,
    pub(super) redactor: Redactor,
    pub(super) pace: Pace,
    pub(super) log: LogPolicy,
    /// The report so far; starts with the subject.
    pub(super) report: Report,
    /// Where the comment's reporter finds the newest one.
    pub(super) live: watch::Sender<Option<Report>>,
}

impl Told {
    /// Tells the step's log until the stream ends.
    ///
    /// # Cancel safety
    /// Safe: what was told stays.
    pub(super) async fn follow(mut self, mut events: mpsc::Receiver<Event>) {
        let mut last = "looking at the app".to_owned();
        let mut shown: Option<(DeploymentId, u64)> = None;
        let mut since = tokio::time::Instant::now();
        self.console.group("Look at the app and plan");
        loop {
            let event = match tokio::time::timeout(self.pace.local(HEARTBEAT), events.recv()).await
            {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(_silent) => {
                    let minutes = self.pace.platform(since.elapsed()).as_secs() / 60;
                    self.console.say(&format!("… {minutes} min: {last}"));
                    continue;
                }
            };
            if let Some(title) = phase(&event.what) {
                self.console.group(title);
            }
            if let Some(line) = terminal::line(&event, &self.redactor) {
                self.console.say(&line);
                line.split_once(' ')
                    .map_or(line.as_str(), |(_time, rest)| rest)
                    .clone_into(&mut last);
                since = tokio::time::Instant::now();
            }
            if let Happening::Log {
                deployment,
                tail,
                lines,
                ..
            } = &event.what
                && self.log != LogPolicy::Off
                && shown.as_ref() != Some(&(deployment.clone(), *lines))
            {
                shown = Some((deployment.clone(), *lines));
                let most = if self.log == LogPolicy::Full {
                    tail.len()
                } else {
                    LOG_LINES
                };
                let from = tail.len().saturating_sub(most);
                self.console
                    .foreign(tail.iter().skip(from).map(migration::Clean::as_str));
            }
            self.report.absorb(&event);
            // A run that only finds out that nothing is to be done leaves the comment as it is.
            if self.report.plan.is_some() {
                self.live.send_replace(Some(self.report.clone()));
            }
        }
        self.console.end_group();
    }
}

/// Returns the title of the group that begins with this event.
fn phase(what: &Happening) -> Option<&'static str> {
    match what {
        Happening::Claimed => Some("Put the job into the app"),
        Happening::Inserted { .. } => Some("Deploy and run the job"),
        Happening::Log { .. } => Some("The job's log"),
        Happening::Removed { .. } => Some("Put the app back"),
        Happening::Restored { .. } => Some("Look at the app's health and firewall"),
        Happening::Planned(_)
        | Happening::Refused(_)
        | Happening::AlreadyDone { .. }
        | Happening::AlreadyEnded(_)
        | Happening::PartDone { .. }
        | Happening::Waiting(_)
        | Happening::Doubtful(_)
        | Happening::Phase { .. }
        | Happening::JobRunning { .. }
        | Happening::Cancelled(_)
        | Happening::Health { .. }
        | Happening::Firewall { .. }
        | Happening::Overwritten(_)
        | Happening::Warned(_)
        | Happening::Ended(_) => None,
    }
}

/// Marks the pull request and keeps the comment on it up to date until `over`.
///
/// # Cancel safety
/// Dropped during an edit, the edit may still be carried out; ask for the end by `over` and wait for it.
pub(super) async fn keep_posted(
    publisher: Publisher,
    (pull, labels): (PullNumber, Labels),
    links: Links,
    pace: Pace,
    mut live: watch::Receiver<Option<Report>>,
    mut over: oneshot::Receiver<()>,
) {
    let mut marked = false;
    while live.changed().await.is_ok() {
        let report = live.borrow_and_update().clone();
        if !matches!(over.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
            break;
        }
        if let Some(report) = report {
            publisher.comment(pull, &report, &links).await;
        }
        if !std::mem::replace(&mut marked, true) {
            publisher.label(pull, &labels, Stage::Running).await;
        }
        // The end must not wait for the pace.
        if tokio::time::timeout(pace.local(COMMENT_EVERY), &mut over)
            .await
            .is_ok()
        {
            break;
        }
    }
}
