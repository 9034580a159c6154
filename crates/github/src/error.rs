//! What can go wrong with a call, told by what a caller would do about it.
//!
//! A message says what was attempted on which object; what GitHub or the transport said is the
//! source, except for GitHub's own sentence, which is shortened and cleaned. The token is in
//! none of them.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::transport::{BodyTooLarge, BoxError};

/// A permission of a workflow's token, as `permissions:` in YAML names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// `contents: read`: files, commits, branches, compare.
    ContentsRead,
    /// `pull-requests: read`: pull requests, their files, their comments.
    PullRequestsRead,
    /// `pull-requests: write`: comments and labels on pull requests.
    PullRequestsWrite,
    /// `deployments: read`: the ledger, read only.
    DeploymentsRead,
    /// `deployments: write`: the ledger.
    DeploymentsWrite,
    /// `metadata: read`: every token has it for a repository that it can see at all.
    MetadataRead,
}

impl Permission {
    /// Returns the line to put under `permissions:`, such as `deployments: write`.
    #[must_use]
    pub fn yaml(self) -> &'static str {
        match self {
            Self::ContentsRead => "contents: read",
            Self::PullRequestsRead => "pull-requests: read",
            Self::PullRequestsWrite => "pull-requests: write",
            Self::DeploymentsRead => "deployments: read",
            Self::DeploymentsWrite => "deployments: write",
            Self::MetadataRead => "metadata: read",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.yaml())
    }
}

/// What a call does to GitHub, which decides whether it may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Changes nothing.
    Read,
    /// Sets something to a value; sending it twice leaves what sending it once leaves.
    Idempotent,
    /// Makes a new thing each time it is carried out.
    Create,
}

/// A call that failed, and what it was about.
#[derive(Debug, thiserror::Error)]
#[error("cannot {attempted}")]
pub struct Error {
    attempted: String,
    effect: Effect,
    #[source]
    kind: ErrorKind,
}

/// The ways in which a call fails.
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    /// GitHub does not know the token (401).
    #[error("GitHub does not accept the token")]
    Unauthorized,
    /// The token is known but may not do this (403).
    #[error("the token lacks the permission `{what}` (GitHub: {message})")]
    MissingPermission {
        /// The permission that this call needs.
        what: Permission,
        /// GitHub's sentence, shortened.
        message: String,
    },
    /// The object does not exist, or the token cannot see it (404). GitHub does not tell which.
    #[error("GitHub knows no such thing, or does not show it to this token")]
    NotFound,
    /// The object existed once (410).
    #[error("it is gone")]
    Gone,
    /// The conversation is locked for everybody without write access (403).
    #[error("the conversation is locked")]
    Locked,
    /// A text is longer than GitHub takes. Found here before anything was sent, or by GitHub.
    #[error("the text is longer than the {limit_chars} characters that GitHub takes")]
    TooLong {
        /// The limit, in characters.
        limit_chars: usize,
    },
    /// Too many calls (429, or 403 with GitHub's rate limit headers). Nothing was applied.
    #[error("GitHub's rate limit is reached{}", reset_text(*.reset_after))]
    RateLimited {
        /// How long GitHub asks to wait, by its own clock; `None` when it does not say.
        reset_after: Option<Duration>,
    },
    /// Any other refusal by GitHub, such as a conflict (409) or a failed validation (422), or
    /// a redirect of a renamed repository. Nothing was applied.
    #[error("GitHub refused with status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// GitHub's sentence, shortened.
        message: String,
    },
    /// GitHub failed (5xx).
    #[error("GitHub failed with status {status}")]
    Server {
        /// The HTTP status.
        status: u16,
    },
    /// The request could not be carried, or the response got lost.
    #[error("the connection to GitHub failed")]
    Transport {
        /// Whether the request can have reached GitHub.
        reached: Reached,
        /// What the transport said.
        source: BoxError,
    },
    /// No answer within the call's deadline.
    #[error("GitHub did not answer within {} seconds", .after.as_secs())]
    TimedOut {
        /// The deadline.
        after: Duration,
    },
    /// The reply is not what GitHub's API description promises.
    #[error("cannot understand GitHub's reply at `{path}`")]
    Decode {
        /// Where in the reply, such as `[2].id`.
        path: String,
        /// What the JSON reader said.
        source: serde_json::Error,
    },
    /// The reply, or the list it is a part of, is larger than we read.
    #[error("GitHub's reply exceeds our limit of {limit}")]
    TooLarge {
        /// The limit with its unit, such as `1000 deployments`.
        limit: String,
    },
    /// The path names a file or folder that cannot exist in a repository, or a file was
    /// expected where a folder is. Nothing was sent, or nothing was found.
    #[error("`{path}` is not {expected}")]
    BadPath {
        /// The path as it was asked for.
        path: String,
        /// What it should have been, such as `a file`.
        expected: &'static str,
    },
}

