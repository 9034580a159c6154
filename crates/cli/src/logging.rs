//! The log: `tracing` to standard error, for whoever looks for a fault. What a user must know is not here.
//!
//! Every line goes through the redactor. The log belongs to one call of [`run`](crate::run), not to the process, so
//! that the demo and tests can have several.

use crate::args::Global;
use crate::host::{Host, Stream};
use migration::Redactor;
use std::io::{self, Write};
use tracing::Dispatch;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

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
    // The widest first, so that no level is cut off before the targets are asked.
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_target(false)
        .with_writer(lines)
        .finish()
        .with(levels(&level));
    Dispatch::new(subscriber)
}

/// Returns what is logged of which target; words that mean nothing are passed over, and where none means anything only
/// errors are logged.
///
/// `tracing`'s own `EnvFilter` could also tell spans and fields apart; it does that with a regex engine of its own, a
/// twentieth of the image.
fn levels(text: &str) -> Targets {
    let known: Vec<Targets> = text
        .split(',')
        .filter_map(|word| word.trim().parse().ok())
        .collect();
    if known.is_empty() {
        return Targets::new().with_default(LevelFilter::ERROR);
    }
    let default = known.iter().rev().find_map(Targets::default_level);
    let levels = Targets::new().with_targets(known.into_iter().flatten());
    match default {
        Some(level) => levels.with_default(level),
        None => levels,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn levels_are_told_in_the_words_of_tracing() {
        let logged = |words: &str, target: &str| {
            let levels = levels(words);
            [
                Level::TRACE,
                Level::DEBUG,
                Level::INFO,
                Level::WARN,
                Level::ERROR,
            ]
            .into_iter()
            .find(|level| levels.would_enable(target, level))
        };
        assert_eq!(logged("debug", "runner"), Some(Level::DEBUG));
        assert_eq!(
            logged("runner=trace,info", "runner::act"),
            Some(Level::TRACE)
        );
        assert_eq!(logged("runner=trace,info", "cli"), Some(Level::INFO));
        assert_eq!(
            logged(&format!("debug,{QUIET}"), "hyper::proto"),
            Some(Level::WARN)
        );
        assert_eq!(logged("off", "runner"), None);
        assert_eq!(logged("runner=debug", "cli"), None);
        assert_eq!(logged("cli=loud, warn", "cli"), Some(Level::WARN));
        assert_eq!(logged("cli=loud", "cli"), Some(Level::ERROR));
        assert_eq!(logged("", "cli"), Some(Level::ERROR));
    }
}
