//! Everything looked at before a plan is made, and what refuses it before anything is sent.

use crate::act::{chain, said};
use crate::driver::Harbor;
use crate::event::Teller;
use crate::observe::Observer;
use crate::poll::Pace;
use digitalocean::Error;
use migration::{
    AppView, CleanUpAxis, Entry, EpochState, FirewallPolicy, FirewallView, HealthSample, History,
    JobName, Key, LedgerView, Plan, Planned, Purpose, Reason, Refusal, Request, Stop, Verdict,
    WaitFor, bounds, insertion, without_ours,
};

/// Looks at everything and makes the plan; the platform itself validates the edited spec.
pub(crate) async fn plan(
    harbor: &Harbor,
    mut request: Request,
    purpose: Purpose,
    world: &mut Observer,
    tell: &mut Teller,
) -> Result<Planned, Refusal> {
    let key = Key::of(&harbor.app, &request.manifest.id);
    world.begin(migration::Mode::Main, [key.clone()]);
    world.look(Some(&request)).await;
    if let Some(refusal) = unseen(world) {
        return Err(refusal);
    }
    if world.seen.ledger == LedgerView::Unreachable {
        return Err(no_ledger(world));
    }
    open_logs(&key, purpose, harbor.pace, world, tell).await;
    firewall(&mut request, world, tell).await?;
    health_before(&request, world).await;
    let planned = migration::plan(&request, &world.seen)?;
    if let Planned::Run(plan) = &planned {
        validate(harbor, plan, world).await?;
        match purpose {
            Purpose::Preview => {}
            Purpose::Run => write_scope(harbor, world).await?,
        }
    }
    Ok(planned)
}

/// Reads the logs that may still change how earlier epochs ended. Before a run nothing is believed to have run nothing whose
/// log can't be read: it is asked for as often as that of a job of its own.
async fn open_logs(
    key: &Key,
    purpose: Purpose,
    pace: Pace,
    world: &mut Observer,
    tell: &mut Teller,
) {
    let mut unread = History::of(key, &world.seen).unread_logs(&world.seen);
    loop {
        for (job, deployment) in &unread {
            world.fetch_log(job, deployment, tell).await;
        }
        let history = History::of(key, &world.seen);
        unread = history.unread_logs(&world.seen);
        // One whose end is not known is followed: `next` goes on asking.
        let has_ended = |job: &JobName| {
            let epoch = history.epoch(job.epoch);
            epoch.is_some_and(|epoch| epoch.state != EpochState::Open)
        };
        unread.retain(|(job, _)| has_ended(job));
        if purpose == Purpose::Preview || unread.is_empty() {
            return;
        }
        tell.wait(world.clock.reckoned(), &WaitFor::Log);
        tokio::time::sleep(pace.local(bounds::LOG_EVERY)).await;
    }
}

/// Finds the cluster behind the database component and reads its firewall.
async fn firewall(
    request: &mut Request,
    world: &mut Observer,
    tell: &mut Teller,
) -> Result<(), Refusal> {
    if request.settings.firewall == FirewallPolicy::Off {
        return Ok(());
    }
    if request.settings.cluster.is_none() {
        let wanted = match &world.seen.app {
            AppView::Present(app) => {
                let database = app.spec.database(&request.settings.database);
                database.and_then(|database| database.cluster_name().map(str::to_owned))
            }
            AppView::Gone | AppView::Unreachable(_) | AppView::Denied => None,
        };
        let Some(wanted) = wanted else {
            return cluster_missing(request, None);
        };
        match world.client.databases().await {
            Ok(clusters) => {
                request.settings.cluster = clusters
                    .iter()
                    .find(|cluster| cluster.name == wanted)
                    .map(|cluster| cluster.id.clone());
            }
            Err(error) if request.settings.firewall == FirewallPolicy::Restore => {
                return Err(of_error(&error));
            }
            Err(error) => {
                tell.warn(
                    &world.clock,
                    format_args!("the firewall is not looked at: {}", said(&error)),
                );
                return Ok(());
            }
        }
        if request.settings.cluster.is_none() {
            return cluster_missing(request, Some(&wanted));
        }
    }
    if let Some(cluster) = &request.settings.cluster {
        world.look_at_firewall(cluster, tell).await;
        if world.seen.firewall == FirewallView::Failed
            && request.settings.firewall == FirewallPolicy::Restore
        {
            return Err(Refusal::new(
                Reason::MissingScope,
                format!(
                    "cannot read the firewall of database cluster `{cluster}`, which is to be restored after the run"
                ),
                "Give the DigitalOcean token the scopes `database:read` and `database:update`, or set `firewall: check` or `off`.",
            ));
        }
    }
    Ok(())
}

