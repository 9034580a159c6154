//! What a temporary job runs: its `run_command` and the variables of its own in its environment.
//!
//! The script leaves marks in the job's log that [`EvidenceReader`](crate::EvidenceReader) reads back, and keeps a job
//! that was left behind from running anything. It is POSIX `sh` and needs nothing of the image but `sh` and
//! `date +%s`. This module makes text; it neither runs it nor knows how a job component is written.
//!
//! # Marks
//! A mark is one line, `harbor-pilot/1 <nonce> <what> <key=value …>`, in this order:
//!
//! ```text
//! begin key=k3f9q2x7 epoch=0 steps=2 checks=1 commit=<40 hex or unknown> at=<Unix seconds or unknown>
//! disarmed why=no-clock | disarmed why=lease | disarmed why=commit built=<40 hex>      exit 0
//! refused variable=DATABASE_URL                                                       exit 78
//! check-started index=1 name=columns at=…    check-ended index=1 name=columns code=0 at=…
//! step-started index=1 name=columns at=…     step-ended index=1 name=columns code=0 at=…
//! term at=…                                                                          exit 143
//! done code=0 ran=2/2 checks=1/1 at=…                                                exit code
//! ```
//!
//! After `disarmed`, `refused` and `done` nothing follows; after `term` only the end of what was running. With
//! `on-failure: contain` a refusal and a failure exit with 0; a TERM never does.
//!
//! # What a command finds
//! Each command runs in an `sh -e -c` of its own, with `/dev/null` as its input and without the variables that this
//! module adds. It finds `MIGRATION_ID` and `MIGRATION_STEP`, and where they are known `MIGRATION_PR` (the number of
//! the pull request) and `MIGRATION_SHA` (the commit that asked). TERM is passed on to it and its descendants; SIGINT
//! and SIGQUIT are ignored in it, as in every background command of a shell without job control.

use crate::{OnFailure, RunMode, RunRecord, Step};
use app_spec::{CommitSha, ComponentName};
use std::fmt::Write as _;

/// The `run_command` of every temporary job whose image has a shell.
///
/// It holds no text of ours or of a user's, for the platform may split `run_command` into arguments without a shell:
/// split as a shell would, this is `sh`, `-c` and the script; split at spaces, it is an unterminated quote, which
/// `sh` refuses with an error.
pub const RUN_COMMAND: &str = r#"sh -c 'eval "$(printf %b "$HARBOR_PILOT_SCRIPT")"'"#;

/// The script around a migration's commands.
const TEMPLATE: &str = include_str!("wrapper/script.sh");

/// What a job is to run, and under which conditions.
#[derive(Debug, Clone, Copy)]
pub struct Script<'a> {
    /// What the job says of itself; its key, epoch and nonce go into the marks.
    pub record: &'a RunRecord,
    /// The steps, in order. A command can't hold a NUL character, which no shell can carry.
    pub steps: &'a [Step],
    /// Whether the steps run, or only their checks.
    pub mode: RunMode,
    /// What the job exits with when a check or a step fails or a variable is missing.
    pub on_failure: OnFailure,
    /// Variables without which nothing runs, by name: each must have a value that is not still encrypted (`EV[…]`).
    pub needed: &'a [String],
    /// Unix seconds after which the job does not start.
    pub not_after: i64,
    /// The commit that the job must be built from; nothing for images and where none is known, and then the job is
    /// given no binding either.
    pub planned_commit: Option<&'a CommitSha>,
    /// The component whose `COMMIT_HASH` is asked where the job's own binding does not resolve.
    pub reference: Option<&'a ComponentName>,
}

/// A job's `run_command` and the variables of its own that go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// The job's `run_command`.
    pub run_command: String,
    /// Names and values, in the order they are written; all for run time, none secret. The only `$` in any value are
    /// those of the two commit bindings.
    pub env: Vec<(String, String)>,
}

/// Returns what a job runs for `script`, in a shell, with marks.
///
/// The script's text is one variable. Linux carries at most 128 KiB in one, so that longer commands make the job fail
/// before it begins: loudly, without a mark.
#[must_use]
pub fn wrap(script: &Script<'_>) -> Wrapped {
    let mut env = vec![
        variable("HARBOR_PILOT_SCRIPT", escape(&text(script))),
        variable("HARBOR_PILOT_NOT_AFTER", script.not_after.to_string()),
    ];
    if let Some(planned) = script.planned_commit {
        env.push(variable("HARBOR_PILOT_COMMIT", "${_self.COMMIT_HASH}"));
        if let Some(reference) = script.reference {
            env.push(variable(
                "HARBOR_PILOT_REFERENCE_COMMIT",
                format!("${{{reference}.COMMIT_HASH}}"),
            ));
        }
        env.push(variable("HARBOR_PILOT_PLANNED_COMMIT", planned.as_str()));
    }
    env.push(variable(RunRecord::VARIABLE, record_json(script.record)));
    Wrapped {
        run_command: RUN_COMMAND.to_owned(),
        env,
    }
}

