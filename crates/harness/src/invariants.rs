//! What must hold of every run, judged from what really happened: the requests that were sent, the deployments and the
//! processes in the simulator, the ledger, and what each run said at its end.
//!
//! The names are those of the project's list of formal invariants. Nothing here asks the code under test what it
//! thinks; where it must know what a spec should look like, it replays the others' edits itself.

mod names;
pub(crate) mod page;
mod stream;
mod told;

use crate::actor::{self, Wrote, ours, without_ours};
use crate::choice::{Act, Choice, Setting, Wants, Who};
use crate::scene::{APP, BY_HAND, Gone, Played};
use crate::shown::Row;
use crate::wire::{PILOT, Sent};
use app_spec::DeploymentId;
use jiff::Timestamp;
use migration::{Authority, Event, Happening, JobName, Reason, RunMode, RunRecord};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One broken invariant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    pub(crate) what: String,
}

/// How many DigitalOcean calls a run may make for each deployment with a job of ours that it follows.
const CALLS: usize = 300;
/// How many more for each deployment of somebody else's that it waits for.
const WAITED: usize = 60;
/// How many more for each older one with a job of ours, whose log is asked for eight times, with a look before each.
const COPIED: usize = 16;
/// How many more for each that failed: itself, and a look before it is made again.
const AGAIN: usize = 3;
/// How much longer than its deadline a run may take: one last request's own deadline.
const SLACK: Duration = Duration::from_secs(70);
/// How many seconds something may stand in the way of an insert: a job that hangs, and the rollback after it.
const HINDERS: i64 = 40 * 60;
/// How long a job may run by its own limit.
const JOB_LIMIT: Duration = Duration::from_secs(30 * 60);
/// What the platform calls a rollback that is taken back.
const REVERTED: &str = "rollback reverted";
/// The Actions runner kills a cancelled job's post step after five minutes, less fifteen seconds.
const POST: Duration = Duration::from_secs(285);

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
    judge.gone();
    judge.others_edits();
    judge.writes();
    judge.kills();
    judge.firewall();
    judge.firewall_comes_last();
    for gone in &played.gone {
        judge.put_back(gone);
        judge.truth(gone);
        judge.facts(gone);
        judge.stream(gone);
        judge.page(gone);
        judge.what_it_says_of_the_firewall(gone);
        judge.ends(gone);
        judge.in_spite_of_the_ledger(gone);
    }
    judge.stays_put();
    judge.late();
    let mut broken = judge.broken;
    broken.sort();
    broken.dedup();
    broken
}

/// Reads a body as JSON.
fn json_of(sent: &Sent) -> Value {
    serde_json::from_slice(&sent.body).unwrap_or(Value::Null)
}

/// Returns the jobs of ours that a PUT brings into the app, by what its sender had last read of it.
fn inserted(sent: &Sent, body: &Value) -> Vec<String> {
    let had = sent
        .base
        .as_ref()
        .map(|app| ours(&app.spec))
        .unwrap_or_default();
    let mut names = ours(&body["spec"]);
    names.retain(|name| !had.contains(name));
    names
}

/// Whether the run of `job` answers for the job `name`, too: its own, or that of an epoch before it.
fn answers_for(job: &JobName, name: &str) -> bool {
    JobName::parse(name).is_some_and(|name| name.key == job.key && name.epoch <= job.epoch)
}

impl<'a> Judge<'a> {
    fn broke(&mut self, rule: &'static str, what: impl Into<String>) {
        self.broken.push(Violation {
            rule,
            what: what.into(),
        });
    }

    fn puts(&self) -> Vec<(&'a Sent, Value)> {
        let sent = self.played.journal.sent.iter();
        sent.filter(|sent| sent.call == "apps.update" && left(sent))
            .map(|sent| (sent, json_of(sent)))
            .collect()
    }

