//! Deployments of an app: list, read, cancel, look back, and the harmless call that proves a token can write.
//!
//! The list is newest first, and it is the write log of the spec: every update made one. Rows of it may lack
//! the `spec` (observed); a single deployment has it.

use std::collections::{HashSet, VecDeque};

use app_spec::{AppId, Deployment, DeploymentId};
use http::Method;
use serde::{Deserialize, Serialize};

use crate::attempt::{Attempt, Effect, PlatformText, Scope};
use crate::client::{Call, Client};
use crate::document::Document;
use crate::error::Error;
use crate::outcome::WriteOutcome;
use crate::page::{Page, PageInfo, Rows};
use crate::reply::Stamped;

/// How far back we look at most, in pages of 200: a busy app was seen to make 391 deployments in a week.
pub const LOOK_BACK_PAGES: u32 = 3;

#[derive(Deserialize)]
struct DeploymentReply {
    deployment: Deployment,
}

#[derive(Deserialize)]
struct DeploymentsReply {
    #[serde(default)]
    deployments: Option<Vec<Deployment>>,
    #[serde(flatten)]
    pages: PageInfo,
}

/// Whether the platform would roll an app back to a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackCheck {
    /// Whether it would.
    pub valid: bool,
    /// The code of the condition that forbids it, such as `app_pinned`.
    pub code: Option<PlatformText>,
}

#[derive(Serialize)]
struct RollbackBody<'a> {
    deployment_id: &'a DeploymentId,
    skip_pin: bool,
}

#[derive(Deserialize)]
struct RollbackReply {
    #[serde(default)]
    valid: bool,
    #[serde(default)]
    error: Option<RollbackCondition>,
}

#[derive(Deserialize)]
struct RollbackCondition {
    #[serde(default)]
    code: String,
}

impl Client {
    /// Reads one page of an app's deployments, newest first (`GET /v2/apps/{id}/deployments`).
    ///
    /// # Errors
    ///
    /// Any [`Error`] of a read.
    pub async fn deployments(
        &self,
        app: &AppId,
        page: Page,
    ) -> Result<Stamped<Rows<Deployment>>, Error> {
        let action = format!("list the deployments of app `{app}`");
        let attempt = Attempt::new(Effect::Read, Scope::AppRead, action, format!("app `{app}`"));
        let call = Call::get(&["apps", app.as_str(), "deployments"], attempt).query(page.query());
        let reply = self.read(&call).await?;
        let rows = match &reply.document {
            Some(Document::Deployments(all)) => Rows {
                items: all.iter().map(|one| one.as_ref().clone()).collect(),
                more: false,
                total: None,
            },
            Some(_) | None => {
                let listed: DeploymentsReply = reply.decode(&call.attempt())?;
                listed
                    .pages
                    .rows(page, listed.deployments.unwrap_or_default())
            }
        };
        Ok(reply.stamp(rows))
    }

    /// Walks an app's deployments from the newest back, over at most `max_pages` pages of 200; see
    /// [`LOOK_BACK_PAGES`]. Nothing is asked for before the first row is.
    pub fn deployments_back<'a>(&'a self, app: &'a AppId, max_pages: u32) -> DeploymentsBack<'a> {
        DeploymentsBack {
            client: self,
            app,
            next_page: (max_pages > 0).then(Page::first),
            max_pages,
            waiting: VecDeque::new(),
            seen: HashSet::new(),
            complete: false,
        }
    }

    /// Reads one deployment (`GET /v2/apps/{id}/deployments/{id}`).
    ///
    /// # Errors
    ///
    /// Any [`Error`] of a read.
    pub async fn deployment(
        &self,
        app: &AppId,
        deployment: &DeploymentId,
    ) -> Result<Stamped<Deployment>, Error> {
        let subject = format!("deployment `{deployment}` of app `{app}`");
        let attempt = Attempt::new(
            Effect::Read,
            Scope::AppRead,
            format!("read {subject}"),
            subject,
        );
        let path = ["apps", app.as_str(), "deployments", deployment.as_str()];
        let call = Call::get(&path, attempt);
        let reply = self.read(&call).await?;
        let deployment = match &reply.document {
            Some(Document::Deployment(deployment)) => deployment.as_ref().clone(),
            Some(_) | None => reply.decode::<DeploymentReply>(&call.attempt())?.deployment,
        };
        Ok(reply.stamp(deployment))
    }