/// Whether a request that failed on the way can have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// No connection came about.
    No,
    /// It may have arrived.
    Perhaps,
}

fn reset_text(reset_after: Option<Duration>) -> String {
    reset_after.map_or_else(String::new, |wait| {
        format!("; it ends in {} seconds", wait.as_secs())
    })
}

impl Error {
    pub(crate) fn new(attempted: impl Into<String>, effect: Effect, kind: ErrorKind) -> Self {
        Self {
            attempted: attempted.into(),
            effect,
            kind,
        }
    }

    /// Returns what went wrong.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Returns whether the same call may succeed later without anybody changing anything.
    ///
    /// It does not say that sending again is safe: see [`Error::may_have_applied`].
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match &self.kind {
            ErrorKind::RateLimited { .. }
            | ErrorKind::Server { .. }
            | ErrorKind::Transport { .. }
            | ErrorKind::TimedOut { .. } => true,
            ErrorKind::Unauthorized
            | ErrorKind::MissingPermission { .. }
            | ErrorKind::NotFound
            | ErrorKind::Gone
            | ErrorKind::Locked
            | ErrorKind::TooLong { .. }
            | ErrorKind::Refused { .. }
            | ErrorKind::Decode { .. }
            | ErrorKind::TooLarge { .. }
            | ErrorKind::BadPath { .. } => false,
        }
    }

    /// Returns whether GitHub may have done what was asked although the call failed.
    ///
    /// Always `false` for a read.
    #[must_use]
    pub fn may_have_applied(&self) -> bool {
        if self.effect == Effect::Read {
            return false;
        }
        match &self.kind {
            ErrorKind::Server { .. }
            | ErrorKind::TimedOut { .. }
            | ErrorKind::Decode { .. }
            | ErrorKind::TooLarge { .. } => true,
            ErrorKind::Transport { reached, .. } => *reached == Reached::Perhaps,
            ErrorKind::Unauthorized
            | ErrorKind::MissingPermission { .. }
            | ErrorKind::NotFound
            | ErrorKind::Gone
            | ErrorKind::Locked
            | ErrorKind::TooLong { .. }
            | ErrorKind::RateLimited { .. }
            | ErrorKind::Refused { .. }
            | ErrorKind::BadPath { .. } => false,
        }
    }

    /// Returns the permission to add under `permissions:`, when its lack was the reason.
    #[must_use]
    pub fn missing_permission(&self) -> Option<Permission> {
        if let ErrorKind::MissingPermission { what, .. } = &self.kind {
            Some(*what)
        } else {
            None
        }
    }

    /// Returns the wait that GitHub asked for, if it asked for one.
    pub(crate) fn ordered_wait(&self) -> Option<Duration> {
        if let ErrorKind::RateLimited { reset_after } = &self.kind {
            *reset_after
        } else {
            None
        }
    }

    /// Returns whether the object is not there.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self.kind, ErrorKind::NotFound | ErrorKind::Gone)
    }
}

/// The body of GitHub's refusals.
#[derive(Debug, Default, Deserialize)]
struct RefusalBody {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<serde_json::Value>,
}

/// Longest piece of GitHub's sentence that an error repeats, in characters.
const MESSAGE_CHARS: usize = 300;

/// Reads a refusal: any status but a success.
pub(crate) fn classify(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    needs: Permission,
    limit_chars: usize,
) -> ErrorKind {
    let refusal: RefusalBody = serde_json::from_slice(body).unwrap_or_default();
    let told = told(status, &refusal);
    let told_lower = told.to_lowercase();
    match status.as_u16() {
        401 => ErrorKind::Unauthorized,
        429 => ErrorKind::RateLimited {
            reset_after: ordered_wait(headers),
        },
        403 if is_rate_limit(headers, &told_lower) => ErrorKind::RateLimited {
            reset_after: ordered_wait(headers),
        },
        // The sentence is GitHub's "Unable to create comment because issue is locked."
        403 if told_lower.contains("is locked") => ErrorKind::Locked,
        // An archived repository refuses writes from everybody; no permission would help.
        403 if told_lower.contains("archived") => ErrorKind::Refused {
            status: 403,
            message: told,
        },
        403 => ErrorKind::MissingPermission {
            what: needs,
            message: told,
        },
        404 => ErrorKind::NotFound,
        410 => ErrorKind::Gone,
        422 if told_lower.contains("too long") => ErrorKind::TooLong { limit_chars },
        // A proxy between us and GitHub answers 408 when it gave up waiting for GitHub.
        code if code >= 500 || code == 408 => ErrorKind::Server { status: code },
        code => ErrorKind::Refused {
            status: code,
            message: told,
        },
    }
}

