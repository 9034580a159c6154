//! Everybody else: people with the control panel open, pushes, terraform, the platform's own bad days.

use crate::choice::{Act, Edit, FaultName};
use crate::scene::{APP_NAME, CLUSTER, REPO};
use crate::shown::Shown;
use crate::wire::Hall;
use migration::JobName;
use serde_json::{Value, json};
use sim::{Breakage, Edits, Health, Pin};
use std::sync::Arc;
use std::time::Duration;

/// Who they are on the platform.
pub(crate) const HUMAN: &str = "human@example.com";

/// What somebody else's write means for the spec as it should be without us.
#[derive(Debug, Clone)]
pub(crate) enum Wrote {
    /// This edit on top of whatever stood there.
    Fresh(Edit),
    /// This whole spec, whatever stood there.
    Whole(Value),
}

/// Does it, and returns whether it wrote the spec.
pub(crate) fn perform(hall: &Arc<Hall>, act: Act) -> bool {
    let world = &hall.world;
    let mut what = crate::choice::word(&act);
    let mut wrote = None;
    let outcome: Result<(), String> = match act {
        Act::Push => {
            let edits = Edits::new().write("README.md", format!("changed at {}\n", world.now()));
            world
                .push(REPO, "main", (&edits, "an unrelated push"), "mona")
                .map(drop)
                .map_err(|error| error.to_string())
        }
        Act::Busy(times) => {
            for minute in 1..=times {
                let after = Duration::from_secs(60 * u64::from(minute));
                hall.later(after, Act::Push);
            }
            Ok(())
        }
        Act::Edit(edit) => world
            .edit_spec(APP_NAME, HUMAN, |spec| apply(edit, spec))
            .map(|id| wrote = Some((id, Wrote::Fresh(edit))))
            .map_err(|error| format!("{error:?}")),
        Act::StaleEdit(edit) => {
            let mut stale = hall.at_start.clone();
            apply(edit, &mut stale);
            put(hall, stale, &mut wrote)
        }
        Act::ReAdd(edit) => match newest_with_job(hall) {
            Some(mut spec) => {
                apply(edit, &mut spec);
                put(hall, spec, &mut wrote)
            }
            None => Err("there is no such spec".to_owned()),
        },
        Act::Redeploy => world
            .create_deployment(APP_NAME, HUMAN)
            .map(drop)
            .map_err(|error| format!("{error:?}")),
        Act::RollbackPinned => roll_back(hall, Pin::Pinned),
        Act::Rollback => roll_back(hall, Pin::Unpinned),
        Act::KeepRollback => world
            .commit_rollback(APP_NAME)
            .map_err(|error| format!("{error:?}")),
        Act::RevertRollback => world
            .revert_rollback(APP_NAME, HUMAN)
            .map(drop)
            .map_err(|error| format!("{error:?}")),
        Act::TakeOut => to_our_job(hall, |spec| *spec = without_ours(std::mem::take(spec))),
        Act::Resize => to_our_job(hall, resize),
        Act::Cancel => match Shown::now(world).in_flight() {
            Some(one) => world
                .cancel_deployment(APP_NAME, &one.id)
                .map_err(|error| format!("{error:?}")),
            None => Err("nothing is in flight".to_owned()),
        },
        Act::FirewallRule => {
            let state = world.state();
            let mut rules = state["databases"][0]["rules"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            rules.push(json!({"type": "ip_addr", "value": "203.0.113.7"}));
            world
                .edit_firewall(CLUSTER, &rules)
                .map_err(|error| format!("{error:?}"))
        }
        Act::BuildFails => broken(
            hall,
            Breakage::BuildFails {
                component: "web".to_owned(),
            },
        ),
        Act::RolloutFails => broken(
            hall,
            Breakage::HealthCheckFails {
                component: "web".to_owned(),
            },
        ),
        Act::HealthDown => world
            .set_health(APP_NAME, Health::Down)
            .map_err(|error| format!("{error:?}")),
        Act::JobHangs => world
            .set_job_seconds(APP_NAME, "migrate-*-e*", 6 * 3600)
            .map_err(|error| format!("{error:?}")),
        Act::LedgerDown(seconds) => {
            let until = migration::after(world.now(), Duration::from_secs(seconds));
            *hall.ledger_down_until.lock().unwrap() = Some(until);
            Ok(())
        }
        Act::ApiDown(seconds) => api_answers(hall, FaultName::Http500, seconds),
        Act::ApiBusy(seconds) => api_answers(hall, FaultName::Http429Bare, seconds),
        Act::Interrupt => interrupt(hall),
        Act::Suspend(seconds) => {
            world.skip(Duration::from_secs(seconds));
            Ok(())
        }
    };
    if let Err(why) = outcome {
        what.push_str(&format!(" (refused: {why})"));
    }
    let mut journal = hall.journal.lock().unwrap();
    journal.acts.push((world.now(), what));
    let written = wrote.is_some();
    journal.edits.extend(wrote);
    written
}

fn put(hall: &Hall, spec: Value, wrote: &mut Option<(String, Wrote)>) -> Result<(), String> {
    let sent = spec.clone();
    hall.world
        .edit_spec(APP_NAME, HUMAN, move |live| *live = sent)
        .map(|id| *wrote = Some((id, Wrote::Whole(spec))))
        .map_err(|error| format!("{error:?}"))
}

/// Edits the spec where a job of ours is in it, in nothing but that.
fn to_our_job(hall: &Hall, edit: impl FnOnce(&mut Value)) -> Result<(), String> {
    if ours(&Shown::now(&hall.world).spec).is_empty() {
        return Err("no job of ours is there".to_owned());
    }
    hall.world
        .edit_spec(APP_NAME, HUMAN, edit)
        .map(drop)
        .map_err(|error| format!("{error:?}"))
}

fn resize(spec: &mut Value) {
    for job in spec["jobs"].as_array_mut().into_iter().flatten() {
        if job["name"].as_str().and_then(JobName::parse).is_some() {
            job["instance_size_slug"] = json!("apps-s-1vcpu-2gb");
        }
    }
}

fn api_answers(hall: &Hall, fault: FaultName, seconds: u64) -> Result<(), String> {
    let until = migration::after(hall.world.now(), Duration::from_secs(seconds));
    *hall.api_answers.lock().unwrap() = Some((fault, until));
    Ok(())
}

fn interrupt(hall: &Hall) -> Result<(), String> {
    match &*hall.stop.lock().unwrap() {
        Some(switch) => {
            switch.stop();
            Ok(())
        }
        None => Err("nobody listens".to_owned()),
    }
}

fn broken(hall: &Hall, breakage: Breakage) -> Result<(), String> {
    hall.world
        .break_next(APP_NAME, breakage)
        .map_err(|error| format!("{error:?}"))
}

fn roll_back(hall: &Hall, pin: Pin) -> Result<(), String> {
    let app = Shown::now(&hall.world);
    let target = app
        .deployments
        .iter()
        .filter(|one| Some(&one.id) != app.active.as_ref())
        .find(|one| one.was_good());
    let Some(target) = target.map(|one| one.id.as_str()) else {
        return Err("there is nothing to roll back to".to_owned());
    };
    hall.world
        .rollback(APP_NAME, target, pin, HUMAN)
        .map(drop)
        .map_err(|error| format!("{error:?}"))
}

/// Makes an edit in a spec.
pub(crate) fn apply(edit: Edit, spec: &mut Value) {
    match edit {
        Edit::Count(count) => spec["services"][0]["instance_count"] = json!(count),
        Edit::Variable => {
            if let Some(envs) = spec["services"][0]["envs"].as_array_mut() {
                envs.retain(|env| env["key"] != "ADDED_BY_HAND");
                envs.push(json!({"key": "ADDED_BY_HAND", "scope": "RUN_TIME", "value": "yes"}));
            }
        }
        Edit::Domain => {
            if let Some(domains) = spec["domains"].as_array_mut() {
                domains.retain(|domain| domain["domain"] != "more.example.com");
                domains.push(json!({"domain": "more.example.com", "type": "ALIAS"}));
            }
        }
        Edit::Worker => {
            let mut worker = spec["services"][0].clone();
            if let Some(fields) = worker.as_object_mut() {
                fields.retain(|key, _| ["github", "dockerfile_path"].contains(&key.as_str()));
                fields.insert("name".to_owned(), json!("mailer"));
                // As the platform reads it back.
                fields.insert("instance_count".to_owned(), json!(1));
                fields.insert("instance_size_slug".to_owned(), json!("apps-s-1vcpu-0.5gb"));
            }
            let workers = spec.as_object_mut().map(|spec| spec.entry("workers"));
            if let Some(workers) = workers
                && let Some(workers) = workers.or_insert_with(|| json!([])).as_array_mut()
            {
                workers.retain(|worker| worker["name"] != "mailer");
                workers.push(worker);
            }
        }
        Edit::LessVariable => {
            if let Some(envs) = spec["services"][0]["envs"].as_array_mut() {
                envs.retain(|env| env["key"] != "JWT_SECRET");
            }
        }
        Edit::HealthCheck => {
            spec["services"][0]["health_check"] =
                json!({"http_path": "/healthy", "timeout_seconds": 9});
        }
    }
}

/// Makes in `spec` what somebody changed from `read` to `written`, in the places that an [`Edit`] touches.
pub(crate) fn apply_difference(read: &Value, written: &Value, spec: &mut Value) {
    for path in [
        "/services/0/instance_count",
        "/services/0/health_check",
        "/jobs",
    ] {
        let now = written.pointer(path).unwrap_or(&Value::Null);
        if is_same(read.pointer(path).unwrap_or(&Value::Null), now) {
            continue;
        }
        let (parent, key) = path.rsplit_once('/').unwrap_or_default();
        if let Some(fields) = spec.pointer_mut(parent).and_then(Value::as_object_mut) {
            if now.is_null() {
                fields.shift_remove(key);
            } else {
                fields.insert(key.to_owned(), now.clone());
            }
        }
    }
    for (path, by) in [
        ("/services/0/envs", "key"),
        ("/domains", "domain"),
        ("/workers", "name"),
    ] {
        let (read, written) = (list(read, path), list(written, path));
        let (parent, key) = path.rsplit_once('/').unwrap_or_default();
        let Some(fields) = spec.pointer_mut(parent).and_then(Value::as_object_mut) else {
            continue;
        };
        let held = fields.entry(key).or_insert_with(|| json!([]));
        let Some(held) = held.as_array_mut() else {
            continue;
        };
        let of = |list: &[Value], id: &Value| list.iter().find(|one| one[by] == *id).cloned();
        for one in written {
            let before = of(read, &one[by]).unwrap_or_default();
            if !is_same(&before, one) {
                match held.iter_mut().find(|held| held[by] == one[by]) {
                    Some(held) => *held = one.clone(),
                    None => held.push(one.clone()),
                }
            }
        }
        held.retain(|one| of(read, &one[by]).is_none() || of(written, &one[by]).is_some());
        if held.is_empty() {
            fields.shift_remove(key);
        }
    }
}

fn list<'a>(spec: &'a Value, path: &str) -> &'a [Value] {
    spec.pointer(path)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// An encrypted text may read anew each time, and is no edit.
