//! The write log read back: each test is one history and what must, or must not, be put back.

use super::*;
use crate::{Authority, Epoch, Key, MigrationId, Mode, Nonce, RECORD_VERSION, RunMode, RunRecord};
use app_spec::AppId;
use serde_json::{Value, json};

const APP: &str = "1fd40be5-b9af-4e71-ab1d-3af0864a7da4";
const PILOT: &str = "pilot@example.com";
const HUMAN: &str = "human@example.com";

fn job_name() -> JobName {
    JobName {
        key: Key::of(&AppId::new(APP), &MigrationId::parse("ter-235").unwrap()),
        epoch: Epoch(0),
    }
}

fn job() -> Value {
    let record = RunRecord {
        version: RECORD_VERSION,
        key: job_name().key,
        epoch: Epoch(0),
        nonce: Nonce::parse("00000000000000000000000000000001").unwrap(),
        migration: MigrationId::parse("ter-235").unwrap(),
        steps: Vec::new(),
        mode: RunMode::Steps,
        authority: Authority::Cli("1".to_owned()),
        pr: None,
        sha: None,
        repository: None,
        not_after: 0,
    };
    let record = serde_json::to_string(&record).unwrap();
    json!({"name": job_name().to_string(), "envs": [{"key": RunRecord::VARIABLE, "value": record}]})
}

/// A spec of so many instances, and so many workers beside them.
fn spec(web: u64, worker: u64) -> Value {
    json!({"name": "terp-app",
        "services": [{"name": "web", "instance_count": web}],
        "workers": [{"name": "worker", "instance_count": worker}]})
}

/// The write log as it is told, oldest first.
#[derive(Clone)]
struct Log {
    rows: Vec<Value>,
    /// What this process remembers of its own updates.
    sent: Vec<Wrote>,
    pinned: bool,
}

fn log(before: Value) -> Log {
    Log {
        rows: Vec::new(),
        sent: Vec::new(),
        pinned: false,
    }
    .row("MANUAL", HUMAN, before)
}

impl Log {
    fn row(mut self, cause: &str, user: &str, spec: Value) -> Self {
        let action = match cause {
            "MANUAL" => "UPDATE_SPEC",
            "MANUAL_ROLLBACK" => "ROLLBACK_APP",
            _ => "",
        };
        let number = self.rows.len();
        let created = format!("2026-02-18T00:30:{number:02}Z");
        let details = match action {
            "" => json!({"type": cause}),
            action => json!({"type": cause,
                "digitalocean_user_action": {"name": action, "user": {"email": user}}}),
        };
        self.rows.push(
            json!({"id": format!("d{number}"), "phase": "ACTIVE", "cause": "",
            "cause_details": details, "created_at": created, "spec": spec}),
        );
        self
    }

    fn edit(self, spec: Value) -> Self {
        self.row("MANUAL", HUMAN, spec)
    }

    /// An update of ours whose reply this process saw, or another's that died.
    fn ours(self, mut spec: Value, with_job: bool) -> Self {
        if with_job {
            spec["jobs"] = json!([job()]);
        }
        self.row("MANUAL", PILOT, spec)
    }

    fn named(self) -> Self {
        let id = DeploymentId::new(format!("d{}", self.rows.len() - 1));
        self.replied(PutResult::Applied(Some(id)), WrittenFor::Job)
    }

    /// An update of this process that puts an edit back, made from `read`.
    fn repaired(self, read: &Value, spec: Value) -> Self {
        let read = Fingerprint::without_secrets(&AppSpec::from_value(read.clone()).unwrap());
        let id = DeploymentId::new(format!("d{}", self.rows.len()));
        self.ours(spec, false)
            .replied(PutResult::Applied(Some(id)), WrittenFor::Repair(read))
    }

    /// The newest row is what this process sent; the reply named no deployment.
    fn unnamed(self) -> Self {
        self.replied(PutResult::Applied(None), WrittenFor::Job)
    }

