//! Where an Action's report goes: the comment, the labels, the summary, the outputs, the annotations.
//!
//! The words are `migration::render`'s. A publication that fails is told in one warning and changes nothing else: a
//! good migration does not fail because of its report, and the summary carries the report in any case.

pub mod console;

use console::Console;
use github::actions::{Level, Outputs, RunnerEnvironment, Summary};
use github::{CommentRef, Error, GitHub, Label, PullNumber};
use migration::render::{comment, notices, result, summary, terminal};
use migration::{Config, Key, Links, Reason, Redactor, Refusal, Report};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// What a job of the workflow needs, ready to paste.
pub const PERMISSIONS: &str =
    "    permissions:\n      contents: read\n      deployments: write\n      pull-requests: write";

/// The labels of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// Asks for a migration.
    pub request: String,
    /// It is under way.
    pub running: String,
    /// It is done.
    pub done: String,
    /// It failed, was refused, or its end is not proven.
    pub failed: String,
}

impl Labels {
    /// Returns the labels of a config; `request` outranks the config's own.
    #[must_use]
    pub fn of(config: &Config, request: Option<&str>) -> Self {
        Self {
            request: request.unwrap_or(&config.label).to_owned(),
            running: config.labels.running.clone(),
            done: config.labels.done.clone(),
            failed: config.labels.failed.clone(),
        }
    }
}

/// How far a migration is, as labels show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Under way.
    Running,
    /// Done: nothing is asked for any more.
    Done,
    /// Not done: the request stays, so that the failure stays visible.
    Failed,
}

/// Publishes for one run.
#[derive(Debug, Clone)]
pub struct Publisher {
    /// The log of the step.
    pub console: Console,
    /// The repository.
    pub github: GitHub,
    /// Where outputs and summary go.
    pub environment: RunnerEnvironment,
    random: fn() -> io::Result<[u8; 16]>,
    redactor: Redactor,
    /// What was warned of already.
    warned: Arc<Mutex<BTreeSet<String>>>,
}

impl Publisher {
    /// Returns a publisher that has not published anything.
    #[must_use]
    pub fn new(
        console: Console,
        github: GitHub,
        environment: RunnerEnvironment,
        random: fn() -> io::Result<[u8; 16]>,
        redactor: Redactor,
    ) -> Self {
        Self {
            console,
            github,
            environment,
            random,
            redactor,
            warned: Arc::default(),
        }
    }

    /// Makes our comment on the pull request say `report`; nothing when that failed.
    ///
    /// # Cancel safety
    /// Dropped halfway, it may leave a comment behind that the next call finds.
    pub async fn comment(
        &self,
        pull: PullNumber,
        report: &Report,
        links: &Links,
    ) -> Option<CommentRef> {
        let body = comment::render(report, links, comment::BUDGET);
        self.upsert(pull, &comment::marker(report.key()), &body)
            .await
    }

