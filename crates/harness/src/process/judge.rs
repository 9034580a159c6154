//! What must hold of a run, judged from the simulator's record and state, from the files that the steps wrote, and from
//! what each process said at its end, held against those.
//!
//! The rules are named as in `invariants`.

use super::call;
use super::play::{Cell, End, Gone, Played};
use super::stage::{PULL, REQUEST, Role, SECRETS, STEPS, Way};
use crate::actor::{ours, without_ours};
use crate::invariants::Violation;
use crate::shown::is_in_flight;
use crate::wire::PILOT;
use migration::Reason;
use serde_json::Value;
use sim::{Face, Request};
use std::collections::BTreeMap;
use std::time::Duration;

/// From a signal to the end of the process, and what this machine may need on top to see it.
const GRACE: Duration = Duration::from_secs(5);
const TO_SEE_IT: Duration = Duration::from_millis(500);

/// What a presigned address and an encrypted text are known by, whatever is in them.
const SHAPES: [&str; 2] = ["X-Amz-Signature=", "EV[1:"];

struct Judge<'a> {
    played: &'a Played,
    broken: Vec<Violation>,
}

/// Returns everything that a run broke.
pub(crate) fn check(played: &Played) -> Vec<Violation> {
    let mut judge = Judge {
        played,
        broken: Vec::new(),
    };
    judge.once();
    judge.put_back();
    judge.writes();
    for (place, gone) in played.gone.iter().enumerate() {
        let died = place == 0 && played.struck.is_some() && played.cell.end == End::Killed;
        if !died {
            judge.ended(gone);
            judge.truth(gone);
        }
    }
    judge.secrets();
    judge.broken
}

impl<'a> Judge<'a> {
    fn broke(&mut self, rule: &'static str, what: impl Into<String>) {
        let what = what.into();
        self.broken.push(Violation { rule, what });
    }