fn cluster_missing(request: &Request, wanted: Option<&str>) -> Result<(), Refusal> {
    if request.settings.firewall != FirewallPolicy::Restore {
        return Ok(());
    }
    let name = wanted.unwrap_or(&request.settings.database);
    Err(Refusal::new(
        Reason::ClusterNotFound,
        format!("cannot find the database cluster `{name}` whose firewall is to be restored"),
        "Set `database-cluster` to the cluster's id, or `firewall: off`.",
    ))
}

/// Asks the app's health once, so that the migration is not blamed for what was bad before.
async fn health_before(request: &Request, world: &mut Observer) {
    if world.seen.health_before.is_some() {
        return;
    }
    let url = match &world.seen.app {
        AppView::Present(app) => migration::health_url(request, app).ok().flatten(),
        AppView::Gone | AppView::Unreachable(_) | AppView::Denied => None,
    };
    if let Some(url) = url {
        let sample: HealthSample = world.ask_health(&url).await;
        world.seen.health_before = Some(sample);
    }
}

/// Has the platform validate the edited spec, without writing anything.
async fn validate(harbor: &Harbor, plan: &Plan, world: &mut Observer) -> Result<(), Refusal> {
    let AppView::Present(app) = &world.seen.app else {
        return Ok(());
    };
    if plan.entry == Entry::Resumed {
        return Ok(()); // Followed, not inserted.
    }
    // What an earlier epoch left in the app is taken out before the insert.
    let without = without_ours(&app.spec, &[]);
    let edited = insertion(plan, &without, world.seen.now)?;
    match world.client.propose(&edited, Some(&harbor.app)).await {
        Ok(_) => Ok(()),
        Err(error @ Error::Rejected { .. }) => Err(Refusal::new(
            Reason::SpecRefused,
            harbor
                .redactor
                .text(format_args!(
                    "the platform refuses the app spec with the job in it: {}",
                    said(&error)
                ))
                .to_string(),
            "The job was not put in. Mend what the platform names, in the app or in the config, and run again.",
        )),
        Err(error) => Err(of_error(&error)),
    }
}

