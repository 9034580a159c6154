//! What a reply means: its status, its headers, and its JSON with the place of the first fault.
//!
//! Follows the platform's published API description for error bodies (`{id, message, request_id}`), and reads
//! the second observed form (`{error, messages}`) as well. Nothing here decides what to do about an error.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::attempt::{Attempt, PlatformText};
use crate::document::Document;
use crate::error::Error;

/// A value together with the server's clock when it was read.
///
/// Whatever compares moments compares the server's with the server's: a runner's clock may be minutes off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped<T> {
    /// What was read.
    pub value: T,
    /// The reply's `Date` header, to the second; absent when the server sent none that can be read.
    pub server_time: Option<Timestamp>,
}

impl<T> Stamped<T> {
    /// Returns another value with the same stamp.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Stamped<U> {
        Stamped {
            value: change(self.value),
            server_time: self.server_time,
        }
    }
}

/// The token's budget as the platform last reported it (5000 requests an hour in a sliding window).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests an hour (`ratelimit-limit`).
    pub limit: Option<u64>,
    /// Requests left (`ratelimit-remaining`).
    pub remaining: u64,
    /// When the oldest request leaves the window and one more is allowed (`ratelimit-reset`).
    pub reset: Option<Timestamp>,
}

/// A reply with a good status, its body read.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// In the place of the body, from a peer in the same process.
    pub(crate) document: Option<Document>,
}

impl Reply {
    /// Reads the body as JSON.
    pub(crate) fn decode<T: DeserializeOwned>(&self, attempt: &Attempt) -> Result<T, Error> {
        let no_sense_at = |path: &str| Error::Decode {
            attempt: Box::new(attempt.clone().answered(request_id_header(&self.headers))),
            path: PlatformText::new(path),
        };
        let mut json = serde_json::Deserializer::from_slice(&self.body);
        let value = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| no_sense_at(&error.path().to_string()))?;
        json.end().map_err(|_trailing| no_sense_at("."))?;
        Ok(value)
    }

    pub(crate) fn stamp<T>(&self, value: T) -> Stamped<T> {
        Stamped {
            value,
            server_time: server_time(&self.headers),
        }
    }
}

/// Returns the reply's `Date`.
pub(crate) fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    parse_date(headers.get(header::DATE)?.to_str().ok()?)
}

/// Returns the budget that a reply reports, if it does.
pub(crate) fn rate_limit(headers: &HeaderMap) -> Option<RateLimit> {
    Some(RateLimit {
        limit: number(headers, "ratelimit-limit"),
        remaining: number(headers, "ratelimit-remaining")?,
        reset: reset(headers),
    })
}

/// Says what a bad status means.
pub(crate) fn failure(
    attempt: &Attempt,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Error {
    let told = ErrorBody::read(body);
    let request_id = told
        .request_id
        .as_deref()
        .map(PlatformText::new)
        .or_else(|| request_id_header(headers));
    let attempt = Box::new(attempt.clone().answered(request_id));
    match status {
        StatusCode::UNAUTHORIZED => Error::Unauthorized { attempt },
        StatusCode::FORBIDDEN => Error::MissingScope {
            scope: attempt.scope(),
            attempt,
        },
        StatusCode::NOT_FOUND => Error::NotFound {
            what: attempt.subject().to_owned(),
            attempt,
        },
        StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => {
            Error::Rejected {
                attempt,
                status,
                id: PlatformText::new(&told.id),
                message: PlatformText::new(&told.message),
            }
        }
        StatusCode::TOO_MANY_REQUESTS => Error::RateLimited {
            attempt,
            retry_after: retry_after(headers).or_else(|| until_reset(headers)),
        },
        status if status.is_server_error() => Error::Server {
            attempt,
            status,
            retry_after: retry_after(headers),
        },
        status => Error::Unexpected { attempt, status },
    }
}

/// Returns `retry-after`: seconds, or a date measured against the reply's own.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => span(server_time(headers)?, parse_date(value)?),
    }
}

/// Returns how long it is until the window has room again, by the server's clock.
///
/// The platform sends `retry-after` only for its burst limit; for the hourly one there is the reset alone.
fn until_reset(headers: &HeaderMap) -> Option<Duration> {
    span(server_time(headers)?, reset(headers)?)
}

fn reset(headers: &HeaderMap) -> Option<Timestamp> {
    let second = i64::try_from(number(headers, "ratelimit-reset")?).ok()?;
    Timestamp::from_second(second).ok()
}