    fn replied(mut self, outcome: PutResult, what_for: WrittenFor) -> Self {
        let row = Deployment::from_value(self.rows.last().unwrap()).unwrap();
        let put = Put {
            at: row.created_at.unwrap(),
            outcome,
            sent: Fingerprint::without_secrets(&row.spec.unwrap()),
            retry_after: None,
        };
        self.sent.push(Wrote { put, what_for });
        self
    }

    /// The update that the newest row shows, sent at another time.
    fn sent_at(mut self, time: &str) -> Self {
        let sent = self.sent.last_mut().unwrap();
        sent.put.at = format!("2026-02-18T{time}Z").parse().unwrap();
        self
    }

    /// The newest row, made at another time.
    fn at(mut self, time: &str) -> Self {
        let newest = self.rows.len() - 1;
        self.rows[newest]["created_at"] = json!(format!("2026-02-18T{time}Z"));
        self
    }

    /// The same where the platform does not tell who did what.
    fn nameless(mut self) -> Self {
        for row in &mut self.rows {
            let details = &mut row["cause_details"];
            if let Some(action) = details.get_mut("digitalocean_user_action") {
                action["user"] = Value::Null;
            }
        }
        self
    }

    fn push(self, spec: Value) -> Self {
        self.row("DEPLOY_ON_PUSH", "", spec)
    }

    /// The platform's rollback of the newest row, in which our job failed or something else did.
    fn rolled_back(mut self, to: usize, our_job_failed: bool) -> Self {
        let failed = self.rows.len() - 1;
        let status = if our_job_failed { "ERROR" } else { "SUCCESS" };
        self.rows[failed]["phase"] = json!("ERROR");
        self.rows[failed]["progress"] = json!({"steps": [{"name": "deploy", "status": "ERROR", "steps": [
            {"name": "x", "status": status, "component_name": job_name().to_string()}]}]});
        let spec = self.rows[to]["spec"].clone();
        let mut log = self.row("AUTO_ROLLBACK", "", spec);
        let row = log.rows.last_mut().unwrap();
        row["cause"] = json!(format!(
            "automated rollback after failed deployment of \"d{failed}\""
        ));
        row["cloned_from"] = json!(format!("d{to}"));
        log
    }

    fn roll_back(self, to: usize) -> Self {
        let spec = self.rows[to]["spec"].clone();
        let mut log = self.row("MANUAL_ROLLBACK", HUMAN, spec);
        log.rows.last_mut().unwrap()["cloned_from"] = json!(format!("d{to}"));
        log
    }

    fn lost(&self, live: Value) -> LostEdits {
        let (app, seen) = self.seen(live);
        lost_edits(&[job_name()], &[], &app, &seen)
    }

    fn seen(&self, live: Value) -> (App, Observed) {
        let mut app = json!({"id": APP, "spec": live});
        if self.pinned {
            app["pinned_deployment"] = json!({"id": "d0"});
        }
        let app = App::from_value(&app).unwrap();
        let rows = self.rows.iter().rev();
        let seen = Observed {
            deployments: rows
                .map(|row| Deployment::from_value(row).unwrap())
                .collect(),
            wrote: self.sent.clone(),
            ..Observed::nothing("2026-02-18T01:00:00Z".parse().unwrap(), Mode::Main)
        };
        (app, seen)
    }

    /// What is put back into `live`.
    fn put_back(&self, live: Value) -> Value {
        let lost = self.lost(live);
        assert_eq!(lost.conflicts, Vec::<String>::new());
        lost.spec.expect("something is put back").to_value()
    }
}

const NOTHING: LostEdits = LostEdits {
    spec: None,
    paths: Vec::new(),
    conflicts: Vec::new(),
};

#[test]
fn a_calm_history_has_nothing_to_put_back() {
    let calm = log(spec(1, 1))
        .ours(spec(1, 1), true)
        .ours(spec(1, 1), false);
    assert_eq!(calm.lost(spec(1, 1)), NOTHING);
}

#[test]
fn an_edit_that_an_insert_overwrote_is_put_back() {
    let history = log(spec(1, 1)).edit(spec(1, 3)).ours(spec(1, 1), true);
    assert_eq!(history.put_back(spec(1, 1)), spec(1, 3));
}

