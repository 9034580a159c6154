//! The ledger of a command line without GitHub: one append-only file per app, a JSON document per line.
//!
//! Every append holds the file's exclusive lock from reading the last id to the sync of its line, so that two
//! processes get ids in one order that both see. At most one insertion per epoch holds among all who share the
//! *folder*: another machine, or another `--state-dir`, knows nothing of it. Lines are never rewritten, so fields that
//! this version does not know stay where they are.
//!
//! A crash may cut the last line off. It was never acknowledged, so nothing was inserted on it: it is left out, told in
//! the log, and overwritten by the next append. Damage anywhere else stops everything: an unreadable claim may be one
//! that somebody still inserts on.

use app_spec::AppId;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use migration::{Claim, EntryId, Key, LedgerEntry, LedgerOutcome};
use runner::{Ledger, LedgerError, PlatformClock};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The version of a line as it is written. A reader takes every version whose known fields parse.
const VERSION: u32 = 1;

/// Why the file gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum FileLedgerError {
    /// The app's id is nothing that a file could be named after.
    #[error("cannot name a ledger after app `{app}`")]
    AppId {
        /// The id.
        app: String,
    },
    /// The file system refuses.
    #[error("cannot {action} the ledger `{}`", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A line in the middle can't be read.
    #[error("line {line} of the ledger `{}` is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A line says neither that something was claimed nor how a claim ended.
    #[error("line {line} of the ledger `{}` (version {version}) is neither a claim nor an outcome", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The version that wrote it.
        version: u32,
    },
}

impl From<FileLedgerError> for LedgerError {
    fn from(error: FileLedgerError) -> Self {
        match error {
            FileLedgerError::Io { .. } => Self::Unreachable(error.into()),
            FileLedgerError::AppId { .. }
            | FileLedgerError::Damaged { .. }
            | FileLedgerError::Unknown { .. } => Self::Refused(error.into()),
        }
    }
}

/// The ledger of one app in one folder.
#[derive(Debug, Clone)]
pub struct FileLedger {
    path: PathBuf,
    clock: PlatformClock,
}

impl FileLedger {
    /// Returns the ledger of `app` in `folder`. Nothing is made or read yet. Entries are dated by `clock`, the
    /// platform's: they are compared with nothing else.
    ///
    /// # Errors
    /// [`FileLedgerError::AppId`] when the id could lead out of the folder.
    pub fn new(folder: &Path, app: &AppId, clock: PlatformClock) -> Result<Self, FileLedgerError> {
        let id = app.as_str();
        let plain = !id.is_empty()
            && id.len() <= 64
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !plain {
            return Err(FileLedgerError::AppId { app: id.to_owned() });
        }
        Ok(Self {
            path: folder.join(format!("{id}.jsonl")),
            clock,
        })
    }

