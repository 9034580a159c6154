//! What later steps of a workflow compare: codes, ids and numbers.
//!
//! Deliberately absent: any sentence, log text, command or address. A workflow may paste these values into a shell,
//! so everything here is of a checked form; an id of the platform that is not of such a form is left out.

use crate::{
    CleanUpAxis, DeploymentAxis, FirewallAxis, HealthAxis, JobAxis, Reason, Report, StepRow,
    StepState,
};
use app_spec::DeploymentId;
use serde_json::{Value, json};

/// The version of [`json()`]'s form. A new field does not change it; a changed or removed one does.
pub const SCHEMA_VERSION: u32 = 1;

/// How a run came out, in the words that workflows compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It did all that was asked, and everything is in order.
    Succeeded,
    /// Something went wrong; the reason code says what. A done migration with an unhealthy app is this too.
    Failed,
    /// A step failed and the platform rolled the app back.
    RolledBack,
    /// A deadline passed.
    TimedOut,
    /// A person or a signal ended it.
    Cancelled,
    /// Its deployment was cancelled or superseded from outside.
    Superseded,
    /// There was nothing to do.
    Skipped,
    /// It was done before.
    AlreadyRan,
    /// It was planned only.
    Planned,
    /// It was refused; nothing was inserted.
    Refused,
    /// It may have run; the truth can't be known.
    Unproven,
    /// It has not ended.
    Running,
}

impl Status {
    /// Returns how the report's run came out.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        match report.reason() {
            Some(reason) => Self::of_reason(reason),
            None => Self::Running,
        }
    }

    /// Returns the stable word (`rolled-back`).
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::TimedOut => "timed-out",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
            Self::Skipped => "skipped",
            Self::AlreadyRan => "already-ran",
            Self::Planned => "planned",
            Self::Refused => "refused",
            Self::Unproven => "unproven",
            Self::Running => "running",
        }
    }

    fn of_reason(reason: Reason) -> Self {
        match reason {
            Reason::Done | Reason::ChecksPassed | Reason::Cleaned => Self::Succeeded,
            Reason::Planned => Self::Planned,
            Reason::Skipped => Self::Skipped,
            Reason::AlreadyDone => Self::AlreadyRan,
            Reason::RolledBack => Self::RolledBack,
            Reason::MigrationFailed
            | Reason::CheckFailed
            | Reason::VariableMissing
            | Reason::AlreadyFailed
            | Reason::NeverStarted
            | Reason::Unhealthy
            | Reason::Firewall
            | Reason::EditOverwritten
            | Reason::AccessLost
            | Reason::CleanUpNotProven
            | Reason::Detached
            | Reason::AppGone => Self::Failed,
            Reason::StartTimedOut | Reason::JobTimedOut | Reason::Deadline => Self::TimedOut,
            Reason::Interrupted | Reason::Terminated => Self::Cancelled,
            Reason::Superseded => Self::Superseded,
            Reason::Unproven | Reason::EarlierUnproven => Self::Unproven,
            Reason::Usage
            | Reason::BadConfig
            | Reason::BadManifest
            | Reason::OperatorRefused
            | Reason::AppNotFound
            | Reason::ComponentNotFound
            | Reason::DatabaseNotFound
            | Reason::ClusterNotFound
            | Reason::HealthUrlForeign
            | Reason::Ambiguous
            | Reason::EventRefused
            | Reason::SpecRefused
            | Reason::IdReused
            | Reason::Unauthorized
            | Reason::MissingScope
            | Reason::MissingPermission
            | Reason::DeploymentInFlight
            | Reason::DeployNotSeen
            | Reason::DeployFailed
            | Reason::Owned
            | Reason::Pinned
            | Reason::ChangedAfterDone
            | Reason::UndeclaredJob
            | Reason::NameTaken
            | Reason::StaleJob
            | Reason::AppRuleMissing
            | Reason::NothingLive
            | Reason::PlatformUnreachable
            | Reason::LedgerUnreachable => Self::Refused,
        }
    }
}

/// Returns the result as one JSON document, see [`SCHEMA_VERSION`].
#[must_use]
pub fn json(report: &Report) -> Value {
    let verdict = report.verdict.as_ref();
    let facts = verdict.map(|verdict| &verdict.facts);
    let reason = report.reason();
    let id = |id: Option<&DeploymentId>| id.and_then(|id| plain_id(id.as_str()));
    let live = facts.and_then(|facts| facts.live.as_ref());
    json!({
        "schema_version": SCHEMA_VERSION,
        "status": Status::of(report).code(),
        "reason_code": reason.map(Reason::code),
        "exit_code": reason.map(|reason| reason.exit().code()),
        "migration": report.migration().map(ToString::to_string),
        "key": report.key().map(ToString::to_string),
        "app_id": report.plan.as_ref().and_then(|plan| plain_id(plan.app.as_str())),
        "epoch": report.job.as_ref().map(|job| job.epoch.0),
        "job_name": job_name(report),
        "axes": verdict.map(|verdict| json!({
            "job": job(&verdict.job),
            "deployment": deployment(verdict.deployment),
            "cleanup": clean_up(verdict.clean_up),
            "health": health(verdict.health),
            "firewall": firewall(verdict.firewall),
        })),
        "steps": report.step_rows().iter().map(step).collect::<Vec<_>>(),
        "deployments": {
            "job": id(facts.and_then(|facts| facts.deployment.as_ref())),
            "rollback": id(facts.and_then(|facts| facts.rollback.as_ref())),
            "clean_up": id(facts.and_then(|facts| facts.clean_up.as_ref())),
            "live": id(live.map(|(id, _)| id)),
            "live_commit": live.and_then(|(_, commit)| commit.as_ref()).map(ToString::to_string),
        },
        "executions": facts.map_or(0, |facts| facts.executions),
        "disarmed": facts.map_or(0, |facts| facts.disarmed.len()),
        "unproven": facts.map_or(0, |facts| facts.unproven.len()),
        "changed_by_others": facts.map_or(0, |facts| facts.changed_by_others.len()),
        "extra_rules": facts.map_or(0, |facts| facts.extra_rules.len()),
        "recorded": facts.is_some_and(|facts| facts.recorded),
        "started_at": report.started.map(|at| at.to_string()),
        "ended_at": report.updated.map(|at| at.to_string()),
        "duration_seconds": report.took().map_or(0, |took| took.as_secs()),
    })
}