/// Our user may have written at any time before.
#[test]
fn what_our_user_wrote_before_this_run_is_not_taken_for_an_update_of_its() {
    let history = log(spec(1, 2))
        .ours(spec(1, 1), false)
        .edit(spec(1, 3))
        .ours(spec(1, 1), true);
    assert_eq!(history.named().put_back(spec(1, 1)), spec(1, 3));
}

/// A run that has no job in the app yet takes out one that the config declares stale.
#[test]
fn an_edit_that_the_removal_of_a_stale_job_overwrote_is_put_back() {
    let history = log(spec(1, 1)).edit(spec(1, 3)).ours(spec(1, 1), false);
    assert_eq!(history.named().put_back(spec(1, 1)), spec(1, 3));
}

#[test]
fn an_edit_that_a_removal_overwrote_is_put_back_by_whoever_sees_the_history() {
    let mut edited = spec(1, 3);
    edited["jobs"] = json!([job()]);
    let history = log(spec(1, 1))
        .ours(spec(1, 1), true)
        .edit(edited)
        .ours(spec(1, 1), false);
    assert_eq!(history.put_back(spec(1, 1)), spec(1, 3));
}

#[test]
fn an_edit_that_stayed_stays_as_it_is() {
    let mut edited = spec(1, 3);
    edited["jobs"] = json!([job()]);
    let history = log(spec(1, 1))
        .ours(spec(1, 1), true)
        .edit(edited)
        .ours(spec(1, 3), false);
    assert_eq!(history.lost(spec(1, 3)), NOTHING);
}

#[test]
fn a_push_that_published_the_overwritten_spec_again_changes_nothing() {
    // The rule "compare with the deployment before" would take the push for the truth.
    let history = log(spec(1, 1))
        .edit(spec(1, 3))
        .ours(spec(1, 1), true)
        .push(spec(1, 1));
    assert_eq!(history.put_back(spec(1, 1)), spec(1, 3));
}

#[test]
fn a_later_edit_of_another_place_is_kept_beside_the_lost_one() {
    let history = log(spec(1, 1))
        .edit(spec(1, 3))
        .ours(spec(1, 1), true)
        .edit(spec(5, 1));
    assert_eq!(history.put_back(spec(5, 1)), spec(5, 3));
}

#[test]
fn a_later_edit_of_the_same_place_counts_and_is_told() {
    let history = log(spec(1, 1))
        .edit(spec(1, 3))
        .ours(spec(1, 1), true)
        .edit(spec(1, 5));
    let lost = history.lost(spec(1, 5));
    assert_eq!(lost.spec, None);
    assert_eq!(lost.conflicts, ["workers[worker].instance_count"]);
}

#[test]
fn an_edit_that_left_no_deployment_is_kept_beside_the_lost_one() {
    let history = log(spec(1, 1)).edit(spec(1, 3)).ours(spec(1, 1), true);
    assert_eq!(history.put_back(spec(7, 1)), spec(7, 3));
}

#[test]
fn the_rollback_of_our_own_failed_job_takes_nobodys_edit_back() {
    for live in [spec(1, 1), spec(1, 3)] {
        let history = log(spec(1, 1))
            .edit(spec(1, 3))
            .ours(spec(1, 1), true)
            .rolled_back(0, true);
        let lost = history.lost(live.clone());
        // Whether the platform took the spec back or not: the edit must be in it.
        match lost.spec {
            Some(spec_back) => assert_eq!(spec_back.to_value(), spec(1, 3)),
            None => assert_eq!(live, spec(1, 3)),
        }
        assert_eq!(lost.conflicts, Vec::<String>::new());
    }
}

#[test]
fn the_rollback_after_a_rollback_of_ours_that_failed_takes_nobodys_edit_back_either() {
    let history = log(spec(1, 1))
        .edit(spec(1, 3))
        .ours(spec(1, 1), true)
        .rolled_back(0, true)
        .rolled_back(0, false);
    assert_eq!(history.put_back(spec(1, 1)), spec(1, 3));
}

