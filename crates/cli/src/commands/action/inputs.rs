//! The Action's inputs: the command line's own choices under their own names, and a few that only an event needs.
//!
//! Inputs become arguments of the command line's parser, so that an input and a flag of one name can't mean different
//! things. Tokens never do: arguments are visible to every process of the machine.

use crate::choices::{Choices, listed};
use crate::host::Host;
use crate::settings::{bad, quoted};
use clap::{ArgAction, Args as _, Command, FromArgMatches as _};
use github::DispatchInputs;
use github::actions::Inputs;
use migration::{MigrationId, Reason, Refusal};

/// The inputs that are not choices.
const OWN: [&str; 6] = [
    "token",
    "github-token",
    "mode",
    "migration",
    "reason",
    "label",
];

/// What the runner itself takes for a container, beside the declared inputs.
const THE_RUNNERS: [&str; 2] = ["args", "entrypoint"];

/// Flags that are no inputs: real platforms run at their own pace.
const NO_INPUTS: [&str; 1] = ["pace"];

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// What the event says.
    Auto,
    /// Show what a run would do.
    Plan,
    /// Run only the checks.
    Check,
    /// Run the steps that are not done.
    Run,
    /// Run failed steps again, and unproven ones.
    Retry,
    /// Run a done migration once more.
    Again,
    /// Take a running migration's job out.
    Stop,
    /// Show how things stand.
    Status,
    /// Take left-over jobs out.
    Reap,
}

const MODES: &[(&str, Mode)] = &[
    ("auto", Mode::Auto),
    ("plan", Mode::Plan),
    ("check", Mode::Check),
    ("run", Mode::Run),
    ("retry", Mode::Retry),
    ("again", Mode::Again),
    ("stop", Mode::Stop),
    ("status", Mode::Status),
    ("reap", Mode::Reap),
];

impl Mode {
    /// Returns the word that selects it.
    pub(crate) fn word(self) -> &'static str {
        MODES
            .iter()
            .find(|(_, mode)| *mode == self)
            .map_or("auto", |(word, _)| word)
    }
}

/// Everything that was asked for by inputs.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) choices: Choices,
    pub(crate) mode: Mode,
    pub(crate) migration: Option<MigrationId>,
    /// Foreign text.
    pub(crate) reason: Option<String>,
    /// The label that asks for a migration, where it is not the config's.
    pub(crate) label: Option<String>,
}

/// Returns the names of all inputs, as `action.yml` declares them.
#[must_use]
pub fn names() -> Vec<String> {
    let flags = flags()
        .get_arguments()
        .filter_map(|arg| arg.get_long())
        .map(str::to_owned)
        .collect::<Vec<_>>();
    let choices = flags
        .into_iter()
        .filter(|name| !NO_INPUTS.contains(&name.as_str()));
    OWN.iter()
        .map(|name| (*name).to_owned())
        .chain(choices)
        .collect()
}

fn flags() -> Command {
    Choices::augment_args(
        Command::new("inputs")
            .no_binary_name(true)
            .disable_help_flag(true),
    )
}

/// Reads the inputs; those of a start by hand stand in for what the workflow did not pass on.
///
/// # Errors
/// A [`Refusal`] that names the input: one that does not exist, or a value that it can't have.
pub(crate) fn read(host: &Host, by_hand: Option<&DispatchInputs>) -> Result<Asked, Refusal> {
    let inputs = Inputs::from_vars(host.vars.clone());
    known_only(&inputs)?;
    let flags = flags();
    let mut arguments = Vec::new();
    for arg in flags.get_arguments() {
        let Some(name) = arg.get_long().filter(|name| !NO_INPUTS.contains(name)) else {
            continue;
        };
        let Some(value) = inputs.get(name) else {
            continue;
        };
        // With `=`, so that a value that begins with a hyphen is a value.
        match arg.get_action() {
            ArgAction::Append => {
                arguments.extend(listed(value).iter().map(|item| format!("--{name}={item}")))
            }
            _ => arguments.push(format!("--{name}={value}")),
        }
    }
    let unread = |error: clap::Error| Refusal::new(Reason::Usage, error.to_string(), "");
    let matches = flags.try_get_matches_from(arguments).map_err(unread)?;
    let choices = Choices::from_arg_matches(&matches)
        .map_err(unread)?
        .or_from(host)?;
    let text = |name: &str| {
        inputs
            .get(name)
            .or_else(|| by_hand.and_then(|given| given.get(name)))
    };
    let mode = mode(&inputs, by_hand)?;
    let migration = text("migration")
        .map(MigrationId::parse)
        .transpose()
        .map_err(|error| {
            Refusal::new(
                Reason::Usage,
                error.to_string(),
                "Give `migration` the manifest's file name without `.yml`.",
            )
        })?;
    let reason = text("reason").map(str::to_owned);
    if mode == Mode::Again && reason.is_none() {
        return Err(Refusal::new(
            Reason::Usage,
            "`mode: again` runs a done migration once more and needs a `reason`",
            "Say in `reason` why it has to run again; it goes into the record.",
        ));
    }
    Ok(Asked {
        choices,
        mode,
        migration,
        reason,
        label: inputs.get("label").map(str::to_owned),
    })
}

fn mode(inputs: &Inputs, by_hand: Option<&DispatchInputs>) -> Result<Mode, Refusal> {
    let known = |word: &str| {
        MODES
            .iter()
            .find(|(known, _)| *known == word)
            .map(|(_, mode)| *mode)
    };
    let given = inputs.get("mode").unwrap_or("auto");
    match known(given) {
        // The default of action.yml; an input of that name at the start may mean something else in this workflow.
        Some(Mode::Auto) => Ok(by_hand
            .and_then(|given| given.get("mode"))
            .and_then(known)
            .unwrap_or(Mode::Auto)),
        Some(mode) => Ok(mode),
        None => {
            let words: Vec<&str> = MODES.iter().map(|(word, _)| *word).collect();
            Err(bad("mode", given, &format!("it may be {}", quoted(&words))))
        }
    }
}

fn known_only(inputs: &Inputs) -> Result<(), Refusal> {
    let known = names();
    let unknown = inputs
        .names()
        .find(|name| !known.contains(name) && !THE_RUNNERS.contains(&name.as_str()));
    match unknown {
        None => Ok(()),
        Some(name) => Err(Refusal::new(
            Reason::Usage,
            format!("there is no input `{name}`"),
            format!("The inputs are {}.", quoted(&known)),
        )),
    }
}
