//! `logs`: a job's log from the platform, secrets replaced, to standard output. Reads only.

use super::status::cleaned;
use crate::args::LogsArgs;
use crate::args::Output;
use crate::choices::Choices;
use crate::desk::{self, Desk, Form};
use crate::wiring::{self, Access};
use app_spec::{AppId, DeploymentId};
use digitalocean::{Error, LOOK_BACK_PAGES, LogKind, LogLimits};
use migration::{Clean, Epoch, JobName, Key, LogCleaner, MigrationId, Reason, Refusal, carried};
use serde_json::json;

/// How often a log's address is asked for anew when it has expired; each lives about 15 minutes.
const FRESH_ADDRESSES: u32 = 5;

/// Prints the log of a migration's job, once for each deployment that ran it.
pub(crate) async fn logs(mut desk: Desk<'_>, args: LogsArgs) -> u8 {
    let choices = match args.place.choices().or_from(desk.host) {
        Ok(choices) => choices,
        Err(refusal) => return desk.refuse(refusal),
    };
    let secrets = [choices.secret_env.clone(), args.secret_env.clone()].concat();
    desk.redactor = wiring::redactor(desk.host, &secrets);
    let printed = desk.unless_stopped(print(&desk, &args, &choices)).await;
    printed
        .and_then(|printed| printed)
        .unwrap_or_else(|refusal| desk.refuse(refusal))
}

async fn print(desk: &Desk<'_>, args: &LogsArgs, choices: &Choices) -> Result<u8, Refusal> {
    let config = wiring::config(desk.host, choices)?;
    let id = MigrationId::parse(&args.migration_id)
        .map_err(|error| Refusal::new(Reason::Usage, error.to_string(), ""))?;
    let wanted = wiring::wanted_app(choices, None, &config)?;
    let access = wiring::access(desk.host, choices)?;
    let app = wiring::resolve_app(&access, &wanted).await?.app;
    let key = Key::of(&app.id, &id);
    let (job, carriers) = carriers(&access, &app.id, &key, args.epoch.map(Epoch)).await?;
    let Some(job) = job else {
        let which = args
            .epoch
            .map_or_else(String::new, |epoch| format!(" as epoch {epoch}"));
        return Err(Refusal::new(
            Reason::Usage,
            format!(
                "no deployment of app `{}` carried the job of `{id}`{which}",
                app.spec.name()
            ),
            "`harbor-pilot status` lists what is on record. The platform keeps logs for 90 days.",
        ));
    };
    let mut documents = Vec::new();
    let mut found = false;
    for deployment in &carriers {
        desk.tell(&format!("job {job} on deployment {deployment}:"));
        let lines = read(&access, &app.id, deployment, &job, desk).await?;
        found |= lines.is_some();
        match (&lines, desk.global.output) {
            (None, _) => desk.tell("the platform has no log of it, or not yet"),
            (Some(lines), Output::Text) => lines
                .iter()
                .for_each(|line| desk.put(&desk.host.out, line.as_str(), Form::Text)),
            (Some(_), Output::Json) => {}
        }
        documents.push(json!({
            "job": job.to_string(),
            "deployment": deployment.as_str(),
            "lines": lines.map(|lines| lines.iter().map(ToString::to_string).collect::<Vec<_>>()),
        }));
    }
    if desk.global.output == Output::Json {
        desk.result(
            "",
            &cleaned(
                desk,
                json!({ "schema_version": desk::SCHEMA_VERSION, "logs": documents }),
            ),
        );
    }
    let reason = if found {
        Reason::Planned
    } else {
        Reason::Usage
    };
    Ok(reason.exit().code())
}

/// Returns the job (of that epoch, or the newest) and the deployments that carried it, oldest first.
async fn carriers(
    access: &Access,
    app: &AppId,
    key: &Key,
    epoch: Option<Epoch>,
) -> Result<(Option<JobName>, Vec<DeploymentId>), Refusal> {
    let refused = |error: Error| wiring::refused(access, &error);
    let rows = access
        .client
        .deployments_back(app, LOOK_BACK_PAGES)
        .collect()
        .await
        .map_err(refused)?
        .deployments;
    let jobs: Vec<(DeploymentId, JobName)> = rows
        .iter()
        .rev()
        .flat_map(|row| carried(row).into_iter().map(|job| (row.id.clone(), job)))
        .filter(|(_, job)| job.key == *key && epoch.is_none_or(|epoch| job.epoch == epoch))
        .collect();
    let newest = jobs
        .iter()
        .map(|(_, job)| job)
        .max_by_key(|job| job.epoch)
        .cloned();
    let of_newest = jobs
        .into_iter()
        .filter(|(_, job)| newest.as_ref() == Some(job))
        .map(|(id, _)| id);
    Ok((newest.clone(), of_newest.collect()))
}

/// Returns the log's lines, cleaned; nothing where the platform has none.
async fn read(
    access: &Access,
    app: &AppId,
    deployment: &DeploymentId,
    job: &JobName,
    desk: &Desk<'_>,
) -> Result<Option<Vec<Clean>>, Refusal> {
    for _ in 0..FRESH_ADDRESSES {
        match read_once(access, app, deployment, job, desk).await {
            Err(Error::Expired { .. }) => {}
            Err(Error::NotReached { .. }) => return Ok(None),
            Err(error) => return Err(wiring::refused(access, &error)),
            Ok(lines) => return Ok(lines),
        }
    }
    let message = format!("the addresses of the log of job `{job}` expire before they can be read");
    Err(Refusal::new(
        Reason::PlatformUnreachable,
        message,
        "Try again later.",
    ))
}

async fn read_once(
    access: &Access,
    app: &AppId,
    deployment: &DeploymentId,
    job: &JobName,
    desk: &Desk<'_>,
) -> Result<Option<Vec<Clean>>, Error> {
    let urls = access
        .client
        .log_urls(app, deployment, &job.component(), LogKind::Deploy)
        .await?;
    if urls.historic.is_empty() {
        return Ok(None);
    }
    let mut cleaner = LogCleaner::new(desk.redactor.clone());
    let mut lines = Vec::new();
    for url in &urls.historic {
        access
            .client
            .fetch_log(url, &LogLimits::default(), |chunk| {
                lines.extend(cleaner.push(chunk))
            })
            .await?;
    }
    lines.extend(cleaner.finish());
    Ok(Some(lines))
}
