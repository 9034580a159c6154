//! Whether the app's own state allows an insert.

use crate::document::{in_backticks, in_words};
use crate::{
    FirewallPolicy, FirewallView, HealthCheck, History, JobName, Key, Observed, Reason, Refusal,
    Request, RunRecord, elapsed,
};
use app_spec::{App, Component, ComponentName, JobKind};

/// Refuses an insert for what stands in the app now.
pub(super) fn allows_insert(
    request: &Request,
    app: &App,
    key: &Key,
    seen: &Observed,
) -> Result<(), Refusal> {
    undeclared_jobs(request, app, key)?;
    name_taken(app, key)?;
    owned(app, key, seen)?;
    firewall(request, app, seen)?;
    if app.active.is_none() {
        return Err(Refusal::new(
            Reason::NothingLive,
            format!(
                "app `{}` has no live deployment, so there would be nothing to go back to",
                app.spec.name()
            ),
            "deploy it once, then run again",
        ));
    }
    if let Some(pinned) = &app.pinned {
        return Err(Refusal::new(
            Reason::Pinned,
            format!(
                "app `{}` is pinned to deployment `{}` by a rollback, and deploys nothing until that is settled",
                app.spec.name(),
                pinned.id
            ),
            "commit or revert the rollback in the control panel, then run again; Harbor Pilot never does that for you",
        ));
    }
    Ok(())
}

/// The jobs that every deployment runs and that neither are ours nor declared: our PUT would run them again.
fn undeclared_jobs(request: &Request, app: &App, key: &Key) -> Result<(), Refusal> {
    let settings = &request.settings;
    let declared = |name: &str| {
        settings
            .accept_jobs
            .iter()
            .chain(&settings.also_stale)
            .any(|known| known.as_str() == name)
    };
    let undeclared: Vec<&str> = app
        .spec
        .jobs()
        .filter(runs_in_a_good_deployment)
        .filter(|job| RunRecord::of(job).is_none() && !declared(job.name()))
        .map(|job| job.name())
        // A job under our own name is told as what it is.
        .filter(|name| JobName::parse(name).is_none_or(|name| name.key != *key))
        .collect();
    if undeclared.is_empty() {
        return Ok(());
    }
    let line = |known: &[ComponentName]| {
        let names: Vec<&str> = known
            .iter()
            .map(ComponentName::as_str)
            .chain(undeclared.iter().copied())
            .collect();
        names.join(", ")
    };
    let jobs = if undeclared.len() == 1 {
        "the job"
    } else {
        "the jobs"
    };
    Err(Refusal::new(
        Reason::UndeclaredJob,
        format!(
            "app `{}` has {jobs} {}, which every deployment runs, and this run makes two deployments",
            app.spec.name(),
            in_backticks(undeclared.iter().copied())
        ),
        format!(
            "say which it is with one of these lines in {}:\n  accept-jobs: [{}]  # belongs there, and may run with every deployment\n  also-stale: [{}]  # was left by hand; it is removed together with the temporary job",
            crate::CONFIG_PATH,
            line(&settings.accept_jobs),
            line(&settings.also_stale),
        ),
    ))
}

/// Whether a deployment that succeeds runs the job. One for failed deployments or on a schedule is none of ours to
/// worry about; one of an unknown kind is.
pub(super) fn runs_in_a_good_deployment(job: &Component<'_>) -> bool {
    match job.job_kind() {
        JobKind::PreDeploy | JobKind::PostDeploy | JobKind::Other(_) => true,
        JobKind::FailedDeploy | JobKind::Scheduled => false,
    }
}

fn name_taken(app: &App, key: &Key) -> Result<(), Refusal> {
    let foreign = app.spec.components().find(|component| {
        JobName::parse(component.name()).is_some_and(|name| name.key == *key)
            && RunRecord::of(component).is_none()
    });
    match foreign {
        None => Ok(()),
        Some(component) => Err(Refusal::new(
            Reason::NameTaken,
            format!(
                "app `{}` has a {} named `{}`, which is the name of this migration's job and is not ours",
                app.spec.name(),
                component.kind(),
                component.name()
            ),
            "rename or remove it by hand; without our record in its environment it is never touched",
        )),
    }
}

/// Another migration's job whose deployment is in flight. One that nothing carries any more is stale, and the sweep
/// before the insert takes it out.
fn owned(app: &App, key: &Key, seen: &Observed) -> Result<(), Refusal> {
    let mut others = RunRecord::all(&app.spec)
        .into_iter()
        .filter(|record| record.key != *key);
    let Some(record) = others.find(|record| !is_stale(record, seen)) else {
        return Ok(());
    };
    let job = record.job();
    let carriers = seen
        .deployments
        .iter()
        .filter(|one| crate::carried(one).contains(&job));
    let since = carriers.filter_map(|one| one.created_at).min();
    let age = since.map_or_else(String::new, |since| {
        format!(", for {}", in_words(elapsed(since, seen.now)))
    });
    let asker = match (&record.repository, record.pr) {
        (Some(repository), Some(number)) => format!("{repository}#{number}"),
        (Some(repository), None) => repository.clone(),
        (None, Some(number)) => format!("pull request #{number}"),
        (None, None) => "the command line".to_owned(),
    };
    Err(Refusal::new(
        Reason::Owned,
        format!(
            "migration `{}` owns app `{}`: its job `{job}` (epoch {}, from {asker}) is under way{age}",
            record.migration,
            app.spec.name(),
            record.epoch,
        ),
        format!(
            "wait for its end, then run again; to see it: harbor-pilot status --app {}",
            app.spec.name()
        ),
    ))
}