/// Asks whether the token may write, without writing: validating a rollback is declared to need `app:update` and
/// changes nothing (inferred from the API description). Any other answer than a refusal proves nothing and stops nothing.
async fn write_scope(harbor: &Harbor, world: &Observer) -> Result<(), Refusal> {
    let AppView::Present(app) = &world.seen.app else {
        return Ok(());
    };
    let Some(live) = &app.active else {
        return Ok(());
    };
    match harbor.client.probe_write_scope(&harbor.app, &live.id).await {
        Err(error @ (Error::Unauthorized { .. } | Error::MissingScope { .. })) => {
            Err(of_error(&error))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Returns why a clean-up before the run forbids it.
pub(crate) fn unswept(swept: &Verdict, world: &Observer) -> Option<Refusal> {
    if let Some(refusal) = unseen(world) {
        return Some(refusal);
    }
    match (swept.clean_up, swept.reason) {
        (_, Reason::Interrupted) => Some(interrupted()),
        (_, Reason::Pinned) => Some(Refusal::new(
            Reason::Pinned,
            "the app is pinned by a manual rollback, so the stale job in it can't be taken out",
            "Commit or revert the rollback in the control panel, then run again.",
        )),
        (_, Reason::EditOverwritten) => Some(Refusal::new(
            Reason::EditOverwritten,
            format!(
                "cleaning up after an earlier run has shown that an update of ours overwrote somebody's edit of the app spec, \
                 and what should stand there can't be told: {}",
                swept.facts.conflicts.join(", ")
            ),
            "Compare the deployments' app specs in the control panel and set these places as they should be, then run again. \
             No job was put in.",
        )),
        (CleanUpAxis::Blocked | CleanUpAxis::Sent, reason) if reason != Reason::Skipped => {
            Some(Refusal::new(
                Reason::StaleJob,
                "a temporary job of an earlier run is in the app and could not be taken out",
                "See it with `harbor-pilot status`, take it out with `harbor-pilot reap`, then run again.",
            ))
        }
        (
            CleanUpAxis::Blocked
            | CleanUpAxis::Sent
            | CleanUpAxis::NotNeeded
            | CleanUpAxis::Verified,
            _,
        ) => None,
    }
}

pub(crate) fn interrupted() -> Refusal {
    Refusal::new(
        Reason::Interrupted,
        "interrupted before the job went in",
        "Run it again; a step that is done is not run again.",
    )
}

/// Returns why nothing can be done where the app can't be seen.
pub(crate) fn unseen(world: &Observer) -> Option<Refusal> {
    match &world.seen.app {
        AppView::Present(_) => None,
        AppView::Gone => Some(Refusal::new(
            Reason::AppNotFound,
            format!("cannot find app `{}`", world.app),
            "Check the `app` input: an app's id or name, as `doctl apps list` or the control panel shows it. A token of another team sees other apps.",
        )),
        AppView::Unreachable(_) if world.seen.stop == Some(Stop::Signal) => Some(interrupted()),
        AppView::Denied | AppView::Unreachable(_) => Some(match &world.platform_error {
            Some(error) => of_error(error),
            None => Refusal::new(
                Reason::PlatformUnreachable,
                "the DigitalOcean API gave no answer",
                "Try again later.",
            ),
        }),
    }
}

/// Returns what a failed call comes to before anything was inserted.
#[must_use]
pub fn of_error(error: &Error) -> Refusal {
    match error {
        Error::Unauthorized { .. } => Refusal::new(
            Reason::Unauthorized,
            error.to_string(),
            "Make a token in the DigitalOcean control panel (API, then Tokens) and pass it as `token` or DIGITALOCEAN_ACCESS_TOKEN.",
        ),
        Error::MissingScope { scope, .. } => Refusal::new(
            Reason::MissingScope,
            error.to_string(),
            format!(
                "Make a token with the scope `{}`. A run needs app:read, app:update, regions:read, sizes:read and actions:read, \
                 and database:read (database:update to restore the firewall).",
                scope.as_str()
            ),
        ),
        Error::NotFound { .. } => Refusal::new(
            Reason::AppNotFound,
            error.to_string(),
            "Check the `app` input.",
        ),
        Error::Rejected { .. } => Refusal::new(
            Reason::SpecRefused,
            said(error),
            "Mend what the platform names, and run again.",
        ),
        _ => Refusal::new(
            Reason::PlatformUnreachable,
            chain(error),
            "Try again later; status.digitalocean.com tells about outages.",
        ),
    }
}

fn no_ledger(world: &Observer) -> Refusal {
    let why = world
        .ledger_error
        .as_ref()
        .map_or_else(|| "it gave no answer".to_owned(), |error| chain(error));
    Refusal::new(
        Reason::LedgerUnreachable,
        format!("cannot read the ledger, so no job can be claimed and put in: {why}"),
        "In a workflow, grant `permissions: deployments: write`. On the command line, pass `--state-dir` or a GITHUB_TOKEN.",
    )
}
