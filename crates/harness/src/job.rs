//! A job's process, played instead of started: what `sh` would make of the wrapper's script, without `sh`.
//!
//! Starting a process takes a millisecond, and a run of the harness little more. So the script is read here, as far as
//! the wrapper's form goes, and what it would have printed is printed. Nothing is taken on trust: the conditions that
//! a shell would check (the lease against the clock, the commit against its bindings, the variables) are checked here
//! from the same environment, and a table of cases holds this player against the real shell, byte for byte.
//!
//! The commands that it knows are the harness's own: words of `echo`, `exit`, `true`, `printenv`, a row of zeros by
//! `printf`, and killing the shell above, joined by `;`.

use jiff::Timestamp;
use sim::{JobEnd, JobExit, JobStart};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What one process really did: the truth that reports are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) deployment: String,
    pub(crate) component: String,
    pub(crate) at: Timestamp,
    pub(crate) not_after: Option<i64>,
    /// Why it ran nothing.
    pub(crate) disarmed: Option<String>,
    /// The checks and steps that were started, with their exit codes where they came to an end.
    pub(crate) commands: Vec<Command>,
    pub(crate) exit: JobExit,
    /// Whether it is a job of ours at all.
    pub(crate) ours: bool,
}

/// One command that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) check: bool,
    pub(crate) name: String,
    pub(crate) code: Option<i32>,
}

impl Ran {
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Command> {
        self.commands.iter().filter(|command| !command.check)
    }
}

/// Returns what carries jobs out and writes down what they did.
pub(crate) fn player(
    ran: Arc<Mutex<Vec<Ran>>>,
) -> impl FnMut(&JobStart) -> JobEnd + Send + 'static {
    move |job| {
        let (end, truth) = play(job);
        ran.lock().unwrap().push(truth);
        end
    }
}

/// Plays one job.
pub(crate) fn play(job: &JobStart) -> (JobEnd, Ran) {
    let mut ran = Ran {
        deployment: job.deployment_id.clone(),
        component: job.component.clone(),
        at: job.now,
        not_after: None,
        disarmed: None,
        commands: Vec::new(),
        exit: JobExit::Code(0),
        ours: false,
    };
    let output = match job.env.get("HARBOR_PILOT_SCRIPT") {
        Some(script) if job.run_command == migration::RUN_COMMAND => {
            ran.ours = true;
            match Shell::new(job, &unescape(script)) {
                Some(shell) => shell.run(&mut ran),
                None => {
                    ran.exit = JobExit::NotExecutable;
                    "the harness cannot read this script\n".to_owned()
                }
            }
        }
        _ => String::new(),
    };
    let end = JobEnd {
        exit: ran.exit,
        output,
        // A copy that runs nothing is over at once, whatever the commands would have taken.
        seconds: ran.disarmed.is_some().then_some(1),
    };
    (end, ran)
}

/// Undoes what `printf %b` would undo.
fn unescape(text: &str) -> String {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek()) {
            (b'\\', Some(b'n')) => {
                bytes.next();
                plain.push(b'\n');
            }
            (b'\\', Some(b'\\')) => {
                bytes.next();
                plain.push(b'\\');
            }
            (b'\\', Some(b'0')) => {
                bytes.next();
                let mut code = 0_u32;
                for _ in 0..3 {
                    match bytes.peek() {
                        Some(digit @ b'0'..=b'7') => {
                            code = code * 8 + u32::from(digit - b'0');
                            bytes.next();
                        }
                        _ => break,
                    }
                }
                plain.push(u8::try_from(code & 0xFF).unwrap_or_default());
            }
            _ => plain.push(byte),
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

struct Shell<'a> {
    job: &'a JobStart,
    constants: BTreeMap<String, String>,
    /// Whether it looks at the end of its lease, and at the commit it was built from.
    asks_lease: bool,
    asks_commit: bool,
    /// The lines that matter: `_hp_need …` and `_hp_run …`, as words.
    lines: Vec<Vec<String>>,
    out: String,
    ran: u32,
    checked: u32,
}

