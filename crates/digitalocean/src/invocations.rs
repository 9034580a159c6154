//! Runs of jobs, where the platform lists them.
//!
//! The calls came with scheduled jobs; whether the runs of deploy-time jobs appear is not documented, so
//! nothing may depend on it.

use app_spec::{AppId, ComponentName, DeploymentId, InvocationId, JobInvocation};
use http::Method;
use serde::Deserialize;

use crate::attempt::{Attempt, Effect, Scope};
use crate::client::{Call, Client};
use crate::error::Error;
use crate::outcome::WriteOutcome;
use crate::page::{Page, PageInfo};
use crate::reply::Stamped;

/// How many pages of runs are read before we doubt that the list ends. A deployment has a handful.
const MAX_PAGES: u32 = 10;

#[derive(Deserialize)]
struct InvocationsReply {
    #[serde(default)]
    job_invocations: Option<Vec<JobInvocation>>,
    #[serde(flatten)]
    pages: PageInfo,
}

impl Client {
    /// Lists the runs of an app's jobs (`GET /v2/apps/{id}/job-invocations`), of one deployment if given.
    ///
    /// # Errors
    ///
    /// Any [`Error`] of a read; [`Error::Endless`] beyond two thousand runs.
    pub async fn job_invocations(
        &self,
        app: &AppId,
        deployment: Option<&DeploymentId>,
    ) -> Result<Vec<JobInvocation>, Error> {
        let action = format!("list the job runs of app `{app}`");
        let attempt = Attempt::new(Effect::Read, Scope::AppRead, action, format!("app `{app}`"));
        let mut runs = Vec::new();
        let mut page = Page::first();
        while page.number <= MAX_PAGES {
            let call = Call::get(&["apps", app.as_str(), "job-invocations"], attempt.clone())
                .query(deployment.map(|id| ("deployment_id", id.to_string())))
                .query(page.query());
            let reply: InvocationsReply = self.read(&call).await?.decode(&attempt)?;
            let rows = reply
                .pages
                .rows(page, reply.job_invocations.unwrap_or_default());
            runs.extend(rows.items);
            if !rows.more {
                return Ok(runs);
            }
            page = page.next();
        }
        Err(Error::Endless {
            attempt: Box::new(attempt),
            pages: MAX_PAGES,
        })
    }

    /// Cancels a run (`POST /v2/apps/{id}/job-invocations/{id}/cancel`), named with its job. Sent once.
    pub async fn cancel_job_invocation(
        &self,
        app: &AppId,
        run: &InvocationId,
        job: &ComponentName,
    ) -> WriteOutcome<Stamped<JobInvocation>> {
        let subject = format!("run `{run}` of job `{job}` of app `{app}`");
        let action = format!("cancel {subject}");
        let attempt = Attempt::new(Effect::Write, Scope::AppUpdate, action, subject);
        let path = [
            "apps",
            app.as_str(),
            "job-invocations",
            run.as_str(),
            "cancel",
        ];
        let call = Call::new(Method::POST, &path, attempt).query([("job_name", job.to_string())]);
        let result = async {
            let reply = self.write(&call).await?;
            // With or without its wrapper: `JobInvocation` reads both.
            Ok(reply.stamp(reply.decode(&call.attempt())?))
        };
        WriteOutcome::from_result(result.await)
    }
}