fn told(status: StatusCode, refusal: &RefusalBody) -> String {
    let mut text = if refusal.message.is_empty() {
        status
            .canonical_reason()
            .unwrap_or("no reason given")
            .to_owned()
    } else {
        refusal.message.clone()
    };
    for error in &refusal.errors {
        let detail = error
            .as_str()
            .or_else(|| error.get("message").and_then(|message| message.as_str()))
            .or_else(|| error.get("code").and_then(|code| code.as_str()));
        if let Some(detail) = detail {
            text.push_str("; ");
            text.push_str(detail);
        }
    }
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MESSAGE_CHARS)
        .collect()
}

/// Tells a 403 that means "slow down" from one that means "you may not".
///
/// Source: <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>.
fn is_rate_limit(headers: &HeaderMap, told_lower: &str) -> bool {
    number(headers, "x-ratelimit-remaining") == Some(0)
        || headers.contains_key("retry-after")
        || told_lower.contains("secondary rate limit")
        || told_lower.contains("abuse detection")
}

/// Returns how long the headers ask to wait, counted from the response's own `date`, so that
/// this machine's clock does not matter.
fn ordered_wait(headers: &HeaderMap) -> Option<Duration> {
    if let Some(seconds) = number(headers, "retry-after") {
        return Some(Duration::from_secs(seconds));
    }
    if number(headers, "x-ratelimit-remaining") != Some(0) {
        return None;
    }
    let reset = number(headers, "x-ratelimit-reset")?;
    let date = headers.get("date")?.to_str().ok()?;
    let now = jiff::fmt::rfc2822::parse(date)
        .ok()?
        .timestamp()
        .as_second();
    let wait = reset.saturating_sub(u64::try_from(now).ok()?);
    Some(Duration::from_secs(wait))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Reads what octocrab reports when no response came back.
pub(crate) fn unsent(error: octocrab::Error) -> ErrorKind {
    let source: BoxError = match error {
        octocrab::Error::Service { source, .. } => source,
        other => Box::new(other),
    };
    if let Some(BodyTooLarge(limit)) = source.downcast_ref::<BodyTooLarge>() {
        return ErrorKind::TooLarge {
            limit: format!("{limit} bytes"),
        };
    }
    let reached = if never_connected(source.as_ref()) {
        Reached::No
    } else {
        Reached::Perhaps
    };
    ErrorKind::Transport { reached, source }
}

/// Returns whether the cause is one that only occurs before a connection stands. Anything else
/// counts as doubtful.
fn never_connected(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let refused = error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused);
        if refused {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn kind(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> ErrorKind {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        classify(
            StatusCode::from_u16(status).unwrap(),
            &headers,
            body.as_bytes(),
            Permission::DeploymentsWrite,
            140,
        )
    }

    #[test]
    fn a_refusal_with_an_exhausted_limit_waits_by_the_servers_clock() {
        let kind = kind(
            403,
            &[
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "1791200030"),
                ("date", "Mon, 05 Oct 2026 09:33:20 GMT"),
            ],
            r#"{"message":"API rate limit exceeded"}"#,
        );
        let ErrorKind::RateLimited { reset_after } = kind else {
            panic!("{kind:?}");
        };
        let date: jiff::Timestamp = "2026-10-05T09:33:20Z".parse().unwrap();
        let expected = 1_791_200_030 - u64::try_from(date.as_second()).unwrap();
        assert_eq!(reset_after, Some(Duration::from_secs(expected)));
    }

    #[test]
    fn a_reset_time_without_an_exhausted_limit_is_no_order_to_wait() {
        let kind = kind(
            429,
            &[
                ("x-ratelimit-remaining", "12"),
                ("x-ratelimit-reset", "99999999999"),
                ("date", "Mon, 05 Oct 2026 09:33:20 GMT"),
            ],
            "",
        );
        assert!(matches!(kind, ErrorKind::RateLimited { reset_after: None }));
    }

    #[test]
    fn a_refusal_repeats_github_in_one_short_clean_line() {
        let long = "x".repeat(1000);
        let body = serde_json::json!({"message": format!("a\u{1b}[31m\n{long}")}).to_string();
        let ErrorKind::Refused { message, .. } = kind(409, &[], &body) else {
            panic!();
        };
        assert!(message.chars().count() <= MESSAGE_CHARS);
        assert!(!message.contains(['\n', '\u{1b}']));
    }

    #[test]
    fn the_details_of_a_failed_validation_are_told() {
        let body = r#"{"message":"Validation Failed","errors":[{"code":"already_exists"}]}"#;
        let ErrorKind::Refused { status, message } = kind(422, &[], body) else {
            panic!();
        };
        assert_eq!(status, 422);
        assert_eq!(message, "Validation Failed; already_exists");
    }
}