    /// C1: no (key, epoch) is inserted twice; a later epoch never holds a step that an earlier one may have run.
    fn once(&mut self) {
        let mut inserts: BTreeMap<String, Vec<(&Sent, Option<RunRecord>)>> = BTreeMap::new();
        for (sent, body) in self.puts() {
            for name in inserted(sent, &body) {
                let record = record_of(&body["spec"], &name);
                inserts.entry(name).or_default().push((sent, record));
            }
        }
        let claims = &self.played.ledger;
        let claimed = |(sent, record): &(&Sent, Option<RunRecord>)| {
            let Some(record) = record else { return false };
            claims.iter().any(|entry| {
                let claim = &entry.claim;
                entry.at <= sent.at
                    && (&claim.key, claim.epoch, &claim.nonce)
                        == (&record.key, record.epoch, &record.nonce)
            })
        };
        for (name, sent) in &inserts {
            if !sent.iter().all(claimed) {
                let what = format!("`{name}` was inserted, and nobody had claimed it");
                self.broke("C1 claim", what);
            }
            // After the time in which a doubtful one may still land, another run may send it: what counts is the effect.
            let applied = sent.iter().filter(|(sent, _)| applied(sent)).count();
            if applied > 1 {
                self.broke("C1 once", format!("`{name}` was inserted {applied} times"));
            }
            let mut senders: Vec<usize> = sent
                .iter()
                .filter(|(sent, _)| may_have_applied(sent))
                .map(|(sent, _)| sent.process)
                .collect();
            senders.sort_unstable();
            let before = senders.len();
            senders.dedup();
            if senders.len() < before {
                self.broke(
                    "C1 doubt",
                    format!("one process sent `{name}` again while it was in doubt"),
                );
            }
        }
        let firsts: Vec<(&String, &Sent, &RunRecord)> = inserts
            .iter()
            .flat_map(|(name, all)| all.iter().map(move |(sent, record)| (name, *sent, record)))
            .filter(|(_, sent, _)| applied(sent))
            .filter_map(|(name, sent, record)| Some((name, sent, record.as_ref()?)))
            .collect();
        let ran = &self.played.ran;
        let mut broken = Vec::new();
        // One that runs the checks alone runs no step.
        let runs_steps = firsts
            .iter()
            .filter(|(_, _, record)| record.mode == RunMode::Steps);
        for (name, sent, record) in runs_steps {
            for step in &record.steps {
                let earlier = ran.iter().filter(|ran| {
                    ran.at < sent.at
                        && JobName::parse(&ran.component)
                            .is_some_and(|job| job.key == record.key && job.epoch < record.epoch)
                });
                for run in earlier {
                    for command in run
                        .steps()
                        .filter(|command| command.name == step.name.as_str())
                    {
                        let before = firsts
                            .iter()
                            .find(|(name, _, _)| **name == run.component)
                            .map(|(_, _, record)| &record.authority);
                        let named =
                            matches!(record.authority, Authority::Retry(_) | Authority::Again(_));
                        match command.code {
                            Some(0) if !named => broken.push(format!(
                                "`{name}` runs step `{}` again, which `{}` ended with 0",
                                step.name, run.component
                            )),
                            Some(0) => {}
                            Some(_) if before == Some(&record.authority) => broken.push(format!(
                                "`{name}` runs the failed step `{}` again by the same authority",
                                step.name
                            )),
                            Some(_) => {}
                            None if !named => broken.push(format!(
                                "`{name}` runs step `{}` again, whose end in `{}` nobody knows",
                                step.name, run.component
                            )),
                            None => {}
                        }
                    }
                }
            }
        }
        for what in broken {
            self.broke("C1 again", what);
        }
    }

    /// C2: in the end the job is out of the spec and out of what is live.
    fn gone(&mut self) {
        if !self.played.at_rest {
            self.broke("C2 rest", "the platform did not come to rest");
        }
        let state = &self.played.state;
        if !state.is_clean() {
            let what = format!(
                "spec {:?}, live {:?}",
                ours(&state.spec),
                ours(state.live_spec())
            );
            self.broke("C2 gone", what);
        }
        if state.is_in_flight() {
            self.broke("C2 rest", "a deployment is in flight at the end");
        }
    }

    /// C3: in the end the spec is what it would have been without us.
    fn others_edits(&mut self) {
        let live = self.plain(self.played.state.spec.as_ref().clone());
        // What the platform takes back with a job of ours that somebody else put in anew may be seen either way.
        let wanted = [Anew::Theirs, Anew::Ours].map(|anew| self.plain(self.replay(anew)));
        if wanted.contains(&live) || self.nobody_knows() {
            return;
        }
        let [wanted, _] = wanted;
        // What can't be told is for a person to decide, and was said.
        let told = |event: &Event| matches!(event.what, Happening::Overwritten(_));
        let reported = self.played.gone.iter().any(|gone| {
            let ended = gone.ended.as_ref().is_some_and(|ended| {
                ended.reason == Reason::EditOverwritten
                    || ended
                        .report
                        .verdict
                        .as_ref()
                        .is_some_and(|verdict| !verdict.facts.conflicts.is_empty())
            });
            ended || gone.events.iter().any(told)
        });
        if !reported {
            self.broke("C3 spec", difference(&wanted, &live));
        }
    }