#[test]
fn the_rollback_of_somebodys_own_failed_edit_may_take_it_back() {
    let mut edited = spec(9, 1);
    edited["jobs"] = json!([job()]);
    let history = log(spec(1, 1))
        .ours(spec(1, 1), true)
        .edit(edited)
        .rolled_back(0, false);
    assert_eq!(history.lost(spec(1, 1)), NOTHING, "taken back");
    assert_eq!(history.lost(spec(9, 1)), NOTHING, "kept");
}

/// Each leaves open whether the platform took the spec back with it, and the old copy that follows is read either way:
/// twice as many readings each time, of which few are followed.
#[test]
fn a_long_row_of_failed_edits_is_read_all_the_same() {
    let mut history = log(spec(1, 1)).ours(spec(1, 1), true);
    let insert = history.rows.len() - 1;
    for number in 0..24 {
        let mut edited = spec(1, 1);
        edited["envs"] = json!([{"key": format!("LIMIT_{number}"), "value": "1"}]);
        edited["jobs"] = json!([job()]);
        history = history.edit(edited).rolled_back(insert, true);
        history = history.edit(spec(1, 1));
    }
    // Each went with a rollback, or by the old copy: a person is told of those that the readings followed differ in.
    let told = history.lost(spec(1, 1));
    assert_eq!(told.spec, None);
    assert_eq!(
        told.conflicts,
        [0, 1, 2, 3].map(|number| format!("envs[LIMIT_{number}]"))
    );
}

/// A push deploys what is there, so the spec went back; a person may have written the same from an old copy, and whether
/// that was meant is told and not guessed.
#[test]
fn a_push_after_the_rollback_of_our_failed_job_shows_whether_the_spec_went_back_with_it() {
    let with_job = |mut spec: Value| {
        spec["jobs"] = json!([job()]);
        spec
    };
    let failed = log(spec(1, 1))
        .ours(spec(1, 1), true)
        .edit(with_job(spec(2, 1)))
        .rolled_back(0, true);
    let pushed = failed.clone().push(spec(1, 1));
    assert_eq!(pushed.put_back(spec(1, 1)), spec(2, 1));
    let written = failed.edit(with_job(spec(1, 1)));
    // By a person, whatever that person's action is called.
    let mut without_action = written.clone();
    let newest = without_action.rows.last_mut().unwrap();
    newest["cause_details"]["digitalocean_user_action"]["name"] = Value::Null;
    for written in [written.clone().nameless(), without_action, written] {
        let told = written.lost(spec(1, 1));
        assert_eq!(told.spec, None);
        assert_eq!(told.conflicts, ["services[web].instance_count"]);
    }
}

#[test]
fn a_rollback_that_took_an_edit_back_leaves_what_was_lost_by_then() {
    let history = log(spec(1, 1))
        .edit(spec(1, 2))
        .edit(spec(1, 3))
        .ours(spec(1, 1), true)
        .edit(spec(9, 1))
        .rolled_back(3, false);
    assert_eq!(history.put_back(spec(1, 1)), spec(1, 3));
}

#[test]
fn a_dead_runs_removal_after_a_rollback_that_shows_no_job_is_known_all_the_same() {
    // Somebody scales up while the insert is under way, which lands on it and fails. The platform rolls back to their
    // deployment, which had no job, and keeps the spec, which has; so the removal takes out what no deployment shows.
    let log = log(spec(1, 1))
        .edit(spec(5, 1))
        .ours(spec(1, 1), true)
        .rolled_back(1, true)
        .ours(spec(1, 1), false);
    assert_eq!(log.put_back(spec(1, 1)), spec(5, 1));
}

#[test]
fn a_persons_rollback_is_left_alone() {
    let history = log(spec(4, 4))
        .edit(spec(1, 1))
        .ours(spec(1, 1), true)
        .ours(spec(1, 1), false)
        .roll_back(0);
    assert_eq!(history.lost(spec(4, 4)), NOTHING);
}