    fn deployments(&self) -> impl Iterator<Item = &'a Value> {
        let all = self.played.state["apps"][0]["deployments"].as_array();
        all.into_iter().flatten()
    }

    /// I1: each insertion once, each step once. Every update makes a deployment, and nobody else updates here.
    fn once(&mut self) {
        let mut inserted: BTreeMap<String, usize> = BTreeMap::new();
        for one in self.deployments() {
            let by = &one["cause_details"]["digitalocean_user_action"]["user"]["email"];
            if by == PILOT {
                for name in ours(&one["spec"]) {
                    *inserted.entry(name).or_default() += 1;
                }
            }
        }
        for (name, times) in inserted.into_iter().filter(|(_, times)| *times > 1) {
            self.broke("C1 once", format!("`{name}` was inserted {times} times"));
        }
        for step in STEPS {
            let times = count(&self.played.effects, step);
            if times > 1 {
                self.broke(
                    "C1 step",
                    format!("step `{step}` took effect {times} times"),
                );
            }
        }
    }

    /// I2, I8: in the end the app and the firewall are what they were.
    fn put_back(&mut self) {
        let (before, after) = (&self.played.at_start, &self.played.state);
        if !self.played.at_rest {
            self.broke("C2 rest", "the platform did not come to rest");
        }
        if !is_clean(after) {
            self.broke(
                "C2 gone",
                format!("{:?} in the spec, or live", ours(&after["apps"][0]["spec"])),
            );
        }
        let flying = self
            .deployments()
            .any(|one| one["phase"].as_str().is_some_and(is_in_flight));
        if self.played.struck.is_some() && flying {
            self.broke("C2 rest", "a deployment is in flight at the end");
        }
        // As text, for the order of fields counts too.
        let spec = |state: &Value| state["apps"][0]["spec"].to_string();
        if spec(before) != spec(after) {
            self.broke("C2 spec", "the spec is not what it was");
        }
        if before["databases"] != after["databases"] {
            self.broke("C5 firewall", "the rules are not what they were");
        }
    }

    /// C3, C4: what was sent changes nothing but our own job, and only those insert who may.
    fn writes(&mut self) {
        let wanted = without_ours(self.played.at_start["apps"][0]["spec"].clone());
        for request in &self.played.requests {
            match request.call {
                Some("apps.update") => {
                    if without_ours(request.body["spec"].clone()) != wanted {
                        self.broke("C3 write", "an update changes more than our job");
                    }
                    if request.body["update_all_source_versions"] == true {
                        self.broke("C4 write", "update_all_source_versions is set");
                    }
                }
                Some("deployments.cancel") => {
                    let id = request.path.split('/').nth(5).unwrap_or_default();
                    let found = self.deployments().find(|one| one["id"] == id);
                    if found.is_none_or(|one| ours(&one["spec"]).is_empty()) {
                        self.broke(
                            "C4 cancel",
                            format!("{id} was cancelled, which is somebody else's"),
                        );
                    }
                }
                Some(call) if writes(request) => {
                    self.broke("C4 call", format!("{call} was sent unasked"));
                }
                Some(_) => {}
                None if request.to == Face::DigitalOcean => {
                    self.broke(
                        "C4 call",
                        format!("an unknown call: {}", call::name(request)),
                    );
                }
                None => {}
            }
        }
        for gone in &self.played.gone {
            let inserts = self.requests(gone).iter().any(|request| {
                request.call == Some("apps.update") && !ours(&request.body["spec"]).is_empty()
            });
            if inserts && matches!(gone.role, Role::Post | Role::Sweep) {
                self.broke(
                    "C4 insert",
                    format!("{:?} sent a spec with a job of ours", gone.role),
                );
            }
        }
    }

    /// Returns the requests of a process that came after another one.
    ///
    /// One that was on its way when that one was killed is recorded among these. It can only be one, and whoever comes
    /// later begins with a read.
    fn requests(&self, gone: &Gone) -> &'a [Request] {
        let all = self
            .played
            .requests
            .get(gone.requests.clone())
            .unwrap_or_default();
        let first = all.iter().position(|request| request.method == "GET");
        first.and_then(|first| all.get(first..)).unwrap_or_default()
    }

    /// C7: it ends by itself, in time, and with the code that its reason has.
    fn ended(&mut self, gone: &Gone) {
        let role = gone.role;
        let Some(status) = gone.ended.status else {
            let seconds = gone.ended.took.as_secs_f64();
            return self.broke(
                "C7 ends",
                format!("{role:?} was still there after {seconds:.1} s"),
            );
        };
        let Some(code) = status.code() else {
            return self.broke("C7 ends", format!("{role:?} ended with {status}"));
        };
        if let Some(after) = gone.after_signal {
            let seconds = after.as_secs_f64();
            if after > GRACE + TO_SEE_IT {
                self.broke(
                    "C7 signal",
                    format!("{seconds:.2} s from the signal to the end"),
                );
            }
            let wanted = signalled(self.played.cell.end);
            if Some(code) != wanted {
                self.broke("C7 signal", format!("exit code {code}, and not {wanted:?}"));
            }
        }
        let Some(result) = result(self.played.cell.way, gone) else {
            // The post step of a run that ended in order, or never began to write, says nothing.
            let silent = role == Role::Post && code == 0 && self.requests(gone).is_empty();
            let cut_off = gone.after_signal.is_some();
            if !silent && !cut_off {
                self.broke(
                    "C6 result",
                    format!("{role:?} left no result, exit code {code}"),
                );
            }
            return;
        };
        let reason = reason(&result);
        if result["exit_code"] != code
            || reason.map(|reason| i32::from(reason.exit().code())) != Some(code)
        {
            let said = (&result["reason_code"], &result["exit_code"]);
            self.broke(
                "C6 exit",
                format!("{role:?} exits with {code} and says {said:?}"),
            );
        }
    }

    /// C6: what a process says is what happened.
    fn truth(&mut self, gone: &Gone) {
        let Some(result) = result(self.played.cell.way, gone) else {
            return;
        };
        let role = gone.role;
        let said = |field: &str| result["axes"][field].as_str().unwrap_or_default();
        let whole = STEPS.iter().all(|step| count(&gone.effects, step) == 1);
        let reason = reason(&result);
        let mut lies = Vec::new();
        let done = matches!(reason, Some(Reason::Done | Reason::AlreadyDone));
        if (done || said("job") == "done") && !whole {
            lies.push((
                "C6 done",
                format!("done, and the steps' effects are {:?}", gone.effects),
            ));
        }
        if reason == Some(Reason::Done) {
            let all = ["done", "active", "done", "ok", "as-asked"];
            let axes = ["job", "deployment", "cleanup", "health", "firewall"].map(said);
            // One that came when all was done has only the ledger to complete; a deployment may have given way since.
            if axes != all {
                lies.push(("C6 success", format!("done, with the axes {axes:?}")));
            }
            let name = result["job_name"].as_str().unwrap_or_default();
            let carries = self.deployments().any(|one| {
                one["id"] == result["deployments"]["job"]
                    && ours(&one["spec"]).iter().any(|job| job == name)
            });
            if !carries {
                lies.push((
                    "C6 success",
                    format!("names a deployment that does not carry `{name}`"),
                ));
            }
        }
        if matches!(said("job"), "never-started" | "not-attempted")
            && role == Role::Rerun
            && !gone.effects.is_empty()
        {
            lies.push((
                "C6 never",
                format!(
                    "{}, and the steps' effects are {:?}",
                    said("job"),
                    gone.effects
                ),
            ));
        }
        if matches!(said("job"), "failed" | "check-failed" | "refused") {
            lies.push((
                "C6 failed",
                format!("{}, and no step fails here", said("job")),
            ));
        }
        // The post step does not wait for the deployment that takes the job out: it says `sent`, which speaks for the
        // spec alone.
        let spec_clean = ours(&gone.state["apps"][0]["spec"]).is_empty();
        let put_back = match said("cleanup") {
            "done" => is_clean(&gone.state),
            "sent" => spec_clean,
            _ => reason != Some(Reason::Cleaned) || is_clean(&gone.state),
        };
        if !put_back {
            lies.push((
                "C6 clean-up",
                "put back, and a job of ours is there".to_owned(),
            ));
        }
        if reason == Some(Reason::Skipped) && self.requests(gone).iter().any(writes) {
            lies.push((
                "C6 skipped",
                "skipped, and something was written".to_owned(),
            ));
        }
        for step in result["steps"].as_array().into_iter().flatten() {
            let name = step["name"].as_str().unwrap_or_default();
            let took = count(&gone.effects, name) > 0;
            let lied = match step["state"].as_str().unwrap_or_default() {
                "done" | "done-earlier" => !took,
                "not-run" | "to-run" => took && gone.role != Role::Main,
                "failed" | "check-failed" => true,
                _ => false,
            };
            if lied {
                lies.push((
                    "C6 step",
                    format!("`{name}` is told to be {}", step["state"]),
                ));
            }
        }
        let begun = executions(&gone.state, result["job_name"].as_str().unwrap_or_default());
        let told = usize::try_from(result["executions"].as_u64().unwrap_or_default())
            .unwrap_or(usize::MAX);
        if told > begun {
            lies.push((
                "C6 count",
                format!("{told} executions, and there were {begun}"),
            ));
        }
        // Nothing goes wrong any more, and no step fails: whoever asks again has it done in the end. One that has told so
        // takes the label off last, and then nobody asks.
        let asked = labels(&gone.state).any(|label| label == REQUEST);
        let nobody_asks = reason == Some(Reason::Skipped) && whole && !asked;
        if role == Role::Rerun && !done && !nobody_asks {
            lies.push(("C6 rerun", format!("ends with {}", result["reason_code"])));
        }
        // Whose time was over when its machine went on puts nothing in any more.
        let suspended = self.played.struck.is_some() && self.played.cell.end == End::Suspended;
        let late = suspended && reason == Some(Reason::Deadline);
        let calm = role == Role::Main && gone.after_signal.is_none();
        if calm && !late && reason != Some(Reason::Done) {
            lies.push(("C6 calm", format!("ends with {}", result["reason_code"])));
        }
        for (rule, what) in lies {
            self.broke(rule, format!("{role:?}: {what}"));
        }
    }

    /// C8: no secret in anything that was said or kept, here or on GitHub.
    fn secrets(&mut self) {
        let signatures: Vec<&str> = self.played.requests.iter().filter_map(signature).collect();
        let needles: Vec<&str> = SECRETS
            .into_iter()
            .chain(SHAPES)
            .chain(signatures)
            .collect();
        let github = self.played.state["github"].to_string();
        let mut broken = Vec::new();
        let files = self
            .played
            .files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()));
        for (name, text) in files.chain([("GitHub", github.as_str())]) {
            for needle in &needles {
                if text
                    .lines()
                    .filter(|line| !is_mask(line))
                    .any(|line| line.contains(needle))
                {
                    broken.push(format!("`{needle}` in {name}"));
                }
            }
        }
        for what in broken {
            self.broke("C8 secret", what);
        }
    }
}