/// Returns what a job runs for `script` where the image has no shell: the first step's command (or check, where only
/// checks run) as it stands. Nothing guards it, and it leaves no marks.
///
/// The checker has refused operators, and a job without a shell runs one step.
#[must_use]
pub fn bare(script: &Script<'_>) -> Wrapped {
    let command = script.steps.first().map(|step| match script.mode {
        RunMode::Steps => step.run.clone(),
        RunMode::ChecksOnly => step.check.clone().unwrap_or_default(),
    });
    Wrapped {
        run_command: command.unwrap_or_default(),
        env: vec![variable(RunRecord::VARIABLE, record_json(script.record))],
    }
}

fn variable(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// Returns the script with its blanks filled in, before it is escaped.
fn text(script: &Script<'_>) -> String {
    let mut text = String::new();
    for line in TEMPLATE
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        match line {
            "@constants@" => text.push_str(&constants(script)),
            "@needed@" => text.push_str(&needed(script.needed)),
            "@exports@" => text.push_str(&exports(script.record)),
            "@commands@" => text.push_str(&commands(script)),
            line => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn checks<'a>(script: &Script<'a>) -> impl Iterator<Item = (usize, &'a Step, &'a str)> + use<'a> {
    let numbered = script.steps.iter().enumerate();
    numbered.filter_map(|(place, step)| step.check.as_deref().map(|check| (place + 1, step, check)))
}

fn constants(script: &Script<'_>) -> String {
    let RunRecord {
        key, epoch, nonce, ..
    } = script.record;
    let steps = match script.mode {
        RunMode::Steps => script.steps.len(),
        RunMode::ChecksOnly => 0,
    };
    let strict = match script.on_failure {
        OnFailure::Fail => 1,
        OnFailure::Contain => 0,
    };
    format!(
        "_hp_key={key} _hp_epoch={epoch} _hp_nonce={nonce} _hp_steps={steps} _hp_checks={checks} _hp_strict={strict}\n",
        checks = checks(script).count(),
    )
}

fn needed(names: &[String]) -> String {
    names.iter().fold(String::new(), |mut lines, name| {
        let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        if name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit()) {
            put(
                &mut lines,
                format_args!("_hp_need {name} \"${{{name}-}}\"\n"),
            );
        } else {
            // No process can be given a variable of that name by the platform, whose keys are plain: it is missing.
            let plain: String = name
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                .collect();
            put(&mut lines, format_args!("_hp_need _{plain} ''\n"));
        }
        lines
    })
}

fn exports(record: &RunRecord) -> String {
    let mut line = format!("export MIGRATION_ID={}", quote(record.migration.as_str()));
    if let Some(number) = record.pr {
        put(&mut line, format_args!(" MIGRATION_PR={number}"));
    }
    if let Some(sha) = &record.sha {
        put(&mut line, format_args!(" MIGRATION_SHA={}", quote(sha)));
    }
    line.push('\n');
    line
}

fn commands(script: &Script<'_>) -> String {
    let mut lines = String::new();
    for (place, step, check) in checks(script) {
        put(
            &mut lines,
            format_args!("_hp_run check {place} {} {}\n", step.name, quote(check)),
        );
    }
    match script.mode {
        RunMode::ChecksOnly => {}
        RunMode::Steps => {
            for (place, step) in script.steps.iter().enumerate() {
                let place = place + 1;
                put(
                    &mut lines,
                    format_args!("_hp_run step {place} {} {}\n", step.name, quote(&step.run)),
                );
            }
        }
    }
    lines
}

#[expect(
    clippy::expect_used,
    reason = "writing into a String has no way to fail"
)]
fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a String takes all text");
}

/// Returns `text` as one word of a POSIX shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Returns `text` such that `printf %b` gives it back, in printable ASCII without a `$`.
///
/// `${…}` in an environment value is the platform's own binding syntax. An octal escape always has three digits after
/// its `0`, so that a digit behind it is not taken for a part of it.
fn escape(text: &str) -> String {
    text.bytes().fold(
        String::with_capacity(text.len() * 2),
        |mut escaped, byte| {
            match byte {
                b'\n' => escaped.push_str(r"\n"),
                b'\\' => escaped.push_str(r"\\"),
                b' '..=b'~' if byte != b'$' => escaped.push(char::from(byte)),
                _ => put(&mut escaped, format_args!("\\0{byte:03o}")),
            }
            escaped
        },
    )
}

/// Returns `record` as JSON in printable ASCII without a `$`.
fn record_json(record: &RunRecord) -> String {
    #[expect(
        clippy::expect_used,
        reason = "all its keys are strings and its numbers integers, and nothing writes"
    )]
    let json = serde_json::to_string(record).expect("a record is plain data");
    // Such characters can only stand inside JSON strings, where an escape of four digits means the same.
    let mut units = [0; 2];
    json.chars()
        .fold(String::with_capacity(json.len()), |mut plain, c| {
            match c {
                ' '..='~' if c != '$' => plain.push(c),
                _ => {
                    for unit in c.encode_utf16(&mut units) {
                        put(&mut plain, format_args!("\\u{unit:04x}"));
                    }
                }
            }
            plain
        })
}

#[cfg(test)]
mod tests;
