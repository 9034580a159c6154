//! What a reader should know about the commands of a migration, before anything runs them.
//!
//! The commands are read with a small scanner that knows quotes, escapes, comments, `$(…)`, `${…}`, `$((…))`,
//! backticks and here-documents. It finds operators and expansions and understands nothing else: it is no shell, and
//! a command that it finds nothing about may still be wrong. A pipe counts wherever the shell would run it, inside
//! `$(…)` too, for there as well the exit code of its left side is lost; inside quotes it is text. The one thing it
//! reads wrongly is a `|` between two patterns of a `case`, which it takes for a pipe.

mod scan;

pub use scan::syntax;

use crate::{Finding, Severity, Shell, Step, StepName};

/// How long the value of one variable may be. Linux carries at most 128 KiB with its name in one; a tenth is kept free.
pub const MAX_SCRIPT_BYTES: usize = 115 * 1024;

/// Something in a command that the shell does not take as plain words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Syntax {
    /// `&&`
    And,
    /// `||`
    Or,
    /// `;`
    Semicolon,
    /// A line break between two commands.
    Newline,
    /// `|`
    Pipe,
    /// `&` that sends a command into the background.
    Background,
    /// `<`, `>` and here-documents.
    Redirection,
    /// `( … )`
    Subshell,
    /// `$NAME`, `$(…)`, a backtick.
    Expansion,
    /// An unquoted `*`, `?` or `~`, which the shell turns into file names.
    Pattern,
    /// `NAME=value` before a command.
    Assignment,
    /// `# …`
    Comment,
    /// A quote, bracket or here-document that does not end.
    Unterminated,
}

impl Syntax {
    /// Returns it as people write it.
    fn written(self) -> &'static str {
        match self {
            Self::And => "`&&`",
            Self::Or => "`||`",
            Self::Semicolon => "`;`",
            Self::Newline => "a line break",
            Self::Pipe => "`|`",
            Self::Background => "`&`",
            Self::Redirection => "a redirection",
            Self::Subshell => "a subshell",
            Self::Expansion => "`$`",
            Self::Pattern => "a file name pattern",
            Self::Assignment => "a variable before the command",
            Self::Comment => "a comment",
            Self::Unterminated => "an open quote or bracket",
        }
    }
}

/// Returns what the commands of `steps` give a reader to know. A finding of [`Severity::Error`] refuses the run.
#[must_use]
pub fn command_findings(steps: &[Step], shell: Shell) -> Vec<Finding> {
    let commands = steps.iter().flat_map(|step| {
        let check = step
            .check
            .as_deref()
            .map(|check| (&step.name, "check", check));
        [Some((&step.name, "command", step.run.as_str())), check]
            .into_iter()
            .flatten()
    });
    commands
        .flat_map(|(step, what, command)| findings_of(step, what, command, shell))
        .collect()
}

fn findings_of(step: &StepName, what: &'static str, command: &str, shell: Shell) -> Vec<Finding> {
    let found = syntax(command);
    let has = |syntax: Syntax| found.contains(&syntax);
    let mut findings = Vec::new();
    let mut error = |code, message, hint| {
        findings.push(Finding {
            severity: Severity::Error,
            code,
            message,
            hint: Some(hint),
        });
    };
    if has(Syntax::Unterminated) {
        error(
            "unterminated",
            format!(
                "the {what} of step `{step}` has a quote, bracket or here-document that does not end"
            ),
            "close it, or put the command into a script of the repository".to_owned(),
        );
        return findings;
    }
    match shell {
        Shell::None => {
            if !found.is_empty() {
                let written: Vec<&str> = found.iter().map(|syntax| syntax.written()).collect();
                error(
                    "shell-needed",
                    format!(
                        "the {what} of step `{step}` needs a shell for {}, and `shell: none` has none",
                        written.join(", ")
                    ),
                    "put the command into a script or program of the image and call that, or use `shell: sh`".to_owned(),
                );
            }
        }
        Shell::Sh => {
            if has(Syntax::Pipe) {
                error(
                    "operator-pipe",
                    format!(
                        "the {what} of step `{step}` has a pipe: `sh` forgets the exit code of the command before `|`, so that its failure would look like success"
                    ),
                    format!(
                        "let a shell that knows `pipefail` run it, where the image has one:\n  {}\nor put it into a script of the repository",
                        in_bash(command)
                    ),
                );
            }
            if has(Syntax::Background) {
                error(
                    "operator-background",
                    format!(
                        "the {what} of step `{step}` sends a command into the background with `&`, and nobody would wait for its end"
                    ),
                    "take the `&` away; `> file 2>&1` in place of `&> file`, which `sh` reads as a background command"
                        .to_owned(),
                );
            }
            let joined: Vec<&str> = [Syntax::And, Syntax::Or, Syntax::Semicolon, Syntax::Newline]
                .into_iter()
                .filter(|syntax| has(*syntax))
                .map(Syntax::written)
                .collect();
            if !joined.is_empty() {
                let hint = if has(Syntax::Or) {
                    "what stands after `||` decides: `command || true` never fails"
                } else {
                    "make them steps of their own to see the result of each"
                };
                findings.push(Finding {
                    severity: Severity::Note,
                    code: "operator-joined",
                    message: format!(
                        "the {what} of step `{step}` is several commands joined by {}; there is one result for all of them",
                        joined.join(", ")
                    ),
                    hint: Some(hint.to_owned()),
                });
            }
        }
    }
    findings
}

/// Returns the command as one that a bash with `pipefail` runs.
fn in_bash(command: &str) -> String {
    format!(
        "bash -o pipefail -c '{}'",
        command.trim().replace('\'', r"'\''")
    )
}

#[cfg(test)]
mod tests;
