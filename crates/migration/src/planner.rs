//! From a request and what is observed to a plan with no choices left, or the reason why there is none.
//!
//! [`plan`] decides in a fixed order: what the request names is there, the app's state allows an insert, and what the
//! history leaves to do. It sends nothing and waits for nothing: what passes by itself (a deployment in flight, an
//! older claim) is for [`next`](crate::next) to wait for.

mod estimate;
mod findings;
mod state;
mod turn;

pub(crate) use turn::TRIED_AGAIN;

use crate::document::in_backticks;
use crate::{
    AppView, Estimate, Finding, History, Intent, Key, LedgerView, Observed, OnFailure, Plan,
    Planned, Reason, Refusal, Request, Severity, baseline, insertion, live, planned_commit,
};
use app_spec::{App, Component, ComponentKind, Source};
use turn::{Chosen, Turn};

/// Returns what is to be run of the requested migration now.
///
/// An epoch whose job is in the app already is followed whatever the app's state: refusing to look at it would help
/// nobody, and nothing is inserted for it.
///
/// # Errors
/// A [`Refusal`] with the first reason, in the order of this module, why nothing may be inserted.
pub fn plan(request: &Request, seen: &Observed) -> Result<Planned, Refusal> {
    let app = present(request, seen)?;
    let reference = reference(request, app)?;
    database(request, app)?;
    let health_url = state::health_url(request, app, &reference)?;
    if seen.ledger == LedgerView::Unreachable {
        return Err(Refusal::new(
            Reason::LedgerUnreachable,
            format!(
                "cannot tell what was done of `{}`: the ledger gives no answer",
                request.manifest.id
            ),
            "try again; no job is put in without a ledger, since it alone knows what ran years ago",
        ));
    }
    let key = Key::of(&app.id, &request.manifest.id);
    let history = History::of(&key, seen);
    if turn::followed(&history).is_none() {
        state::allows_insert(request, app, &key, seen)?;
    }
    let chosen = match turn::turn(request, app, &history)? {
        Turn::AlreadyDone(done) => return Ok(Planned::AlreadyDone(done)),
        Turn::Ended(ended) => return Ok(Planned::AlreadyEnded(ended)),
        Turn::Run(chosen) => chosen,
    };
    let estimate = estimate::of(app, seen);
    let plan = settled(
        request, app, seen, &reference, key, chosen, health_url, estimate,
    );
    if plan.entry == crate::Entry::Fresh {
        refuse_errors(&plan.findings)?;
        // What the edit itself would refuse is told now, and not when everything else is under way.
        insertion(&plan, &app.spec, seen.now)?;
    }
    Ok(Planned::Run(Box::new(plan)))
}

/// Whether `plan`, made from an earlier look, is still what its request comes to by the history as `seen` shows it: the same
/// steps in the same epoch.
#[must_use]
pub(crate) fn is_due(plan: &Plan, app: &App, seen: &Observed) -> bool {
    let history = History::of(&plan.key, seen);
    match turn::turn(&plan.request, app, &history) {
        Ok(Turn::Run(chosen)) => chosen.epoch == plan.epoch && chosen.steps == plan.steps,
        Ok(Turn::AlreadyDone(_) | Turn::Ended(_)) | Err(_) => false,
    }
}

/// Returns the address whose health a request probes; nothing where it probes none.
///
/// # Errors
/// A [`Refusal`] when the reference component is not in the app, or a given address is not on one of the app's hosts.
pub fn health_url(request: &Request, app: &App) -> Result<Option<String>, Refusal> {
    state::health_url(request, app, &reference(request, app)?)
}

#[expect(
    clippy::too_many_arguments,
    reason = "each is one settled choice, and they come together only here"
)]
fn settled(
    request: &Request,
    app: &App,
    seen: &Observed,
    reference: &Component<'_>,
    key: Key,
    chosen: Chosen,
    health_url: Option<String>,
    estimate: Estimate,
) -> Plan {
    let mut request = request.clone();
    if request.intent == Intent::Check {
        // A failed check must not roll anything back: nothing was changed.
        request.settings.on_failure = OnFailure::Contain;
    }
    let is_image = matches!(reference.source(), Some(Source::Image { .. }));
    let digest = live(app, seen).and_then(|live| live.digest_of(reference.name()));
    let mut plan = Plan {
        app: app.id.clone(),
        app_name: app.spec.name().to_owned(),
        key,
        epoch: chosen.epoch,
        nonce: chosen.nonce,
        entry: chosen.entry,
        authority: chosen.authority,
        steps: chosen.steps,
        already_done: chosen.already_done,
        left: chosen.left,
        commit: planned_commit(&request, app, seen),
        image_digest: digest.filter(|_| is_image).map(str::to_owned),
        cluster: request.settings.cluster.clone(),
        health_url,
        baseline: baseline(&app.spec, &request.settings.also_stale),
        estimate,
        findings: Vec::new(),
        request,
    };
    plan.findings = findings::of(&plan, app, reference, seen);
    plan
}

