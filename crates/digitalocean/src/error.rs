//! What can go wrong with a call, as far as a caller would act differently.
//!
//! Every error says what was attempted on which object, and answers two questions: would the same request be
//! worth repeating ([`Error::is_retryable`]), and may it have changed something ([`Error::may_have_applied`]).
//! Text from the platform is somebody else's: it is kept apart as [`PlatformText`], shortened and stripped, and
//! is no part of any message here. What a user should do about an error is decided elsewhere.

use std::time::Duration;

use http::StatusCode;

use crate::attempt::{Attempt, Effect, PlatformText, Scope};
use crate::transport::{BoxError, Refusal};

/// A failed call.
///
/// `attempt` says what was tried; [`Error::attempt`] reads it from any variant.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection was made; nothing was sent.
    #[error("cannot {attempt}: no connection to the platform")]
    NotConnected {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The transport's reason.
        source: BoxError,
    },
    /// We refused to send the request; nothing was sent.
    #[error("cannot {attempt}: the request may not be sent")]
    Refused {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The rule that forbids it.
        source: Refusal,
    },
    /// The connection broke after the request may have been sent, before the whole reply was in.
    #[error("cannot {attempt}: the connection broke before the whole reply was in")]
    Interrupted {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The transport's reason.
        source: BoxError,
    },
    /// The whole reply was not in within the deadline.
    #[error("cannot {attempt}: no whole reply within {after:?}")]
    TimedOut {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The deadline that passed.
        after: Duration,
    },
    /// 401: the platform does not accept the token.
    #[error("cannot {attempt}: the platform does not accept the token")]
    Unauthorized {
        /// What was tried.
        attempt: Box<Attempt>,
    },
    /// 403: the token may not do this. The scope is the one that this call needs by its documentation.
    #[error("cannot {attempt}: the token lacks the scope `{scope}`")]
    MissingScope {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The scope that this call needs.
        scope: Scope,
    },
    /// 404: there is no such object, or the token may not see it.
    #[error("cannot {attempt}: {what} was not found")]
    NotFound {
        /// What was tried.
        attempt: Box<Attempt>,
        /// What is missing, such as ``app `x` ``.
        what: String,
    },
    /// 400, 409 or 422: the platform understood the request and refuses it.
    #[error("cannot {attempt}: the platform refused it ({status})")]
    Rejected {
        /// What was tried.
        attempt: Box<Attempt>,
        /// 400, 409 or 422.
        status: StatusCode,
        /// The platform's code, such as `bad_request`.
        id: PlatformText,
        /// The platform's message.
        message: PlatformText,
    },
    /// A log was asked for of a stage that the component never reached (observed as 400).
    #[error("cannot {attempt}: there is no such log, or not yet")]
    NotReached {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The platform's message.
        message: PlatformText,
    },
    /// 403 for a presigned URL: it has expired. Ask for a new one.
    #[error("cannot {attempt}: its address has expired")]
    Expired {
        /// What was tried.
        attempt: Box<Attempt>,
    },
    /// 429: the token's budget is spent.
    #[error("cannot {attempt}: too many requests for this token")]
    RateLimited {
        /// What was tried.
        attempt: Box<Attempt>,
        /// How long the platform asks us to wait, from `retry-after` or else `ratelimit-reset`.
        retry_after: Option<Duration>,
    },
    /// 5xx.
    #[error("cannot {attempt}: the platform failed ({status})")]
    Server {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The status.
        status: StatusCode,
        /// How long the platform asks us to wait, from `retry-after`.
        retry_after: Option<Duration>,
    },
    /// A status that the call does not document, redirects included.
    #[error("cannot {attempt}: unexpected answer ({status})")]
    Unexpected {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The status.
        status: StatusCode,
    },
    /// A good status with a body that is not what the API description says.
    ///
    /// Only the place is kept: the decoder's own message quotes values, and values may be secret.
    #[error("cannot {attempt}: the reply makes no sense at `{path}`")]
    Decode {
        /// What was tried.
        attempt: Box<Attempt>,
        /// Where in the body, such as `app.spec`; `.` is the whole of it.
        path: PlatformText,
    },
    /// A body larger than we read.
    #[error("cannot {attempt}: the reply is larger than {cap_bytes} bytes")]
    TooLarge {
        /// What was tried.
        attempt: Box<Attempt>,
        /// The largest body that we read, in bytes.
        cap_bytes: usize,
    },
    /// A listing that did not end within the pages that we read.
    #[error("cannot {attempt}: the list did not end within {pages} pages")]
    Endless {
        /// What was tried.
        attempt: Box<Attempt>,
        /// How many pages were read.
        pages: u32,
    },
}

impl Error {
    /// Returns what was tried.
    #[must_use]
    pub fn attempt(&self) -> &Attempt {
        match self {
            Self::NotConnected { attempt, .. }
            | Self::Refused { attempt, .. }
            | Self::Interrupted { attempt, .. }
            | Self::TimedOut { attempt, .. }
            | Self::Unauthorized { attempt }
            | Self::MissingScope { attempt, .. }
            | Self::NotFound { attempt, .. }
            | Self::Rejected { attempt, .. }
            | Self::NotReached { attempt, .. }
            | Self::Expired { attempt }
            | Self::RateLimited { attempt, .. }
            | Self::Server { attempt, .. }
            | Self::Unexpected { attempt, .. }
            | Self::Decode { attempt, .. }
            | Self::TooLarge { attempt, .. }
            | Self::Endless { attempt, .. } => attempt,
        }
    }

