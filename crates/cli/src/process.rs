//! The process's own affairs: what the binary does around [`run`](crate::run), and nothing else.
//!
//! What the Action does not need of root's rights goes first, for threads take over what there is; then signals. As the
//! first process of a container a signal without a handler is ignored, and the Actions runner would leave the container
//! behind (reference: its `ProcessInvoker.cs` and `DockerCommandManager.cs`).

mod privileges;
mod signals;

use crate::host::{Host, Input, Stream, Wire, random};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufReader, IsTerminal as _};
use std::panic::Location;
use std::process::ExitCode;

/// Does what the arguments ask for as a process, and returns what it exits with. The first argument is the name that
/// the program was called by.
///
/// To be called before the process has any other thread, and once: it takes the process's environment, rights, signals
/// and standard streams.
#[expect(
    clippy::print_stderr,
    reason = "a program that is broken tells so the shortest way"
)]
#[must_use]
pub fn main(args: Vec<OsString>) -> ExitCode {
    // What is published ends here (docs/adr/0007), and what is not goes on unwinding.
    std::panic::set_hook(Box::new(|fault| eprintln!("{}", broken(fault.location()))));
    // Once; nothing below reads the environment. What is not UTF-8 is none of ours.
    let vars: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    if let Err(error) = privileges::give_up(&args, &vars) {
        return failed("cannot give up the rights of root", &error);
    }
    let watched = match signals::watch() {
        Ok(watched) => watched,
        Err(error) => return failed("cannot handle signals", &error),
    };
    let folder = match std::env::current_dir() {
        Ok(folder) => folder,
        Err(error) => return failed("cannot tell the working folder", &error),
    };
    let host = Host {
        vars,
        out: Stream::new(io::stdout()),
        err: Stream::new(io::stderr()),
        folder,
        interactive: io::stderr().is_terminal(),
        input: io::stdin()
            .is_terminal()
            .then(|| Input::new(BufReader::new(io::stdin()))),
        wire: Wire::Network,
        stop: watched.stop,
        signal: watched.seen,
        random,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed("cannot start", &error),
    };
    let code = runtime.block_on(crate::run(host, args));
    // A question that nobody answered, or a name that is still being looked up, must not hold the process.
    runtime.shutdown_background();
    ExitCode::from(code)
}

#[expect(
    clippy::print_stderr,
    reason = "there is nothing else yet to tell it with"
)]
fn failed(what: &str, error: &io::Error) -> ExitCode {
    eprintln!("error: {what}: {error}");
    ExitCode::from(migration::Exit::Usage.code())
}

/// Returns what is said when the program itself is at fault: where, and never the panic's own words, for they may quote
/// what was worked on.
fn broken(place: Option<&Location<'_>>) -> String {
    let place = place.map_or_else(String::new, |place| {
        format!(" ({}:{})", place.file(), place.line())
    });
    format!(
        "harbor-pilot: ended by a fault of its own{place}; please report it. To take out a job that may be left: harbor-pilot reap --app ID|NAME"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_our_own_is_told_by_its_place_and_says_what_to_do() {
        let told = broken(Some(Location::caller()));
        assert!(told.contains("(crates/cli/src/process.rs:"), "{told}");
        assert!(told.contains("harbor-pilot reap --app"), "{told}");
    }
}
