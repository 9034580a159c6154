//! Taking jobs out: the sweep of a schedule, a stop by hand, and the post step. Never inserts.

use super::inputs::Mode;
use super::repository;
use super::work::Work;
use crate::desk;
use crate::ledger::github::GitHubLedger;
use crate::lineage::GitHubLineage;
use crate::settings;
use crate::wiring::{self, Access};
use app_spec::{App, AppId};
use migration::{CleanUp, Config, Exit, Key, Links, Reason, Refusal, Report, Running};
use runner::Harbor;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many manifests are asked for their app, when neither inputs nor config name one.
const MANIFESTS: usize = 50;

/// Takes left-over jobs out of every app that the repository's migrations are about.
///
/// # Errors
/// A [`Refusal`] when it can't be told which apps those are.
pub(crate) async fn reap(work: &Work<'_>) -> Result<Exit, Refusal> {
    let branch = &work.info.default_branch;
    let chosen = work.asked.choices.config.as_deref();
    let config = match repository::config(work.github(), chosen, branch).await {
        Ok(config) => config,
        // With an app that is named, a job is taken out of it whatever the config is like.
        Err(_) if work.asked.choices.app.is_some() => Config::default(),
        Err(refusal) => return Err(refusal),
    };
    clean(work, &config, Mode::Reap).await
}

/// Takes left-over jobs out, or with [`Mode::Stop`] a running one.
///
/// # Errors
/// A [`Refusal`] when it can't be told from which app, or that app is not to be had.
pub(crate) async fn clean(work: &Work<'_>, config: &Config, mode: Mode) -> Result<Exit, Refusal> {
    let access = wiring::access(work.host, &work.asked.choices)?;
    let mut exit = Exit::Success;
    for wanted in apps(work, config).await? {
        let found = wiring::resolve_app(&access, &wanted).await?;
        let goal = CleanUp {
            keys: work
                .asked
                .migration
                .as_ref()
                .map(|id| BTreeSet::from([Key::of(&found.app.id, id)])),
            also_stale: settings::also_stale(&work.asked.choices.also_stale, config)?,
            running: if mode == Mode::Stop {
                Running::Cancel
            } else {
                Running::LeaveAlone
            },
        };
        let mut report = swept(
            work,
            &access,
            &found.app.id,
            found.app.spec.name(),
            (goal, migration::Mode::Sweep),
        )
        .await;
        report.subject.app = Some(work.redactor.clean_line(found.app.spec.name()));
        report.subject.migration.clone_from(&work.asked.migration);
        let links = links(work, &found.app);
        work.publisher.hand_out(&report, &links, None);
        let ended = report.reason().map_or(Exit::Usage, Reason::exit);
        if exit == Exit::Success {
            exit = ended;
        }
    }
    Ok(exit)
}

fn links(work: &Work<'_>, app: &App) -> Links {
    Links {
        dashboard: Some(format!("https://cloud.digitalocean.com/apps/{}", app.id)),
        ..work.links(
            &work.info.default_branch,
            work.asked.migration.as_ref(),
            None,
        )
    }
}

/// Returns the apps that inputs or config name, or else those that the manifests name.
pub(super) async fn apps(work: &Work<'_>, config: &Config) -> Result<BTreeSet<String>, Refusal> {
    let unnamed = match wiring::wanted_app(&work.asked.choices, None, config) {
        Ok(named) => return Ok(BTreeSet::from([named])),
        Err(refusal) => refusal,
    };
    let branch = &work.info.default_branch;
    let mut apps = BTreeSet::new();
    for located in repository::manifests(work.github(), &config.manifests, branch)
        .await?
        .iter()
        .rev()
        .take(MANIFESTS)
    {
        if let Ok(manifest) =
            repository::manifest(work.github(), located, &config.manifests, branch).await
        {
            apps.extend(manifest.app);
        }
    }
    if apps.is_empty() {
        Err(unnamed)
    } else {
        Ok(apps)
    }
}

/// Cleans one app and tells the step's log.
pub(super) async fn swept(
    work: &Work<'_>,
    access: &Access,
    app: &AppId,
    name: &str,
    (goal, mode): (CleanUp, migration::Mode),
) -> Report {
    let ledger = GitHubLedger::new(
        work.github().clone(),
        name,
        &work.info.default_branch,
        work.run_url.clone(),
    );
    let (events, mut received) = runner::stream();
    let harbor = Harbor {
        client: access.client.clone(),
        app: app.clone(),
        transport: access.transport.clone(),
        ledger: Some(Arc::new(ledger)),
        lineage: Arc::new(GitHubLineage::new(work.github().clone())),
        redactor: work.redactor.clone(),
        pace: access.pace,
        log_folder: wiring::log_folder(work.host, &work.asked.choices, None),
        events,
        stop: work.host.stop.clone(),
    };
    let cleaned = Box::pin(async move {
        let harbor = harbor;
        runner::clean(&harbor, goal, mode).await
    });
    let told = async {
        while let Some(event) = received.recv().await {
            if let Some(line) = migration::render::terminal::line(&event, &work.redactor) {
                work.console().say(&line);
            }
        }
    };
    let (ended, ()) = tokio::join!(cleaned, told);
    let mut report = ended.report;
    report.redactor = work.redactor.clone();
    desk::name_signal(work.host, &mut report);
    report
}