fn is_same(one: &Value, other: &Value) -> bool {
    let [mut one, mut other] = [one.clone(), other.clone()];
    blind(&mut one);
    blind(&mut other);
    one == other
}

/// Replaces every encrypted text.
pub(crate) fn blind(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("EV[") || text == "plain-jwt-secret" => {
            "EV".clone_into(text);
        }
        Value::Array(all) => all.iter_mut().for_each(blind),
        Value::Object(all) => all.values_mut().for_each(blind),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Takes every job of ours out of a spec.
pub(crate) fn without_ours(mut spec: Value) -> Value {
    let Some(jobs) = spec.get_mut("jobs").and_then(Value::as_array_mut) else {
        return spec;
    };
    jobs.retain(|job| job["name"].as_str().and_then(JobName::parse).is_none());
    if jobs.is_empty()
        && let Some(fields) = spec.as_object_mut()
    {
        fields.shift_remove("jobs");
    }
    spec
}

/// Returns the names of the jobs of ours in a spec.
pub(crate) fn ours(spec: &Value) -> Vec<String> {
    spec["jobs"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|job| job["name"].as_str())
        .filter(|name| JobName::parse(name).is_some())
        .map(str::to_owned)
        .collect()
}

fn newest_with_job(hall: &Hall) -> Option<Value> {
    let app = Shown::now(&hall.world);
    let mut specs = app.deployments.iter().map(|one| &one.spec);
    specs
        .find(|spec| !ours(spec).is_empty())
        .map(|spec| spec.as_ref().clone())
}
