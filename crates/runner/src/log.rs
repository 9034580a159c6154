//! Reading a job's log: to disk, to the evidence, and its last lines to the report, in bounded memory.

use app_spec::{AppId, DeploymentId};
use digitalocean::{Client, Error, LogKind, LogLimits};
use migration::{
    Clean, Evidence, EvidenceReader, JobName, LogCleaner, LogRead, Nonce, Redactor, is_mark,
};
use std::collections::VecDeque;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// How many of the last lines a report shows at most.
const TAIL_LINES: usize = 400;

/// How often a log's address is asked for anew in one try, when it has expired (it lives 15 minutes).
const FRESH_ADDRESSES: u32 = 5;

/// What one try to read a log gave.
#[derive(Debug)]
pub(crate) struct ReadLog {
    pub(crate) evidence: Evidence,
    pub(crate) read: LogRead,
    pub(crate) tail: Vec<Clean>,
    pub(crate) lines: u64,
    pub(crate) path: Option<PathBuf>,
}

/// Whose log, and where it goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogOf<'a> {
    pub(crate) app: &'a AppId,
    pub(crate) deployment: &'a DeploymentId,
    pub(crate) job: &'a JobName,
    pub(crate) nonce: Option<&'a Nonce>,
    /// Folder for the whole log; nothing keeps it from disk.
    pub(crate) folder: Option<&'a Path>,
}

/// Reads the log once.
///
/// # Cancel safety
/// Safe: a file may be left half written and is written anew by the next try.
pub(crate) async fn read(client: &Client, of: LogOf<'_>, redactor: &Redactor) -> ReadLog {
    for _ in 0..FRESH_ADDRESSES {
        match read_parts(client, of, redactor).await {
            Err(Error::Expired { .. }) => {}
            Ok(read) => return read,
            Err(Error::NotReached { .. }) => return nothing(LogRead::Absent),
            Err(error) => {
                tracing::debug!(%error, "cannot read the log of job `{}`", of.job);
                return nothing(LogRead::Failed);
            }
        }
    }
    nothing(LogRead::Failed)
}

fn nothing(read: LogRead) -> ReadLog {
    ReadLog {
        evidence: Evidence::default(),
        read,
        tail: Vec::new(),
        lines: 0,
        path: None,
    }
}

async fn read_parts(client: &Client, of: LogOf<'_>, redactor: &Redactor) -> Result<ReadLog, Error> {
    let urls = client
        .log_urls(of.app, of.deployment, &of.job.component(), LogKind::Deploy)
        .await?;
    if urls.historic.is_empty() {
        return Ok(nothing(LogRead::Absent));
    }
    let mut sink = Sink::new(of, redactor);
    let mut cut = false;
    for url in &urls.historic {
        let fetched = client
            .fetch_log(url, &LogLimits::default(), |chunk| sink.take(chunk))
            .await?;
        cut |= fetched.truncated || fetched.omitted_bytes > 0;
    }
    Ok(sink.finish(if cut { LogRead::Cut } else { LogRead::Whole }))
}

/// Takes a log in pieces; holds one line, the last lines and the marks.
struct Sink {
    file: Option<(std::fs::File, PathBuf)>,
    cleaner: LogCleaner,
    component: String,
    nonce: Option<Nonce>,
    evidence: Option<EvidenceReader>,
    pieces: migration::LogLines,
    tail: VecDeque<Clean>,
    lines: u64,
}

impl Sink {
    fn new(of: LogOf<'_>, redactor: &Redactor) -> Self {
        Self {
            file: of.folder.and_then(|folder| create(folder, of)),
            cleaner: LogCleaner::new(redactor.clone()),
            component: of.job.to_string(),
            nonce: of.nonce.cloned(),
            evidence: of.nonce.map(EvidenceReader::new),
            pieces: migration::LogLines::new(),
            tail: VecDeque::new(),
            lines: 0,
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        if let Some(evidence) = &mut self.evidence {
            self.pieces.push(chunk, |line| evidence.line(line));
        }
        let lines = self.cleaner.push(chunk);
        self.show(lines);
    }

    fn show(&mut self, lines: Vec<Clean>) {
        for line in lines {
            self.lines += 1;
            // Redacted, too: the file outlives the run, and may become an artifact.
            if let Some((file, _)) = &mut self.file
                && let Err(error) = writeln!(file, "{line}")
            {
                tracing::warn!(%error, "cannot write the job's log to disk; the report keeps its last lines");
                self.file = None;
            }
            let mark = self
                .nonce
                .as_ref()
                .is_some_and(|nonce| is_mark(line.as_str(), nonce));
            if mark || message(line.as_str(), &self.component).trim().is_empty() {
                continue;
            }
            if self.tail.len() == TAIL_LINES {
                self.tail.pop_front();
            }
            self.tail.push_back(line);
        }
    }

    fn finish(mut self, read: LogRead) -> ReadLog {
        let cleaner = std::mem::replace(&mut self.cleaner, LogCleaner::new(Redactor::default()));
        let last = cleaner.finish();
        self.show(last);
        let evidence = self
            .evidence
            .take()
            .map_or_else(Evidence::default, |mut evidence| {
                self.pieces.finish(|line| evidence.line(line));
                evidence.finish()
            });
        ReadLog {
            evidence,
            read,
            tail: self.tail.into(),
            lines: self.lines,
            path: self.file.map(|(_, path)| path),
        }
    }
}

/// Returns a line without the component and the time that the platform puts before it (observed).
fn message<'a>(line: &'a str, component: &str) -> &'a str {
    let after_name = line
        .strip_prefix(component)
        .and_then(|rest| rest.strip_prefix(' '));
    match after_name {
        Some(rest) => rest.split_once(' ').map_or("", |(_, message)| message),
        None => line,
    }
}

/// Creates the log's file, readable by its owner alone. A report without the file is better than no report.
fn create(folder: &Path, of: LogOf<'_>) -> Option<(std::fs::File, PathBuf)> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = folder.join(format!("{}-{}.log", of.job, of.deployment));
    let opened = std::fs::create_dir_all(folder).and_then(|()| {
        let mut options = std::fs::OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
    });
    match opened {
        Ok(file) => Some((file, path)),
        Err(error) => {
            tracing::warn!(%error, "cannot write the job's log below `{}`", folder.display());
            None
        }
    }
}