fn present<'a>(request: &Request, seen: &'a Observed) -> Result<&'a App, Refusal> {
    let named = match &request.manifest.app {
        Some(app) => format!("app `{app}`"),
        None => "the app".to_owned(),
    };
    match &seen.app {
        AppView::Present(app) => Ok(app),
        AppView::Gone => Err(Refusal::new(
            Reason::AppNotFound,
            format!("cannot find {named}: the platform answers 404"),
            "look at `app`, and whether the token belongs to the team that owns the app",
        )),
        AppView::Unreachable(_) => Err(Refusal::new(
            Reason::PlatformUnreachable,
            format!("cannot read {named}: the DigitalOcean API gives no answer"),
            "try again later",
        )),
        AppView::Denied => Err(Refusal::new(
            Reason::Unauthorized,
            format!("cannot read {named}: the DigitalOcean token is not accepted"),
            "make a token with the scopes `app:read` and `app:update` and give it as `token` or DIGITALOCEAN_ACCESS_TOKEN",
        )),
    }
}

/// Finds the component whose source, build and environment the job copies.
fn reference<'a>(request: &Request, app: &'a App) -> Result<Component<'a>, Refusal> {
    let name = &request.settings.reference;
    let app_name = app.spec.name();
    let can_be_copied = |component: &Component<'_>| match component.kind() {
        ComponentKind::Service | ComponentKind::Worker => true,
        ComponentKind::Job
        | ComponentKind::StaticSite
        | ComponentKind::Function
        | ComponentKind::Database => false,
    };
    let refused = |message: String| {
        let known: Vec<&str> = app
            .spec
            .components()
            .filter(can_be_copied)
            .map(|component| component.name())
            .collect();
        Err(Refusal::new(
            Reason::ComponentNotFound,
            message,
            if known.is_empty() {
                "the app has no service or worker that a job could be copied from".to_owned()
            } else {
                format!(
                    "name one of these with `component`: {}",
                    in_backticks(known)
                )
            },
        ))
    };
    let Some(component) = app.spec.component(name.as_str()) else {
        return refused(format!("app `{app_name}` has no component `{name}`"));
    };
    if !can_be_copied(&component) {
        return refused(format!(
            "component `{name}` of app `{app_name}` is a {}, and a job is copied from a service or worker",
            component.kind()
        ));
    }
    match component.source() {
        Some(
            Source::GitHub { .. }
            | Source::GitLab { .. }
            | Source::Bitbucket { .. }
            | Source::Git { .. }
            | Source::Image { .. },
        ) => Ok(component),
        Some(Source::Other) | None => refused(format!(
            "component `{name}` of app `{app_name}` has no source that a job could be built from"
        )),
    }
}

fn database(request: &Request, app: &App) -> Result<(), Refusal> {
    let name = &request.settings.database;
    if app.spec.database(name).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = app
        .spec
        .databases()
        .map(|database| database.name())
        .collect();
    Err(Refusal::new(
        Reason::DatabaseNotFound,
        format!("app `{}` has no database `{name}`", app.spec.name()),
        if known.is_empty() {
            "the app has no database; attach the cluster to it, so that the job can be bound to its address".to_owned()
        } else {
            format!("name one of these with `database`: {}", in_backticks(known))
        },
    ))
}

/// Refuses a plan whose commands can't be run as they stand.
fn refuse_errors(findings: &[Finding]) -> Result<(), Refusal> {
    let mut errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    let Some(first) = errors.next() else {
        return Ok(());
    };
    let reason = if first.code == "unterminated" {
        Reason::BadManifest
    } else {
        Reason::OperatorRefused
    };
    let hint = first
        .hint
        .clone()
        .into_iter()
        .chain(errors.map(|other| format!("also: {}", other.message)));
    Err(Refusal::new(
        reason,
        first.message.clone(),
        hint.collect::<Vec<_>>().join("\n"),
    ))
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