/// Returns the time between two moments, zero when they are the other way round.
fn span(from: Timestamp, to: Timestamp) -> Option<Duration> {
    let seconds = to.as_second().saturating_sub(from.as_second());
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn parse_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

fn request_id_header(headers: &HeaderMap) -> Option<PlatformText> {
    let value = headers.get("x-request-id")?.to_str().ok()?;
    Some(PlatformText::new(value))
}

/// The body of an error, in either of its forms, or nothing.
#[derive(Debug, Default)]
struct ErrorBody {
    id: String,
    message: String,
    request_id: Option<String>,
}

impl ErrorBody {
    fn read(body: &[u8]) -> Self {
        #[derive(Deserialize, Default)]
        struct Wire {
            #[serde(default)]
            id: Option<String>,
            #[serde(default)]
            message: Option<String>,
            #[serde(default)]
            request_id: Option<String>,
            #[serde(default)]
            error: Option<String>,
            #[serde(default)]
            messages: Option<Vec<String>>,
        }
        // A proxy's error page is no JSON; the status alone then says what there is to say.
        let wire: Wire = serde_json::from_slice(body).unwrap_or_default();
        let messages = wire.messages.filter(|messages| !messages.is_empty());
        Self {
            id: wire.id.unwrap_or_default(),
            message: wire
                .message
                .or_else(|| messages.map(|messages| messages.join("; ")))
                .or(wire.error)
                .unwrap_or_default(),
            request_id: wire.request_id.filter(|id| !id.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::{Effect, Scope};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    value.parse().unwrap(),
                )
            })
            .collect()
    }

    fn fail(status: u16, pairs: &[(&'static str, &str)], body: &str) -> Error {
        let attempt = Attempt::new(
            Effect::Write,
            Scope::AppUpdate,
            "update app `shop`",
            "app `shop`",
        );
        let status = StatusCode::from_u16(status).unwrap();
        failure(&attempt, status, &headers(pairs), body.as_bytes())
    }

    const DATE: &str = "Wed, 18 Feb 2026 00:59:00 GMT";

    #[test]
    fn the_date_header_is_the_servers_clock() {
        let time = server_time(&headers(&[("date", DATE)])).unwrap();
        assert_eq!(time.to_string(), "2026-02-18T00:59:00Z");
        assert_eq!(server_time(&headers(&[("date", "yesterday")])), None);
    }

    #[test]
    fn the_burst_limit_tells_its_wait_in_seconds() {
        let error = fail(429, &[("retry-after", "12"), ("date", DATE)], "{}");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(12)));
    }

    #[test]
    fn the_hourly_limit_tells_its_wait_by_the_reset() {
        let error = fail(
            429,
            &[("ratelimit-reset", "1771376400"), ("date", DATE)],
            "{}",
        );
        assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
        let past = fail(
            429,
            &[("ratelimit-reset", "1771370000"), ("date", DATE)],
            "{}",
        );
        assert_eq!(past.retry_after(), Some(Duration::ZERO));
        let without_a_clock = fail(429, &[("ratelimit-reset", "1771376400")], "{}");
        assert_eq!(without_a_clock.retry_after(), None);
    }

    #[test]
    fn a_wait_may_be_given_as_a_date() {
        let until = "Wed, 18 Feb 2026 00:59:30 GMT";
        let error = fail(503, &[("retry-after", until), ("date", DATE)], "");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
    }

    #[test]
    fn the_budget_is_read_from_the_headers() {
        let limit = rate_limit(&headers(&[
            ("ratelimit-limit", "5000"),
            ("ratelimit-remaining", "4321"),
            ("ratelimit-reset", "1771376400"),
        ]))
        .unwrap();
        assert_eq!((limit.limit, limit.remaining), (Some(5000), 4321));
        assert_eq!(limit.reset.unwrap().to_string(), "2026-02-18T01:00:00Z");
        assert_eq!(rate_limit(&HeaderMap::new()), None);
    }

    #[test]
    fn the_request_id_comes_from_the_body_or_else_the_header() {
        let body = r#"{"id":"x","message":"y","request_id":"from-body"}"#;
        let id = |error: &Error| error.attempt().request_id().unwrap().as_str().to_owned();
        let error = fail(422, &[("x-request-id", "from-header")], body);
        assert_eq!(id(&error), "from-body");
        let error = fail(500, &[("x-request-id", "from-header")], "<html>");
        assert_eq!(id(&error), "from-header");
    }

    #[test]
    fn both_forms_of_an_error_body_are_read() {
        let text = |body| fail(400, &[], body).platform_text().unwrap().to_string();
        assert_eq!(
            text(r#"{"id":"bad_request","message":"no such field"}"#),
            "no such field"
        );
        assert_eq!(
            text(r#"{"error":"bad","messages":["one","two"],"root_causes":[]}"#),
            "one; two"
        );
        assert_eq!(text(r#"{"error":"bad","messages":[]}"#), "bad");
        assert_eq!(text("<html>"), "");
    }

    #[test]
    fn every_status_has_its_meaning() {
        let name = |status| match fail(status, &[], "{}") {
            Error::Unauthorized { .. } => "unauthorized",
            Error::MissingScope { scope, .. } => scope.as_str(),
            Error::NotFound { .. } => "not found",
            Error::Rejected { .. } => "rejected",
            Error::RateLimited { .. } => "rate limited",
            Error::Server { .. } => "server",
            Error::Unexpected { .. } => "unexpected",
            other => panic!("{other:?}"),
        };
        let seen: Vec<_> = [
            301, 400, 401, 403, 404, 405, 409, 412, 418, 422, 429, 500, 502, 504,
        ]
        .map(|status| format!("{status} {}", name(status)))
        .into();
        insta::assert_snapshot!(seen.join("\n"), @r"
        301 unexpected
        400 rejected
        401 unauthorized
        403 app:update
        404 not found
        405 unexpected
        409 rejected
        412 unexpected
        418 unexpected
        422 rejected
        429 rate limited
        500 server
        502 server
        504 server
        ");
    }

    #[test]
    fn only_a_certain_refusal_did_not_apply() {
        let applied = |status| fail(status, &[], "{}").may_have_applied();
        for status in [400, 401, 403, 404, 405, 409, 422, 429] {
            assert!(!applied(status), "{status}");
        }
        for status in [
            301, 302, 307, 308, 402, 408, 410, 412, 413, 418, 425, 500, 502, 503, 504, 520,
        ] {
            assert!(applied(status), "{status}");
        }
    }
}
