//! `stop` and `reap`: the app is put back, without or with a run to end.

use super::status::{self, Survey};
use crate::args::{ReapArgs, StopArgs};
use crate::choices::Choices;
use crate::desk::Desk;
use crate::hint::{self, Typed};
use crate::ledger::file::FileLedger;
use crate::settings;
use crate::wiring::{self, Access, Found, chain};
use crate::{desk, progress};
use migration::{CleanUp, Config, Key, MigrationId, Mode, Reason, Refusal, Running};
use runner::{Harbor, Ledger, NoLineage};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Ends a run from outside and takes its job out.
pub(crate) async fn stop(mut desk: Desk<'_>, args: StopArgs) -> u8 {
    desk.result_file.clone_from(&args.result_file);
    let place = Place {
        choices: args.place.choices(),
        migration_id: args.migration_id,
        state_dir: args.state_dir,
        also_stale: Vec::new(),
    };
    let here = match place.look(&mut desk).await {
        Ok(here) => here,
        Err(refusal) => return desk.refuse(refusal),
    };
    here.clean(&desk, Running::Cancel).await
}

/// Takes out what ended runs left behind.
pub(crate) async fn reap(mut desk: Desk<'_>, args: ReapArgs) -> u8 {
    desk.result_file.clone_from(&args.result_file);
    let place = Place {
        choices: args.place.choices(),
        migration_id: args.migration_id,
        state_dir: args.state_dir,
        also_stale: args.also_stale,
    };
    let here = match place.look(&mut desk).await {
        Ok(here) => here,
        Err(refusal) => return desk.refuse(refusal),
    };
    if args.dry_run {
        return match desk
            .unless_stopped(here.survey())
            .await
            .and_then(|survey| survey)
        {
            Ok(survey) => show(&desk, &here, &survey),
            Err(refusal) => desk.refuse(refusal),
        };
    }
    here.clean(&desk, Running::LeaveAlone).await
}

/// What was named, before anything is looked at.
struct Place {
    choices: Choices,
    migration_id: Option<String>,
    state_dir: Option<PathBuf>,
    also_stale: Vec<String>,
}

/// An app that is there.
struct Here {
    access: Access,
    found: Found,
    goal: CleanUp,
    ledger: Option<FileLedger>,
    log_folder: Option<PathBuf>,
    typed: Typed,
}

impl Place {
    async fn look(self, desk: &mut Desk<'_>) -> Result<Here, Refusal> {
        let typed = Typed {
            config: self.choices.config.clone(),
            state_dir: self
                .state_dir
                .as_ref()
                .map(|folder| folder.display().to_string()),
            api_url: self.choices.api_url.clone(),
            ..Typed::default()
        };
        let choices = self.choices.or_from(desk.host)?;
        let config: Config = wiring::config(desk.host, &choices)?;
        let also_stale = settings::also_stale(
            if self.also_stale.is_empty() {
                &choices.also_stale
            } else {
                &self.also_stale
            },
            &config,
        )?;
        let id = self
            .migration_id
            .as_deref()
            .map(MigrationId::parse)
            .transpose();
        let id = id.map_err(|error| Refusal::new(Reason::Usage, error.to_string(), ""))?;
        let state = folder(desk, self.state_dir.as_deref())?;
        let wanted = wiring::wanted_app(&choices, None, &config)?;
        let access = wiring::access(desk.host, &choices)?;
        let found = desk
            .unless_stopped(wiring::resolve_app(&access, &wanted))
            .await??;
        desk.subject.app = Some(desk.redactor.clean_line(found.app.spec.name()));
        desk.subject.migration.clone_from(&id);
        let keys = id.map(|id| [Key::of(&found.app.id, &id)].into());
        let ledger = state
            .as_deref()
            .map(|state| FileLedger::new(state, &found.app.id, found.clock))
            .transpose();
        Ok(Here {
            goal: CleanUp {
                keys,
                also_stale,
                running: Running::default(),
            },
            ledger: ledger
                .map_err(|error| Refusal::new(Reason::LedgerUnreachable, chain(&error), ""))?,
            log_folder: wiring::log_folder(desk.host, &choices, state.as_deref()),
            access,
            found,
            typed,
        })
    }
}

/// Returns the folder of the records; a clean-up goes on without one, for the platform's facts come first.
fn folder(desk: &Desk<'_>, given: Option<&Path>) -> Result<Option<PathBuf>, Refusal> {
    match (wiring::state_folder(desk.host, given), given) {
        (Ok(folder), _) => Ok(Some(folder)),
        (Err(refusal), Some(_)) => Err(refusal),
        (Err(_), None) => Ok(None),
    }
}

impl Here {
    async fn survey(&self) -> Result<Survey, Refusal> {
        status::survey(&self.access, &self.found, self.ledger.as_ref()).await
    }

    async fn clean(&self, desk: &Desk<'_>, running: Running) -> u8 {
        let (events, received) = runner::stream();
        let harbor = Harbor {
            client: self.access.client.clone(),
            app: self.found.app.id.clone(),
            transport: self.access.transport.clone(),
            ledger: self
                .ledger
                .clone()
                .map(|ledger| Arc::new(ledger) as Arc<dyn Ledger>),
            lineage: Arc::new(NoLineage),
            redactor: desk.redactor.clone(),
            pace: self.access.pace,
            log_folder: self.log_folder.clone(),
            events,
            stop: desk.host.stop.clone(),
        };
        let goal = CleanUp {
            running,
            ..self.goal.clone()
        };
        let work = async move { runner::clean(&harbor, goal, Mode::Sweep).await };
        let follow = progress::follow(received, desk, self.access.pace, None);
        let (ended, ()) = tokio::join!(Box::pin(work), follow);
        let links = hint::links(&self.found.app.id, None, &self.typed);
        let code = desk.report(ended.report, &links);
        if ended.reason == Reason::Skipped {
            desk.tell(
                "A run is alive: a deployment in flight carries its job, so nothing was touched. `harbor-pilot status` shows it; `harbor-pilot stop` ends it.",
            );
        }
        code
    }
}

/// Shows what a sweep would take out.
fn show(desk: &Desk<'_>, here: &Here, survey: &Survey) -> u8 {
    let wanted = |key: &Key| {
        here.goal
            .keys
            .as_ref()
            .is_none_or(|keys| keys.contains(key))
    };
    let (mut text, mut rows) = (String::new(), Vec::new());
    for job in survey.jobs.iter().filter(|job| wanted(&job.name.key)) {
        let fate = if job.in_flight {
            "left alone: its run is alive"
        } else {
            "would be taken out"
        };
        text.push_str(&format!("{}  {fate}\n", job.name));
        rows.push(json!({ "job": job.name.to_string(), "taken_out": !job.in_flight }));
    }
    let any_alive = survey
        .jobs
        .iter()
        .any(|job| wanted(&job.name.key) && job.in_flight);
    let spec = &here.found.app.spec;
    for name in here
        .goal
        .also_stale
        .iter()
        .filter(|name| spec.job(name.as_str()).is_some())
    {
        let fate = if any_alive {
            "left alone: a run is alive"
        } else {
            "would be taken out, as the config declares it stale"
        };
        text.push_str(&format!("{name}  {fate}\n"));
        rows.push(json!({ "job": name.as_str(), "taken_out": !any_alive }));
    }
    if rows.is_empty() {
        text.push_str("No temporary job is in the app; nothing would be changed.\n");
    }
    desk.result(
        desk.redactor.clean(&text).as_str(),
        &json!({ "schema_version": desk::SCHEMA_VERSION, "jobs": rows }),
    );
    Reason::Cleaned.exit().code()
}