impl<'a> Shell<'a> {
    fn new(job: &'a JobStart, script: &str) -> Option<Self> {
        // One brace group: a script that was cut on its way is a syntax error.
        let whole = script.starts_with("{\n") && script.ends_with("\n}");
        let constants = script
            .lines()
            .find(|line| line.starts_with("_hp_key="))?
            .split(' ')
            .filter_map(|word| word.strip_prefix("_hp_")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let lines = script
            .lines()
            .filter(|line| line.starts_with("_hp_need ") || line.starts_with("_hp_run "))
            .map(shlex::split)
            .collect::<Option<Vec<_>>>()?;
        whole.then_some(Self {
            job,
            constants,
            asks_lease: script.contains("\n[ \"$_hp_at\" -le \"${HARBOR_PILOT_NOT_AFTER-}\" ]"),
            asks_commit: script.contains("[ \"$_hp_built\" = \"$HARBOR_PILOT_PLANNED_COMMIT\" ]"),
            lines,
            out: String::new(),
            ran: 0,
            checked: 0,
        })
    }

    fn env(&self, name: &str) -> &str {
        self.job.env.get(name).map_or("", String::as_str)
    }

    fn constant(&self, name: &str) -> &str {
        self.constants.get(name).map_or("", String::as_str)
    }

    fn strict(&self) -> bool {
        self.constant("strict") == "1"
    }

    fn now(&self) -> i64 {
        self.job.now.as_second()
    }

    fn mark(&mut self, before: &str, text: &str) {
        let nonce = self.constant("nonce").to_owned();
        self.out
            .push_str(&format!("{before}harbor-pilot/1 {nonce} {text}\n"));
    }

    fn run(mut self, ran: &mut Ran) -> String {
        let built = ["HARBOR_PILOT_COMMIT", "HARBOR_PILOT_REFERENCE_COMMIT"]
            .into_iter()
            .map(|name| self.env(name))
            .find(|value| value.len() == 40 && value.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .unwrap_or("unknown")
            .to_owned();
        let begin = format!(
            "begin key={} epoch={} steps={} checks={} commit={built} at={}",
            self.constant("key"),
            self.constant("epoch"),
            self.constant("steps"),
            self.constant("checks"),
            self.now(),
        );
        self.mark("\n", &begin);
        ran.not_after = self.env("HARBOR_PILOT_NOT_AFTER").parse().ok();
        if self.asks_lease && ran.not_after.is_none_or(|limit| self.now() > limit) {
            return self.disarmed("why=lease", ran);
        }
        let planned = self.env("HARBOR_PILOT_PLANNED_COMMIT").to_owned();
        let other = built != "unknown" && built != planned;
        if self.asks_commit && !planned.is_empty() && other {
            return self.disarmed(&format!("why=commit built={built}"), ran);
        }
        for line in std::mem::take(&mut self.lines) {
            let done = match line.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["_hp_need", name, _] => self.need(name, ran),
                ["_hp_run", kind, place, name, command] => {
                    self.command(kind == "check", place, name, command, ran)
                }
                _ => Some(JobExit::NotExecutable),
            };
            if let Some(exit) = done {
                ran.exit = exit;
                return self.out;
            }
        }
        self.end(0);
        self.out
    }

    fn disarmed(mut self, why: &str, ran: &mut Ran) -> String {
        self.mark("", &format!("disarmed {why}"));
        ran.disarmed = Some(why.to_owned());
        self.out
    }

    fn need(&mut self, name: &str, _ran: &Ran) -> Option<JobExit> {
        let value = self.env(name);
        if !value.is_empty() && !value.starts_with("EV[") {
            return None;
        }
        self.mark("", &format!("refused variable={name}"));
        Some(JobExit::Code(if self.strict() { 78 } else { 0 }))
    }

    fn end(&mut self, code: i32) {
        let text = format!(
            "done code={code} ran={}/{} checks={}/{} at={}",
            self.ran,
            self.constant("steps"),
            self.checked,
            self.constant("checks"),
            self.now(),
        );
        self.mark("", &text);
    }

    fn command(
        &mut self,
        check: bool,
        place: &str,
        name: &str,
        command: &str,
        ran: &mut Ran,
    ) -> Option<JobExit> {
        let kind = if check { "check" } else { "step" };
        let at = self.now();
        self.mark(
            "",
            &format!("{kind}-started index={place} name={name} at={at}"),
        );
        let code = self.words(command);
        ran.commands.push(Command {
            check,
            name: name.to_owned(),
            code,
        });
        let Some(code) = code else {
            // A shell above it outlives it and tells by its own exit code.
            return Some(match self.job.started_by {
                sim::RunCommand::Argv => JobExit::Killed,
                sim::RunCommand::Shell => JobExit::Code(137),
            });
        };
        self.mark(
            "\n",
            &format!("{kind}-ended index={place} name={name} code={code} at={at}"),
        );
        if code != 0 {
            self.end(code);
            return Some(JobExit::Code(if self.strict() { code } else { 0 }));
        }
        if check {
            self.checked += 1;
        } else {
            self.ran += 1;
        }
        None
    }

    /// Carries a command of the harness out; nothing where the shell above dies of it.
    fn words(&mut self, command: &str) -> Option<i32> {
        for part in command.split(';') {
            let words = shlex::split(part).unwrap_or_default();
            match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["echo", ref text @ ..] => {
                    self.out.push_str(&text.join(" "));
                    self.out.push('\n');
                }
                ["printenv", name] => {
                    let value = format!("{}\n", self.env(name));
                    self.out.push_str(&value);
                }
                ["printf", zeros, "0"] => {
                    let width = zeros
                        .strip_prefix("%0")
                        .and_then(|rest| rest.strip_suffix('d'))
                        .and_then(|width| width.parse().ok());
                    let Some(width) = width else { return Some(127) };
                    self.out.push_str(&"0".repeat(width));
                }
                ["exit", code] => return Some(code.parse().unwrap_or(2)),
                ["kill", "-KILL", "$PPID"] => return None,
                ["true"] | [] => {}
                _ => return Some(127),
            }
        }
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use migration::{
        Authority, Epoch, Key, MigrationId, Nonce, OnFailure, RunMode, RunRecord, Script, Step,
        StepName,
    };
    use sim::{Execute as _, Processes, RunCommand};

    const BUILT: &str = "0123456789abcdef0123456789abcdef01234567";
    const OTHER: &str = "ffffffffffffffffffffffffffffffffffffffff";

    struct Case {
        steps: Vec<(&'static str, Option<&'static str>)>,
        env: Vec<(&'static str, &'static str)>,
        planned: Option<&'static str>,
        on_failure: OnFailure,
        mode: RunMode,
        late: i64,
        needed: &'static [&'static str],
    }

