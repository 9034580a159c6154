//! The two edits of an app spec: the temporary job goes in, and comes out again.
//!
//! Both start from the spec as it is live now, never from a stored one, and both leave everything but the jobs that
//! they name exactly as it is. Nothing is sent here. What the job runs is the wrapper's text; which job it is and what
//! it may touch is the plan's.

use crate::check::MAX_SCRIPT_BYTES;
use crate::document::in_backticks;
use crate::{
    Estimate, JobName, Kind, Plan, RECORD_VERSION, Reason, Refusal, Request, RunRecord, Script,
    Shell, Wrapped, after, bare, wrap,
};
use app_spec::{
    AppSpec, Component, ComponentName, Env, EnvScope, JobComponent, JobKind, SpecError,
    redacted_diff,
};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::time::Duration;

/// How long the job has between TERM and KILL: the platform's own default, written out, since the documentation
/// names two different ones.
const GRACE: Duration = Duration::from_secs(120);

/// How much longer than twice the estimate a job may take to start before its lease ends. Clocks of the platform's
/// machines may differ by some minutes, and a build may wait for a free builder.
const LEASE_SLACK: Duration = Duration::from_secs(15 * 60);

/// The variable that every job has: the address of the database.
const DATABASE_URL: &str = "DATABASE_URL";
/// The variable that every job has where the reference component has it.
const NODE_ENV: &str = "NODE_ENV";

/// The variables whose values the shown diff replaces: the script is unreadable in its escaped form and shown as the
/// commands it runs, and the others differ with every process that asks.
const NOT_SHOWN: [(&str, &str); 3] = [
    ("HARBOR_PILOT_SCRIPT", "(the steps, wrapped)"),
    ("HARBOR_PILOT_NOT_AFTER", "(set when the job is inserted)"),
    (RunRecord::VARIABLE, "(what the run says of itself)"),
];

/// Returns when a job that is inserted at `server_time` may start at the latest.
#[must_use]
pub fn lease(server_time: Timestamp, estimate: &Estimate) -> Timestamp {
    after(
        server_time,
        estimate
            .to_start
            .saturating_mul(2)
            .saturating_add(LEASE_SLACK),
    )
}

/// Returns `live` with the plan's job in it and without the jobs that the config declares stale.
///
/// `server_time` is the platform's clock just before the PUT; the job's lease counts from it.
///
/// # Errors
/// A [`Refusal`] when the reference component or the database is gone, a variable to copy is not there, the name is
/// taken, or the edit would touch anything else: a secret without a value above all, which the platform would wipe.
pub fn insertion(plan: &Plan, live: &AppSpec, server_time: Timestamp) -> Result<AppSpec, Refusal> {
    let job = job(plan, live, server_time)?;
    let stale = &plan.request.settings.also_stale;
    let ours = plan.job().component();
    // In this order, so that the list of jobs never runs empty and keeps its place in the spec.
    let edited = live
        .insert_job(&job)
        .map_err(|error| spec_refused(plan, &error))?
        .remove_jobs(
            &stale
                .iter()
                .filter(|name| **name != ours)
                .cloned()
                .collect::<Vec<_>>(),
            None,
        );
    let wiped = edited.secrets_without_value();
    if !wiped.is_empty() {
        return Err(Refusal::new(
            Reason::SpecRefused,
            format!(
                "cannot update app `{}`: its spec has a secret without a value at {}, and sending it would wipe the secret",
                plan.app_name,
                in_backticks(wiped.iter().map(String::as_str))
            ),
            "read the app with a token that may see its whole spec, or set the secret anew in the control panel",
        ));
    }
    if only_jobs_differ(live, &edited, &ours, stale) {
        Ok(edited)
    } else {
        Err(Refusal::new(
            Reason::SpecRefused,
            format!(
                "cannot update app `{}`: the edit would change more than its temporary job",
                plan.app_name
            ),
            "this is a fault in Harbor Pilot; nothing was sent. Please report it with the app's spec, secrets removed",
        ))
    }
}

/// Returns `live` without those of `jobs` that may be taken out: a job whose name has the form of ours only when its
/// record agrees with it, any other name because the config declares it stale.
///
/// `before` is the spec as it was without us, for how it wrote an empty list of jobs.
#[must_use]
pub fn removal(live: &AppSpec, jobs: &[ComponentName], before: Option<&AppSpec>) -> AppSpec {
    let may_go = |name: &&ComponentName| {
        JobName::parse(name.as_str()).is_none()
            || live
                .job(name.as_str())
                .is_some_and(|job| RunRecord::of(&job).is_some())
    };
    let names: Vec<ComponentName> = jobs.iter().filter(may_go).cloned().collect();
    live.remove_jobs(&names, before)
}

