//! The client: one call out, one reply in, within a deadline, read only so far, and seen in the log.
//!
//! What each endpoint takes and gives stands in the modules beside this one. Two rules live here. A read is
//! repeated by [`Retry`]; a write is sent once, whatever happens, and its caller learns whether it may have
//! applied. The token goes to the API alone: URLs out of replies are fetched without it (see `logs`).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use secrecy::SecretString;
use serde::Serialize;
use tower::ServiceExt as _;
use tracing::Instrument as _;
use url::Url;

use crate::address;
use crate::attempt::Attempt;
use crate::document::Document;
use crate::error::Error;
use crate::logs::LogGuard;
use crate::reply::{self, RateLimit, Reply};
use crate::retry::Retry;
use crate::token::{self, TokenError};
use crate::transport::{Body, BoxError, NotSent, PublicHostsOnly, Refusal, Transport};

/// The largest JSON body that is read, in bytes. A page of 200 deployments carries 200 whole specs; a spec of
/// the size that the platform's own panel still edits is some tens of kilobytes.
pub(crate) const BODY_CAP_BYTES: usize = 16 * 1024 * 1024;

/// How long a call may take, from the first attempt to connect to the last byte of the body.
#[derive(Debug, Clone)]
pub struct Deadlines {
    /// A GET.
    pub read: Duration,
    /// A PUT or POST. The platform creates the deployment inside the request, so it may take its time, and a
    /// write given up too early is an ambiguous one.
    pub write: Duration,
    /// A whole log from its presigned URL; opening it takes at most as long as a read.
    pub log: Duration,
}

impl Default for Deadlines {
    /// 20 s, 60 s and 60 s.
    fn default() -> Self {
        Self {
            read: Duration::from_secs(20),
            write: Duration::from_secs(60),
            log: Duration::from_secs(60),
        }
    }
}

/// Why a client cannot be made from its settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The base URL is neither https nor http to this machine.
    #[error("the API address must be https (http is accepted for loopback addresses only)")]
    NotHttps(#[source] Refusal),
    /// The base URL carries a user name, a password, a query or a fragment.
    #[error("the API address may have a host, a port and a path, and nothing else")]
    NotABase,
    /// The token cannot be one.
    #[error("the token cannot be used")]
    Token(#[from] TokenError),
}

/// The DigitalOcean API with one token; cheap to clone, and clones share what is known of the budget.
#[derive(Clone)]
pub struct Client {
    pub(crate) transport: Transport,
    pub(crate) base: Url,
    authorization: HeaderValue,
    pub(crate) deadlines: Deadlines,
    pub(crate) retry: Retry,
    pub(crate) log_guard: LogGuard,
    budget: Arc<Mutex<Option<RateLimit>>>,
}

impl Client {
    /// Returns a client for the API at `base`, usually `https://api.digitalocean.com`; a path in it is kept.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the address is not https (or http to loopback) or has more than host, port and
    /// path, or when the token cannot be one.
    pub fn new(transport: Transport, base: &Url, token: SecretString) -> Result<Self, ConfigError> {
        let host = || base.host_str().unwrap_or_default().to_owned();
        match base.scheme() {
            "https" => {}
            "http" if address::is_loopback(base) => {}
            "http" => return Err(ConfigError::NotHttps(Refusal::PlainHttp { host: host() })),
            scheme => {
                let scheme = scheme.to_owned();
                return Err(ConfigError::NotHttps(Refusal::Scheme { scheme }));
            }
        }
        let bare = base.username().is_empty()
            && base.password().is_none()
            && base.query().is_none()
            && base.fragment().is_none();
        if !bare {
            return Err(ConfigError::NotABase);
        }
        Ok(Self {
            transport,
            base: base.clone(),
            authorization: token::bearer(&token)?,
            deadlines: Deadlines::default(),
            retry: Retry::default(),
            log_guard: LogGuard::default(),
            budget: Arc::default(),
        })
    }

    /// Returns the client with other deadlines.
    #[must_use]
    pub fn with_deadlines(self, deadlines: Deadlines) -> Self {
        Self { deadlines, ..self }
    }

    /// Returns the client with another policy for repeating reads.
    #[must_use]
    pub fn with_retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    /// Returns the client for a caller with minutes left: a read is tried twice at the most, and the platform is not
    /// waited for when it asks for more than a few seconds.
    #[must_use]
    pub fn in_a_hurry(self) -> Self {
        let retry = Retry {
            tries: self.retry.tries.min(2),
            max_asked: Duration::from_secs(10),
            ..self.retry
        };
        Self { retry, ..self }
    }

    /// Returns the client with another rule for which log URLs may be followed.
    #[must_use]
    pub fn with_log_guard(self, log_guard: LogGuard) -> Self {
        Self { log_guard, ..self }
    }

    /// Returns the mark that a request to `url`, which somebody else wrote, has to carry.
    ///
    /// It is left out for an address of this machine where the API itself is on this machine: a simulator, whose apps
    /// and logs are here too.
    #[must_use]
    pub fn mark_for(&self, url: &Url) -> Option<PublicHostsOnly> {
        let on_this_machine = address::is_loopback(&self.base) && address::is_loopback(url);
        (!on_this_machine).then_some(PublicHostsOnly)
    }

    /// Returns the token's budget as the latest reply told it.
    #[must_use]
    pub fn rate_limit(&self) -> Option<RateLimit> {
        *self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a call that changes nothing, and again if that can help.
    pub(crate) async fn read(&self, call: &Call) -> Result<Reply, Error> {
        self.retry.run(|tried| self.send(call, tried)).await
    }

    /// Sends a call that changes something, once.
    pub(crate) async fn write(&self, call: &Call) -> Result<Reply, Error> {
        self.send(call, 1).await
    }

    async fn send(&self, call: &Call, tried: usize) -> Result<Reply, Error> {
        let url = self.url(call)?;
        let span = tracing::debug_span!(
            "request",
            method = %call.method,
            path = url.path(),
            attempt = tried
        );
        let limit = if call.method == Method::GET {
            self.deadlines.read
        } else {
            self.deadlines.write
        };
        let exchange = async {
            let result = match tokio::time::timeout(limit, self.exchange(call, &url)).await {
                Ok(result) => result,
                Err(_) => Err(Error::TimedOut {
                    attempt: call.attempt(),
                    after: limit,
                }),
            };
            match &result {
                Ok(reply) => tracing::debug!(bytes = reply.body.len(), "answered"),
                Err(error) => tracing::debug!(%error, "failed"),
            }
            result
        };
        exchange.instrument(span).await
    }

    async fn exchange(&self, call: &Call, url: &Url) -> Result<Reply, Error> {
        let mut request = http::Request::builder()
            .method(call.method.clone())
            .uri(url.as_str())
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::ACCEPT, "application/json");
        if call.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(call.body.clone().unwrap_or_default())
            .map_err(|error| call.malformed(error))?;

        let sent = self.transport.clone().oneshot(request).await;
        let response = sent.map_err(|error| transport_error(call.attempt(), error))?;
        let (parts, body) = response.into_parts();
        if let Some(limit) = reply::rate_limit(&parts.headers) {
            *self.budget.lock().unwrap_or_else(PoisonError::into_inner) = Some(limit);
        }
        let body = read_body(body, call).await;
        if parts.status.is_success() {
            let (headers, mut extensions) = (parts.headers, parts.extensions);
            let document = extensions.remove::<Document>();
            return body.map(|body| Reply {
                headers,
                body,
                document,
            });
        }
        // A refusal is one whether or not all of its text arrived.
        let body = body.unwrap_or_default();
        Err(reply::failure(
            &call.attempt,
            parts.status,
            &parts.headers,
            &body,
        ))
    }

    /// Puts the call's path under the base address.
    fn url(&self, call: &Call) -> Result<Url, Error> {
        // The URL library leaves dot segments out, and the path would silently be another endpoint's.
        if call
            .path
            .iter()
            .any(|part| matches!(part.as_str(), "" | "." | ".."))
        {
            return Err(call.malformed("an id is empty or made of dots"));
        }
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut path) => {
                path.pop_if_empty().push("v2").extend(&call.path);
            }
            Err(()) => return Err(call.malformed("the API address cannot have a path")),
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }
}