    /// Whether a process died, or lost its access, that had overwritten an edit by taking out no job of ours but one left
    /// by hand: that write bears no mark of ours.
    fn nobody_knows(&self) -> bool {
        let plain = |sent: &Sent| {
            let base = sent
                .base
                .as_ref()
                .is_some_and(|base| ours(&base.spec).is_empty());
            base && takes_out_stale(self.played, sent) && inserted(sent, &json_of(sent)).is_empty()
        };
        let ended = |number: usize| {
            let gone = self.played.gone.iter().find(|gone| gone.number == number);
            gone.and_then(Gone::verdict).is_some()
        };
        self.puts()
            .iter()
            .any(|(sent, _)| plain(sent) && !ended(sent.process))
    }

    /// Whether somebody wrote between a read and a write of ours, or the read was stale, or a write arrived late.
    fn lost_update_possible(&self) -> bool {
        let late = |choice: &Choice| {
            let text = choice.to_string();
            text.contains("stale\"")
                || text.contains("applied-late")
                || text.contains("in-flight")
                || text.contains("slow\"")
        };
        !self.played.journal.between.is_empty()
            || self.played.choices.iter().any(late)
            || self.somebody_acted_under_way()
    }

    /// Whether somebody acted while a read of the app and the write that followed it travelled.
    fn somebody_acted_under_way(&self) -> bool {
        let journal = &self.played.journal;
        self.puts().iter().any(|(write, _)| {
            let before = journal.sent.iter();
            let before = before.take_while(|sent| !std::ptr::eq(*sent, *write));
            let reads =
                before.filter(|sent| sent.process == write.process && sent.call == "apps.get");
            // Without time between the two, whoever acted then is in `between`, or came before the read.
            let read = reads.last().filter(|read| read.at < write.at);
            read.is_some_and(|read| {
                let mut acts = journal.acts.iter();
                acts.any(|(at, _)| read.at <= *at && *at <= write.at)
            })
        })
    }

    /// Whether somebody's edit, or a rollback that was taken back, brought the job of ours `name` into the app from `from` on.
    fn put_back_by_others(&self, name: &String, from: Timestamp) -> bool {
        let edits = &self.played.journal.edits;
        self.played.state.deployments.iter().any(|one| {
            one.created_at >= from
                && ours(&one.spec).contains(name)
                && (one.cause.0 == REVERTED || edits.iter().any(|(made, _)| *made == one.id))
        })
    }

    /// Whether a process other than `number` sent an update from `since` on that puts the job of ours `name` in.
    fn inserted_by_another(&self, name: &String, number: usize, since: Timestamp) -> bool {
        self.puts().iter().any(|(sent, body)| {
            sent.process != number && sent.at >= since && inserted(sent, body).contains(name)
        })
    }

    /// The spec without us, from the write log: the others' edits, one after the other.
    fn replay(&self, anew: Anew) -> Value {
        let edits: BTreeMap<&str, &Wrote> = self
            .played
            .journal
            .edits
            .iter()
            .map(|(id, wrote)| (id.as_str(), wrote))
            .collect();
        let mut wanted = without_ours(self.played.at_start.clone());
        let mut snapshots: BTreeMap<String, Value> = BTreeMap::new();
        let start = self.played.gone.first().map(|gone| gone.started);
        // What the app's spec really was, without us.
        let mut register = wanted.clone();
        for one in self.played.state.deployments.iter().rev() {
            if Some(one.created_at) < start {
                wanted = without_ours(one.spec.as_ref().clone());
                snapshots.insert(one.id.clone(), wanted.clone());
                continue;
            }
            let cloned = one
                .cloned_from
                .as_ref()
                .and_then(|id| snapshots.get(id).cloned());
            match one.cause.1 {
                // A person chose that deployment as it really was, or what the app was before that.
                kind if kind == "MANUAL_ROLLBACK" || one.cause.0 == REVERTED => {
                    wanted = without_ours(one.spec.as_ref().clone());
                }
                "MANUAL" => match edits.get(one.id.as_str()) {
                    Some(Wrote::Fresh(edit)) => actor::apply(*edit, &mut wanted),
                    Some(Wrote::Whole(spec)) => {
                        let spec = without_ours(spec.clone());
                        actor::apply_difference(&register, &spec, &mut wanted);
                    }
                    None => {}
                },
                // Where it was our job that failed, the rollback is our doing and takes nobody's edit back.
                "AUTO_ROLLBACK" if self.played.reverted && !self.failed_by_us(one, anew) => {
                    wanted = cloned.unwrap_or(wanted);
                }
                _ => {}
            }
            snapshots.insert(one.id.clone(), wanted.clone());
            if one.cause.1 != "AUTO_ROLLBACK" || self.played.reverted {
                register = without_ours(one.spec.as_ref().clone());
            }
        }
        wanted
    }