/// Nothing is put back, and both counts are told.
fn assert_both_told(lost: &LostEdits) {
    assert_eq!(lost.spec, None);
    assert_eq!(
        lost.conflicts,
        [
            "services[web].instance_count",
            "workers[worker].instance_count"
        ]
    );
}

#[test]
fn a_persons_rollback_that_we_overtook_is_told_and_not_put_back() {
    let history = log(spec(4, 4))
        .edit(spec(1, 1))
        .ours(spec(1, 1), true)
        .roll_back(0)
        .ours(spec(1, 1), false)
        .named();
    assert_both_told(&history.lost(spec(1, 1)));
    // Whatever the platform names as the cause, the user's action tells.
    let mut told_by_action = history;
    told_by_action.rows[3]["cause_details"]["type"] = json!("MANUAL");
    assert_both_told(&told_by_action.lost(spec(1, 1)));
}

#[test]
fn a_persons_rollback_that_a_repair_of_ours_overtook_is_told_and_not_put_back() {
    let overwritten = log(spec(4, 4))
        .edit(spec(1, 1))
        .edit(spec(1, 3))
        .ours(spec(1, 1), true)
        .ours(spec(1, 1), false);
    let repaired = |log: Log| log.repaired(&spec(1, 1), spec(1, 3)).lost(spec(1, 3));
    assert_eq!(repaired(overwritten.clone()), NOTHING, "nobody rolled back");
    assert_both_told(&repaired(overwritten.roll_back(0)));
}

#[test]
fn a_repair_beside_an_edit_that_left_no_deployment_keeps_it() {
    let history = log(spec(1, 1))
        .edit(spec(1, 3))
        .ours(spec(1, 1), true)
        .ours(spec(1, 1), false)
        .repaired(&spec(7, 1), spec(7, 3));
    assert_eq!(history.lost(spec(7, 3)), NOTHING);
}

#[test]
fn an_edit_that_a_repair_of_ours_overwrote_is_put_back_like_any_other() {
    let history = log(spec(5, 3))
        .edit(spec(1, 1))
        .edit(spec(1, 3))
        .ours(spec(1, 1), true)
        .ours(spec(1, 1), false)
        .edit(spec(5, 1))
        .repaired(&spec(1, 1), spec(1, 3));
    assert_eq!(history.put_back(spec(1, 3)), spec(5, 3));
}

/// Another run had put the edit back, and a person has taken it out since.
#[test]
fn a_repair_that_arrives_late_is_wanted_no_more_than_when_it_was_sent() {
    let late = |sent: &str| {
        log(spec(1, 1))
            .edit(spec(1, 3))
            .ours(spec(1, 1), true)
            .ours(spec(1, 1), false)
            .ours(spec(1, 3), false)
            .edit(spec(5, 1))
            .repaired(&spec(1, 1), spec(1, 3))
            .sent_at(sent)
            .put_back(spec(1, 3))
    };
    assert_eq!(late("00:30:03"), spec(5, 1));
    assert_eq!(late("00:30:04"), spec(5, 1));
    // Sent after that, it was decided on anew.
    assert_eq!(late("00:30:05"), spec(5, 3));
}

#[test]
fn a_doubtful_update_may_still_arrive_for_three_minutes() {
    let sent = |outcome| {
        let mut log = log(spec(1, 1)).ours(spec(1, 1), true);
        log = log.replied(outcome, WrittenFor::Job);
        log.rows.pop();
        log
    };
    let at = |log: &Log, now: &str| {
        let (_, mut seen) = log.seen(spec(1, 1));
        seen.now = format!("2026-02-18T{now}Z").parse().unwrap();
        unsettled(&seen).map(|until| until.to_string())
    };
    let doubtful = sent(PutResult::Ambiguous);
    let until = Some("2026-02-18T00:33:01Z".to_owned());
    assert_eq!(at(&doubtful, "00:30:01"), until);
    assert_eq!(at(&doubtful, "00:33:00"), until);
    assert_eq!(at(&doubtful, "00:33:01"), None);
    assert_eq!(at(&sent(PutResult::NotApplied), "00:30:01"), None);
    let shown = log(spec(1, 1)).ours(spec(1, 1), true);
    let shown = shown.replied(PutResult::Ambiguous, WrittenFor::Job);
    assert_eq!(
        at(&shown, "00:33:00"),
        until,
        "another run's may look the same"
    );
    assert_eq!(at(&shown, "00:33:01"), None);
}

