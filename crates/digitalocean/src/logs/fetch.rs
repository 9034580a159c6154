//! Getting a stored log from its presigned URL.
//!
//! The request goes to another host than the API, so it carries no token; it follows no redirect, and goes only
//! where the [`LogGuard`](super::LogGuard) lets it.

use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use tracing::Instrument as _;

pub use super::keep::{FetchedLog, LogLimits};

use super::PresignedUrl;
use super::keep::Unpacked;
use crate::attempt::{Attempt, Effect, PlatformText, Scope};
use crate::client::{Client, transport_error};
use crate::error::Error;
use crate::reply;
use crate::transport::{Body, Refusal};

impl Client {
    /// Reads a stored log from its URL and passes its text to `sink`, unpacked when it is gzip.
    ///
    /// A log longer than the limits loses its middle: `sink` gets the head, one line that says how much is
    /// missing, and the tail. Opening the URL is repeated like any read; once `sink` has got something, nothing
    /// is. After an error the sink holds a prefix of the log, so start again with a new one.
    ///
    /// # Errors
    ///
    /// [`Error::Expired`] on 403: ask for a new URL. [`Error::Refused`] when the URL leads where it must not.
    /// [`Error::Interrupted`] or [`Error::TimedOut`] when the log broke off, [`Error::Decode`] when it is packed
    /// and damaged, [`Error::NotFound`] and the other errors of a read.
    pub async fn fetch_log(
        &self,
        url: &PresignedUrl,
        limits: &LogLimits,
        sink: impl FnMut(&[u8]) + Send,
    ) -> Result<FetchedLog, Error> {
        let subject = format!("the log at `{}`", url.host());
        let action = format!("fetch {subject}");
        let attempt = Attempt::new(Effect::Read, Scope::AppRead, action, subject);
        let after = self.deadlines.log;
        let whole = async {
            let body = self
                .retry
                .run(|tried| self.open(url, &attempt, tried))
                .await?;
            pour(body, limits, sink, &attempt).await
        };
        match tokio::time::timeout(after, whole).await {
            Ok(result) => result,
            Err(_) => Err(Error::TimedOut {
                attempt: Box::new(attempt),
                after,
            }),
        }
    }

    /// Sends the request and returns the body of a good reply.
    async fn open(
        &self,
        url: &PresignedUrl,
        attempt: &Attempt,
        tried: usize,
    ) -> Result<Body, Error> {
        let request = self.log_request(url).map_err(|source| Error::Refused {
            attempt: Box::new(attempt.clone()),
            source,
        })?;
        // Neither path nor query: both can be part of the credential.
        let span = tracing::debug_span!(
            "request",
            method = %Method::GET,
            host = url.host(),
            attempt = tried
        );
        let exchange = async {
            let after = self.deadlines.read;
            let sending = self.transport.clone().oneshot(request);
            let Ok(sent) = tokio::time::timeout(after, sending).await else {
                return Err(Error::TimedOut {
                    attempt: Box::new(attempt.clone()),
                    after,
                });
            };
            let response =
                sent.map_err(|error| transport_error(Box::new(attempt.clone()), error))?;
            let (parts, body) = response.into_parts();
            tracing::debug!(status = parts.status.as_u16(), "answered");
            match parts.status {
                status if status.is_success() => Ok(body),
                StatusCode::FORBIDDEN => Err(Error::Expired {
                    attempt: Box::new(attempt.clone()),
                }),
                // Not about our token, which was not sent.
                status @ StatusCode::UNAUTHORIZED => Err(Error::Unexpected {
                    attempt: Box::new(attempt.clone()),
                    status,
                }),
                // The storage's error page is not the API's, so it is not read.
                status => Err(reply::failure(attempt, status, &parts.headers, b"")),
            }
        };
        exchange.instrument(span).await
    }

    fn log_request(&self, url: &PresignedUrl) -> Result<http::Request<Bytes>, Refusal> {
        let parsed = url
            .url()
            .ok_or_else(|| Refusal::Malformed("the address of the log is no URL".into()))?;
        let mark = self.mark_for(&parsed);
        let host = parsed.host_str().unwrap_or_default().to_owned();
        match parsed.scheme() {
            "https" => {}
            "http" if mark.is_none() => {}
            "http" => return Err(Refusal::PlainHttp { host }),
            scheme => {
                return Err(Refusal::Scheme {
                    scheme: scheme.to_owned(),
                });
            }
        }
        let mut request = http::Request::get(parsed.as_str())
            .header(header::ACCEPT, "*/*")
            .body(Bytes::new())
            .map_err(|error| Refusal::Malformed(error.into()))?;
        if let Some(mark) = mark {
            self.log_guard.check(&parsed)?;
            request.extensions_mut().insert(mark);
        }
        Ok(request)
    }
}

/// Reads the body to its end or to the limit.
async fn pour(
    mut body: Body,
    limits: &LogLimits,
    sink: impl FnMut(&[u8]) + Send,
    attempt: &Attempt,
) -> Result<FetchedLog, Error> {
    let damaged = |_damage: std::io::Error| Error::Decode {
        attempt: Box::new(attempt.clone()),
        path: PlatformText::new("gzip"),
    };
    let mut log = Unpacked::new(limits, sink);
    let mut packed_bytes: u64 = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|source| Error::Interrupted {
            attempt: Box::new(attempt.clone()),
            source,
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        packed_bytes = packed_bytes.saturating_add(data.len() as u64);
        let wanted = log.take(&data).map_err(damaged)?;
        // The second bound is for packed bytes that unfold to nothing at all.
        if !wanted || packed_bytes > limits.read_bytes.saturating_mul(2) {
            break;
        }
    }
    log.finish().map_err(damaged)
}