/// Returns what the insert would change in `live`, as a unified diff without secrets, for people to read.
///
/// # Errors
/// Those of [`insertion`].
pub fn plan_diff(plan: &Plan, live: &AppSpec) -> Result<String, Refusal> {
    let edited = insertion(plan, live, Timestamp::UNIX_EPOCH)?;
    let mut shown = edited.to_value();
    let ours = plan.job().to_string();
    let jobs = shown
        .get_mut("jobs")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten();
    for job in jobs.filter(|job| job.get("name").and_then(Value::as_str) == Some(&ours)) {
        for env in job
            .get_mut("envs")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let key = env.get("key").and_then(Value::as_str).unwrap_or_default();
            if let Some((_, words)) = NOT_SHOWN.iter().find(|(hidden, _)| *hidden == key)
                && let Some(value) = env.get_mut("value")
            {
                *value = json!(words);
            }
        }
    }
    let shown = AppSpec::from_value(shown).unwrap_or(edited);
    Ok(redacted_diff(live, &shown))
}

/// Returns what the job says of itself.
pub(crate) fn record(plan: &Plan, not_after: i64) -> RunRecord {
    let Request {
        manifest,
        origin,
        commit,
        ..
    } = &plan.request;
    RunRecord {
        version: RECORD_VERSION,
        key: plan.key.clone(),
        epoch: plan.epoch,
        nonce: plan.nonce.clone(),
        migration: manifest.id.clone(),
        steps: plan.step_refs(),
        mode: plan.mode(),
        authority: plan.authority.clone(),
        pr: origin.pull_request,
        sha: commit.as_ref().map(ToString::to_string),
        repository: origin.repository.clone(),
        not_after,
    }
}

fn job(plan: &Plan, live: &AppSpec, server_time: Timestamp) -> Result<JobComponent, Refusal> {
    let settings = &plan.request.settings;
    let reference = live.component(settings.reference.as_str()).ok_or_else(|| {
        Refusal::new(
            Reason::ComponentNotFound,
            format!(
                "app `{}` no longer has the component `{}`",
                plan.app_name, settings.reference
            ),
            "name another with `component`",
        )
    })?;
    if live.database(&settings.database).is_none() {
        return Err(Refusal::new(
            Reason::DatabaseNotFound,
            format!(
                "app `{}` no longer has the database `{}`",
                plan.app_name, settings.database
            ),
            "name another with `database`",
        ));
    }
    let envs = variables(plan, live, &reference)?;
    let not_after = lease(server_time, &plan.estimate).as_second();
    let wrapped = wrapped(plan, &envs, not_after);
    let script = wrapped
        .env
        .iter()
        .map(|(_, value)| value.len())
        .max()
        .unwrap_or_default();
    if script > MAX_SCRIPT_BYTES {
        return Err(Refusal::new(
            Reason::BadManifest,
            format!(
                "the commands of `{}` come to {} KiB in the form they travel in, and one environment variable holds {}",
                plan.request.manifest.id,
                script.div_ceil(1024),
                MAX_SCRIPT_BYTES / 1024
            ),
            "put the commands into scripts of the repository and let the steps call them",
        ));
    }
    let mut builder = JobComponent::copy_of(&reference, plan.job().component())
        .map_err(|error| spec_refused(plan, &error))?
        .kind(match settings.kind {
            Kind::PostDeploy => JobKind::PostDeploy,
            Kind::PreDeploy => JobKind::PreDeploy,
        })
        .run_command(wrapped.run_command)
        .timeout(settings.job_timeout)
        .termination_grace(GRACE);
    if let Some(size) = &settings.instance_size {
        builder = builder.instance_size(size);
    }
    if let Some(digest) = &plan.image_digest {
        builder = builder.image_digest(digest);
    }
    for env in envs {
        builder = builder.env(env);
    }
    for (key, value) in wrapped.env {
        builder = builder.env(Env::general(key, value, &EnvScope::RunTime));
    }
    builder.build().map_err(|error| spec_refused(plan, &error))
}

