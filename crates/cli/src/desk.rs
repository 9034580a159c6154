//! Where results are handed out: standard output, standard error, the result file, the exit code.
//!
//! Results go to standard output, everything else to standard error; with `--output json` standard output gets one
//! document and nothing else. All text is cleaned before it comes here or by the report's own redactor.

use crate::args::{Global, Output};
use crate::host::{Host, Stream};
use crate::wiring::chain;
use futures_util::future::{Either, select};
use migration::render::{result, terminal};
use migration::{Links, Reason, Redactor, Refusal, Report, Subject};
use serde_json::Value;
use std::fs::Permissions;
use std::future::Future;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;

/// The version of the documents that commands other than a run print.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// Hands results out.
#[derive(Debug, Clone)]
pub struct Desk<'a> {
    /// The surroundings.
    pub host: &'a Host,
    /// What applies to every command.
    pub global: Global,
    /// Cleans what is shown.
    pub redactor: Redactor,
    /// What it is about, as far as it is known.
    pub subject: Subject,
    /// Where the JSON result goes too.
    pub result_file: Option<PathBuf>,
}

impl<'a> Desk<'a> {
    /// Returns a desk about nothing in particular yet.
    #[must_use]
    pub fn new(host: &'a Host, global: Global, redactor: Redactor) -> Self {
        Self {
            host,
            global,
            redactor,
            subject: Subject::default(),
            result_file: None,
        }
    }

    /// Hands out a finished report and returns the exit code.
    #[must_use]
    pub fn report(&self, mut report: Report, links: &Links) -> u8 {
        report.redactor = self.redactor.clone();
        report.subject = self.subject.clone();
        name_signal(self.host, &mut report);
        let json = result::json(&report);
        let kept = self.keep(&json);
        match self.global.output {
            Output::Json => self.put(&self.host.out, &as_text(&json), Form::Json),
            Output::Text => {
                let text = terminal::render_final(&report, links);
                let refused = report.refusal.is_some() && report.verdict.is_none();
                self.put(
                    if refused {
                        &self.host.err
                    } else {
                        &self.host.out
                    },
                    &text,
                    Form::Text,
                );
            }
        }
        if let Err(error) = kept {
            // A report that fails does not fail a good migration.
            self.warn(&error);
        }
        report.reason().unwrap_or(Reason::Usage).exit().code()
    }

    /// Hands out why nothing was done and returns the exit code.
    #[must_use]
    pub fn refuse(&self, refusal: Refusal) -> u8 {
        if self.subject.migration.is_some()
            || self.result_file.is_some()
            || self.global.output == Output::Json
        {
            if self.global.output == Output::Json {
                self.tell(&short(&refusal));
            }
            let report = Report {
                refusal: Some(refusal),
                ..Report::default()
            };
            return self.report(report, &Links::default());
        }
        self.tell(&short(&refusal));
        refusal.reason.exit().code()
    }

    /// Waits for `reads`, which change nothing, unless a stop is asked for first.
    ///
    /// # Errors
    /// A [`Refusal`] when it is.
    ///
    /// # Cancel safety
    /// As that of `reads`, which is dropped at a stop.
    pub async fn unless_stopped<T>(&self, reads: impl Future<Output = T>) -> Result<T, Refusal> {
        let mut stop = self.host.stop.clone();
        match select(pin!(reads), pin!(stop.asked())).await {
            Either::Left((read, _)) => Ok(read),
            Either::Right(_) => Err(Refusal::new(
                Reason::Interrupted,
                "interrupted before anything was sent",
                "",
            )),
        }
    }

    /// Writes a result: the text for people, or the document.
    pub fn result(&self, text: &str, json: &Value) {
        match self.global.output {
            Output::Text => self.put(&self.host.out, text, Form::Text),
            Output::Json => self.put(&self.host.out, &as_text(json), Form::Json),
        }
    }

    /// Tells something that is no result.
    pub fn tell(&self, text: &str) {
        self.put(
            &self.host.err,
            self.redactor.clean(text).as_str(),
            Form::Text,
        );
    }

    /// Tells a sentence about something that went wrong beside the result.
    pub fn warn(&self, error: &str) {
        self.tell(&format!("warning: {error}"));
    }

    /// Writes text with a line end to a stream. Nobody is left to be told where a stream is closed.
    pub(crate) fn put(&self, stream: &Stream, text: &str, form: Form) {
        let text = if self.host.var("GITHUB_ACTIONS") == Some("true") {
            harmless(text, form)
        } else {
            text.to_owned()
        };
        let mut stream = stream.clone();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        if write!(stream, "{text}{end}")
            .and_then(|()| stream.flush())
            .is_err()
        {
            tracing::debug!("a stream is closed");
        }
    }

    fn keep(&self, json: &Value) -> Result<(), String> {
        let Some(path) = &self.result_file else {
            return Ok(());
        };
        let path = self.host.path(path);
        replace(&path, &as_text(json)).map_err(|error| {
            format!(
                "cannot write the result to `{}`: {}",
                path.display(),
                chain(&error)
            )
        })
    }
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Lines for people.
    Text,
    /// A JSON document.
    Json,
}

/// Returns text that the Actions runner finds no command in, when the command line is used in a step of a workflow:
/// names and messages of others stand in our lines, and the runner obeys `##[…` anywhere in a line and `::…` at its
/// beginning (the runner's source, `ActionCommand.cs`).
fn harmless(text: &str, form: Form) -> String {
    match form {
        // Still the same document.
        Form::Json => text.replace("##[", "##\\u005b"),
        Form::Text => {
            let lines = text.split('\n').map(|line| {
                let line = line.replace("##[", "##\\[");
                if line.trim_start().starts_with("::") {
                    format!("| {line}")
                } else {
                    line
                }
            });
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

/// Writes a file that only its owner can read, whole or not at all.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".harbor-pilot")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder)?;
    writeln!(file, "{text}")?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn as_text(json: &Value) -> String {
    format!("{json:#}")
}

/// Returns a refusal for people: what is wrong, what to do, the code.
fn short(refusal: &Refusal) -> String {
    let hint = refusal
        .hint
        .as_deref()
        .map(|hint| format!("\n{hint}"))
        .unwrap_or_default();
    let (reason, code) = (refusal.reason.code(), refusal.reason.exit().code());
    format!(
        "error: {}{hint}\n(reason {reason}, exit code {code})",
        refusal.message
    )
}

/// Has a report say which signal ended its run; the driver knows only that one came.
pub(crate) fn name_signal(host: &Host, report: &mut Report) {
    if !host.signal.is_terminate() {
        return;
    }
    if let Some(verdict) = report
        .verdict
        .as_mut()
        .filter(|verdict| verdict.reason == Reason::Interrupted)
    {
        verdict.reason = Reason::Terminated;
    }
    if let Some(refusal) = report
        .refusal
        .as_mut()
        .filter(|refusal| refusal.reason == Reason::Interrupted)
    {
        refusal.reason = Reason::Terminated;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_the_actions_runner_obeys() {
        let text = "a ##[group]b\n  ::add-mask::web\nfine: a::b\n";
        insta::assert_snapshot!(harmless(text, Form::Text), @r"
        a ##\[group]b
        |   ::add-mask::web
        fine: a::b
        ");
        let json = serde_json::json!({ "cause": "##[error]x" });
        let shown = harmless(&json.to_string(), Form::Json);
        assert!(!shown.contains("##["));
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), json);
    }
}
