//! The `harbor-pilot` binary: the process's own affairs, and nothing else.
//!
//! Signals come first. As the first process of a container a signal without a handler is ignored, and the Actions
//! runner would leave the container behind (reference: its `ProcessInvoker.cs` and `DockerCommandManager.cs`).

mod signals;

use harbor_pilot::host::{Host, Input, Stream, Wire, random};
use std::collections::BTreeMap;
use std::io::{self, BufReader, IsTerminal as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    let watched = match signals::watch() {
        Ok(watched) => watched,
        Err(error) => return failed("cannot handle signals", &error),
    };
    let folder = match std::env::current_dir() {
        Ok(folder) => folder,
        Err(error) => return failed("cannot tell the working folder", &error),
    };
    // Once; nothing below reads the environment. What is not UTF-8 is none of ours.
    let vars: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
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
    let code = runtime.block_on(harbor_pilot::run(host, std::env::args_os().collect()));
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
