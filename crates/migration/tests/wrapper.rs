//! The wrapper as the platform runs it: real shells, real processes, a log that is read back.
//!
//! Every test runs under each of `sh`, `dash`, `bash` and busybox `ash` that is found, and which these are is printed;
//! `scripts/install-ci-tools` installs what is missing. A `date` that is first in the job's PATH gives it its clock.
#![cfg(test)]

use app_spec::{CommitSha, ComponentName};
use migration::{
    Authority, Conclusion, Disarmed, Epoch, Evidence, EvidenceReader, Key, LogLines, MigrationId,
    Nonce, OnFailure, RECORD_VERSION, RUN_COMMAND, RunMode, RunRecord, Script, Step, StepName,
    StepRef, Wrapped, is_mark, wrap,
};
use proptest::prelude::*;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use tempfile::TempDir;

const NOW: i64 = 1_771_376_400;
const NOT_AFTER: i64 = 1_771_380_000;
const PLANNED: &str = "0123456789abcdef0123456789abcdef01234567";
const OTHER: &str = "ffffffffffffffffffffffffffffffffffffffff";

/// A `date` that knows only the time that the tests live in.
const CLOCK: &str = "[ \"$1\" = +%s ] && echo 1771376400";

// ---------------------------------------------------------------- shells

/// A shell under test, as the only `sh` of its world.
struct Shell {
    name: &'static str,
    bin: TempDir,
}

impl Shell {
    fn new(name: &'static str, program: &Path) -> Self {
        let bin = tempfile::tempdir().unwrap();
        symlink(program, bin.path().join("sh")).unwrap();
        let shell = Self { name, bin };
        shell.clock(CLOCK);
        shell
    }

    /// Puts `body` where the job looks for `date`.
    fn clock(&self, body: &str) {
        let path = self.bin.path().join("date");
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn minds_its_path(&self) -> bool {
        let argv = ["sh", "-c", "date +%s"].map(str::to_owned);
        self.command(&argv).output().unwrap().stdout == format!("{NOW}\n").into_bytes()
    }

    fn path(&self) -> String {
        format!("{}:/usr/local/bin:/usr/bin:/bin", self.bin.path().display())
    }

    /// A command with nothing in its environment but PATH; `argv` is run without a shell.
    fn command(&self, argv: &[String]) -> Command {
        let (program, rest) = argv.split_first().unwrap();
        assert_eq!(program, "sh");
        let mut command = Command::new(self.bin.path().join("sh"));
        command
            .args(rest)
            .env_clear()
            .env("PATH", self.path())
            .current_dir(self.bin.path());
        command
    }
}

fn find(name: &str) -> Option<PathBuf> {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$1\"", "sh", name])
        .output()
        .unwrap();
    let path = String::from_utf8(found.stdout).unwrap();
    found
        .status
        .success()
        .then(|| PathBuf::from(path.trim()).canonicalize().unwrap())
}

/// The shells that are here, each once, by name.
///
/// What is here and what is missing is said past the test runner, which shows nothing of a test that passes: a shell
/// that was not there must not look like one that passed.
static SHELLS: LazyLock<Vec<(&'static str, PathBuf)>> = LazyLock::new(|| {
    let mut here: Vec<(&'static str, PathBuf)> = Vec::new();
    let mut said = String::new();
    for (name, program) in [
        ("dash", "dash"),
        ("bash", "bash"),
        ("busybox ash", "busybox"),
        ("sh", "sh"),
    ] {
        let what = match find(program) {
            None => "NOT HERE, so not tested".to_owned(),
            Some(path) => {
                let shown = path.display().to_string();
                if here.iter().any(|(_, known)| *known == path) {
                    format!("{shown} again")
                } else if Shell::new(name, &path).minds_its_path() {
                    here.push((name, path));
                    shown
                } else {
                    // A busybox that was built to stand alone.
                    format!(
                        "{shown} prefers a `date` of its own and can't be given a clock, so NOT TESTED"
                    )
                }
            }
        };
        said.push_str(&format!("the wrapper under {name}: {what}\n"));
    }
    std::io::stderr().write_all(said.as_bytes()).unwrap();
    here
});

/// Calls `each` for every shell that is here.
fn under_every_shell(each: impl Fn(&Shell)) {
    assert!(!SHELLS.is_empty(), "there is no `sh`");
    for (name, path) in SHELLS.iter() {
        println!("{name}");
        each(&Shell::new(name, path));
    }
}

// ---------------------------------------------------------------- jobs