    /// Cancels a deployment in flight (`POST …/cancel`). Sent once.
    ///
    /// The spec that the deployment carried stays the app's spec (observed); what happens to a job of it that
    /// is already running is not documented.
    pub async fn cancel_deployment(
        &self,
        app: &AppId,
        deployment: &DeploymentId,
    ) -> WriteOutcome<Stamped<Deployment>> {
        let subject = format!("deployment `{deployment}` of app `{app}`");
        let action = format!("cancel {subject}");
        let attempt = Attempt::new(Effect::Write, Scope::AppUpdate, action, subject);
        let path = [
            "apps",
            app.as_str(),
            "deployments",
            deployment.as_str(),
            "cancel",
        ];
        let call = Call::new(Method::POST, &path, attempt);
        let result = async {
            let reply = self.write(&call).await?;
            let DeploymentReply { deployment } = reply.decode(&call.attempt())?;
            Ok(reply.stamp(deployment))
        };
        WriteOutcome::from_result(result.await)
    }

    /// Finds out whether the token has `app:update` without changing anything.
    ///
    /// It asks whether a rollback to the deployment would be valid (`POST …/rollback/validate`), which the API
    /// description puts under `app:update`. That the call has no effect is inferred from its description, not
    /// promised by it. The answer itself does not matter here; a token without the scope fails.
    ///
    /// # Errors
    ///
    /// [`Error::MissingScope`] when the token may not update apps; any other [`Error`] of a read.
    pub async fn probe_write_scope(
        &self,
        app: &AppId,
        deployment: &DeploymentId,
    ) -> Result<RollbackCheck, Error> {
        let attempt = Attempt::new(
            Effect::Read,
            Scope::AppUpdate,
            format!("check that the token may update app `{app}`"),
            format!("deployment `{deployment}` of app `{app}`"),
        );
        let path = ["apps", app.as_str(), "rollback", "validate"];
        // Only for the shape of the body: nothing is rolled back, so nothing is pinned either.
        let body = RollbackBody {
            deployment_id: deployment,
            skip_pin: true,
        };
        let call = Call::new(Method::POST, &path, attempt).json(&body)?;
        let reply: RollbackReply = self.read(&call).await?.decode(&call.attempt())?;
        Ok(RollbackCheck {
            valid: reply.valid,
            code: reply.error.map(|error| PlatformText::new(&error.code)),
        })
    }
}

/// An app's deployments from the newest back, a page at a time, each once.
#[must_use = "nothing is read before the first row is asked for"]
pub struct DeploymentsBack<'a> {
    client: &'a Client,
    app: &'a AppId,
    next_page: Option<Page>,
    max_pages: u32,
    waiting: VecDeque<Deployment>,
    seen: HashSet<DeploymentId>,
    complete: bool,
}

/// What a look back found.
#[derive(Debug)]
pub struct LookBack {
    /// Newest first.
    pub deployments: Vec<Deployment>,
    /// Whether this is all there ever were; otherwise the pages ran out first.
    pub complete: bool,
}

impl DeploymentsBack<'_> {
    /// Returns the next older deployment; `None` when there is none or the pages are used up.
    ///
    /// # Errors
    ///
    /// Any [`Error`] of a read. Asking again goes on with the page that failed.
    pub async fn next(&mut self) -> Result<Option<Deployment>, Error> {
        loop {
            if let Some(deployment) = self.waiting.pop_front() {
                return Ok(Some(deployment));
            }
            let Some(page) = self.next_page else {
                return Ok(None);
            };
            let rows = self.client.deployments(self.app, page).await?.value;
            // A deployment made meanwhile pushes the last one of a page on to the next.
            for row in rows.items {
                if self.seen.insert(row.id.clone()) {
                    self.waiting.push_back(row);
                }
            }
            self.complete = !rows.more;
            self.next_page = (rows.more && page.number < self.max_pages).then(|| page.next());
        }
    }

    /// Returns all of them.
    ///
    /// # Errors
    ///
    /// Any [`Error`] of a read.
    pub async fn collect(mut self) -> Result<LookBack, Error> {
        let mut deployments = Vec::new();
        while let Some(deployment) = self.next().await? {
            deployments.push(deployment);
        }
        Ok(LookBack {
            deployments,
            complete: self.complete,
        })
    }

    /// Returns whether the oldest deployment of all was read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete && self.waiting.is_empty()
    }
}
