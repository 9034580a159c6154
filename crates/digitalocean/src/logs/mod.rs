//! Logs of a component in a deployment: where they are, and getting them.
//!
//! The platform answers with presigned URLs, each of which is a credential for about 15 minutes (observed). A
//! [`PresignedUrl`] is therefore never shown, is fetched without our token, and is asked for anew when it has
//! expired. Live logs over a websocket are deliberately absent: the stored ones are enough.

mod fetch;
mod keep;

use std::fmt;
use std::sync::Arc;

use app_spec::{AppId, ComponentName, DeploymentId};
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

pub use fetch::{FetchedLog, LogLimits};

use crate::address;
use crate::attempt::{Attempt, Effect, PlatformText, Scope};
use crate::client::{Call, Client};
use crate::error::Error;
use crate::transport::Refusal;

/// How long the platform may wait for a component that is not there yet before it answers. Its own default of
/// three minutes would run into our deadline for reads and look like an outage.
const POD_CONNECTION_TIMEOUT: &str = "10s";

/// Which log of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogKind {
    /// Of its image's build; kept 90 days.
    Build,
    /// Of the deploy stage, which holds the output of deploy-time jobs (observed); kept 90 days.
    Deploy,
    /// Of a component that runs now; not kept.
    Run,
    /// Of its last crash.
    RunRestarted,
}

impl LogKind {
    /// Returns the kind as the platform writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "BUILD",
            Self::Deploy => "DEPLOY",
            Self::Run => "RUN",
            Self::RunRestarted => "RUN_RESTARTED",
        }
    }
}

/// Where a log is.
#[derive(Debug, Clone)]
pub struct LogUrls {
    /// A stream of what is written now, if there is one.
    pub live: Option<PresignedUrl>,
    /// The stored parts, in order; all of them make the log. Empty until the platform has stored something.
    pub historic: Vec<PresignedUrl>,
}

impl LogUrls {
    /// Returns whether there is nothing to fetch, or not yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_none() && self.historic.is_empty()
    }
}

/// A URL that is itself a credential: whoever has it has the log.
#[derive(Clone)]
pub struct PresignedUrl {
    url: SecretString,
    host: String,
}

impl PresignedUrl {
    /// Takes a URL as the platform gave it; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        Some(Self {
            host: url.host_str()?.to_owned(),
            url: SecretString::from(text),
        })
    }

    /// Returns the URL's host, which may be shown.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the whole URL, for whoever must mask it in an output.
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        &self.url
    }

    fn url(&self) -> Option<Url> {
        Url::parse(self.url.expose_secret()).ok()
    }
}

impl fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PresignedUrl({})", self.host)
    }
}

/// The rule for which hosts a log URL may lead to; the scheme is checked besides.
///
/// The URL comes out of a reply, so following it anywhere would let a reply reach whatever the runner can. The
/// default accepts every host that can be public; [`transport::https`](crate::transport::https) then checks the
/// address that it connects to as well.
#[derive(Clone)]
pub struct LogGuard(Arc<LogRule>);

type LogRule = dyn Fn(&Url) -> Result<(), Refusal> + Send + Sync;

impl LogGuard {
    /// Returns a guard that asks the given rule.
    pub fn new(rule: impl Fn(&Url) -> Result<(), Refusal> + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    fn check(&self, url: &Url) -> Result<(), Refusal> {
        (self.0)(url)
    }
}

impl Default for LogGuard {
    fn default() -> Self {
        Self::new(|url| {
            if address::can_be_public(url) {
                return Ok(());
            }
            Err(Refusal::NotPublic {
                host: url.host_str().unwrap_or_default().to_owned(),
            })
        })
    }
}

impl fmt::Debug for LogGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogGuard")
    }
}

/// The names of the schema and of every client; the API description's example has others.
#[derive(Deserialize)]
struct LogsReply {
    #[serde(default)]
    live_url: Option<String>,
    #[serde(default)]
    historic_urls: Option<Vec<String>>,
}

impl Client {
    /// Asks where a component's log is (`GET …/deployments/{id}/components/{name}/logs`).
    ///
    /// # Errors
    ///
    /// [`Error::NotReached`] when the component never came to that stage, or not yet: the platform answers 400
    /// then (observed). Any other [`Error`] of a read.
    pub async fn log_urls(
        &self,
        app: &AppId,
        deployment: &DeploymentId,
        component: &ComponentName,
        kind: LogKind,
    ) -> Result<LogUrls, Error> {
        let subject = format!("component `{component}` of deployment `{deployment}`");
        let action = format!("find the {} log of {subject}", kind.as_str());
        let attempt = Attempt::new(Effect::Read, Scope::AppRead, action, subject);
        let path = [
            "apps",
            app.as_str(),
            "deployments",
            deployment.as_str(),
            "components",
            component.as_str(),
            "logs",
        ];
        let call = Call::get(&path, attempt).query([
            ("type", kind.as_str().to_owned()),
            ("follow", "false".to_owned()),
            ("pod_connection_timeout", POD_CONNECTION_TIMEOUT.to_owned()),
        ]);
        let reply = match self.read(&call).await {
            Ok(reply) => reply,
            Err(Error::Rejected {
                attempt,
                status: StatusCode::BAD_REQUEST,
                message,
                ..
            }) => return Err(Error::NotReached { attempt, message }),
            Err(error) => return Err(error),
        };
        let reply: LogsReply = reply.decode(&call.attempt())?;
        let parse = |path: String, text: &str| {
            PresignedUrl::parse(text).ok_or_else(|| Error::Decode {
                attempt: call.attempt(),
                path: PlatformText::new(&path),
            })
        };
        let live = reply.live_url.filter(|url| !url.is_empty());
        Ok(LogUrls {
            // We never fetch the live log, so one that makes no sense is no reason to miss the stored one.
            live: live.and_then(|url| PresignedUrl::parse(&url)),
            historic: reply
                .historic_urls
                .unwrap_or_default()
                .iter()
                .enumerate()
                .map(|(n, url)| parse(format!("historic_urls[{n}]"), url))
                .collect::<Result<_, _>>()?,
        })
    }
}
