//! The process's surroundings, read once at the edge: variables, streams, folder, randomness, the wire.
//!
//! Everything below takes a [`Host`], so that a test or the demo can be a process of its own without being one.

use runner::StopSignal;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The surroundings of one invocation.
#[derive(Clone)]
pub struct Host {
    /// The environment, as it was when the process started.
    pub vars: BTreeMap<String, String>,
    /// Results go here.
    pub out: Stream,
    /// Progress, warnings and errors go here.
    pub err: Stream,
    /// The folder that relative paths start from.
    pub folder: PathBuf,
    /// Whether a person watches [`Host::err`] on a terminal.
    pub interactive: bool,
    /// Who can be asked a question; nothing where nobody can (no terminal on standard input).
    pub input: Option<Input>,
    /// How the two worlds are reached.
    pub wire: Wire,
    /// How a stop reaches a run.
    pub stop: StopSignal,
    /// Which signal asked for the stop.
    pub signal: SignalSeen,
    /// Draws 16 random bytes.
    pub random: fn() -> io::Result<[u8; 16]>,
}

impl Host {
    /// Returns surroundings without variables and without anybody to ask: what a test or the demo begins with.
    #[must_use]
    pub fn new(out: Stream, err: Stream, folder: PathBuf, wire: Wire, stop: StopSignal) -> Self {
        Self {
            vars: BTreeMap::new(),
            out,
            err,
            folder,
            interactive: false,
            input: None,
            wire,
            stop,
            signal: SignalSeen::default(),
            random,
        }
    }

    /// Returns `path` as seen from [`Host::folder`].
    #[must_use]
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.join(path)
    }

    /// Returns a variable's value; an empty one counts as absent, for the Actions runner passes absent inputs so.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

/// Draws 16 bytes from the operating system.
///
/// # Errors
/// What the operating system answers when it has none to give.
pub fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// Remembers which signal asked for a stop. Shared with the signal handlers.
#[derive(Debug, Clone, Default)]
pub struct SignalSeen(pub Arc<AtomicUsize>);

/// SIGTERM's number, by POSIX.
pub const SIGTERM: usize = 15;

impl SignalSeen {
    /// Returns whether SIGTERM was the last signal.
    #[must_use]
    pub fn is_terminate(&self) -> bool {
        self.0.load(Ordering::Relaxed) == SIGTERM
    }
}

/// Somebody who answers questions, a line at a time.
#[derive(Clone)]
pub struct Input(Arc<Mutex<dyn BufRead + Send>>);

impl Input {
    /// Returns an input that reads `from`.
    pub fn new(from: impl BufRead + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(from)))
    }

    /// Waits for a line and returns it without its end. Blocks.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn line(&self) -> io::Result<String> {
        let mut line = String::new();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

/// A stream that clones share.
#[derive(Clone)]
pub struct Stream(Arc<Mutex<dyn Write + Send>>);

impl Stream {
    /// Returns a stream over `inner`.
    pub fn new(inner: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(inner)))
    }

    /// Returns a stream and the place where what is written to it can be read.
    #[must_use]
    pub fn kept() -> (Self, Kept) {
        let kept = Kept(Arc::new(Mutex::new(Vec::new())));
        (Self::new(kept.clone()), kept)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .flush()
    }
}

/// What was written to a stream.
#[derive(Clone)]
pub struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    /// Returns all of it so far as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How the two worlds are reached.
#[derive(Clone)]
pub enum Wire {
    /// Over the network, https only (plain http to this machine).
    Network,
    /// Through a transport that the caller made, such as a simulator in this process.
    Given(digitalocean::Transport),
}

impl Wire {
    /// Returns the transport.
    ///
    /// # Errors
    /// [`digitalocean::TransportError`] when no https client can be made on this machine.
    pub fn transport(&self) -> Result<digitalocean::Transport, digitalocean::TransportError> {
        match self {
            Self::Network => digitalocean::transport::https(),
            Self::Given(transport) => Ok(transport.clone()),
        }
    }
}

impl fmt::Debug for Host {
    /// Shows no values: the environment holds tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}