/// Returns the Action's outputs by name; addresses are added by the caller. Values that are not known are empty.
#[must_use]
pub fn outputs(report: &Report) -> Vec<(&'static str, String)> {
    let verdict = report.verdict.as_ref();
    let facts = verdict.map(|verdict| &verdict.facts);
    let id =
        |id: Option<&DeploymentId>| id.and_then(|id| plain_id(id.as_str())).unwrap_or_default();
    let path = report.telling_log().and_then(|log| log.path.as_ref());
    let path = path.map(|path| report.redactor.clean_line(path).to_string());
    vec![
        ("status", Status::of(report).code().to_owned()),
        (
            "reason-code",
            report
                .reason()
                .map(Reason::code)
                .unwrap_or_default()
                .to_owned(),
        ),
        ("job-name", job_name(report).unwrap_or_default()),
        (
            "deployment-id",
            id(facts.and_then(|facts| facts.deployment.as_ref())),
        ),
        (
            "rollback-deployment-id",
            id(facts.and_then(|facts| facts.rollback.as_ref())),
        ),
        ("log-path", path.unwrap_or_default()),
        (
            "cleanup",
            verdict
                .map_or("not-needed", |verdict| clean_up(verdict.clean_up))
                .to_owned(),
        ),
        (
            "health",
            verdict
                .map_or("not-checked", |verdict| health(verdict.health))
                .to_owned(),
        ),
        (
            "firewall",
            verdict
                .map_or("not-checked", |verdict| firewall(verdict.firewall))
                .to_owned(),
        ),
        (
            "duration-seconds",
            report.took().map_or(0, |took| took.as_secs()).to_string(),
        ),
        ("result", json(report).to_string()),
    ]
}

fn job_name(report: &Report) -> Option<String> {
    let named = report
        .verdict
        .as_ref()
        .and_then(|verdict| verdict.facts.job.as_ref());
    named.or(report.job.as_ref()).map(ToString::to_string)
}

/// Returns an id of the platform where it looks like one, so that pasting it into a shell does nothing.
fn plain_id(id: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let fits = !id.is_empty() && id.len() <= 64 && !id.starts_with('-') && id.bytes().all(plain);
    fits.then(|| id.to_owned())
}

fn step(row: &StepRow) -> Value {
    let (state, code) = match row.state {
        StepState::ToRun => ("to-run", None),
        StepState::Running => ("running", None),
        StepState::Done => ("done", Some(0)),
        StepState::Failed(code) => ("failed", Some(code)),
        StepState::CheckFailed(code) => ("check-failed", Some(code)),
        StepState::CheckPassed => ("check-passed", Some(0)),
        StepState::NotRun => ("not-run", None),
        StepState::DoneEarlier(..) => ("done-earlier", None),
        StepState::Unproven => ("unproven", None),
    };
    let mut value = json!({
        "name": row.name.as_str(),
        "state": state,
        "exit_code": code,
        "duration_seconds": row.took.map(|took| took.as_secs()),
    });
    if let (StepState::DoneEarlier(epoch, number), Some(fields)) =
        (row.state, value.as_object_mut())
    {
        fields.insert("epoch".to_owned(), json!(epoch.0));
        fields.insert("pull_request".to_owned(), json!(number));
    }
    value
}

fn job(axis: &JobAxis) -> &'static str {
    match axis {
        JobAxis::NotAttempted => "not-attempted",
        JobAxis::Done => "done",
        JobAxis::Failed { check: false, .. } => "failed",
        JobAxis::Failed { check: true, .. } => "check-failed",
        JobAxis::Refused { .. } => "refused",
        JobAxis::Unproven { .. } => "unproven",
        JobAxis::NeverStarted => "never-started",
        JobAxis::Running => "running",
    }
}

fn deployment(axis: DeploymentAxis) -> &'static str {
    match axis {
        DeploymentAxis::None => "none",
        DeploymentAxis::Active => "active",
        DeploymentAxis::RolledBack => "rolled-back",
        DeploymentAxis::Failed => "failed",
        DeploymentAxis::Cancelled => "cancelled",
        DeploymentAxis::InFlight => "in-flight",
        DeploymentAxis::Unknown => "unknown",
    }
}

fn clean_up(axis: CleanUpAxis) -> &'static str {
    match axis {
        CleanUpAxis::NotNeeded => "not-needed",
        CleanUpAxis::Verified => "done",
        CleanUpAxis::Sent => "sent",
        CleanUpAxis::Blocked => "failed",
    }
}

fn health(axis: HealthAxis) -> &'static str {
    match axis {
        HealthAxis::Ok => "ok",
        HealthAxis::Bad => "bad",
        HealthAxis::NotChecked => "not-checked",
    }
}

fn firewall(axis: FirewallAxis) -> &'static str {
    match axis {
        FirewallAxis::AsAsked => "as-asked",
        FirewallAxis::Drifted => "drifted",
        FirewallAxis::Restored => "restored",
        FirewallAxis::Failed => "failed",
        FirewallAxis::NotChecked => "not-checked",
    }
}
