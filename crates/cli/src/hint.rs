//! What to do now, where that belongs to the edge: flags, variables, and commands to paste.
//!
//! Hints about a migration itself are `migration`'s. Commands are built of ids and of what the user typed, quoted for
//! a shell.

use app_spec::AppId;
use migration::{Intent, Links, Reason, Refusal, Request};
use std::path::Path;

/// How to give a token.
pub const TOKEN: &str = "Make one in the DigitalOcean control panel (API, then Tokens) with the scopes app:read, app:update, regions:read, sizes:read, actions:read and database:read, and give it in DIGITALOCEAN_ACCESS_TOKEN; in a workflow, as the input `token`.";

/// What the user named on the way to a run, to be repeated in commands.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// `--manifest`, where one was given.
    pub manifest: Option<String>,
    /// `--step`, where they were given.
    pub steps: Vec<(String, String)>,
    /// `--config`, where one was given.
    pub config: Option<String>,
    /// `--state-dir`, where one was given.
    pub state_dir: Option<String>,
    /// `--api-url`, where one was given.
    pub api_url: Option<String>,
}

/// Returns the addresses and commands that a report about `app` shows.
#[must_use]
pub fn links(app: &AppId, request: Option<&Request>, typed: &Typed) -> Links {
    Links {
        dashboard: Some(format!(
            "https://cloud.digitalocean.com/apps/{}",
            app.as_str()
        )),
        retry_command: request.and_then(|request| retry(app, request, typed)),
        reap_command: Some(reap(app, typed)),
        ..Links::default()
    }
}

/// Returns the command that takes a left-over job out.
#[must_use]
pub fn reap(app: &AppId, typed: &Typed) -> String {
    let mut words = vec!["harbor-pilot", "reap", "--app", app.as_str()];
    place(&mut words, typed);
    joined(&words)
}

/// Returns the command that runs failed or unproven steps again.
fn retry(app: &AppId, request: &Request, typed: &Typed) -> Option<String> {
    if request.intent == Intent::Check {
        return None;
    }
    let mut words = vec!["harbor-pilot", "run", "--retry", "--app", app.as_str()];
    words.extend(["--migration-id", request.manifest.id.as_str()]);
    if let Some(manifest) = &typed.manifest {
        words.extend(["--manifest", manifest]);
    }
    let steps: Vec<String> = typed
        .steps
        .iter()
        .map(|(name, command)| format!("{name}={command}"))
        .collect();
    for step in &steps {
        words.extend(["--step", step]);
    }
    place(&mut words, typed);
    Some(joined(&words))
}

fn place<'a>(words: &mut Vec<&'a str>, typed: &'a Typed) {
    let given = [
        ("--config", &typed.config),
        ("--state-dir", &typed.state_dir),
        ("--api-url", &typed.api_url),
    ];
    for (flag, value) in given {
        if let Some(value) = value {
            words.extend([flag, value]);
        }
    }
}

/// Returns words as a command line. A word that no shell can take (with a NUL in it) can't have been an argument.
fn joined(words: &[&str]) -> String {
    shlex::try_join(words.iter().copied()).unwrap_or_else(|_| words.join(" "))
}

/// Returns the refusal of a run that nobody confirmed.
#[must_use]
pub fn unconfirmed(what: &str) -> Refusal {
    Refusal::new(
        Reason::Usage,
        format!("{what} was not confirmed: nobody can be asked here"),
        "Add `--yes` to go on without being asked; `harbor-pilot plan` (or `--dry-run`) shows what will happen.",
    )
}

/// Returns the note that the claim's guarantee ends at the folder.
#[must_use]
pub fn per_folder(ledger: &Path) -> String {
    format!(
        "The record of what ran is kept in {}. A run from another folder, machine or workflow does not see it: \
         one migration, one place to run it from.",
        ledger.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_to_paste_is_one_command_whatever_was_typed() {
        let typed = Typed {
            config: Some("it's; rm -rf /".to_owned()),
            ..Typed::default()
        };
        insta::assert_snapshot!(reap(&AppId::new("11111111"), &typed), @r#"harbor-pilot reap --app 11111111 --config "it's; rm -rf /""#);
    }
}