    /// Whether an automatic rollback answers a deployment in which a job of ours failed, or such a rollback that failed.
    fn failed_by_us(&self, rollback: &Row, anew: Anew) -> bool {
        let Some(failed) = &rollback.previous else {
            return false;
        };
        // Who puts our job in again by a stale copy of the spec deploys it, and what comes of it is theirs.
        let rows = &self.played.state.deployments;
        let Some(place) = rows.iter().position(|row| row.id == *failed) else {
            return false;
        };
        if rows[place].cause.1 == "AUTO_ROLLBACK" {
            return self.failed_by_us(&rows[place], anew);
        }
        let again = rows.get(place + 1).is_some_and(|before| {
            ours(&before.spec).is_empty() && !ours(&rows[place].spec).is_empty()
        });
        match rows[place].user.as_deref() {
            Some(PILOT) => return true,
            Some(_) if again && anew == Anew::Theirs => return false,
            Some(_) | None => {}
        }
        self.played.ran.iter().any(|ran| {
            ran.deployment == *failed
                && ran.ours
                && rows[place].failed_jobs.contains(&ran.component)
        })
    }

    /// A spec without what may differ: jobs of ours, the declared stale one, and where encrypted texts change at
    /// every read, those.
    fn plain(&self, spec: Value) -> Value {
        let mut spec = without_ours(spec);
        if self.played.has(Setting::AlsoStale)
            && let Some(jobs) = spec.get_mut("jobs").and_then(Value::as_array_mut)
        {
            jobs.retain(|job| job["name"] != BY_HAND);
        }
        if spec["jobs"].as_array().is_some_and(Vec::is_empty)
            && let Some(fields) = spec.as_object_mut()
        {
            fields.shift_remove("jobs");
        }
        // The simulator's read-back drops what is the default.
        if spec["services"][0]["instance_count"] == 1
            && let Some(service) = spec["services"][0].as_object_mut()
        {
            service.shift_remove("instance_count");
        }
        let changing = self.played.knob("ev_on_read").is_some();
        let verbatim = self.played.knob("read_back").is_some();
        if changing || verbatim {
            actor::blind(&mut spec);
        }
        spec
    }

    /// C3, C4 for each write: it is based on a read just before, touches nothing but our job, and is no forbidden call.
    fn writes(&mut self) {
        let made_by_us: BTreeSet<String> = self
            .all_deployments()
            .filter(|one| one.user.as_deref() == Some(PILOT))
            .map(|one| one.id.clone())
            .collect();
        let mut last: BTreeMap<usize, &Sent> = BTreeMap::new();
        let mut broken = Vec::new();
        for sent in &self.played.journal.sent {
            match sent.call {
                "apps.update" if left(sent) => {
                    let read = last.get(&sent.process);
                    let fresh =
                        read.is_some_and(|read| read.call == "apps.get" && read.reply == Some(200));
                    if !fresh {
                        broken.push((
                            "C4 write",
                            "an update did not follow a read of the app".to_owned(),
                        ));
                    }
                    self.judge_put(sent, &mut broken);
                }
                "deployments.cancel" => {
                    let id = sent.path.split('/').nth(5).unwrap_or_default();
                    if !made_by_us.contains(id) {
                        broken.push((
                            "C4 cancel",
                            format!("{id} was cancelled, which is somebody else's"),
                        ));
                    }
                }
                "other" => broken.push(("C4 call", format!("an unknown call: {}", sent.path))),
                _ => {}
            }
            if !sent.call.starts_with("ledger.") {
                last.insert(sent.process, sent);
            }
        }
        for (rule, what) in broken {
            self.broke(rule, what);
        }
    }