/// A job as a test tells it.
struct Job {
    steps: Vec<Step>,
    mode: RunMode,
    on_failure: OnFailure,
    needed: Vec<String>,
    planned: Option<CommitSha>,
    /// What the platform made of the environment: added last, and over what the wrapper gave.
    env: Vec<(&'static str, String)>,
}

impl Job {
    fn of(commands: &[&str]) -> Self {
        let names = ["columns", "backfill", "index"];
        let steps = names.iter().zip(commands).map(|(name, run)| Step {
            name: StepName::parse(name).unwrap(),
            run: (*run).to_owned(),
            check: None,
        });
        Self {
            steps: steps.collect(),
            mode: RunMode::Steps,
            on_failure: OnFailure::Fail,
            needed: Vec::new(),
            planned: None,
            env: Vec::new(),
        }
    }

    fn check(mut self, step: usize, command: &str) -> Self {
        self.steps[step].check = Some(command.to_owned());
        self
    }

    fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    fn needs(mut self, name: &str) -> Self {
        self.needed.push(name.to_owned());
        self
    }

    fn contained(mut self) -> Self {
        self.on_failure = OnFailure::Contain;
        self
    }

    fn checks_only(mut self) -> Self {
        self.mode = RunMode::ChecksOnly;
        self
    }

    /// Plans for [`PLANNED`], and has the platform resolve the two bindings to these.
    fn built_from(mut self, own: &str, reference: &str) -> Self {
        self.planned = Some(CommitSha::parse(PLANNED).unwrap());
        self.env("HARBOR_PILOT_COMMIT", own)
            .env("HARBOR_PILOT_REFERENCE_COMMIT", reference)
    }

    fn expected(&self) -> Vec<StepRef> {
        self.steps.iter().map(Step::reference).collect()
    }

    fn record(&self) -> RunRecord {
        RunRecord {
            version: RECORD_VERSION,
            key: Key::parse("k3f9q2x7").unwrap(),
            epoch: Epoch(0),
            nonce: nonce(),
            migration: MigrationId::parse("ter-235").unwrap(),
            steps: self.expected(),
            mode: self.mode,
            authority: Authority::Merge(PLANNED.to_owned()),
            pr: Some(428),
            sha: Some(PLANNED.to_owned()),
            repository: Some("vivatsit/terp".to_owned()),
            not_after: NOT_AFTER,
        }
    }

    fn wrapped(&self) -> Wrapped {
        let reference = ComponentName::parse("web").unwrap();
        wrap(&Script {
            record: &self.record(),
            steps: &self.steps,
            mode: self.mode,
            on_failure: self.on_failure,
            needed: &self.needed,
            not_after: NOT_AFTER,
            planned_commit: self.planned.as_ref(),
            reference: Some(&reference),
        })
    }

    /// The command that the platform starts, with `argv` as it split the run command.
    fn command(&self, shell: &Shell, argv: &[String]) -> Command {
        let mut command = shell.command(argv);
        command
            .envs(self.wrapped().env)
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn run(&self, shell: &Shell) -> Ran {
        self.run_as(shell, &shlex::split(RUN_COMMAND).unwrap())
    }

    /// Runs it to its end. The log goes to a file, for a command that outlives the job would hold a pipe open.
    fn run_as(&self, shell: &Shell, argv: &[String]) -> Ran {
        let path = shell.bin.path().join("log");
        let log = File::create(&path).unwrap();
        let mut command = self.command(shell, argv);
        command
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let mut child = command.spawn().unwrap();
        // Something to steal for a command that reads its input; the job may be gone before it could be written.
        let stdin = child.stdin.as_mut().unwrap();
        if let Err(error) = stdin.write_all(b"the platform's own input\n") {
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        }
        let status = child.wait().unwrap();
        Ran::new(self, shell, status, &fs::read(&path).unwrap())
    }
}

fn nonce() -> Nonce {
    Nonce::from_bytes([0xab; 16])
}

/// What came of a job.
struct Ran {
    shell: &'static str,
    code: i32,
    log: Vec<u8>,
    evidence: Evidence,
    conclusion: Conclusion,
}

impl Ran {
    fn new(job: &Job, shell: &Shell, status: ExitStatus, log: &[u8]) -> Self {
        let mut lines = LogLines::new();
        let mut reader = EvidenceReader::new(&nonce());
        lines.push(log, |line| reader.line(line));
        lines.finish(|line| reader.line(line));
        let evidence = reader.finish();
        Self {
            shell: shell.name,
            code: status.code().unwrap_or(-1),
            log: log.to_vec(),
            conclusion: evidence.conclusion(&job.expected(), job.mode),
            evidence,
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.log).into_owned()
    }

    /// What the commands printed, without marks and blank lines.
    fn output(&self) -> String {
        let text = self.text();
        let lines: Vec<_> = text
            .lines()
            .filter(|line| !line.is_empty() && !is_mark(line, &nonce()))
            .collect();
        lines.join("\n")
    }

    #[track_caller]
    fn ended(self, code: i32, conclusion: &Conclusion) -> Self {
        let seen = (self.code, &self.conclusion);
        assert_eq!(
            seen,
            (code, conclusion),
            "under {}, of:\n{}",
            self.shell,
            self.text()
        );
        self
    }