    fn case(steps: &[(&'static str, Option<&'static str>)]) -> Case {
        Case {
            steps: steps.to_vec(),
            env: vec![("DATABASE_URL", "mysql://u:p@h/db")],
            planned: None,
            on_failure: OnFailure::Fail,
            mode: RunMode::Steps,
            late: -60,
            needed: &["DATABASE_URL"],
        }
    }

    fn start(case: &Case, started_by: RunCommand) -> JobStart {
        let now: Timestamp = "2026-02-18T00:37:02Z".parse().unwrap();
        let record = RunRecord {
            version: 1,
            key: Key::parse("k3f9q2x7").unwrap(),
            epoch: Epoch(0),
            nonce: Nonce::parse("000000000000000000000000000000a1").unwrap(),
            migration: MigrationId::parse("ter-235").unwrap(),
            steps: Vec::new(),
            mode: case.mode,
            authority: Authority::Cli("1".to_owned()),
            pr: Some(428),
            sha: None,
            repository: None,
            not_after: now.as_second() - case.late,
        };
        let steps: Vec<Step> = case
            .steps
            .iter()
            .enumerate()
            .map(|(place, (run, check))| Step {
                name: StepName::parse(&format!("step-{place}")).unwrap(),
                run: (*run).to_owned(),
                check: check.map(str::to_owned),
            })
            .collect();
        let needed: Vec<String> = case.needed.iter().map(|name| (*name).to_owned()).collect();
        let planned = case
            .planned
            .map(|commit| app_spec::CommitSha::parse(commit).unwrap());
        let wrapped = migration::wrap(&Script {
            record: &record,
            steps: &steps,
            mode: case.mode,
            on_failure: case.on_failure,
            needed: &needed,
            not_after: record.not_after,
            planned_commit: planned.as_ref(),
            reference: None,
        });
        let mut env: BTreeMap<String, String> = wrapped.env.into_iter().collect();
        for (name, value) in &case.env {
            env.insert((*name).to_owned(), (*value).to_owned());
        }
        JobStart {
            app_id: String::new(),
            deployment_id: "d".to_owned(),
            component: "migrate-k3f9q2x7-e0".to_owned(),
            run_command: wrapped.run_command,
            started_by,
            env,
            files: BTreeMap::new(),
            tools: Vec::new(),
            now,
        }
    }