    fn judge_put(&self, sent: &Sent, broken: &mut Vec<(&'static str, String)>) {
        let body = json_of(sent);
        if body["update_all_source_versions"] == true {
            broken.push(("C4 write", "update_all_source_versions is set".to_owned()));
        }
        let Some(app) = &sent.base else {
            broken.push((
                "C4 write",
                "an update without any read of the app".to_owned(),
            ));
            return;
        };
        let (before, after) = (
            self.plain(app.spec.clone()),
            self.plain(body["spec"].clone()),
        );
        if before != after {
            // A declared repair puts back what somebody else wrote, and nothing else.
            if !self.lost_update_possible() && !self.played.reverted {
                broken.push(("C3 write", difference(&before, &after)));
            }
        }
        if before["services"][0]["github"] != after["services"][0]["github"] {
            broken.push(("C4 write", "the source of a service was touched".to_owned()));
        }
        if app.pinned {
            broken.push(("C4 write", "an update was sent to a pinned app".to_owned()));
        }
        let new = inserted(sent, &body);
        if new.is_empty() {
            return;
        }
        if sent.who == Who::Last
            || self
                .role(sent.process)
                .is_some_and(|role| role.contains("sweep") || role == "post")
        {
            broken.push((
                "C4 insert",
                format!("{new:?} was inserted by one that may not"),
            ));
        }
        if app.busy {
            broken.push((
                "C4 insert",
                format!("{new:?} was inserted over a deployment in flight"),
            ));
        }
        let had = ours(&app.spec);
        if !had.is_empty() {
            broken.push(("C4 insert", format!("{new:?} was inserted beside {had:?}")));
        }
        for job in body["spec"]["jobs"].as_array().into_iter().flatten() {
            let env = |name: &str| {
                job["envs"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .find(|env| env["key"] == name)
                    .and_then(|env| env["value"].as_str())
                    .map(str::to_owned)
            };
            if !new.iter().any(|name| job["name"] == name.as_str()) {
                continue;
            }
            let limit = env("HARBOR_PILOT_NOT_AFTER").and_then(|limit| limit.parse::<i64>().ok());
            // An update that lay here meanwhile carries a lease that may be over.
            let still = self.stood_still(sent.who).as_secs().cast_signed();
            let times = sent.at.as_second() - still..=sent.at.as_second() + 4 * 3600;
            if !limit.is_some_and(|limit| times.contains(&limit)) {
                broken.push((
                    "I4 lease",
                    format!("the lease of {new:?} ends at {limit:?}"),
                ));
            }
        }
    }

    /// C4: a migration that runs is never cut short by us, unless it is past its own limit or somebody asked for it.
    fn kills(&mut self) {
        let asked = |choice: &Choice| {
            matches!(
                choice,
                Choice::Second {
                    wants: Wants::Stop,
                    ..
                }
            )
        };
        if self.played.choices.iter().any(asked) {
            return;
        }
        let mut broken = Vec::new();
        for one in self.all_deployments() {
            for (name, begin, end) in &one.cut_short {
                let within = end.duration_since(*begin).as_secs() < JOB_LIMIT.as_secs() as i64;
                let by_us = self.played.journal.sent.iter().find(|sent| {
                    matches!(sent.call, "apps.update" | "deployments.cancel")
                        && left(sent)
                        && sent.fault.is_none()
                        && sent.killed.is_none()
                        && sent.at == *end
                });
                let by_a_person = {
                    let mut acts = self.played.journal.acts.iter();
                    acts.any(|(at, what)| at == end && what == "cancel")
                };
                if JobName::parse(name).is_some()
                    && within
                    && !by_a_person
                    && let Some(sent) = by_us
                {
                    broken.push(format!("{} cut `{name}` short", sent.call));
                }
            }
        }
        for what in broken {
            self.broke("C4 kill", what);
        }
    }

    fn role(&self, process: usize) -> Option<&'static str> {
        let mut gone = self.played.gone.iter();
        gone.find(|gone| gone.number == process)
            .map(|gone| gone.role)
    }

    /// The jobs that updates of a process brought into the app.
    fn put_in_by(&self, process: usize) -> BTreeSet<String> {
        let puts = self.puts().into_iter();
        puts.filter(|(sent, _)| sent.process == process && applied(sent))
            .flat_map(|(sent, body)| inserted(sent, &body))
            .collect()
    }

    /// Those of them that any deployment carried: an update that was refused may have been sent twice on the way, and counts as
    /// applied.
    fn went_in_by(&self, process: usize) -> BTreeSet<String> {
        let mut names = self.put_in_by(process);
        let carried = |name: &String| {
            self.all_deployments()
                .any(|one| ours(&one.spec).contains(name))
        };
        names.retain(carried);
        names
    }

    fn all_deployments(&self) -> impl Iterator<Item = &'a Row> {
        let state = self
            .played
            .late
            .as_ref()
            .map_or(&self.played.state, |(_, state)| state);
        state.deployments.iter()
    }

