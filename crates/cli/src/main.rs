//! The `harbor-pilot` binary: the process's own affairs, and nothing else.
//!
//! What the Action does not need of root's rights goes first, for threads take over what there is; then signals. As the
//! first process of a container a signal without a handler is ignored, and the Actions runner would leave the container
//! behind (reference: its `ProcessInvoker.cs` and `DockerCommandManager.cs`).

mod privileges;
mod signals;

use harbor_pilot::host::{Host, Input, Stream, Wire, random};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufReader, IsTerminal as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    // Once; nothing below reads the environment. What is not UTF-8 is none of ours.
    let vars: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let args: Vec<OsString> = std::env::args_os().collect();
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
    let code = runtime.block_on(harbor_pilot::run(host, args));
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