    #[track_caller]
    fn printed(self, output: &str) -> Self {
        assert_eq!(self.output(), output, "under {}", self.shell);
        self
    }
}

fn failed(step: &str, code: i32, check: bool) -> Conclusion {
    let step = StepName::parse(step).unwrap();
    Conclusion::Failed { step, code, check }
}

// ---------------------------------------------------------------- the ordinary ways

#[test]
fn log_of_two_steps_reads_like_this() {
    under_every_shell(|shell| {
        let job = Job::of(&["echo adding; printf 'no line end'", "echo filling"])
            .check(1, "echo looking");
        let ran = job
            .built_from("${_self.COMMIT_HASH}", PLANNED)
            .run(shell)
            .ended(0, &Conclusion::Done);
        insta::allow_duplicates!(insta::assert_snapshot!(ran.text().trim_start(), @"
        harbor-pilot/1 abababababababababababababababab begin key=k3f9q2x7 epoch=0 steps=2 checks=1 commit=0123456789abcdef0123456789abcdef01234567 at=1771376400
        harbor-pilot/1 abababababababababababababababab check-started index=2 name=backfill at=1771376400
        looking

        harbor-pilot/1 abababababababababababababababab check-ended index=2 name=backfill code=0 at=1771376400
        harbor-pilot/1 abababababababababababababababab step-started index=1 name=columns at=1771376400
        adding
        no line end
        harbor-pilot/1 abababababababababababababababab step-ended index=1 name=columns code=0 at=1771376400
        harbor-pilot/1 abababababababababababababababab step-started index=2 name=backfill at=1771376400
        filling

        harbor-pilot/1 abababababababababababababababab step-ended index=2 name=backfill code=0 at=1771376400
        harbor-pilot/1 abababababababababababababababab done code=0 ran=2/2 checks=1/1 at=1771376400
        "));
    });
}

#[test]
fn later_step_is_not_run_after_a_failure() {
    under_every_shell(|shell| {
        let job = Job::of(&["echo one", "echo two; exit 7", "echo three"]);
        job.run(shell)
            .ended(7, &failed("backfill", 7, false))
            .printed("one\ntwo");
    });
}

#[test]
fn all_of_a_compound_command_runs_and_its_code_counts() {
    under_every_shell(|shell| {
        Job::of(&["echo a && echo b; echo c"])
            .run(shell)
            .ended(0, &Conclusion::Done)
            .printed("a\nb\nc");
        Job::of(&["echo a && false && echo b"])
            .run(shell)
            .ended(1, &failed("columns", 1, false))
            .printed("a");
        Job::of(&["false; echo after"])
            .run(shell)
            .ended(1, &failed("columns", 1, false))
            .printed("");
    });
}

#[test]
fn failing_check_keeps_every_step_from_running() {
    under_every_shell(|shell| {
        let job = Job::of(&["echo one", "echo two"])
            .check(0, "echo looked")
            .check(1, "echo no; exit 3");
        let ran = job
            .run(shell)
            .ended(3, &failed("backfill", 3, true))
            .printed("looked\nno");
        assert!(ran.evidence.steps.is_empty());
    });
}

#[test]
fn checks_alone_run_no_step() {
    under_every_shell(|shell| {
        let job = Job::of(&["echo one", "echo two"])
            .check(1, "echo looked")
            .checks_only();
        job.run(shell).ended(0, &Conclusion::Done).printed("looked");
        let job = Job::of(&["echo one"])
            .check(0, "exit 5")
            .checks_only()
            .contained();
        job.run(shell).ended(0, &failed("columns", 5, true));
    });
}

#[test]
fn contained_failure_exits_with_0_and_its_marks_tell_the_truth() {
    under_every_shell(|shell| {
        let job = Job::of(&["exit 7", "echo two"]).contained();
        job.run(shell)
            .ended(0, &failed("columns", 7, false))
            .printed("");
    });
}

#[test]
fn command_that_is_not_there_fails_with_127() {
    under_every_shell(|shell| {
        let ran = Job::of(&["no-such-program-here"])
            .run(shell)
            .ended(127, &failed("columns", 127, false));
        assert!(
            ran.output().contains("no-such-program-here"),
            "{}",
            ran.output()
        );
    });
}

#[test]
fn command_that_kills_itself_fails_as_shells_say() {
    under_every_shell(|shell| {
        Job::of(&["kill -KILL $$"])
            .run(shell)
            .ended(137, &failed("columns", 137, false));
    });
}

#[test]
fn command_knows_what_it_belongs_to_and_not_how_it_is_wrapped() {
    under_every_shell(|shell| {
        let told = "echo $MIGRATION_ID $MIGRATION_STEP $MIGRATION_PR $MIGRATION_SHA";
        let job =
            Job::of(&[told, "env; set; env | grep -c HARBOR_PILOT"]).built_from(PLANNED, PLANNED);
        let ran = job
            .env("DATABASE_URL", "mysql://db")
            .run(shell)
            .ended(1, &failed("backfill", 1, false));
        let output = ran.output();
        assert!(
            output.starts_with(&format!("ter-235 columns 428 {PLANNED}\n")),
            "{output}"
        );
        assert!(output.contains("DATABASE_URL=mysql://db\n"), "{output}");
        assert!(
            !output.contains("HARBOR_PILOT_SCRIPT") && !output.contains(nonce().as_str()),
            "{output}"
        );
    });
}

// ---------------------------------------------------------------- a job left behind

#[test]
fn job_past_its_lease_runs_nothing() {
    under_every_shell(|shell| {
        let job = Job::of(&["echo ran"])
            .check(0, "echo looked")
            .needs("MISSING");
        let late = |at: i64| {
            shell.clock(&format!("echo {at}"));
            job.run(shell)
        };
        late(NOT_AFTER + 1)
            .ended(0, &Conclusion::Disarmed(Disarmed::Lease))
            .printed("");
        late(NOT_AFTER * 1_000)
            .ended(0, &Conclusion::Disarmed(Disarmed::Lease))
            .printed("");
        let variable = "MISSING".to_owned();
        late(NOT_AFTER).ended(78, &Conclusion::Refused { variable });
    });
}

#[test]
fn job_without_a_usable_clock_runs_nothing() {
    under_every_shell(|shell| {
        let absurd = format!("echo {}", "9".repeat(30));
        let unusable = [
            "exit 127",
            "exit 0",
            "echo +%s",
            "echo %s",
            "echo '12 34'",
            "echo -5",
            "echo 1; exit 1",
            &absurd,
        ];
        for clock in unusable {
            shell.clock(clock);
            Job::of(&["echo ran"])
                .run(shell)
                .ended(0, &Conclusion::Disarmed(Disarmed::NoClock))
                .printed("");
        }
    });
}

#[test]
fn job_with_an_unusable_lease_runs_nothing() {
    under_every_shell(|shell| {
        for lease in [
            "",
            "tomorrow",
            "1771380000x",
            "-1",
            "1 -o 1",
            &"9".repeat(30),
        ] {
            let job = Job::of(&["echo ran"]).env("HARBOR_PILOT_NOT_AFTER", lease);
            job.run(shell)
                .ended(0, &Conclusion::Disarmed(Disarmed::Lease))
                .printed("");
        }
    });
}

#[test]
fn job_built_from_another_commit_runs_nothing() {
    let built = || {
        Conclusion::Disarmed(Disarmed::Commit {
            built: OTHER.to_owned(),
        })
    };
    under_every_shell(|shell| {
        for (own, reference) in [
            (OTHER, PLANNED),
            (OTHER, ""),
            ("", OTHER),
            ("${_self.COMMIT_HASH}", OTHER),
        ] {
            let job = Job::of(&["echo ran"])
                .check(0, "echo looked")
                .built_from(own, reference);
            job.run(shell).ended(0, &built()).printed("");
        }
    });
}

#[test]
fn job_built_from_the_planned_commit_runs() {
    under_every_shell(|shell| {
        for (own, reference) in [
            (PLANNED, OTHER),
            (PLANNED, ""),
            ("", PLANNED),
            ("${_self.COMMIT_HASH}", PLANNED),
        ] {
            let ran = Job::of(&["true"])
                .built_from(own, reference)
                .run(shell)
                .ended(0, &Conclusion::Done);
            assert_eq!(ran.evidence.commit.as_deref(), Some(PLANNED));
        }
    });
}

#[test]
fn where_no_binding_resolves_the_lease_alone_guards_and_the_mark_says_so() {
    under_every_shell(|shell| {
        let short = &PLANNED[..39];
        let nearly = format!("{short}g");
        for (own, reference) in [
            ("${_self.COMMIT_HASH}", "${web.COMMIT_HASH}"),
            ("", ""),
            (short, &nearly),
        ] {
            let job = Job::of(&["true"]).built_from(own, reference);
            let ran = job.run(shell).ended(0, &Conclusion::Done);
            assert_eq!(ran.evidence.commit, None);
        }
        shell.clock(&format!("echo {}", NOT_AFTER + 1));
        let job = Job::of(&["echo ran"]).built_from("", "");
        job.run(shell)
            .ended(0, &Conclusion::Disarmed(Disarmed::Lease))
            .printed("");
    });
}

#[test]
fn missing_or_encrypted_variable_refuses_before_any_command() {
    let refused = || Conclusion::Refused {
        variable: "DATABASE_URL".to_owned(),
    };
    under_every_shell(|shell| {
        let job = || {
            let job = Job::of(&["echo ran"]).check(0, "echo looked");
            job.env("JWT_SECRET", "s")
                .needs("JWT_SECRET")
                .needs("DATABASE_URL")
        };
        job().run(shell).ended(78, &refused()).printed("");
        job()
            .env("DATABASE_URL", "")
            .run(shell)
            .ended(78, &refused())
            .printed("");
        job()
            .env("DATABASE_URL", "EV[1:abc:def]")
            .run(shell)
            .ended(78, &refused())
            .printed("");
        job()
            .contained()
            .run(shell)
            .ended(0, &refused())
            .printed("");
        let hostile = "$(echo oops) `echo oops` \"'\\ EV[";
        let ran = job()
            .env("DATABASE_URL", hostile)
            .run(shell)
            .ended(0, &Conclusion::Done);
        ran.printed("looked\nran");
    });
}

// ---------------------------------------------------------------- TERM

/// Runs the job until it prints `ready`, sends TERM to the process that the platform started, and reads to the end.
fn terminated(job: &Job, shell: &Shell) -> Ran {
    terminated_after(job, shell, |log| log.ends_with(b"ready\n"))
}

/// Does so as soon as the log so far is `enough`.
fn terminated_after(job: &Job, shell: &Shell, enough: impl Fn(&[u8]) -> bool) -> Ran {
    let mut command = job.command(shell, &shlex::split(RUN_COMMAND).unwrap());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut log = Vec::new();
    while !enough(&log) {
        let read = stdout.read_until(b'\n', &mut log).unwrap();
        assert_ne!(
            read,
            0,
            "it ended before it was ready:\n{}",
            String::from_utf8_lossy(&log)
        );
    }
    kill(&child);
    stdout.read_to_end(&mut log).unwrap();
    let status = child.wait().unwrap();
    Ran::new(job, shell, status, &log)
}

fn kill(child: &Child) {
    let sent = Command::new("sh")
        .args(["-c", "kill -s TERM \"$1\"", "sh", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Ends by itself after ten seconds, so that a TERM that is not passed on fails the test and does not hang it.
const WAITING: &str = "n=0; while [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done";

#[test]
fn term_reaches_the_command_and_stands_in_the_log() {
    under_every_shell(|shell| {
        let command = format!("trap 'echo told; exit 9' TERM; echo ready; {WAITING}; echo never");
        let job = Job::of(&[&command, "echo later"]);
        let ran = terminated(&job, shell)
            .ended(143, &Conclusion::Cut { during: None })
            .printed("ready\ntold");
        assert!(ran.evidence.terminated && !ran.evidence.contradictory);
        assert_eq!(ran.evidence.steps[0].code, Some(9));
        assert_eq!(ran.evidence.steps.len(), 1);
        let text = ran.text();
        assert!(
            text.find(" term at=").unwrap() < text.find(" step-ended ").unwrap(),
            "{text}"
        );
    });
}

/// A shell that waits for a program dies of a TERM and leaves the program running.
#[test]
fn term_reaches_what_the_command_waits_for() {
    under_every_shell(|shell| {
        let inner =
            format!("sh -c 'trap \"echo told; exit 0\" TERM; echo ready; {WAITING}; echo never'");
        let command = format!(
            "cd . && (sh -c \"true; {}; true\" && echo never) && echo never",
            inner.replace('"', "\\\"").replace('$', "\\$")
        );
        let ran = terminated(&Job::of(&[&command]).contained(), shell);
        let ran = ran
            .ended(143, &Conclusion::Cut { during: None })
            .printed("ready\ntold");
        assert_eq!(ran.evidence.steps[0].code, Some(143));
    });
}

#[test]
fn command_that_ends_well_in_spite_of_term_is_recorded_and_nothing_follows() {
    under_every_shell(|shell| {
        let job = Job::of(&[
            "trap '' TERM; echo ready; sleep 0.5; echo finished",
            "echo later",
        ]);
        let ran = terminated(&job, shell)
            .ended(143, &Conclusion::Cut { during: None })
            .printed("ready\nfinished");
        assert_eq!(ran.evidence.steps[0].code, Some(0));
    });
}

#[test]
fn term_in_a_check_keeps_every_step_from_running() {
    under_every_shell(|shell| {
        let job = Job::of(&["echo ran"]).check(0, &format!("echo ready; {WAITING}"));
        terminated(&job, shell)
            .ended(143, &Conclusion::Cut { during: None })
            .printed("ready");
    });
}

/// Between two commands, while one starts, while a mark is written: what is said is what happened.
#[test]
fn term_at_any_moment_gives_a_truthful_log() {
    let job = Job::of(&["true", "true", "true"]).check(1, "true");
    under_every_shell(|shell| {
        let whole = job
            .run(shell)
            .ended(0, &Conclusion::Done)
            .text()
            .lines()
            .count();
        for lines in 2..=whole {
            let ran = terminated_after(&job, shell, |log| {
                log.iter().filter(|byte| **byte == b'\n').count() >= lines
            });
            assert!(
                !ran.evidence.contradictory,
                "under {}, of:\n{}",
                shell.name,
                ran.text()
            );
            if ran.conclusion == Conclusion::Done {
                assert_eq!(ran.code, 0, "under {}, of:\n{}", shell.name, ran.text());
            } else {
                ran.ended(143, &Conclusion::Cut { during: None });
            }
        }
    });
}

// ---------------------------------------------------------------- hostile output

#[test]
fn mark_begins_on_a_fresh_line_whatever_was_printed() {
    under_every_shell(|shell| {
        let job = Job::of(&[
            "printf 'no line end'",
            "printf '\\0\\1\\377\\376\\r\\033[2J\\n\\n\\200'",
            "printf 'nor here' >&2",
        ]);
        let ran = job.run(shell).ended(0, &Conclusion::Done);
        let marks = ran
            .log
            .split(|byte| *byte == b'\n')
            .filter(|line| line.starts_with(b"harbor-pilot/1 "))
            .count();
        assert_eq!(marks, 8, "{}", ran.text());
        assert!(
            ran.log
                .windows(6)
                .any(|bytes| bytes == b"\0\x01\xff\xfe\r\x1b"),
            "{}",
            ran.text()
        );
    });
}

#[test]
fn binary_output_passes_through_byte_for_byte() {
    // Every byte beside every other, and no line end at the end.
    let bytes: Vec<u8> = (0..=u8::MAX)
        .flat_map(|one| (0..=u8::MAX).flat_map(move |other| [one, other]))
        .collect();
    under_every_shell(|shell| {
        fs::write(shell.bin.path().join("blob"), &bytes).unwrap();
        for command in ["cat blob", "cat blob >&2"] {
            let ran = Job::of(&[command]).run(shell).ended(0, &Conclusion::Done);
            assert!(between(&ran) == bytes, "under {}: {command}", shell.name);
        }
    });
}

#[test]
fn command_reads_an_empty_input() {
    under_every_shell(|shell| {
        Job::of(&["cat", "echo two"])
            .run(shell)
            .ended(0, &Conclusion::Done)
            .printed("two");
    });
}

#[test]
fn command_that_closes_its_output_does_not_silence_the_marks() {
    under_every_shell(|shell| {
        let job = Job::of(&["exec >&- 2>&-", "exec 3>&1; echo three >&3"]);
        job.run(shell).ended(0, &Conclusion::Done).printed("three");
    });
}

#[test]
fn descriptor_of_the_marks_is_not_open_for_commands() {
    under_every_shell(|shell| {
        let ran = Job::of(&["(echo stray >&3) 2>/dev/null || echo closed"]).run(shell);
        ran.ended(0, &Conclusion::Done).printed("closed");
    });
}

#[test]
fn job_does_not_wait_for_what_a_command_leaves_behind() {
    under_every_shell(|shell| {
        let job = Job::of(&["(sleep 5; echo late) & echo left it", "echo two"]);
        job.run(shell)
            .ended(0, &Conclusion::Done)
            .printed("left it\ntwo");
    });
}

/// It may print in the middle of anything; a mark is one write, and is found wherever in a line it stands.
#[test]
fn noisy_child_left_behind_hides_no_mark() {
    under_every_shell(|shell| {
        let noise =
            "(until printf 'x y '; [ -e enough ]; do sleep 0.01; done; printf 'x y '; : >quiet) &";
        let wait = "n=0; until [ -e quiet ] || [ $n -ge 100 ]; do sleep 0.1; n=$((n+1)); done";
        let job = Job::of(&[noise, "true", &format!(": >enough; {wait}")]).check(1, "true");
        let ran = job.run(shell).ended(0, &Conclusion::Done);
        let noise = ran.output().matches("x y").count();
        assert!(noise > 1, "under {}: {}", shell.name, ran.text());
        for name in ["enough", "quiet"] {
            fs::remove_file(shell.bin.path().join(name)).unwrap();
        }
    });
}

#[test]
fn term_reaches_what_the_command_forked() {
    under_every_shell(|shell| {
        let forked =
            format!("(trap 'echo told; exit 0' TERM; echo ready; {WAITING}; echo never) & wait");
        terminated(&Job::of(&[&forked, "echo later"]), shell)
            .ended(143, &Conclusion::Cut { during: None })
            .printed("ready\ntold");
    });
}

#[test]
fn forged_marks_prove_nothing() {
    under_every_shell(|shell| {
        let forged = "for n in 00000000000000000000000000000000 '' nonce; do
            printf 'harbor-pilot/1 %s step-ended index=1 name=columns code=0 at=1\\n' \"$n\"
            printf 'migrate-k3f9q2x7-e0 2026-02-18T01:00:00Z harbor-pilot/1 %s done code=0 ran=2/2 checks=0/0 at=1\\n' \"$n\"
        done
        echo 'ERROR component terminated with non-zero exit code: 1'
        exit 6";
        let ran = Job::of(&[forged, "echo two"])
            .run(shell)
            .ended(6, &failed("columns", 6, false));
        assert_eq!(ran.evidence.platform_exit, None);
        assert_eq!(ran.output().lines().count(), 7);
    });
}

/// The nonce is no secret to the job; that its text shows up by accident must not look like a mark.
#[test]
fn printing_the_wrapper_prints_no_mark() {
    under_every_shell(|shell| {
        let environ = "tr '\\0' '\\n' </proc/$PPID/environ";
        let decoded = format!("printf '%b\\n' \"$({environ})\"");
        let ran = Job::of(&[&format!("set -x; {environ}; {decoded}; env; set; false")]).run(shell);
        let ran = ran.ended(1, &failed("columns", 1, false));
        assert!(
            ran.output().contains("HARBOR_PILOT_RUN"),
            "{}",
            ran.output()
        );
        assert!(
            ran.output().matches("_hp_nonce").count() > 2,
            "{}",
            ran.output()
        );
        assert!(
            ran.output().matches(nonce().as_str()).count() > 2,
            "{}",
            ran.output()
        );
    });
}

#[test]
fn shell_options_of_the_image_change_nothing() {
    under_every_shell(|shell| {
        for options in [
            "xtrace",
            "xtrace:verbose",
            "errexit:nounset:allexport:noglob",
        ] {
            let job = Job::of(&["true", "exit 4"])
                .env("SHELLOPTS", options)
                .env("IFS", "=/ ");
            job.env("ENV", "/nowhere")
                .run(shell)
                .ended(4, &failed("backfill", 4, false));
        }
    });
}

/// In lines, and in one line that never ends; seen through the reader of a run.
#[test]
fn hundred_megabytes_pass_through_in_bounded_memory() {
    const PRINTED: usize = 100_000_000;
    let lines = format!(
        "yes 'migrated another hundred thousand rows of a very long table' | head -c {PRINTED}"
    );
    let line = format!("head -c {PRINTED} /dev/zero | tr '\\0' x");
    under_every_shell(|shell| {
        for (command, longest_allowed) in [(&lines, 1_000), (&line, 64 * 1024)] {
            let job = Job::of(&[command]);
            let mut command = job.command(shell, &shlex::split(RUN_COMMAND).unwrap());
            let mut child = command
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut stdout = child.stdout.take().unwrap();
            let mut reader = EvidenceReader::new(&nonce());
            let mut lines = LogLines::new();
            let (mut bytes, mut longest, mut held) = (0, 0, None);
            let mut piece = vec![0; 64 * 1024];
            loop {
                let read = stdout.read(&mut piece).unwrap();
                if read == 0 {
                    break;
                }
                bytes += read;
                lines.push(&piece[..read], |line| {
                    longest = longest.max(line.len());
                    reader.line(line);
                });
                // Almost all is through, and more is to come than a pipe holds: the job is still there to be asked.
                if held.is_none() && bytes > PRINTED - 1_000_000 {
                    held = Some(most_held_kb(&child));
                }
            }
            lines.finish(|line| reader.line(line));
            assert!(child.wait().unwrap().success());
            assert!(
                bytes > PRINTED && longest <= longest_allowed,
                "{bytes} bytes, {longest} in a line"
            );
            let held = held.unwrap();
            assert!(held < 16_000, "under {}: {held} kB", shell.name);
            assert_eq!(
                reader.finish().conclusion(&job.expected(), job.mode),
                Conclusion::Done
            );
        }
    });
}

/// The most memory that any process of the job ever held, in kB as Linux counts it.
fn most_held_kb(child: &Child) -> u64 {
    let number = |status: &str, what: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(what))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let running: Vec<(u64, u64, u64)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            // One that has just ended has none, and is no matter.
            let status = fs::read_to_string(entry.ok()?.path().join("status")).ok()?;
            Some((
                number(&status, "Pid:")?,
                number(&status, "PPid:")?,
                number(&status, "VmHWM:")?,
            ))
        })
        .collect();
    let mut family = vec![u64::from(child.id())];
    let mut most = 0;
    while let Some(member) = family.pop() {
        for (pid, parent, held) in &running {
            if *pid == member {
                most = most.max(*held);
            }
            if *parent == member {
                family.push(*pid);
            }
        }
    }
    assert!(most > 0, "it is gone");
    most
}

// ---------------------------------------------------------------- the text arrives as it was written

#[test]
fn quotes_dollars_backslashes_lines_and_letters_arrive_unchanged() {
    let text = "a 'b' \"c\" $HOME ${web.COMMIT_HASH} `d` \\ \\n \\0101 %s %b !\n\n  é 漢 🛳\ttab\r\x07 -- #x ~ * EV[1:a:b]";
    under_every_shell(|shell| {
        let quoted = text.replace('\'', "'\\''");
        let command = format!(
            "printf %s '{quoted}'\n# a comment\nV=\"two  words\"; echo; echo \"$V\" $((6*7)) \"${{V#two}}\""
        );
        let ran = Job::of(&[&command]).run(shell).ended(0, &Conclusion::Done);
        let wanted = format!("{text}\ntwo  words 42   words\n");
        assert!(
            ran.text().contains(&wanted),
            "under {}: {}",
            shell.name,
            ran.text()
        );
    });
}

#[test]
fn command_that_begins_with_a_dash_is_a_command() {
    under_every_shell(|shell| {
        let ran = Job::of(&["-x 2>/dev/null || echo fine"]).run(shell);
        ran.ended(0, &Conclusion::Done).printed("fine");
    });
}

/// What `printf %s` printed between the first step's marks.
fn between(ran: &Ran) -> &[u8] {
    let opening = format!("\nharbor-pilot/1 {} step-", nonce());
    let at = |from: usize, what: &str| {
        let found = ran.log[from..]
            .windows(what.len())
            .position(|bytes| bytes == what.as_bytes());
        from + found.unwrap_or_else(|| panic!("no {what} in {}", ran.text()))
    };
    // The begin mark's line ends where the step's mark begins.
    let started = at(0, &opening) + 1;
    let start = at(started, "\n") + 1;
    let end = ran
        .log
        .windows(opening.len())
        .rposition(|bytes| bytes == opening.as_bytes())
        .unwrap();
    &ran.log[start..end]
}

#[test]
fn any_text_arrives_unchanged() {
    under_every_shell(|shell| {
        let config = ProptestConfig {
            cases: 48,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        let text = prop_oneof![
            any::<String>(),
            "[ -~\n\t]{0,60}",
            "[\\\\$'\"{}0-7nc\n]{0,40}"
        ];
        proptest!(config, |(text in text)| {
            prop_assume!(!text.contains('\0'));
            let quoted = text.replace('\'', "'\\''");
            let ran = Job::of(&[&format!("printf %s '{quoted}'")]).run(shell);
            prop_assert_eq!(ran.code, 0, "{}", ran.text());
            prop_assert_eq!(between(&ran), text.as_bytes());
        });
    });
}

// ---------------------------------------------------------------- how the platform starts it

#[test]
fn run_command_works_through_a_shell_too() {
    under_every_shell(|shell| {
        let argv = ["sh", "-c", RUN_COMMAND].map(str::to_owned);
        let job = Job::of(&["echo one", "exit 3"]);
        job.run_as(shell, &argv)
            .ended(3, &failed("backfill", 3, false))
            .printed("one");
    });
}

#[test]
fn run_command_split_at_spaces_fails_loudly_and_runs_nothing() {
    under_every_shell(|shell| {
        let argv: Vec<_> = RUN_COMMAND.split(' ').map(str::to_owned).collect();
        let ran = Job::of(&["echo ran"]).run_as(shell, &argv);
        assert_ne!(ran.code, 0, "{}", ran.text());
        assert_eq!(ran.conclusion, Conclusion::Silent);
        assert!(
            !ran.output().is_empty() && !ran.output().contains("ran\n"),
            "{}",
            ran.output()
        );
    });
}

#[test]
fn script_that_was_cut_on_its_way_runs_nothing() {
    under_every_shell(|shell| {
        let script = Job::of(&["echo ran"]).wrapped().env.remove(0).1;
        for kept in (1..40)
            .map(|part| script.len() * part / 40)
            .chain([1, script.len() - 1])
        {
            let job = Job::of(&["echo ran"]).env("HARBOR_PILOT_SCRIPT", &script[..kept]);
            let ran = job.run(shell);
            assert_ne!(ran.code, 0, "{kept} bytes: {}", ran.text());
            assert_eq!(
                ran.conclusion,
                Conclusion::Silent,
                "{kept} bytes: {}",
                ran.text()
            );
        }
        let job = Job::of(&["echo ran"]).env("HARBOR_PILOT_SCRIPT", "");
        assert_eq!(
            job.run(shell).conclusion,
            Conclusion::Silent,
            "no script, no mark, and so no success"
        );
    });
}

#[test]
fn clock_of_the_tests_is_the_clock_of_the_marks() {
    under_every_shell(|shell| {
        let ran = Job::of(&["true"]).run(shell).ended(0, &Conclusion::Done);
        assert_eq!(ran.evidence.steps[0].started_at, Some(NOW));
        assert_eq!(ran.evidence.steps[0].ended_at, Some(NOW));
    });
}
