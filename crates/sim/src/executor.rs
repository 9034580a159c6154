//! Jobs as real processes.
//!
//! A process runs in no simulated time, in a directory of its own that holds the files of its commit, with exactly the
//! environment that the spec gives it plus `PATH` and `HOME`. Nothing is sandboxed: a world file is trusted code.

use crate::knobs::RunCommand;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// How long a process may take in real time: ten times the slowest demo step, and below any test's patience.
const LIMIT: Duration = Duration::from_secs(60);

/// How much output is kept.
const OUTPUT_LIMIT_BYTES: u64 = 16 * 1024 * 1024;

/// A job about to start.
#[derive(Clone, Debug)]
pub struct JobStart {
    /// The app it belongs to.
    pub app_id: String,
    /// The deployment it runs in.
    pub deployment_id: String,
    /// The component's name.
    pub component: String,
    /// The `run_command` of the spec; empty where it has none.
    pub run_command: String,
    /// Whether a shell starts it.
    pub started_by: RunCommand,
    /// The environment, bindings resolved and secrets decrypted.
    pub env: BTreeMap<String, String>,
    /// The files of its commit, by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Directories to put on `PATH`.
    pub tools: Vec<PathBuf>,
    /// The simulated time, which `date` tells inside.
    pub now: Timestamp,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobExit {
    /// By itself, with this code.
    Code(i32),
    /// By a signal, or at the time limit.
    Killed,
    /// It never began: the command could not be executed.
    NotExecutable,
}

/// What a process left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobEnd {
    /// How it ended.
    pub exit: JobExit,
    /// Standard output and standard error, as they came.
    pub output: String,
    /// How long it took in simulated seconds, where that is known better than by the app's timing.
    pub seconds: Option<u64>,
}

/// Whatever carries out a job.
pub trait Execute: Send {
    /// Carries out one job, to its end.
    fn execute(&mut self, job: &JobStart) -> JobEnd;
}

impl<F: FnMut(&JobStart) -> JobEnd + Send> Execute for F {
    fn execute(&mut self, job: &JobStart) -> JobEnd {
        self(job)
    }
}

/// Carries jobs out as child processes. The call blocks its thread for at most a minute.
///
/// The world stands still meanwhile: a job that calls the world's own address waits for itself until it is killed.
#[derive(Clone, Copy, Debug)]
pub struct Processes {
    limit: Duration,
}

impl Default for Processes {
    fn default() -> Self {
        Self { limit: LIMIT }
    }
}

impl Execute for Processes {
    fn execute(&mut self, job: &JobStart) -> JobEnd {
        run(job, self.limit).unwrap_or_else(|error| JobEnd {
            exit: JobExit::NotExecutable,
            output: format!("ERROR component could not be started: {error}\n"),
            seconds: None,
        })
    }
}

fn run(job: &JobStart, limit: Duration) -> io::Result<JobEnd> {
    let (program, arguments) = match job.started_by {
        RunCommand::Shell => (
            "/bin/sh".to_owned(),
            vec!["-c".to_owned(), job.run_command.clone()],
        ),
        RunCommand::Argv => {
            let mut words = shlex::split(&job.run_command)
                .ok_or_else(|| io::Error::other("run_command has an unclosed quote"))?
                .into_iter();
            match words.next() {
                Some(program) => (program, words.collect()),
                // A component without a command runs what its image says, of which nothing is known here.
                None => {
                    return Ok(JobEnd {
                        exit: JobExit::Code(0),
                        output: String::new(),
                        seconds: None,
                    });
                }
            }
        }
    };
    let scratch = tempfile::tempdir()?;
    let home = scratch.path().join("app");
    write_files(&home, &job.files)?;
    let shims = scratch.path().join("shims");
    write_date(&shims, job.now)?;
    let (reader, writer) = io::pipe()?;
    let path = search_path(&shims, &job.tools);
    let program = find(&program, &path, &home);
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(&job.env)
        .env("PATH", path)
        .env("HOME", &home)
        .current_dir(&home)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let child = command.spawn()?;
    // The command holds our ends of the pipe, which would keep it from ever ending.
    drop(command);
    let (status, output) = watch(child, reader, limit)?;
    let exit = status.code().map_or(JobExit::Killed, JobExit::Code);
    tracing::debug!(
        job.component,
        ?exit,
        signal = status.signal(),
        "job process ended"
    );
    Ok(JobEnd {
        exit,
        output: String::from_utf8_lossy(&output).into_owned(),
        seconds: None,
    })
}

/// Waits for the process and its output, and kills its whole group at the limit.
fn watch(
    mut child: std::process::Child,
    reader: io::PipeReader,
    limit: Duration,
) -> io::Result<(ExitStatus, Vec<u8>)> {
    let group = child.id();
    let (over, status) = mpsc::channel();
    let (read, output) = mpsc::channel();
    // The threads end with the process: the receivers below wait for both.
    std::thread::spawn(move || over.send(child.wait()));
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let outcome = reader.take(OUTPUT_LIMIT_BYTES).read_to_end(&mut bytes);
        read.send(outcome.map(|_| bytes))
    });
    let gone = || io::Error::other("the watching thread ended early");
    let status = match status.recv_timeout(limit) {
        Ok(status) => status?,
        Err(RecvTimeoutError::Timeout) => {
            kill(group)?;
            status.recv().map_err(|_closed| gone())??
        }
        Err(RecvTimeoutError::Disconnected) => return Err(gone()),
    };
    // A process left in the background holds the pipe open; it goes down with its group.
    let output = match output.recv_timeout(Duration::from_millis(300)) {
        Ok(output) => output?,
        Err(RecvTimeoutError::Timeout) => {
            kill(group)?;
            output.recv().map_err(|_closed| gone())??
        }
        Err(RecvTimeoutError::Disconnected) => return Err(gone()),
    };
    Ok((status, output))
}

