//! The edge: turns arguments, environment and events into a request, wires the crates below, publishes, exits.
//!
//! **Architecture invariant:** every rule and every sentence about a migration lives in `migration`; here are flags,
//! names of variables, prints, and the ports over GitHub and a state file. It is a library, so that tests and the demo
//! call it in their own process; what belongs to a process as a whole is in `process`, and the binary is its caller.

pub mod args;
pub mod choices;
pub mod commands;
pub mod desk;
pub mod hint;
pub mod host;
pub mod ledger;
pub mod lineage;
pub mod logging;
pub mod process;
pub mod progress;
pub mod publish;
pub mod settings;
pub mod wiring;

use args::{Cli, Command, Global, Output};
use clap::Parser as _;
use clap::error::ErrorKind;
use desk::Desk;
use host::Host;
use migration::Exit;
use std::ffi::OsString;
use std::io::Write as _;
use tracing::instrument::WithSubscriber as _;

/// Does what the arguments ask for and returns the exit code, as documented in `--help`. The first argument is the
/// name that the program was called by.
///
/// # Cancel safety
/// As the command's: a run that is cut off is looked at by whoever comes next.
pub async fn run(host: Host, args: Vec<OsString>) -> u8 {
    if is_post_step(&args) {
        let global = Global {
            output: Output::Text,
            verbose: 0,
        };
        let log = logging::dispatch(&host, global, &wiring::redactor(&host, &[]));
        return Box::pin(commands::action::post(&host))
            .with_subscriber(log)
            .await;
    }
    let Cli { global, command } = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return told(&host, &error),
    };
    let named = host
        .var("HARBOR_PILOT_SECRET_ENV")
        .map(choices::listed)
        .unwrap_or_default();
    let redactor = wiring::redactor(&host, &[named.as_slice(), command.secret_env()].concat());
    let log = logging::dispatch(&host, global, &redactor);
    let desk = Desk::new(&host, global, redactor);
    Box::pin(dispatch(desk, command)).with_subscriber(log).await
}

async fn dispatch(desk: Desk<'_>, command: Command) -> u8 {
    match command {
        Command::Action => Box::pin(commands::action::main(desk.host)).await,
        Command::Plan(args) => Box::pin(commands::run::plan(desk, args)).await,
        Command::Check(args) => Box::pin(commands::run::check(desk, args)).await,
        Command::Run(args) => Box::pin(commands::run::run(desk, args)).await,
        Command::Stop(args) => commands::clean::stop(desk, args).await,
        Command::Status(args) => commands::status::status(desk, args).await,
        Command::Reap(args) => commands::clean::reap(desk, args).await,
        Command::Logs(args) => commands::logs::logs(desk, args).await,
        Command::Firewall(args) => Box::pin(commands::firewall::firewall(desk, args)).await,
        Command::Schema(args) => commands::schema::schema(&desk, &args),
        #[cfg(feature = "demo")]
        Command::Sim(args) => commands::sim::sim(desk, args).await,
        #[cfg(feature = "demo")]
        Command::Demo(args) => Box::pin(commands::demo::demo(desk, args)).await,
    }
}

/// The name that the image has the binary under for the post step. The runner gives every step of an action the same
/// arguments, so that the name is all they differ by.
const POST: &str = "harbor-pilot-post";

fn is_post_step(args: &[OsString]) -> bool {
    args.first().is_some_and(|name| {
        std::path::Path::new(name)
            .file_name()
            .is_some_and(|name| name == POST)
    })
}

/// Tells what is wrong with the arguments, or the help that was asked for.
fn told(host: &Host, error: &clap::Error) -> u8 {
    let text = error.render().to_string();
    let (mut stream, text, exit) = match error.kind() {
        // Our own words only, and nobody waits for the redactor to be made.
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            (host.out.clone(), text, Exit::Success)
        }
        // Only an argument can be repeated in it; what looks like a secret is replaced all the same.
        _ => {
            let clean = wiring::redactor(host, &[]).clean(&text).to_string();
            (host.err.clone(), clean, Exit::Usage)
        }
    };
    if write!(stream, "{text}")
        .and_then(|()| stream.flush())
        .is_err()
    {
        // Nobody is left to be told.
    }
    exit.code()
}
