//! The log: `tracing` to standard error, for whoever looks for a fault. What a user must know is not here.
//!
//! Every line goes through the redactor. The log belongs to one call of [`run`](crate::run), not to the process, so
//! that the demo and tests can have several.

use crate::args::Global;
use crate::host::{Host, Stream};
use migration::Redactor;
use std::io::{self, Write};
use tracing::Dispatch;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Holds the level in the words of `tracing` (`debug`, `runner=trace,info`).
const VARIABLE: &str = "HARBOR_PILOT_LOG_LEVEL";

/// The log of the libraries below, which say nothing that helps here.
const QUIET: &str =
    "hyper=warn,hyper_util=warn,reqwest=warn,rustls=warn,octocrab=warn,tower=warn,h2=warn";

/// Returns where the log of one call goes.
#[must_use]
pub fn dispatch(host: &Host, global: Global, redactor: &Redactor) -> Dispatch {
    let level = host.var(VARIABLE).map_or_else(
        || match global.verbose {
            0 => "warn".to_owned(),
            1 => format!("info,{QUIET}"),
            2 => format!("debug,{QUIET}"),
            _ => "trace".to_owned(),
        },
        str::to_owned,
    );
    let lines = Lines {
        stream: host.err.clone(),
        redactor: redactor.clone(),
        start: if host.interactive { ERASE } else { "" },
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse_lossy(level))
        .with_ansi(false)
        .with_target(false)
        .with_writer(lines)
        .finish();
    Dispatch::new(subscriber)
}

/// Returns to the beginning of a terminal's line and erases the living line on it (ECMA-48, EL).
const ERASE: &str = "\r\u{1b}[2K";

/// Cleans each line; the subscriber makes one writer for each.
#[derive(Clone)]
struct Lines {
    stream: Stream,
    redactor: Redactor,
    start: &'static str,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            to: self.clone(),
            text: Vec::new(),
        }
    }
}

/// One line of the log, written when it is whole.
struct Line {
    to: Lines,
    text: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        let clean = self.to.redactor.clean_line(&text);
        if !clean.as_str().is_empty() {
            // A log that can't be written has nobody to be told of it.
            let _closed = writeln!(self.to.stream, "{}{clean}", self.to.start);
        }
    }
}