    fn row(&self, id: &DeploymentId) -> Option<&'a Row> {
        self.all_deployments().find(|one| one.id == id.as_str())
    }

    /// Whether an update of ours made this deployment, and it is as `fits` says.
    fn is_own(&self, id: &DeploymentId, fits: impl Fn(&Row) -> bool) -> bool {
        self.row(id)
            .is_some_and(|one| one.user.as_deref() == Some(PILOT) && fits(one))
    }

    /// C5: we never let anybody in, and write no firewall that we were not asked to write.
    fn firewall(&mut self) {
        let writes: Vec<&Sent> = self
            .played
            .journal
            .sent
            .iter()
            .filter(|sent| sent.call == "databases.put_firewall")
            .collect();
        if !self.played.has(Setting::Restore) && !writes.is_empty() {
            self.broke("C5 firewall", "written without being asked");
        }
        for sent in writes {
            let body = json_of(sent);
            for rule in body["rules"].as_array().into_iter().flatten() {
                if rule["type"] != "app" || rule["value"] != APP {
                    self.broke("C5 firewall", format!("a rule of ours: {rule}"));
                }
            }
        }
    }

    /// C5: whoever writes the firewall has taken its job out before, for the write may start a deployment.
    fn firewall_comes_last(&mut self) {
        let mut last = None;
        for sent in &self.played.journal.sent {
            if sent.call == "apps.update" && left(sent) && applied(sent) {
                last = Some(sent);
            }
            if sent.call != "databases.put_firewall" {
                continue;
            }
            let Some(put) = last else { continue };
            let mine = self.put_in_by(sent.process);
            let mut carried = ours(&json_of(put)["spec"]);
            carried.retain(|name| mine.contains(name));
            // Somebody may have taken it out meanwhile, within the same second, too.
            let carries = |one: &Row| ours(&one.spec).iter().any(|name| carried.contains(name));
            let taken_out = {
                let mut since = self
                    .all_deployments()
                    .take_while(|one| one.created_at >= put.at)
                    .filter(|one| one.created_at <= sent.at);
                // Newest first: one without it, and one with it before that.
                since.any(|one| !carries(one)) && since.any(carries)
            };
            if !carried.is_empty() && !taken_out {
                let what = format!("the firewall was written while {carried:?} was in the app");
                self.broke("C5 order", what);
            }
        }
    }

    /// Whether something stood in the way of an insert in the last part of a run: a request that went wrong, somebody who
    /// acted, a deployment.
    fn was_hindered(&self, gone: &Gone) -> bool {
        let journal = &self.played.journal;
        let of_late =
            |at: Timestamp| at <= gone.at && gone.at.duration_since(at).as_secs() < HINDERS;
        // Which may have begun long before.
        let down = |choice: &Choice| {
            matches!(
                choice,
                Choice::Act {
                    act: Act::LedgerDown(_),
                    ..
                }
            )
        };
        self.played.choices.iter().any(down)
            || !self.stood_still(gone.who).is_zero()
            || journal.acts.iter().any(|(at, _)| of_late(*at))
            || journal
                .sent
                .iter()
                .any(|sent| sent.fault.is_some() && of_late(sent.at))
            || self.all_deployments().any(|one| {
                // Those that were under way long after they were made, too: a platform may queue them.
                of_late(one.created_at) || (one.created_at <= gone.at && one.phase_at >= gone.at)
            })
    }

    /// How long a process stood still, with its machine or alone, at most.
    fn stood_still(&self, who: Who) -> Duration {
        let chosen = self
            .played
            .choices
            .iter()
            .filter_map(|choice| match choice {
                Choice::Stall { of, seconds, .. } if *of == who => Some(*seconds),
                Choice::Act {
                    act: Act::Suspend(seconds),
                    ..
                } => Some(*seconds),
                _ => None,
            });
        Duration::from_secs(chosen.sum())
    }

    /// C7 and C12: it ends, in time and with few calls.
    fn ends(&mut self, gone: &Gone) {
        if gone.ran_away {
            self.broke("C7 ends", format!("{} does not end", gone.role));
        }
        let limit = match gone.role {
            "post" => POST,
            "sweep" | "last sweep" | "fixpoint" => Duration::from_secs(60 * 60) + SLACK,
            _ => Duration::from_secs(110 * 60) + SLACK,
        };
        // Nobody can end who stands still.
        let limit = limit + self.stood_still(gone.who);
        if gone.took > limit {
            self.broke(
                "C7 time",
                format!("{} took {} s", gone.role, gone.took.as_secs()),
            );
        }
        let reason = gone.ended.as_ref().map(|ended| ended.reason);
        if reason == Some(Reason::Deadline) && !self.was_hindered(gone) {
            self.broke(
                "C7 vain",
                format!("{} had all the time, and inserted nothing", gone.role),
            );
        }
        if let Some(at) = self.played.interrupted
            && gone.who == Who::Main
            && at >= gone.started
            && at <= gone.at
            && Duration::try_from(gone.at.duration_since(at)).unwrap_or_default()
                > self.stood_still(gone.who) + Duration::from_secs(5)
        {
            self.broke(
                "C7 signal",
                format!(
                    "{} s from the signal to the end",
                    gone.at.duration_since(at).as_secs()
                ),
            );
        }
        let sent = self.played.journal.sent.iter();
        let calls: Vec<&Sent> = sent
            .filter(|sent| sent.process == gone.number && sent.path.starts_with("/v2/"))
            .collect();
        let failed = calls.iter().filter(|sent| sent.fault.is_some()).count();
        let calls = calls.len();
        let (followed, others) = self
            .all_deployments()
            .filter(|one| one.phase_at >= gone.started && one.created_at <= gone.at)
            .partition::<Vec<&Row>, _>(|one| !ours(&one.spec).is_empty());
        let others = others
            .iter()
            .filter(|one| one.user.as_deref() != Some(PILOT) && one.cause.1 != "AUTO_ROLLBACK");
        let older = self
            .all_deployments()
            .filter(|one| one.phase_at < gone.started && !ours(&one.spec).is_empty());
        let most = CALLS * followed.len().max(1)
            + WAITED * others.count()
            + COPIED * older.count()
            + AGAIN * failed;
        if calls > most {
            self.broke("C12 calls", format!("{} made {calls} calls", gone.role));
        }
    }

    /// C7: where nothing but the ledger failed, whoever put a job in has taken it out when it ends.
    fn in_spite_of_the_ledger(&mut self, gone: &Gone) {
        let played = self.played;
        let calm = played
            .journal
            .acts
            .iter()
            .all(|(_, what)| what.contains("ledger-down") || what.contains("suspend"));
        let mut mine = played
            .journal
            .sent
            .iter()
            .filter(|sent| sent.process == gone.number && !sent.call.starts_with("ledger."));
        let served = mine.all(|sent| sent.fault.is_none() && sent.killed.is_none());
        if !calm || !served || gone.ended.is_none() {
            return;
        }
        let put_in = self.put_in_by(gone.number);
        if let Some(name) = gone.left.iter().find(|name| put_in.contains(*name)) {
            self.broke(
                "C7 ledger",
                format!("{} ended and left `{name}` in the app", gone.role),
            );
        }
    }

    /// C9 and C11: a second look writes nothing, and a done migration is not run again.
    fn stays_put(&mut self) {
        let played = self.played;
        let writes = |place: usize| {
            let number = played.gone.get(place).map(|gone| gone.number);
            let sent = played.journal.sent.iter();
            sent.filter(|sent| Some(sent.process) == number && sent.call == "apps.update")
                .filter(|sent| !takes_out_stale(played, sent))
                .count()
        };
        if writes(self.played.fixpoint) > 0 {
            self.broke("C9 fixpoint", "a look at a clean app wrote to it");
        }
        if let Some(again) = self.played.again {
            if writes(again) > 0 {
                self.broke("C11 again", "a re-run of a done migration wrote to the app");
            }
            let reason = self
                .played
                .gone
                .get(again)
                .and_then(|gone| gone.ended.as_ref())
                .map(|ended| ended.reason);
            let plain = self.played.journal.acts.is_empty() && self.played.choices.is_empty();
            if plain && !matches!(reason, Some(Reason::AlreadyDone | Reason::Done)) {
                self.broke(
                    "C11 again",
                    format!("a re-run of a done migration ends with {reason:?}"),
                );
            }
        }
    }

    /// I4: a rollback long after runs nothing.
    fn late(&mut self) {
        let after = |ran: &crate::job::Ran| {
            ran.not_after
                .is_some_and(|limit| ran.at.as_second() > limit)
        };
        let late: Vec<String> = self
            .played
            .ran
            .iter()
            .filter(|ran| ran.ours && after(ran) && !ran.commands.is_empty())
            .map(|ran| ran.component.clone())
            .collect();
        for name in late {
            self.broke("I4 lease", format!("`{name}` ran after its lease"));
        }
        if let Some((at, state)) = &self.played.late {
            if self
                .played
                .ran
                .iter()
                .any(|ran| ran.at >= *at && !ran.commands.is_empty())
            {
                self.broke("I4 rollback", "a rollback forty days later ran the job");
            }
            if !state.is_clean() {
                self.broke("C2 gone", "what a rollback brought back was not swept away");
            }
        }
    }
}