    #[test]
    fn the_player_prints_what_the_shell_prints() {
        let two = [("echo adding", None), ("echo filling in", None)];
        let cases = vec![
            ("two steps", case(&two)),
            (
                "first fails",
                case(&[("echo no; exit 3", None), ("echo never", None)]),
            ),
            (
                "second fails",
                case(&[("echo yes", None), ("exit 7", None)]),
            ),
            (
                "check",
                case(&[("echo one", Some("echo looking")), ("echo two", None)]),
            ),
            (
                "check fails",
                case(&[("echo one", None), ("echo two", Some("exit 4"))]),
            ),
            (
                "killed",
                case(&[("echo one", None), ("echo begun; kill -KILL $PPID", None)]),
            ),
            (
                "prints a variable",
                case(&[("printenv DATABASE_URL", None)]),
            ),
            (
                "prints a long line",
                case(&[("printf %020000d 0; printenv DATABASE_URL", None)]),
            ),
            ("a quote", case(&[("echo \"it's\"", None)])),
            ("unknown command", case(&[("no-such-command-here", None)])),
            (
                "at the lease's last second",
                Case {
                    late: 0,
                    ..case(&two)
                },
            ),
            (
                "after the lease",
                Case {
                    late: 1,
                    ..case(&two)
                },
            ),
            (
                "contained",
                Case {
                    on_failure: OnFailure::Contain,
                    ..case(&[("exit 3", None)])
                },
            ),
            (
                "checks only",
                Case {
                    mode: RunMode::ChecksOnly,
                    ..case(&[("echo one", Some("true"))])
                },
            ),
            (
                "variable missing",
                Case {
                    needed: &["DATABASE_URL", "JWT_SECRET"],
                    ..case(&two)
                },
            ),
            (
                "variable encrypted",
                Case {
                    env: vec![("DATABASE_URL", "EV[1:a:b]")],
                    ..case(&two)
                },
            ),
            (
                "variable missing, contained",
                Case {
                    env: Vec::new(),
                    on_failure: OnFailure::Contain,
                    ..case(&two)
                },
            ),
            (
                "built from the planned commit",
                Case {
                    planned: Some(BUILT),
                    env: vec![("DATABASE_URL", "x"), ("HARBOR_PILOT_COMMIT", BUILT)],
                    ..case(&two)
                },
            ),
            (
                "built from another commit",
                Case {
                    planned: Some(BUILT),
                    env: vec![("DATABASE_URL", "x"), ("HARBOR_PILOT_COMMIT", OTHER)],
                    ..case(&two)
                },
            ),
            (
                "own binding does not resolve",
                Case {
                    planned: Some(BUILT),
                    env: vec![
                        ("DATABASE_URL", "x"),
                        ("HARBOR_PILOT_REFERENCE_COMMIT", OTHER),
                    ],
                    ..case(&two)
                },
            ),
            (
                "no binding resolves",
                Case {
                    planned: Some(BUILT),
                    env: vec![("DATABASE_URL", "x"), ("HARBOR_PILOT_COMMIT", "")],
                    ..case(&two)
                },
            ),
        ];
        for (name, case) in cases {
            for started_by in [RunCommand::Argv, RunCommand::Shell] {
                let job = start(&case, started_by);
                let real = Processes::default().execute(&job);
                let (mut played, _) = play(&job);
                // How long it takes the player decides; a process just takes it.
                played.seconds = None;
                if ["unknown command", "killed"].contains(&name) {
                    // The shell's own complaint is in its own words.
                    assert_eq!(real.exit, played.exit, "{name}");
                    let marks = |text: &str| -> Vec<String> {
                        let lines = text.lines().filter(|line| line.contains("harbor-pilot/1"));
                        lines.map(str::to_owned).collect()
                    };
                    assert_eq!(marks(&real.output), marks(&played.output), "{name}");
                    continue;
                }
                assert_eq!(played, real, "{name}, started by {started_by:?}");
            }
        }
    }

    #[test]
    fn a_script_that_was_cut_runs_nothing() {
        let mut job = start(&case(&[("echo one", None)]), RunCommand::Argv);
        let script = job.env.get_mut("HARBOR_PILOT_SCRIPT").unwrap();
        script.truncate(script.len() - 3);
        let (played, ran) = play(&job);
        assert_eq!(played.exit, JobExit::NotExecutable);
        assert!(ran.commands.is_empty());
        let real = Processes::default().execute(&job);
        assert!(!real.output.contains("step-started"), "{}", real.output);
    }
}