impl fmt::Debug for Client {
    /// Shows where the client speaks to, and never with which token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base.as_str())
            .field("deadlines", &self.deadlines)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// One call of the API.
pub(crate) struct Call {
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Bytes>,
    attempt: Attempt,
}

impl Call {
    /// Returns a call of `/v2/` and the given segments, which are escaped.
    pub(crate) fn new(method: Method, path: &[&str], attempt: Attempt) -> Self {
        Self {
            method,
            path: path.iter().map(|&part| part.to_owned()).collect(),
            query: Vec::new(),
            body: None,
            attempt,
        }
    }

    pub(crate) fn get(path: &[&str], attempt: Attempt) -> Self {
        Self::new(Method::GET, path, attempt)
    }

    pub(crate) fn query(mut self, pairs: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.query.extend(pairs);
        self
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body).map_err(|error| self.malformed(error))?;
        self.body = Some(body.into());
        Ok(self)
    }

    pub(crate) fn attempt(&self) -> Box<Attempt> {
        Box::new(self.attempt.clone())
    }

    fn malformed(&self, reason: impl Into<BoxError>) -> Error {
        Error::Refused {
            attempt: self.attempt(),
            source: Refusal::Malformed(reason.into()),
        }
    }
}

/// Says what an error of the transport means: only [`NotSent`] is certain.
pub(crate) fn transport_error(attempt: Box<Attempt>, error: BoxError) -> Error {
    match error.downcast::<NotSent>() {
        Ok(not_sent) => match *not_sent {
            NotSent::NoConnection(source) => Error::NotConnected { attempt, source },
            NotSent::Refused(source) => Error::Refused { attempt, source },
        },
        Err(source) => Error::Interrupted { attempt, source },
    }
}

async fn read_body(body: Body, call: &Call) -> Result<Bytes, Error> {
    let attempt = || call.attempt();
    match Limited::new(body, BODY_CAP_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::TooLarge {
            attempt: attempt(),
            cap_bytes: BODY_CAP_BYTES,
        }),
        Err(source) => Err(Error::Interrupted {
            attempt: attempt(),
            source,
        }),
    }
}
