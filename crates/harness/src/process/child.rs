//! The program as a process of its own, started as its users start it, with nothing of this machine's environment.

use rustix::process::{Pid, kill_process};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::Instant;

pub(crate) use rustix::process::Signal;

/// What is started as `harbor-pilot`.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    /// A binary as it was built.
    Binary(PathBuf),
    /// This executable, which holds the program's entry too: unlike a binary that lies about, it can't be older than
    /// the code that is tested.
    Itself(PathBuf),
}

/// The names that the image has the program under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Pilot,
    Post,
}

impl Name {
    fn word(self) -> &'static str {
        match self {
            Self::Pilot => "harbor-pilot",
            Self::Post => "harbor-pilot-post",
        }
    }
}

/// The word after `process` by which the executable is asked to be the program.
pub(crate) const CHILD: &str = "child";

/// Goes on as the program; the first argument is its name.
pub(crate) fn be(arguments: &[String]) -> ExitCode {
    harbor_pilot::process::main(arguments.iter().map(OsString::from).collect())
}

impl Program {
    fn command(&self, name: Name, folder: &Path) -> Command {
        match self {
            Self::Binary(path) => {
                // The image has its second name as a link, too.
                let link = folder.join(name.word());
                std::os::unix::fs::symlink(path, &link).expect("the folder is new");
                Command::new(link)
            }
            Self::Itself(path) => {
                let mut command = Command::new(path);
                command.args(["process", CHILD, name.word()]);
                command
            }
        }
    }
}

/// What a process is started with.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) name: Name,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: BTreeMap<String, String>,
    /// Where it works, and where what it says is kept.
    pub(crate) folder: PathBuf,
}

/// A process under way.
pub(crate) struct Process {
    child: Child,
    since: Instant,
    folder: PathBuf,
}

/// How a process ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Nothing where it had to be ended, because it did not end by itself in time.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) took: Duration,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Process {
    pub(crate) fn start(program: &Program, start: Start) -> Self {
        // Files, so that nobody has to read along while it runs.
        let file = |name: &str| File::create(start.folder.join(name)).expect("the folder is ours");
        let mut command = program.command(start.name, &start.folder);
        command
            .args(&start.arguments)
            .env_clear()
            .envs(&start.variables)
            .current_dir(&start.folder)
            .stdin(Stdio::null())
            .stdout(file(OUT))
            .stderr(file(ERR))
            .kill_on_drop(true);
        let child = command.spawn().expect("the program can be started");
        Self {
            child,
            since: Instant::now(),
            folder: start.folder,
        }
    }

    /// Waits until it has ended by itself, or ends it after `patience`.
    pub(crate) async fn ended(&mut self, patience: Duration) -> Ended {
        let status = match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(status) => Some(status.expect("a child of ours can be waited for")),
            Err(_late) => {
                self.child
                    .kill()
                    .await
                    .expect("a child of ours can be killed");
                None
            }
        };
        let read = |name: &str| {
            let bytes = fs::read(self.folder.join(name)).expect("written above");
            String::from_utf8_lossy(&bytes).into_owned()
        };
        Ended {
            status,
            took: self.since.elapsed(),
            out: read(OUT),
            err: read(ERR),
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // One that has ended and is not waited for yet takes a signal as well.
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        let id = id
            .and_then(Pid::from_raw)
            .expect("it is not waited for yet");
        kill_process(id, signal).expect("a child of ours takes signals");
    }
}

const OUT: &str = "stdout";
const ERR: &str = "stderr";