/// By what was sent, by whom and when; none of the three is enough.
#[test]
fn a_doubtful_update_made_the_row_that_shows_it_at_its_time() {
    let log = log(spec(1, 1)).ours(spec(1, 3), true);
    let log = log.replied(PutResult::Ambiguous, WrittenFor::Job);
    let put = &log.sent[0].put;
    let row = |log: &Log| Deployment::from_value(log.rows.last().unwrap()).unwrap();
    let shown = row(&log);
    assert!(made(put, &shown, false));
    assert!(!made(put, &shown, true), "somebody else made it");
    let other = row(&self::log(spec(1, 1)).ours(spec(1, 4), true));
    assert!(other.created_at == shown.created_at && !made(put, &other, false));
    let late = Put {
        at: "2026-02-18T00:10:00Z".parse().unwrap(),
        ..put.clone()
    };
    assert!(!made(&late, &shown, false), "it was sent long before");
}

#[test]
fn an_edit_after_a_persons_rollback_is_put_back_like_any_other() {
    let mut edited = spec(4, 6);
    edited["jobs"] = json!([job()]);
    let mut carried = spec(4, 4);
    carried["jobs"] = json!([job()]);
    let history = log(spec(4, 4))
        .ours(spec(4, 4), true)
        .ours(spec(4, 4), false)
        .roll_back(1)
        .edit(edited)
        .ours(spec(4, 4), false);
    assert_eq!(history.put_back(spec(4, 4)), spec(4, 6));
}

#[test]
fn a_pinned_app_is_never_written() {
    let mut history = log(spec(1, 1)).edit(spec(1, 3)).ours(spec(1, 1), true);
    history.pinned = true;
    let lost = history.lost(spec(1, 1));
    assert_eq!(lost.spec, None);
    assert_eq!(lost.conflicts, ["workers[worker].instance_count"]);
}

#[test]
fn a_person_who_takes_our_job_out_with_an_edit_of_their_own_is_believed() {
    let history = log(spec(1, 1))
        .edit(spec(1, 3))
        .ours(spec(1, 3), true)
        .edit(spec(1, 1));
    assert_eq!(history.lost(spec(1, 1)), NOTHING);
}

#[test]
fn a_removal_that_arrives_after_the_job_is_gone_is_known_by_its_user() {
    let history = log(spec(1, 1))
        .ours(spec(1, 1), true)
        .edit(spec(1, 3))
        .ours(spec(1, 1), false);
    assert_eq!(history.put_back(spec(1, 1)), spec(1, 3));
}

/// Somebody took it back, or a removal of a process that died overtook it.
#[test]
fn an_edit_that_is_undone_within_minutes_is_told_where_nobody_is_named() {
    let undone = |at: &str| {
        let history = log(spec(1, 1))
            .ours(spec(1, 1), true)
            .edit(spec(1, 3))
            .ours(spec(1, 1), false);
        history.at(at).nameless().lost(spec(1, 1))
    };
    let told = LostEdits {
        conflicts: vec!["workers[worker].instance_count".to_owned()],
        ..NOTHING
    };
    assert_eq!(undone("00:33:02"), told);
    assert_eq!(undone("00:33:03"), NOTHING);
}

/// What a job left by hand was taken out with shows no job of ours, and the reply named the second.
#[test]
fn an_update_that_was_applied_twice_is_ours_both_times() {
    let history = log(spec(1, 1))
        .edit(spec(1, 3))
        .ours(spec(1, 1), false)
        .ours(spec(1, 1), false)
        .named();
    assert_eq!(history.put_back(spec(1, 1)), spec(1, 3));
}