    /// Returns whether the same request might succeed later.
    ///
    /// For a write this says nothing about safety: see [`Error::may_have_applied`] first.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotConnected { .. }
            | Self::Interrupted { .. }
            | Self::TimedOut { .. }
            | Self::RateLimited { .. }
            | Self::Server { .. } => true,
            // Later, and with a new address: neither is the same request again at once.
            Self::NotReached { .. } | Self::Expired { .. } => false,
            Self::Refused { .. }
            | Self::Unauthorized { .. }
            | Self::MissingScope { .. }
            | Self::NotFound { .. }
            | Self::Rejected { .. }
            | Self::Unexpected { .. }
            | Self::Decode { .. }
            | Self::TooLarge { .. }
            | Self::Endless { .. } => false,
        }
    }

    /// Returns whether the call may have changed something although it failed.
    ///
    /// Always false for a read. For a write it is false only where the request certainly was not sent or the
    /// platform certainly refused it (400, 401, 403, 404, 405, 409, 422, 429); everything else, a good status
    /// with a body that makes no sense included, may have applied.
    #[must_use]
    pub fn may_have_applied(&self) -> bool {
        if self.attempt().effect() == Effect::Read {
            return false;
        }
        match self {
            Self::NotConnected { .. }
            | Self::Refused { .. }
            | Self::Unauthorized { .. }
            | Self::MissingScope { .. }
            | Self::NotFound { .. }
            | Self::Rejected { .. }
            | Self::NotReached { .. }
            | Self::Expired { .. }
            | Self::RateLimited { .. } => false,
            Self::Unexpected { status, .. } => *status != StatusCode::METHOD_NOT_ALLOWED,
            Self::Interrupted { .. }
            | Self::TimedOut { .. }
            | Self::Server { .. }
            | Self::Decode { .. }
            | Self::TooLarge { .. }
            | Self::Endless { .. } => true,
        }
    }

    /// Returns the platform's own message, where it gave one that matters.
    #[must_use]
    pub fn platform_text(&self) -> Option<&PlatformText> {
        match self {
            Self::Rejected { message, .. } | Self::NotReached { message, .. } => Some(message),
            Self::NotConnected { .. }
            | Self::Refused { .. }
            | Self::Interrupted { .. }
            | Self::TimedOut { .. }
            | Self::Unauthorized { .. }
            | Self::MissingScope { .. }
            | Self::NotFound { .. }
            | Self::Expired { .. }
            | Self::RateLimited { .. }
            | Self::Server { .. }
            | Self::Unexpected { .. }
            | Self::Decode { .. }
            | Self::TooLarge { .. }
            | Self::Endless { .. } => None,
        }
    }

    /// Returns how long the platform asks us to wait before the next request.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Server { retry_after, .. } => {
                *retry_after
            }
            Self::NotConnected { .. }
            | Self::Refused { .. }
            | Self::Interrupted { .. }
            | Self::TimedOut { .. }
            | Self::Unauthorized { .. }
            | Self::MissingScope { .. }
            | Self::NotFound { .. }
            | Self::Rejected { .. }
            | Self::NotReached { .. }
            | Self::Expired { .. }
            | Self::Unexpected { .. }
            | Self::Decode { .. }
            | Self::TooLarge { .. }
            | Self::Endless { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write() -> Box<Attempt> {
        let attempt = Attempt::new(
            Effect::Write,
            Scope::AppUpdate,
            "update app `shop`",
            "app `shop`",
        );
        Box::new(attempt)
    }

    #[test]
    fn messages_name_the_attempt_and_not_the_platforms_words() {
        let message = PlatformText::new("canary");
        let error = Error::Rejected {
            attempt: write(),
            status: StatusCode::UNPROCESSABLE_ENTITY,
            id: PlatformText::default(),
            message,
        };
        insta::assert_snapshot!(error, @"cannot update app `shop`: the platform refused it (422 Unprocessable Entity)");
        assert_eq!(error.platform_text().unwrap().as_str(), "canary");
        let error = Error::MissingScope {
            attempt: write(),
            scope: Scope::AppUpdate,
        };
        insta::assert_snapshot!(error, @"cannot update app `shop`: the token lacks the scope `app:update`");
        let error = Error::TimedOut {
            attempt: write(),
            after: Duration::from_secs(60),
        };
        insta::assert_snapshot!(error, @"cannot update app `shop`: no whole reply within 60s");
        let error = Error::NotFound {
            attempt: write(),
            what: "app `shop`".to_owned(),
        };
        insta::assert_snapshot!(error, @"cannot update app `shop`: app `shop` was not found");
    }

    #[test]
    fn an_error_is_small_enough_to_return() {
        assert!(size_of::<Error>() <= 64, "{}", size_of::<Error>());
    }
}