/// Kills a process group by the shell's own `kill`, for the standard library has no safe call that does.
fn kill(group: u32) -> io::Result<()> {
    Command::new("/bin/sh")
        .args(["-c", &format!("kill -KILL -{group}")])
        .stderr(Stdio::null())
        .status()
        .map(drop)
}

fn search_path(shims: &Path, tools: &[PathBuf]) -> std::ffi::OsString {
    let mut path = shims.as_os_str().to_owned();
    for tool in tools
        .iter()
        .map(PathBuf::as_path)
        .chain(["/usr/local/bin", "/usr/bin", "/bin"].map(Path::new))
    {
        path.push(":");
        path.push(tool);
    }
    path
}

/// Finds a program as the process would: our own `PATH` is not the job's.
fn find(program: &str, path: &std::ffi::OsStr, home: &Path) -> PathBuf {
    if program.contains('/') {
        return home.join(program);
    }
    std::env::split_paths(path)
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| PathBuf::from("/nonexistent").join(program))
}

fn write_files(home: &Path, files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    std::fs::create_dir_all(home)?;
    for (name, bytes) in files {
        let inside = Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !inside {
            return Err(io::Error::other(format!(
                "the tree holds a path outside itself: `{name}`"
            )));
        }
        let path = home.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, bytes)?;
        // Trees carry no modes here; a script says by its first line that it wants to be run.
        if bytes.starts_with(b"#!") {
            make_executable(&path)?;
        }
    }
    Ok(())
}

/// Writes a `date` that tells the simulated time: `+%s` by itself, everything else through the real one.
fn write_date(shims: &Path, now: Timestamp) -> io::Result<()> {
    std::fs::create_dir_all(shims)?;
    let now = now.as_second();
    let script = format!(
        "#!/bin/sh\nfor word in \"$@\"; do\n  if [ \"$word\" = +%s ]; then echo {now}; exit 0; fi\ndone\n\
         PATH=/usr/local/bin:/usr/bin:/bin\ndate -d @{now} \"$@\" 2>/dev/null || exec date -r {now} \"$@\"\n"
    );
    let path = shims.join("date");
    std::fs::write(&path, script)?;
    make_executable(&path)
}

fn make_executable(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(run_command: &str, started_by: RunCommand) -> JobStart {
        JobStart {
            app_id: String::new(),
            deployment_id: String::new(),
            component: "once".to_owned(),
            run_command: run_command.to_owned(),
            started_by,
            env: BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]),
            files: BTreeMap::from([(
                "bin/say".to_owned(),
                b"#!/bin/sh\necho \"$GREETING $*\"\n".to_vec(),
            )]),
            tools: Vec::new(),
            now: "2026-02-18T00:37:02Z".parse().unwrap(),
        }
    }

    fn outcome(run_command: &str, started_by: RunCommand) -> (JobExit, String) {
        let end = Processes::default().execute(&job(run_command, started_by));
        (end.exit, end.output)
    }

    #[test]
    fn without_a_shell_the_second_command_is_an_argument_of_the_first() {
        let both = "bin/say a && bin/say b";
        assert_eq!(
            outcome(both, RunCommand::Argv),
            (JobExit::Code(0), "hello a && bin/say b\n".to_owned())
        );
        assert_eq!(
            outcome(both, RunCommand::Shell),
            (JobExit::Code(0), "hello a\nhello b\n".to_owned())
        );
    }

    #[test]
    fn both_streams_and_the_exit_code_are_kept() {
        let (exit, output) = outcome("sh -c 'echo out; echo err >&2; exit 3'", RunCommand::Argv);
        assert_eq!((exit, output.as_str()), (JobExit::Code(3), "out\nerr\n"));
        assert_eq!(
            outcome("no-such-program", RunCommand::Argv).0,
            JobExit::NotExecutable
        );
        assert_eq!(
            outcome("kill -TERM $$", RunCommand::Shell).0,
            JobExit::Killed
        );
    }

    #[test]
    fn the_date_inside_is_the_simulated_one() {
        let (_, output) = outcome(
            "date +%s; date -u +%s; date -u +%Y-%m-%dT%H:%M:%SZ",
            RunCommand::Shell,
        );
        assert_eq!(output, "1771375022\n1771375022\n2026-02-18T00:37:02Z\n");
    }

    #[test]
    fn nothing_of_our_own_environment_gets_in() {
        let (_, output) = outcome(
            "env | cut -d= -f1 | grep -v -e '^_$' -e PWD -e SHLVL -e OLDPWD | sort",
            RunCommand::Shell,
        );
        assert_eq!(output, "GREETING\nHOME\nPATH\n");
    }

    #[test]
    fn a_hung_process_and_its_children_are_killed_at_the_limit() {
        let mut short = Processes {
            limit: Duration::from_millis(200),
        };
        let end = short.execute(&job(
            "echo begun; sleep 1000 & sleep 1000",
            RunCommand::Shell,
        ));
        assert_eq!(
            end,
            JobEnd {
                exit: JobExit::Killed,
                output: "begun\n".to_owned(),
                seconds: None,
            }
        );
    }

    #[test]
    fn a_process_left_behind_does_not_hold_the_job_open() {
        let (exit, output) = outcome("sleep 1000 & echo done", RunCommand::Shell);
        assert_eq!((exit, output.as_str()), (JobExit::Code(0), "done\n"));
    }
}