#[test]
fn whoever_works_as_our_user_may_take_back_their_own_edit() {
    let history = log(spec(1, 1))
        .ours(spec(1, 1), true)
        .ours(spec(1, 1), false)
        .ours(spec(1, 3), false)
        .ours(spec(1, 1), false);
    assert_eq!(history.lost(spec(1, 1)), NOTHING);
}

/// A late update of ours arrives within three minutes; who undoes an edit after that has decided to.
#[test]
fn whoever_works_as_our_user_may_take_back_an_older_edit_of_somebody_else() {
    let undone = |at: &str| {
        log(spec(1, 1))
            .edit(spec(3, 1))
            .ours(spec(3, 1), true)
            .ours(spec(3, 1), false)
            .ours(spec(1, 1), false)
            .at(at)
    };
    assert_eq!(undone("00:33:01").put_back(spec(1, 1)), spec(3, 1));
    assert_eq!(undone("00:33:02").lost(spec(1, 1)), NOTHING);
}

#[test]
fn whoever_works_as_our_user_may_take_back_their_own_edit_and_that_of_another_with_it() {
    let history = log(spec(1, 1))
        .ours(spec(1, 1), true)
        .ours(spec(1, 1), false)
        .ours(spec(1, 3), false)
        .edit(spec(5, 3))
        .ours(spec(1, 1), false);
    assert_eq!(history.lost(spec(1, 1)), NOTHING);
}

/// Where nobody is named, whoever takes the job out is ours only with what was read for the insert.
#[test]
fn a_person_who_takes_our_job_out_with_an_older_spec_is_believed() {
    let history = log(spec(3, 1))
        .edit(spec(1, 1))
        .ours(spec(1, 1), true)
        .edit(spec(3, 1))
        .nameless();
    assert_eq!(history.lost(spec(3, 1)), NOTHING);
}

#[test]
fn whoever_works_as_our_user_may_take_our_job_out_with_an_edit_of_their_own() {
    let history = log(spec(1, 1))
        .ours(spec(1, 1), true)
        .ours(spec(5, 1), false);
    assert_eq!(history.lost(spec(5, 1)), NOTHING);
}

#[test]
fn a_history_that_does_not_show_what_the_insert_was_made_from_tells_nothing() {
    let history = log(spec(2, 2)).ours(spec(1, 1), true);
    assert_eq!(history.lost(spec(8, 8)), NOTHING);
}

/// Which of the two it was shows in what we read after it, not in what somebody writes from an old copy.
#[test]
fn what_our_next_write_had_read_tells_whether_a_rollback_took_the_spec_back() {
    let mut edited = spec(2, 1);
    edited["jobs"] = json!([job()]);
    let removed = |read: Value| {
        log(spec(1, 1))
            .ours(spec(1, 1), true)
            .edit(edited.clone())
            .rolled_back(0, true)
            .edit(spec(1, 5))
            .ours(read, false)
    };
    // Kept: the edit was there when the removal read, and the old copy dropped it afterwards.
    assert_eq!(removed(spec(2, 1)).put_back(spec(2, 1)), spec(1, 5));
    // Taken back: by a failure of ours, which takes nobody's edit back.
    assert_eq!(removed(spec(1, 1)).put_back(spec(1, 1)), spec(2, 5));
}

/// An update whose reply named nothing is not taken for somebody's that says the same at the same time.
#[test]
fn what_another_user_wrote_is_not_ours_though_it_is_what_we_sent() {
    let history = log(spec(1, 1))
        .ours(spec(1, 1), true)
        .edit(spec(2, 1))
        .ours(spec(2, 1), false)
        .unnamed();
    assert_eq!(history.lost(spec(2, 1)), NOTHING);
}

/// A removal that another run of ours sent before the insert and that arrives late.
#[test]
fn a_late_write_of_another_run_of_ours_is_known_by_what_the_app_was_before() {
    let history = log(spec(1, 1))
        .edit(spec(3, 1))
        .ours(spec(3, 1), true)
        .ours(spec(1, 1), false);
    assert_eq!(history.put_back(spec(1, 1)), spec(3, 1));
}