/// Returns the variables that the job is given beside the wrapper's own.
fn variables(plan: &Plan, live: &AppSpec, reference: &Component<'_>) -> Result<Vec<Env>, Refusal> {
    let settings = &plan.request.settings;
    let database = format!("${{{}.{DATABASE_URL}}}", settings.database);
    let mut envs = vec![Env::general(DATABASE_URL, database, &EnvScope::RunTime)];
    envs.extend(reference.env(NODE_ENV));
    let mut missing = Vec::new();
    for name in &settings.env {
        let given = envs.iter().any(|env| env.key() == name);
        match reference.env(name) {
            // Always there, and `DATABASE_URL` from the database component, whatever the reference has.
            _ if given => {}
            Some(env) => envs.push(env),
            // The platform gives the app's own variables to every component, the job too.
            None if live.app_envs().any(|env| env.key() == name) => {}
            None => missing.push(name.as_str()),
        }
    }
    if !missing.is_empty() {
        let has: Vec<String> = reference.envs().map(|env| env.key().to_owned()).collect();
        return Err(Refusal::new(
            Reason::Usage,
            format!(
                "component `{}` of app `{}` has no variable {} to copy",
                settings.reference,
                plan.app_name,
                in_backticks(missing)
            ),
            if has.is_empty() {
                "it has no variables of its own; leave `env` empty".to_owned()
            } else {
                format!("it has {}", in_backticks(has.iter().map(String::as_str)))
            },
        ));
    }
    for (key, value) in &settings.secret_env {
        if envs.iter().any(|env| env.key() == key) {
            return Err(Refusal::new(
                Reason::Usage,
                format!(
                    "the variable `{key}` is given twice: by `secret-env`, and copied from `{}`",
                    settings.reference
                ),
                "take it out of one of them",
            ));
        }
        envs.push(Env::secret(key, value.expose_secret(), &EnvScope::RunTime));
    }
    Ok(envs)
}

fn wrapped(plan: &Plan, envs: &[Env], not_after: i64) -> Wrapped {
    let settings = &plan.request.settings;
    let record = record(plan, not_after);
    let needed: Vec<String> = needed(plan, envs);
    let script = Script {
        record: &record,
        steps: &plan.steps,
        mode: plan.mode(),
        on_failure: settings.on_failure,
        needed: &needed,
        not_after,
        planned_commit: plan.commit.as_ref(),
        reference: Some(&settings.reference),
    };
    match settings.shell {
        Shell::Sh => wrap(&script),
        Shell::None => bare(&script),
    }
}

/// The variables without which nothing may run: the database's address and what the user named. A value that the
/// reference component itself leaves empty is not missing in the job either.
fn needed(plan: &Plan, envs: &[Env]) -> Vec<String> {
    let settings = &plan.request.settings;
    let named = |key: &str| {
        settings.env.iter().any(|name| name == key)
            || settings.secret_env.iter().any(|(name, _)| name == key)
    };
    envs.iter()
        .filter(|env| {
            env.key() == DATABASE_URL
                || (named(env.key()) && env.value().is_some_and(|value| !value.is_empty()))
        })
        .filter(|env| env.scope() != EnvScope::BuildTime)
        .map(|env| env.key().to_owned())
        .collect()
}

fn spec_refused(plan: &Plan, error: &SpecError) -> Refusal {
    match error {
        SpecError::NameTaken { name, kind } => Refusal::new(
            Reason::NameTaken,
            format!(
                "app `{}` has a {kind} named `{name}`, which is not ours",
                plan.app_name
            ),
            "rename it; names of this form are kept for temporary jobs",
        ),
        SpecError::NotAnObject { .. }
        | SpecError::NotAList { .. }
        | SpecError::NoSource { .. }
        | SpecError::NotAnImage { .. }
        | SpecError::DuplicateEnv { .. }
        | SpecError::BadEnvKey { .. }
        | SpecError::GraceOutOfRange { .. } => Refusal::new(
            Reason::SpecRefused,
            format!(
                "cannot make a temporary job for app `{}`: {error}",
                plan.app_name
            ),
            "",
        ),
    }
}

/// Whether the specs are the same text but for our job, at the end of the list, and the stale ones.
fn only_jobs_differ(
    live: &AppSpec,
    edited: &AppSpec,
    ours: &ComponentName,
    stale: &[ComponentName],
) -> bool {
    let parts = |spec: &AppSpec| {
        let mut rest = spec.raw().clone();
        let jobs = match rest.shift_remove("jobs") {
            Some(Value::Array(jobs)) => jobs,
            Some(
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Object(_),
            )
            | None => Vec::new(),
        };
        (Value::Object(rest).to_string(), jobs)
    };
    let is = |job: &Value, name: &ComponentName| {
        job.get("name").and_then(Value::as_str) == Some(name.as_str())
    };
    let (rest, jobs) = parts(live);
    let (edited_rest, edited_jobs) = parts(edited);
    let kept = jobs
        .iter()
        .filter(|job| !stale.iter().any(|name| is(job, name)));
    let others = edited_jobs.iter().filter(|job| !is(job, ours));
    rest == edited_rest
        && kept.map(Value::to_string).eq(others.map(Value::to_string))
        && edited_jobs.iter().filter(|job| is(job, ours)).count() == 1
}

#[cfg(test)]
mod tests;
