//! From surroundings and choices to the things that work: token, client, app, folders, redactor, pace.
//!
//! Every way in which that can fail is a [`Refusal`] that names the variable, flag or file at fault. Nothing here
//! writes to the platform.

use crate::choices::Choices;
use crate::hint;
use crate::host::Host;
use crate::settings::{bad, quoted};
use app_spec::{App, AppId};
use digitalocean::{Client, ConfigError, Error, Transport};
use github::{GitHub, RepoName, Timing};
use migration::{CONFIG_PATH, Config, MAX_FILE_BYTES, Reason, Redactor, Refusal};
use runner::{Pace, PlatformClock};
use secrecy::SecretString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use url::Url;

/// Where a DigitalOcean token may stand, the first one that is set counts: the Action's input, the same as a variable
/// of ours, and the name that every DigitalOcean tool knows.
pub const TOKEN_VARIABLES: [&str; 3] = [
    "INPUT_TOKEN",
    "HARBOR_PILOT_TOKEN",
    "DIGITALOCEAN_ACCESS_TOKEN",
];

/// Where a GitHub token may stand, the first one that is set counts.
pub const GITHUB_TOKEN_VARIABLES: [&str; 3] = [
    "INPUT_GITHUB-TOKEN",
    "HARBOR_PILOT_GITHUB_TOKEN",
    "GITHUB_TOKEN",
];

/// The platform's API.
const API: &str = "https://api.digitalocean.com";

/// How many apps a message lists.
const APPS_LISTED: usize = 20;

/// Returns a redactor that knows every secret of the surroundings: all tokens, and the values of the variables named.
#[must_use]
pub fn redactor(host: &Host, secret_env: &[String]) -> Redactor {
    let tokens = TOKEN_VARIABLES.into_iter().chain(GITHUB_TOKEN_VARIABLES);
    let names = tokens.chain(secret_env.iter().map(|name| name.trim()));
    // Without the white space that a pasted token carries, for it is not sent with it either.
    Redactor::new(
        names
            .filter_map(|name| host.var(name))
            .map(|value| SecretString::from(value.trim())),
    )
}

/// The platform, reachable with a token.
#[derive(Clone)]
pub struct Access {
    /// The client.
    pub client: Client,
    /// Reaches the app's own address.
    pub transport: Transport,
    /// How fast the platform's clock runs.
    pub pace: Pace,
    /// The variable that the token came from.
    pub variable: &'static str,
}

/// Returns the way to the platform. Nothing is sent yet.
///
/// # Errors
/// A [`Refusal`] when there is no token or none that can be one, the API's address is not one that a token may be sent
/// to, or a pace is asked for elsewhere than on this machine.
pub fn access(host: &Host, choices: &Choices) -> Result<Access, Refusal> {
    let (token, variable) = token(host)?;
    let text = choices.api_url.as_deref().unwrap_or(API);
    let base = Url::parse(text).map_err(|error| {
        bad(
            "api-url",
            text,
            &format!("it must be an https address ({error})"),
        )
    })?;
    let pace = pace(choices.pace, &base)?;
    let transport = host.wire.transport().map_err(|error| {
        Refusal::new(
            Reason::PlatformUnreachable,
            chain(&error),
            "The certificates of this machine may be broken.",
        )
    })?;
    let client = Client::new(transport.clone(), &base, token).map_err(|error| match error {
        ConfigError::Token(error) => {
            Refusal::new(Reason::Unauthorized, error.to_string(), hint::TOKEN)
        }
        ConfigError::NotHttps(_) | ConfigError::NotABase => {
            bad("api-url", text, &error.to_string())
        }
    })?;
    Ok(Access {
        client,
        transport,
        pace,
        variable,
    })
}