/// Whose a job of ours is that somebody else put in again by a stale copy of the spec.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Anew {
    Theirs,
    Ours,
}

/// Whether a write took out a job that is declared stale, which somebody may have put in again at any time.
fn takes_out_stale(played: &Played, sent: &Sent) -> bool {
    let stale = |spec: &Value| {
        let jobs = spec["jobs"].as_array();
        jobs.is_some_and(|jobs| jobs.iter().any(|job| job["name"] == BY_HAND))
    };
    played.has(Setting::AlsoStale) && sent.base.as_ref().is_some_and(|base| stale(&base.spec))
}

/// Whether a request left the machine at all.
fn left(sent: &Sent) -> bool {
    sent.killed != Some(crate::choice::Position::BeforeSend)
}

/// Whether a PUT had an effect, now or late.
fn applied(sent: &Sent) -> bool {
    use crate::choice::FaultName as F;
    if sent.killed == Some(crate::choice::Position::InFlight) {
        // It arrives all the same, and no fault meets it.
        return !matches!(sent.answer, Some(400..=499));
    }
    match sent.fault {
        Some(F::Refuse | F::Timeout | F::Reset | F::Http500 | F::Http429 | F::Http429Bare) => false,
        Some(F::Http401 | F::Http403 | F::Http404) => false,
        Some(F::ReplyLost | F::AppliedLate | F::AppliedTwice | F::Http502Applied) => true,
        Some(F::Truncated | F::Stale | F::Slow | F::WrongType) | None => {
            !matches!(sent.answer, Some(400..=499))
        }
    }
}

