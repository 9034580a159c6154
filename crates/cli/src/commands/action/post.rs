//! The post step: finishes what the main step could not, in four minutes, and never inserts.
//!
//! The runner starts it whatever became of the main step, in a container of its own, with the same inputs and what the
//! main step saved. What is saved is a hint: what is in the app is read from the app.

use super::clean::swept;
use super::work::Work;
use crate::publish::{Labels, Stage};
use crate::wiring;
use app_spec::{AppId, ComponentName};
use github::PullNumber;
use github::actions::SavedState;
use migration::render::{comment, escape};
use migration::{
    CleanUp, Config, Exit, Key, Links, MigrationId, Mode, Reason, Refusal, Report, Running,
};
use std::collections::BTreeSet;

/// What the main step left.
#[derive(Debug)]
pub(crate) struct Left {
    app: AppId,
    key: Key,
    migration: Option<MigrationId>,
    also_stale: Vec<ComponentName>,
    pull: Option<PullNumber>,
}

impl Left {
    /// Reads what was saved; nothing when no run began, or one ended with everything in order.
    pub(crate) fn read(saved: &SavedState) -> Option<Self> {
        if saved.get("ended").is_some() {
            return None;
        }
        let stale = saved
            .get("also_stale")
            .unwrap_or_default()
            .split(',')
            .filter(|name| !name.is_empty());
        Some(Self {
            app: AppId::new(saved.get("app")?),
            key: Key::parse(saved.get("key")?).ok()?,
            migration: saved
                .get("migration")
                .and_then(|id| MigrationId::parse(id).ok()),
            also_stale: stale.map(ComponentName::from_platform).collect(),
            pull: saved.get("pull").and_then(|number| number.parse().ok()),
        })
    }
}

/// Takes the job out and says so.
///
/// # Errors
/// A [`Refusal`] when the platform is not to be reached at all.
pub(crate) async fn post(work: &Work<'_>, left: Left) -> Result<Exit, Refusal> {
    let access = wiring::access(work.host, &work.asked.choices)?;
    let name = access.client.app(&left.app).await.map_or_else(
        |_| left.app.to_string(),
        |read| read.value.spec.name().to_owned(),
    );
    let goal = CleanUp {
        keys: Some(BTreeSet::from([left.key.clone()])),
        also_stale: left.also_stale.clone(),
        running: Running::Await,
    };
    let mut report = swept(work, &access, &left.app, &name, (goal, Mode::Post)).await;
    report.subject.migration.clone_from(&left.migration);
    report.subject.key = Some(left.key.clone());
    report.subject.app = Some(work.redactor.clean_line(&name));
    let links = Links {
        dashboard: Some(format!("https://cloud.digitalocean.com/apps/{}", left.app)),
        ..work.links(
            &work.info.default_branch,
            left.migration.as_ref(),
            left.pull,
        )
    };
    if let Some(pull) = left.pull {
        told(work, &left, &report, pull).await;
    }
    work.publisher.hand_out(&report, &links, None);
    Ok(report.reason().map_or(Exit::Usage, Reason::exit))
}

/// Adds to the main step's comment what came of its job, and marks the pull request.
async fn told(work: &Work<'_>, left: &Left, report: &Report, pull: PullNumber) {
    let reason = report.reason().map_or("running", Reason::code);
    let line = format!(
        "---\n\n**After the run was cut off**, the post step looked: {}. (reason `{reason}`)",
        escape::prose(report.headline().as_str())
    );
    work.publisher
        .close_with(pull, &comment::marker(Some(&left.key)), &line)
        .await;
    let branch = &work.info.default_branch;
    let chosen = work.asked.choices.config.as_deref();
    let config = super::repository::config(work.github(), chosen, branch)
        .await
        .unwrap_or_else(|_| Config::default());
    let labels = Labels::of(&config, work.asked.label.as_deref());
    work.publisher.label(pull, &labels, Stage::Failed).await;
}