/// Returns GitHub, reachable with a token, for `repo`; nothing where no token is given.
///
/// # Errors
/// A [`Refusal`] that names the variable at fault.
pub fn github(host: &Host, repo: RepoName, pace: Option<f64>) -> Result<Option<GitHub>, Refusal> {
    let Some(token) = GITHUB_TOKEN_VARIABLES
        .iter()
        .find_map(|name| host.var(name))
    else {
        return Ok(None);
    };
    let given = host
        .var("GITHUB_API_URL")
        .unwrap_or("https://api.github.com");
    let base = Url::parse(given).map_err(|error| bad("GITHUB_API_URL", given, &chain(&error)))?;
    let loopback = digitalocean::address::is_loopback(&base);
    if base.scheme() != "https" && !(base.scheme() == "http" && loopback) {
        return Err(bad("GITHUB_API_URL", given, "it must be an https address"));
    }
    let transport = host.wire.transport().map_err(|error| {
        Refusal::new(
            Reason::PlatformUnreachable,
            chain(&error),
            "The certificates of this machine may be broken.",
        )
    })?;
    let token = SecretString::from(token.trim());
    let github = GitHub::new(transport, &base, token, repo).map_err(|error| {
        Refusal::new(
            Reason::MissingPermission,
            chain(&error),
            "Check the GitHub token: the input `github-token`, or GITHUB_TOKEN.",
        )
    })?;
    // For a simulator on this machine only, as everywhere.
    let pace = pace.filter(|_| loopback).unwrap_or(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it saturates, and waits of nothing are no harm"
    )]
    let pace = pace as u32;
    Ok(Some(github.with_timing(Timing::default().paced(pace))))
}

fn token(host: &Host) -> Result<(SecretString, &'static str), Refusal> {
    let found = TOKEN_VARIABLES
        .iter()
        .find_map(|name| Some((host.var(name)?, *name)));
    let Some((raw, variable)) = found else {
        return Err(Refusal::new(
            Reason::Unauthorized,
            "there is no DigitalOcean token: `DIGITALOCEAN_ACCESS_TOKEN` is not set",
            hint::TOKEN,
        ));
    };
    let token = digitalocean::token::parse(&SecretString::from(raw), variable)
        .map_err(|error| Refusal::new(Reason::Unauthorized, error.to_string(), hint::TOKEN))?;
    Ok((token, variable))
}

fn pace(chosen: Option<f64>, base: &Url) -> Result<Pace, Refusal> {
    let Some(times) = chosen else {
        return Ok(Pace::REAL);
    };
    let pace = Pace::new(times)
        .ok_or_else(|| bad("pace", &times.to_string(), "it must be a number from 1 on"))?;
    if pace != Pace::REAL && !digitalocean::address::is_loopback(base) {
        return Err(bad(
            "pace",
            &times.to_string(),
            "the real platform runs at its own pace; give one for a simulator on this machine only (`--api-url http://127.0.0.1:…`)",
        ));
    }
    Ok(pace)
}

/// The app that was named, as it is now.
#[derive(Debug, Clone)]
pub struct Found {
    /// The app.
    pub app: App,
    /// The platform's clock, set by the reply.
    pub clock: PlatformClock,
}

/// Returns the app of that id or name.
///
/// # Errors
/// A [`Refusal`] when there is none (lists what there is), when a name fits several (lists their ids), or when the
/// platform does not tell.
///
/// # Cancel safety
/// Safe.
pub async fn resolve_app(access: &Access, wanted: &str) -> Result<Found, Refusal> {
    let refused = |error: &Error| refused(access, error);
    let id = if is_uuid(wanted) {
        AppId::new(wanted)
    } else {
        let mut apps = access
            .client
            .apps()
            .await
            .map_err(|error| refused(&error))?;
        let fitting: Vec<&App> = apps
            .iter()
            .filter(|app| app.spec.name() == wanted)
            .collect();
        match fitting.as_slice() {
            [only] => only.id.clone(),
            [] => {
                apps.sort_by(|one, other| one.spec.name().cmp(other.spec.name()));
                return Err(not_found(wanted, &apps));
            }
            several => {
                let ids: Vec<&str> = several.iter().map(|app| app.id.as_str()).collect();
                return Err(Refusal::new(
                    Reason::Ambiguous,
                    format!("{} apps are named `{wanted}`", several.len()),
                    format!("name the one that is meant by its id: {}", quoted(&ids)),
                ));
            }
        }
    };
    match access.client.app(&id).await {
        Ok(read) => {
            let mut clock = PlatformClock::new(access.pace);
            clock.set(read.server_time);
            Ok(Found {
                app: read.value,
                clock,
            })
        }
        Err(Error::NotFound { .. }) => {
            // The list is only for the message; where it is not to be had, the message goes without.
            let apps = access.client.apps().await.unwrap_or_default();
            Err(not_found(wanted, &apps))
        }
        Err(error) => Err(refused(&error)),
    }
}

