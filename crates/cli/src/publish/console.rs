//! Standard output as the Actions runner reads it: groups, annotations, masks, and text of others fenced off.
//!
//! The only way of the Action to its standard output. A closed stream is nobody's loss: what it said is in the summary
//! and the outputs too.

use crate::host::{Host, Stream};
use github::actions::{Annotation, Commands, Level};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Writes for the runner. Clones share the stream.
#[derive(Clone)]
pub struct Console(Arc<Mutex<Inner>>);

struct Inner {
    commands: Commands<Stream>,
    in_group: bool,
}

impl Console {
    /// Returns the console of the host's standard output.
    #[must_use]
    pub fn new(host: &Host) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            commands: Commands::new(host.out.clone(), Box::new(host.random)),
            in_group: false,
        })))
    }

    fn with(&self, write: impl FnOnce(&mut Inner) -> io::Result<()>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = write(&mut inner) {
            tracing::debug!(%error, "standard output is closed");
        }
    }

    /// Has a value masked in everything the runner shows from now on.
    pub fn mask(&self, value: &str) {
        self.with(|inner| inner.commands.mask(value));
    }

    /// Writes lines of our own.
    pub fn say(&self, text: &str) {
        self.with(|inner| inner.commands.say(text));
    }

    /// Begins a foldable group, after the end of the one before.
    pub fn group(&self, title: &str) {
        self.with(|inner| {
            inner.end_group()?;
            inner.in_group = true;
            inner.commands.group(title)
        });
    }

    /// Ends the group, where one is open.
    pub fn end_group(&self) {
        self.with(Inner::end_group);
    }

    /// Writes lines of others, fenced off.
    pub fn foreign<'a>(&self, lines: impl IntoIterator<Item = &'a str>) {
        self.with(|inner| inner.commands.untrusted(lines));
    }

    /// Shows an annotation beside the run.
    pub fn annotate(&self, level: Level, title: &str, message: &str) {
        let annotation = Annotation {
            title: Some(title.to_owned()),
            ..Annotation::default()
        };
        self.with(|inner| inner.commands.annotate(level, &annotation, message));
    }
}

impl Inner {
    fn end_group(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.in_group) {
            self.commands.end_group()
        } else {
            Ok(())
        }
    }
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").finish_non_exhaustive()
    }
}