/// Whether a request changes anything.
fn writes(request: &Request) -> bool {
    let asks = matches!(request.call, Some("apps.propose" | "rollback.validate"));
    request.to == Face::DigitalOcean && request.method != "GET" && !asks
}

/// Whether the runner takes a line for the order to hide a value, and shows neither.
fn is_mask(line: &str) -> bool {
    line.starts_with("::add-mask::")
}

/// Returns what makes an address of the log storage presigned.
fn signature(request: &Request) -> Option<&str> {
    let mut pairs = request
        .query
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == "X-Amz-Signature")?;
    Some(value)
}

/// What the process of a cell exits with after its signal.
fn signalled(end: End) -> Option<i32> {
    match end {
        End::Killed | End::Suspended => None,
        End::Interrupted => Some(130),
        End::Terminated => Some(143),
    }
}

/// Returns the result that a process left, as whoever uses it reads it.
pub(crate) fn result(way: Way, gone: &Gone) -> Option<Value> {
    let text = match way {
        Way::CommandLine => gone.ended.out.as_str(),
        Way::Action => gone.written.outputs.get("result")?,
    };
    serde_json::from_str(text).ok()
}

/// Returns the reason that a result names.
pub(crate) fn reason(result: &Value) -> Option<Reason> {
    let mut all = Reason::ALL.iter().copied();
    all.find(|reason| result["reason_code"] == reason.code())
}