    /// Returns our comment on a migration, where there is one.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn find(&self, pull: PullNumber, key: Option<&Key>) -> Option<CommentRef> {
        self.github
            .find(pull, &comment::marker(key))
            .await
            .ok()
            .flatten()
            .map(|found| found.comment)
    }

    /// Adds a line to our comment with this marker on another pull request, unless it stands there.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn close_with(&self, pull: PullNumber, marker: &str, line: &str) {
        match self.github.find(pull, marker).await {
            Ok(Some(found)) if !found.body.contains(line) => {
                self.upsert(
                    pull,
                    marker,
                    &format!("{}\n\n{line}\n", found.body.trim_end()),
                )
                .await;
            }
            Ok(Some(_) | None) => {}
            Err(error) => self.failed(&format!("the comment on #{pull} could not be read"), &error),
        }
    }

    async fn upsert(&self, pull: PullNumber, marker: &str, body: &str) -> Option<CommentRef> {
        match self.github.upsert(pull, marker, body).await {
            Ok(comment) => Some(comment),
            Err(error) => {
                self.failed(
                    &format!(
                        "the report could not be put on #{pull}; it is in the summary of this run"
                    ),
                    &error,
                );
                None
            }
        }
    }

    /// Shows on the pull request how far its migration is.
    ///
    /// # Cancel safety
    /// Safe: labels are a display.
    pub async fn label(&self, pull: PullNumber, labels: &Labels, stage: Stage) {
        if let Err(error) = self.try_label(pull, labels, stage).await {
            self.failed(&format!("the labels of #{pull} could not be set"), &error);
        }
    }

    async fn try_label(
        &self,
        pull: PullNumber,
        labels: &Labels,
        stage: Stage,
    ) -> Result<(), Error> {
        let Labels {
            request,
            running,
            done,
            failed,
        } = labels;
        let (name, color, description, off) = match stage {
            Stage::Running => (
                running,
                "fbca04",
                "The migration is under way",
                vec![done, failed],
            ),
            Stage::Done => (
                done,
                "0e8a16",
                "The migration is done",
                vec![running, failed, request],
            ),
            Stage::Failed => (
                failed,
                "d73a4a",
                "The migration failed, or its end is not proven",
                vec![running, done],
            ),
        };
        let label = Label {
            name: name.clone(),
            color: color.to_owned(),
            description: description.to_owned(),
        };
        self.github.ensure_label(&label).await?;
        self.github.add_labels(pull, &[name]).await?;
        for name in off {
            self.github.remove_label(pull, name).await?;
        }
        Ok(())
    }

    /// Appends Markdown to the summary of the step.
    pub fn summary(&self, markdown: &str) {
        let Some(path) = self.environment.summary_path() else {
            return;
        };
        let appended = Summary::open(&path).and_then(|mut summary| summary.append(markdown));
        if let Err(error) = appended {
            self.warn(
                "summary",
                &format!("the summary could not be written: {error}"),
            );
        }
    }

    /// Hands out a finished report: closing text, summary, outputs, annotations.
    pub fn hand_out(&self, report: &Report, links: &Links, comment: Option<&CommentRef>) {
        self.console.end_group();
        self.console.say(&terminal::render_final(report, links));
        self.summary(&summary::render(report, links, summary::BUDGET));
        self.outputs(report, links, comment);
        let notices = notices::render(report, links);
        let shown = [
            (Level::Error, notices.error),
            (Level::Notice, notices.notice),
        ];
        for (level, notice) in shown
            .into_iter()
            .filter_map(|(level, notice)| Some((level, notice?)))
        {
            self.console
                .annotate(level, notice.title.as_str(), notice.message.as_str());
        }
    }

    /// Hands out the outputs of a run that only looked.
    pub fn outputs_of_status(&self) {
        let report = Report {
            refusal: Some(Refusal::new(Reason::Skipped, "only looked", "")),
            ..Report::default()
        };
        self.outputs(&report, &Links::default(), None);
    }

    fn outputs(&self, report: &Report, links: &Links, comment: Option<&CommentRef>) {
        let Some(path) = self.environment.output_path() else {
            return;
        };
        let mut outputs = match Outputs::open(&path, Box::new(self.random)) {
            Ok(outputs) => outputs,
            Err(error) => {
                return self.warn(
                    "outputs",
                    &format!("the outputs could not be written: {error}"),
                );
            }
        };
        let mut values = result::outputs(report);
        let deployment = values
            .iter()
            .find(|(name, _)| *name == "deployment-id")
            .map(|(_, id)| id.clone())
            .unwrap_or_default();
        let dashboard = match links.dashboard.as_deref() {
            Some(app) if !deployment.is_empty() => format!("{app}/deployments/{deployment}"),
            app => app.unwrap_or_default().to_owned(),
        };
        values.push(("log-url", links.log.clone().unwrap_or_default()));
        values.push(("dashboard-url", dashboard));
        values.push((
            "comment-url",
            comment
                .map(|comment| comment.html_url.clone())
                .unwrap_or_default(),
        ));
        for (name, value) in values {
            if let Err(error) = outputs.set(name, &value) {
                self.warn("outputs", &crate::wiring::chain(&error));
            }
        }
    }

    /// Tells once that something could not be published, and which permission would help.
    fn failed(&self, what: &str, error: &Error) {
        let why = crate::wiring::chain(error);
        match error.missing_permission() {
            Some(permission) => self.warn(
                permission.yaml(),
                &format!("{what}: the workflow's token lacks `{permission}`. Give the job these permissions:\n{PERMISSIONS}"),
            ),
            None => self.warn(what, &format!("{what}: {why}")),
        }
    }

    fn warn(&self, topic: &str, message: &str) {
        let first = self
            .warned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(topic.to_owned());
        if first {
            let message = self.redactor.clean(message);
            self.console.annotate(
                Level::Warning,
                "Not everything could be published",
                message.as_str(),
            );
        }
    }
}