    /// Returns the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns all entries of the app, oldest first, each with the strongest outcome recorded for it; none where there is
    /// no file. Blocks.
    ///
    /// # Errors
    /// [`FileLedgerError`] when the file can't be read or is damaged.
    pub fn all(&self) -> Result<Vec<LedgerEntry>, FileLedgerError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.io("open", error)),
        };
        file.lock_shared().map_err(|error| self.io("lock", error))?;
        Ok(self.read(&mut file)?.entries)
    }

    fn append_line(
        &self,
        line: impl FnOnce(&[LedgerEntry]) -> Line,
    ) -> Result<Option<EntryId>, FileLedgerError> {
        let mut file = self.open()?;
        // Released when the file is dropped, at the latest.
        file.lock().map_err(|error| self.io("lock", error))?;
        let found = self.read(&mut file)?;
        let line = line(&found.entries);
        let id = line.id;
        let mut text = if found.unended {
            "\n".to_owned()
        } else {
            String::new()
        };
        text.push_str(
            &serde_json::to_string(&line).map_err(|error| self.io("write", error.into()))?,
        );
        text.push('\n');
        let written = file
            .set_len(found.good_bytes)
            .and_then(|()| file.seek(SeekFrom::Start(found.good_bytes)))
            .and_then(|_| file.write_all(text.as_bytes()))
            .and_then(|()| file.sync_all());
        written.map_err(|error| self.io("write", error))?;
        Ok(id)
    }

    /// Opens the file for an append, and makes it where it is not there.
    fn open(&self) -> Result<File, FileLedgerError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        match options.open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened.map_err(|error| self.io("open", error)),
        }
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| self.io("make the folder of", error))?;
        // Two processes may be here at once: both open the one file, and its lock orders them.
        let file = options
            .create(true)
            .truncate(false)
            .open(&self.path)
            .map_err(|error| self.io("make", error))?;
        // The file's name must survive a crash as well.
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| self.io("make", error))?;
        Ok(file)
    }

    fn read(&self, file: &mut File) -> Result<Found, FileLedgerError> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.read_to_end(&mut bytes))
            .map_err(|error| self.io("read", error))?;
        let mut found = Found::default();
        for (place, text) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let ended = text.last() == Some(&b'\n');
            match serde_json::from_slice::<Line>(text) {
                Ok(line) => found
                    .take(line)
                    .map_err(|version| FileLedgerError::Unknown {
                        path: self.path.clone(),
                        line: place + 1,
                        version,
                    })?,
                Err(_) if text.trim_ascii().is_empty() => {}
                Err(error) if !ended => {
                    tracing::warn!(
                        %error,
                        "the last line of the ledger `{}` was cut off by a crash and is left out; nothing was inserted on it",
                        self.path.display()
                    );
                    return Ok(found);
                }
                Err(source) => {
                    return Err(FileLedgerError::Damaged {
                        path: self.path.clone(),
                        line: place + 1,
                        source,
                    });
                }
            }
            found.good_bytes += text.len() as u64;
            found.unended = !ended;
        }
        Ok(found)
    }

    fn io(&self, action: &'static str, source: io::Error) -> FileLedgerError {
        FileLedgerError::Io {
            action,
            path: self.path.clone(),
            source,
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Runs `work` where blocking is allowed: a lock may have to be waited for.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileLedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(LedgerError::from),
        Err(error) => Err(LedgerError::Unreachable(error.into())),
    }
}

impl Ledger for FileLedger {
    fn append<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<EntryId, LedgerError>> {
        let (ledger, claim, at) = (self.clone(), claim.clone(), self.now());
        Box::pin(blocking(move || {
            let id = ledger.append_line(|entries| {
                let last = entries.last().map_or(0, |entry| entry.id.0);
                Line {
                    id: Some(EntryId(last + 1)),
                    claim: Some(claim),
                    ..Line::at(at)
                }
            })?;
            Ok(id.unwrap_or(EntryId(0)))
        }))
    }

    fn entries<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Vec<LedgerEntry>, LedgerError>> {
        let (ledger, key) = (self.clone(), key.clone());
        Box::pin(blocking(move || {
            let mut entries = ledger.all()?;
            entries.retain(|entry| entry.claim.key == key);
            Ok(entries)
        }))
    }

    fn record<'a>(
        &'a self,
        entry: EntryId,
        outcome: &'a LedgerOutcome,
    ) -> BoxFuture<'a, Result<(), LedgerError>> {
        let (ledger, outcome, at) = (self.clone(), outcome.clone(), self.now());
        Box::pin(blocking(move || {
            ledger
                .append_line(|_| Line {
                    of: Some(entry),
                    outcome: Some(outcome),
                    ..Line::at(at)
                })
                .map(drop)
        }))
    }
}

/// One line of the file: a claim with its id, or the outcome of a claim.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    version: u32,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<EntryId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<Claim>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<EntryId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<LedgerOutcome>,
}

impl Line {
    fn at(at: Timestamp) -> Self {
        Self {
            version: VERSION,
            at,
            id: None,
            claim: None,
            of: None,
            outcome: None,
        }
    }
}

/// What stands in the file.
#[derive(Default)]
struct Found {
    entries: Vec<LedgerEntry>,
    /// Up to where the file is good.
    good_bytes: u64,
    /// Whether the last good line lacks its end.
    unended: bool,
}

impl Found {
    /// Takes a line in; the version of one that makes no sense is the error.
    fn take(&mut self, line: Line) -> Result<(), u32> {
        match line {
            Line {
                id: Some(id),
                claim: Some(claim),
                at,
                ..
            } => {
                self.entries.push(LedgerEntry {
                    id,
                    at,
                    claim,
                    outcome: None,
                });
                Ok(())
            }
            Line {
                of: Some(of),
                outcome: Some(outcome),
                ..
            } => {
                if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == of) {
                    entry.take(outcome);
                }
                Ok(())
            }
            Line { version, .. } => Err(version),
        }
    }
}

#[cfg(test)]
mod tests;
