//! Apps: read, list, check a spec, and the one write that matters.
//!
//! `PUT /v2/apps/{id}` replaces the whole spec and makes a deployment inside the request, even when nothing
//! changed. It has no version to compare and no key to make it idempotent, so it is sent once and its end is
//! told in three classes.

use std::collections::HashSet;
use std::fmt;

use app_spec::{App, AppId, AppSpec, DeploymentId};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::attempt::{Attempt, Effect, PlatformText, Scope};
use crate::client::{Call, Client};
use crate::document::Document;
use crate::error::Error;
use crate::outcome::WriteOutcome;
use crate::page::{Page, PageInfo};
use crate::reply::{Reply, Stamped};

/// How many pages of apps are read before we doubt that the list ends: ten thousand apps.
const MAX_APP_PAGES: u32 = 50;

/// What the platform makes of a spec that it was shown and did not apply.
pub struct Proposal {
    /// The spec as the platform would store it, defaults filled in and empty things left out.
    pub spec: AppSpec,
    /// What the app would cost, where the platform says it.
    pub cost: Option<MonthlyCost>,
    /// The whole reply. It holds the spec once more, so it is not to be shown.
    pub raw: Map<String, Value>,
}

impl fmt::Debug for Proposal {
    /// Leaves the raw reply out: it holds values of variables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proposal")
            .field("spec", &self.spec)
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}

/// US dollars a month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonthlyCost(pub f64);

/// How an update of an app ended. It was sent once, and this crate never sends it again.
#[derive(Debug)]
#[must_use = "an update that may have applied must be looked at"]
pub enum PutOutcome {
    /// The platform took the spec.
    Applied {
        /// The app as the reply shows it.
        app: Stamped<Box<App>>,
        /// The deployment that this update made: the reply's `pending_deployment`, which the platform
        /// guarantees to be ours here and nowhere else. Absent when the reply left it out; the deployment
        /// must then be found in the list.
        deployment: Option<DeploymentId>,
    },
    /// It certainly changed nothing: it was not sent, or it was refused (400, 401, 403, 404, 405, 409, 422,
    /// 429).
    NotApplied(Error),
    /// It may or may not have been applied. Read the app and its deployments; never send it again blindly.
    Ambiguous(Error),
}

#[derive(Deserialize)]
struct AppReply {
    app: App,
}

#[derive(Deserialize)]
struct AppsReply {
    #[serde(default)]
    apps: Option<Vec<App>>,
    #[serde(flatten)]
    pages: PageInfo,
}

#[derive(Serialize)]
struct UpdateBody<'a> {
    spec: &'a AppSpec,
    update_all_source_versions: bool,
}

#[derive(Serialize)]
struct ProposeBody<'a> {
    spec: &'a AppSpec,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_id: Option<&'a AppId>,
}

impl Client {
    /// Reads an app (`GET /v2/apps/{id}`).
    ///
    /// # Errors
    ///
    /// Any [`Error`] of a read.
    pub async fn app(&self, app: &AppId) -> Result<Stamped<App>, Error> {
        let subject = format!("app `{app}`");
        let attempt = Attempt::new(
            Effect::Read,
            Scope::AppRead,
            format!("read {subject}"),
            subject,
        );
        let call = Call::get(&["apps", app.as_str()], attempt);
        let reply = self.read(&call).await?;
        let app = match &reply.document {
            Some(Document::App(app)) => app.as_ref().clone(),
            Some(_) | None => reply.decode::<AppReply>(&call.attempt())?.app,
        };
        Ok(reply.stamp(app))
    }