fn not_found(wanted: &str, apps: &[App]) -> Refusal {
    let names: Vec<&str> = apps
        .iter()
        .take(APPS_LISTED)
        .map(|app| app.spec.name())
        .collect();
    let more = apps.len().saturating_sub(names.len());
    let list = match (names.is_empty(), more) {
        (true, _) => "The token sees no app at all: it may belong to another team.".to_owned(),
        (false, 0) => format!(
            "The token sees these: {}. An app of another team needs a token of that team.",
            quoted(&names)
        ),
        (false, more) => format!("The token sees these: {} and {more} more.", quoted(&names)),
    };
    Refusal::new(
        Reason::AppNotFound,
        format!("there is no app `{wanted}` that this token can see"),
        list,
    )
}

/// Returns what a failed call comes to, with the variable that the token came from.
#[must_use]
pub fn refused(access: &Access, error: &Error) -> Refusal {
    let mut refusal = runner::of_error(error);
    if refusal.reason == Reason::Unauthorized || refusal.reason == Reason::MissingScope {
        refusal.message = format!("{} (it came from `{}`)", refusal.message, access.variable);
    }
    refusal
}

/// Whether `text` has the form of a UUID, as the platform's ids have.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Returns the app's id or name by inputs over manifest over config.
///
/// # Errors
/// A [`Refusal`] when nobody named one.
pub fn wanted_app(
    choices: &Choices,
    manifest: Option<&str>,
    config: &Config,
) -> Result<String, Refusal> {
    let named = choices
        .app
        .as_deref()
        .or(manifest)
        .or(config.app.as_deref());
    named.map(str::to_owned).ok_or_else(|| {
        Refusal::new(
            Reason::Usage,
            "no app is named",
            format!(
                "Name it with `--app ID|NAME`, as `app` in {CONFIG_PATH}, or in HARBOR_PILOT_APP."
            ),
        )
    })
}

/// Returns the config: the file that was chosen, or the one at its usual place, or one that settles nothing.
///
/// # Errors
/// A [`Refusal`] when the chosen file can't be read, or a file is not exactly a config.
pub fn config(host: &Host, choices: &Choices) -> Result<Config, Refusal> {
    let name = choices.config.as_deref().unwrap_or(CONFIG_PATH);
    match read_text(&host.path(name)) {
        Ok(text) => Config::parse(name, &text).map_err(Refusal::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound && choices.config.is_none() => {
            Ok(Config::default())
        }
        Err(error) => Err(Refusal::new(
            Reason::BadConfig,
            format!("cannot read the config `{name}`: {error}"),
            "Check `--config` (or HARBOR_PILOT_CONFIG). Without it, .github/harbor-pilot.yml of this folder is read.",
        )),
    }
}

/// Returns a file's text, a little more than a good one may have: what is larger is refused by its reader.
///
/// # Errors
/// Those of the file system, and text that is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(MAX_FILE_BYTES as u64 + 1)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Returns the folder of the records.
///
/// # Errors
/// A [`Refusal`] when none was given and the surroundings name no home.
pub fn state_folder(host: &Host, given: Option<&Path>) -> Result<PathBuf, Refusal> {
    if let Some(given) = given {
        return Ok(host.path(given));
    }
    let state = host
        .var("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || {
        host.var("HOME")
            .map(|home| Path::new(home).join(".local/state"))
    };
    match state.or_else(home) {
        Some(folder) => Ok(folder.join("harbor-pilot")),
        None => Err(Refusal::new(
            Reason::Usage,
            "there is no folder for the record of claims: neither XDG_STATE_HOME nor HOME is set",
            "Name one with `--state-dir FOLDER`, the same one every time: it is what keeps a migration from running twice.",
        )),
    }
}

/// Returns the folder of whole job logs: chosen, or the runner's own temporary one, or below the records. The machine's
/// common temporary folder is not used: others could prepare it.
#[must_use]
pub fn log_folder(host: &Host, choices: &Choices, state: Option<&Path>) -> Option<PathBuf> {
    let chosen = choices.log_dir.as_ref().map(|folder| host.path(folder));
    let runner = || {
        host.var("RUNNER_TEMP")
            .map(|folder| Path::new(folder).join("harbor-pilot-logs"))
    };
    chosen
        .or_else(runner)
        .or_else(|| state.map(|state| state.join("logs")))
}

/// Returns an error with its sources, outermost first.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