/// The same where our own update has taken its job out before the late one arrives.
#[test]
fn a_late_write_is_known_though_the_edit_that_it_undoes_came_before_our_own_update() {
    let history = log(spec(1, 1))
        .edit(spec(3, 1))
        .ours(spec(3, 1), true)
        .ours(spec(3, 1), false)
        .ours(spec(1, 1), false);
    assert_eq!(history.put_back(spec(1, 1)), spec(3, 1));
}

/// The same where our own updates have overwritten that edit and put it back meanwhile.
#[test]
fn a_late_write_is_known_though_the_edit_that_it_undoes_was_lost_and_put_back_before() {
    let history = log(spec(1, 1))
        .edit(spec(3, 1))
        .ours(spec(1, 1), true)
        .named()
        .repaired(&spec(1, 1), spec(3, 1))
        .ours(spec(1, 1), false);
    assert_eq!(history.put_back(spec(1, 1)), spec(3, 1));
}

/// Another run puts back what its own insert overwrote, and its update lands on ours.
#[test]
fn what_another_run_of_ours_puts_back_is_not_taken_for_a_late_write() {
    let history = log(spec(1, 1))
        .edit(spec(1, 3))
        .ours(spec(1, 1), false)
        .ours(spec(1, 1), true)
        .named()
        .ours(spec(1, 3), false);
    assert_eq!(history.lost(spec(1, 3)), NOTHING);
}

/// A push deploys what is there, and shows nobody's decision.
#[test]
fn a_push_between_hides_no_late_removal() {
    let history = log(spec(1, 1))
        .ours(spec(1, 1), true)
        .edit(spec(3, 1))
        .push(spec(3, 1))
        .ours(spec(1, 1), false);
    assert_eq!(history.put_back(spec(1, 1)), spec(3, 1));
}

/// The platform cuts its times to the second, so that a deployment may seem older than the update that made it.
#[test]
fn a_deployment_may_seem_older_than_its_update_and_come_three_minutes_after_it() {
    let spec = AppSpec::from_value(spec(1, 1)).unwrap();
    let put = Put {
        at: "2026-02-18T00:30:10.7Z".parse().unwrap(),
        outcome: PutResult::Ambiguous,
        sent: Fingerprint::without_secrets(&spec),
        retry_after: None,
    };
    for (time, lands) in [
        ("00:30:00", false),
        ("00:30:01", true),
        ("00:30:10", true),
        ("00:33:10", true),
        ("00:33:11", false),
    ] {
        let at = format!("2026-02-18T{time}Z").parse().unwrap();
        assert_eq!(may_land(&put, at), lands, "{time}");
    }
}

#[test]
fn who_took_the_job_out_shows_whether_the_run_was_stopped() {
    let inserted = || log(spec(1, 1)).ours(spec(1, 1), true);
    let is_stopped = |history: Log| stopped(&job_name(), &history.seen(spec(1, 1)).1);
    assert!(is_stopped(inserted().ours(spec(1, 1), false)));
    // Both took it out at the same time, in either order.
    let both = inserted().ours(spec(1, 1), false).named();
    assert!(is_stopped(both.ours(spec(1, 1), false)));
    let both = inserted().ours(spec(1, 1), false);
    assert!(is_stopped(both.ours(spec(1, 1), false).named()));
    // Our own clean-up, a person's stale copy, and a job that is still there.
    assert!(!is_stopped(inserted().ours(spec(1, 1), false).named()));
    assert!(!is_stopped(inserted().ours(spec(1, 1), false).unnamed()));
    assert!(!is_stopped(inserted().edit(spec(1, 1))));
    let mut other = job();
    let name = other["name"].as_str().unwrap().replace("-e0", "-e1");
    other["name"] = json!(name);
    let variable = &mut other["envs"][0]["value"];
    *variable = json!(
        variable
            .as_str()
            .unwrap()
            .replace("\"epoch\":0", "\"epoch\":1")
    );
    let mut with_another = spec(1, 1);
    with_another["jobs"] = json!([other]);
    assert!(!is_stopped(inserted().ours(with_another, false)));
    assert!(!is_stopped(inserted()));
}