/// Returns the labels of the pull request.
fn labels(state: &Value) -> impl Iterator<Item = &str> {
    let issues = state["github"][0]["issues"].as_array();
    let pull = issues
        .into_iter()
        .flatten()
        .find(|one| one["number"] == PULL);
    let labels = pull.and_then(|pull| pull["labels"].as_array());
    labels.into_iter().flatten().filter_map(Value::as_str)
}

fn count(effects: &[String], step: &str) -> usize {
    effects.iter().filter(|effect| *effect == step).count()
}

/// Returns how often the platform ran a job.
fn executions(state: &Value, name: &str) -> usize {
    let all = state["executions"].as_array();
    all.into_iter()
        .flatten()
        .filter(|one| one["component"] == name)
        .count()
}

/// Returns a cell as a line.
pub(crate) fn told(cell: &Cell) -> String {
    format!(
        "{:?} {:?} {:?} {:?}, then {:?}",
        cell.way, cell.end, cell.effect, cell.at, cell.by
    )
}

/// Returns whether no job of ours is in the spec or in what is live.
pub(super) fn is_clean(state: &Value) -> bool {
    let app = &state["apps"][0];
    let mut deployments = app["deployments"].as_array().into_iter().flatten();
    let live = deployments.find(|one| one["id"] == app["active"]);
    ours(&app["spec"]).is_empty() && live.is_none_or(|live| ours(&live["spec"]).is_empty())
}