/// Whether no deployment in flight carries the record's job.
pub(super) fn is_stale(record: &RunRecord, seen: &Observed) -> bool {
    let epoch = History::of(&record.key, seen).epoch(record.epoch).cloned();
    !epoch.is_some_and(|epoch| epoch.in_flight)
}

fn firewall(request: &Request, app: &App, seen: &Observed) -> Result<(), Refusal> {
    let settings = &request.settings;
    match settings.firewall {
        FirewallPolicy::Off => return Ok(()),
        FirewallPolicy::Check => {}
        FirewallPolicy::Restore => {
            if settings.cluster.is_none() {
                return Err(Refusal::new(
                    Reason::ClusterNotFound,
                    format!(
                        "cannot find the cluster behind database `{}` of app `{}`, whose firewall is to be restored",
                        settings.database,
                        app.spec.name()
                    ),
                    "give its id with `database-cluster`; the token needs the scope `database:read` to find it by name",
                ));
            }
        }
    }
    match &seen.firewall {
        // A cluster without rules admits everybody; that is told, and stops nobody.
        FirewallView::Rules(rules)
            if rules.rules().next().is_some() && !rules.admits_app(&app.id) =>
        {
            Err(Refusal::new(
                Reason::AppRuleMissing,
                format!(
                    "the firewall of database `{}` does not admit app `{}`, so that the job could not connect",
                    settings.database,
                    app.spec.name()
                ),
                format!(
                    "add the app as a trusted source of the cluster (a rule of type `app` with the value `{}`); where it gets in by another rule, as in a VPC, set `firewall: off`",
                    app.id
                ),
            ))
        }
        FirewallView::Rules(_) | FirewallView::Unread | FirewallView::Failed => Ok(()),
    }
}

/// Returns the address whose health is probed.
///
/// # Errors
/// A refusal when a given address is not on one of the app's own hosts: it would be asked with a runner's network
/// access, and an answer from elsewhere would prove nothing.
pub(super) fn health_url(
    request: &Request,
    app: &App,
    reference: &Component<'_>,
) -> Result<Option<String>, Refusal> {
    match &request.settings.health {
        HealthCheck::Off => Ok(None),
        HealthCheck::OfReference => {
            let path = reference.health_check().and_then(|check| check.http_path);
            let base = app.live_url.as_deref().or(app.default_ingress.as_deref());
            Ok(path.zip(base).map(|(path, base)| {
                format!(
                    "{}/{}",
                    base.trim_end_matches('/'),
                    path.trim_start_matches('/')
                )
            }))
        }
        HealthCheck::Url(url) => {
            let own = own_hosts(app);
            let host = host(url).filter(|(scheme, host)| is_safe(scheme, host));
            if host.is_some_and(|(_, host)| own.contains(&host)) {
                return Ok(Some(url.clone()));
            }
            Err(Refusal::new(
                Reason::HealthUrlForeign,
                format!(
                    "the health address `{url}` is not an https address on one of the hosts of app `{}`",
                    app.spec.name()
                ),
                format!(
                    "its hosts are {}",
                    in_backticks(own.iter().map(String::as_str))
                ),
            ))
        }
    }
}

/// The hosts that the platform serves the app under, with a port where an address names one.
fn own_hosts(app: &App) -> Vec<String> {
    let addresses = app
        .live_url
        .iter()
        .chain(&app.default_ingress)
        .filter_map(|url| host(url))
        .map(|(_, host)| host);
    let names = app
        .live_domain
        .iter()
        .chain(&app.domains)
        .map(|name| name.to_ascii_lowercase());
    let mut hosts: Vec<String> = addresses.chain(names).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// Returns the scheme and the host (with its port) of an address, in lower case; nothing for one with a user in it or
/// with a character that readers of addresses disagree about.
fn host(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    let whole = url.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    (whole && !host.is_empty() && host.chars().all(plain))
        .then(|| (scheme.to_ascii_lowercase(), host.to_ascii_lowercase()))
}

/// Whether an address may be asked: over TLS, or on this machine, where tests and the simulator are.
fn is_safe(scheme: &str, host: &str) -> bool {
    let name = host.strip_prefix('[').map_or_else(
        || host.split(':').next().unwrap_or_default(),
        |rest| rest.split(']').next().unwrap_or_default(),
    );
    scheme == "https"
        || (scheme == "http" && (name == "localhost" || name == "::1" || is_loopback(name)))
}

fn is_loopback(name: &str) -> bool {
    name.parse::<std::net::Ipv4Addr>()
        .is_ok_and(|address| address.is_loopback())
}