    /// Lists all apps that the token may see (`GET /v2/apps`), each once.
    ///
    /// # Errors
    ///
    /// Any [`Error`] of a read; [`Error::Endless`] beyond ten thousand apps.
    pub async fn apps(&self) -> Result<Vec<App>, Error> {
        let attempt = Attempt::new(
            Effect::Read,
            Scope::AppRead,
            "list the apps",
            "the list of apps",
        );
        let mut apps = Vec::new();
        let mut seen = HashSet::new();
        let mut page = Page::first();
        while page.number <= MAX_APP_PAGES {
            let call = Call::get(&["apps"], attempt.clone()).query(page.query());
            let reply: AppsReply = self.read(&call).await?.decode(&attempt)?;
            let rows = reply.pages.rows(page, reply.apps.unwrap_or_default());
            // An app made meanwhile pushes the last one of a page on to the next.
            apps.extend(
                rows.items
                    .into_iter()
                    .filter(|app| seen.insert(app.id.clone())),
            );
            if !rows.more {
                return Ok(apps);
            }
            page = page.next();
        }
        Err(Error::Endless {
            attempt: Box::new(attempt),
            pages: MAX_APP_PAGES,
        })
    }

    /// Lists the apps of a name. The platform keeps names unique in an account, but a token may see several
    /// teams' apps; none, one and many are the caller's to judge.
    ///
    /// # Errors
    ///
    /// As [`Client::apps`].
    pub async fn app_named(&self, name: &str) -> Result<Vec<App>, Error> {
        let mut apps = self.apps().await?;
        apps.retain(|app| app.spec.name() == name);
        Ok(apps)
    }

    /// Has the platform check a spec without applying it (`POST /v2/apps/propose`). A read, so it is repeated.
    ///
    /// Pass the app whenever it exists: without it the platform refuses a spec that holds encrypted values
    /// (observed).
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when the spec is not valid; any other [`Error`] of a read.
    pub async fn propose(&self, spec: &AppSpec, app: Option<&AppId>) -> Result<Proposal, Error> {
        let subject = match app {
            Some(app) => format!("app `{app}`"),
            None => format!("app `{}`", spec.name()),
        };
        let action = format!("have the spec of {subject} checked");
        let attempt = Attempt::new(Effect::Read, Scope::AppRead, action, subject);
        let call = Call::new(Method::POST, &["apps", "propose"], attempt)
            .json(&ProposeBody { spec, app_id: app })?;
        let reply = self.read(&call).await?;
        proposal(&reply, &call.attempt())
    }

    /// Replaces the spec of an app (`PUT /v2/apps/{id}`), which makes a deployment. Sent once.
    ///
    /// Sources that were there before stay at their commits (`update_all_source_versions` is false).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves open whether the update was applied, like [`PutOutcome::Ambiguous`].
    pub async fn update_app(&self, app: &AppId, spec: &AppSpec) -> PutOutcome {
        match WriteOutcome::from_result(self.try_update(app, spec).await) {
            WriteOutcome::Applied(app) => PutOutcome::Applied {
                deployment: app.value.pending.as_ref().map(|pending| pending.id.clone()),
                app,
            },
            WriteOutcome::NotApplied(error) => PutOutcome::NotApplied(error),
            WriteOutcome::Ambiguous(error) => PutOutcome::Ambiguous(error),
        }
    }

    async fn try_update(&self, app: &AppId, spec: &AppSpec) -> Result<Stamped<Box<App>>, Error> {
        let subject = format!("app `{app}`");
        let action = format!("update {subject}");
        let attempt = Attempt::new(Effect::Write, Scope::AppUpdate, action, subject);
        let body = UpdateBody {
            spec,
            update_all_source_versions: false,
        };
        let call = Call::new(Method::PUT, &["apps", app.as_str()], attempt).json(&body)?;
        let reply = self.write(&call).await?;
        let AppReply { app } = reply.decode(&call.attempt())?;
        Ok(reply.stamp(Box::new(app)))
    }
}

fn proposal(reply: &Reply, attempt: &Attempt) -> Result<Proposal, Error> {
    let raw: Map<String, Value> = reply.decode(attempt)?;
    let spec = raw
        .get("spec")
        .and_then(|spec| AppSpec::from_value(spec.clone()).ok())
        .ok_or_else(|| Error::Decode {
            attempt: Box::new(attempt.clone()),
            path: PlatformText::new("spec"),
        })?;
    Ok(Proposal {
        spec,
        cost: raw.get("app_cost").and_then(Value::as_f64).map(MonthlyCost),
        raw,
    })
}