/// Whether a PUT may have had an effect, by what its sender could know.
fn may_have_applied(sent: &Sent) -> bool {
    use crate::choice::FaultName as F;
    if sent.fault == Some(F::Refuse) {
        return false;
    }
    !matches!(sent.reply, Some(400..=499))
}

fn record_of(spec: &Value, name: &str) -> Option<RunRecord> {
    let job = spec["jobs"]
        .as_array()?
        .iter()
        .find(|job| job["name"] == name)?;
    let env = job["envs"]
        .as_array()?
        .iter()
        .find(|env| env["key"] == RunRecord::VARIABLE)?;
    serde_json::from_str(env["value"].as_str()?).ok()
}

/// Returns the places at which two documents differ.
fn difference(wanted: &Value, found: &Value) -> String {
    let mut places = Vec::new();
    walk("", wanted, found, &mut places);
    places.truncate(6);
    places.join(", ")
}

fn walk(path: &str, left: &Value, right: &Value, places: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let null = Value::Null;
                walk(
                    &format!("{path}/{key}"),
                    a.get(key).unwrap_or(&null),
                    b.get(key).unwrap_or(&null),
                    places,
                );
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (place, (a, b)) in a.iter().zip(b).enumerate() {
                walk(&format!("{path}/{place}"), a, b, places);
            }
        }
        _ if left == right => {}
        _ => places.push(format!("{path} (wanted {left}, found {right})")),
    }
}
