//! SIGINT and SIGTERM: the run is asked to stop, and the process ends within five seconds whatever it does.
//!
//! The watchdog is a plain thread: a runtime that hangs is one of the things it watches. A second signal ends the
//! process at once. The Actions runner sends SIGINT, SIGTERM 7.5 s later, and leaves the container behind 2.5 s after
//! that (its `ProcessInvoker.cs`); five seconds leave the rest to the post step.

use crate::host::SignalSeen;
use migration::Exit;
use runner::{StopSignal, StopSwitch, stop_switch};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};
use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// From the first signal to the end.
const GRACE: Duration = Duration::from_secs(5);

/// How signals reach the rest.
pub(crate) struct Watched {
    pub(crate) stop: StopSignal,
    pub(crate) seen: SignalSeen,
}

/// Begins to watch.
///
/// # Errors
/// When the operating system takes no handler or has no thread.
pub(crate) fn watch() -> io::Result<Watched> {
    let (switch, stop) = stop_switch();
    let seen = SignalSeen::default();
    let armed = Arc::new(AtomicBool::new(false));
    let (woken, wake) = UnixStream::pair()?;
    for (signal, exit) in [(SIGINT, Exit::Interrupted), (SIGTERM, Exit::Terminated)] {
        let number = usize::try_from(signal).unwrap_or_default();
        // In this order: only a second signal finds the trap armed, and the thread finds the number set.
        flag::register_conditional_shutdown(signal, i32::from(exit.code()), Arc::clone(&armed))?;
        flag::register(signal, Arc::clone(&armed))?;
        flag::register_usize(signal, Arc::clone(&seen.0), number)?;
        low_level::pipe::register(signal, wake.try_clone()?)?;
    }
    let of_thread = seen.clone();
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || guard(woken, &switch, &of_thread))?;
    Ok(Watched { stop, seen })
}

/// Waits for the first signal, asks the run to stop, and ends the process when it takes too long.
#[expect(
    clippy::exit,
    clippy::print_stderr,
    reason = "the last resort, when the runtime that would do both hangs"
)]
fn guard(mut woken: UnixStream, switch: &StopSwitch, seen: &SignalSeen) {
    let mut byte = [0];
    if woken.read_exact(&mut byte).is_err() {
        return;
    }
    switch.stop();
    // Nothing more is ever written to it but by another signal, which ends the process by itself.
    let waited = woken
        .set_read_timeout(Some(GRACE))
        .and_then(|()| woken.read_exact(&mut byte));
    drop(waited);
    let exit = if seen.is_terminate() {
        Exit::Terminated
    } else {
        Exit::Interrupted
    };
    eprintln!(
        "harbor-pilot: ended by a signal. To take out a job that may be left: harbor-pilot reap --app ID|NAME"
    );
    std::process::exit(i32::from(exit.code()));
}
