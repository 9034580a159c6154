//! When and how often a read is repeated.
//!
//! Only reads come here: calls that change nothing, whatever their method. A write is never repeated by this
//! crate, because its caller must first look at what the first one did.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};

use crate::error::Error;

/// How reads are repeated.
#[derive(Debug, Clone)]
pub struct Retry {
    /// How often a read is tried in all; at least once.
    pub tries: usize,
    /// The first wait. Each further one is twice as long, and up to as much again is added at random so that
    /// runners that failed together do not come back together.
    pub min_wait: Duration,
    /// The longest wait of our own choosing, before the random part.
    pub max_wait: Duration,
    /// The longest wait that the platform may ask for with `retry-after` or `ratelimit-reset`. When it asks
    /// for more, the read fails at once: asking earlier would only be refused, and a caller has better things to
    /// do than to sit in here.
    pub max_asked: Duration,
    /// Makes the random part repeatable, for simulated runs.
    pub seed: Option<u64>,
}

impl Default for Retry {
    /// Four tries and 1 to 30 s, as the platform's own Go client does it; a minute for what the platform asks,
    /// which is the span of its burst limit.
    fn default() -> Self {
        Self {
            tries: 4,
            min_wait: Duration::from_secs(1),
            max_wait: Duration::from_secs(30),
            max_asked: Duration::from_secs(60),
            seed: None,
        }
    }
}

impl Retry {
    /// Returns a policy that tries once.
    #[must_use]
    pub fn never() -> Self {
        Self {
            tries: 1,
            ..Self::default()
        }
    }

    /// Runs a read until it succeeds, fails for good, or has been tried often enough; the operation is told
    /// which try it is, from 1.
    pub(crate) async fn run<T, F>(&self, mut read: impl FnMut(usize) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut tried = 0;
        let attempt = || {
            tried += 1;
            read(tried)
        };
        attempt
            .retry(self.waits())
            .when(Error::is_retryable)
            .adjust(|error, wait| self.wait(error, wait?))
            .await
    }

    fn waits(&self) -> ExponentialBuilder {
        let waits = ExponentialBuilder::default()
            .with_min_delay(self.min_wait)
            .with_max_delay(self.max_wait)
            .with_factor(2.0)
            .with_max_times(self.tries.saturating_sub(1))
            .with_jitter();
        match self.seed {
            Some(seed) => waits.with_jitter_seed(seed),
            None => waits,
        }
    }

    /// Returns how long to wait after this error; `None` to give up.
    fn wait(&self, error: &Error, own: Duration) -> Option<Duration> {
        match error.retry_after() {
            None => Some(own),
            Some(asked) if asked > self.max_asked => None,
            Some(asked) => Some(asked.max(self.min_wait)),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use tokio::time::Instant;

    use super::*;
    use crate::attempt::{Attempt, Effect, Scope};

    fn server(retry_after: Option<u64>) -> Error {
        Error::Server {
            attempt: Box::new(Attempt::new(
                Effect::Read,
                Scope::AppRead,
                "read app `shop`",
                "app `shop`",
            )),
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    /// Returns how often the read was tried and how long that took.
    async fn fail_with(error: impl Fn(usize) -> Error) -> (usize, Duration) {
        let began = Instant::now();
        let mut tries = 0;
        let result: Result<(), Error> = Retry::default()
            .run(|n| {
                tries = n;
                std::future::ready(Err(error(n)))
            })
            .await;
        assert!(result.is_err());
        (tries, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_is_tried_four_times_with_growing_waits() {
        let (tries, took) = fail_with(|_| server(None)).await;
        assert_eq!(tries, 4);
        // 1 + 2 + 4 s, and at most as much again.
        assert!(
            (Duration::from_secs(7)..=Duration::from_secs(15)).contains(&took),
            "{took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_platforms_own_wait_is_kept_exactly() {
        let (tries, took) = fail_with(|_| server(Some(12))).await;
        assert_eq!(tries, 4);
        assert!(
            took.abs_diff(Duration::from_secs(36)) < Duration::from_millis(50),
            "{took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_of_zero_is_not_a_busy_loop() {
        let (_, took) = fail_with(|_| server(Some(0))).await;
        assert!(took >= Duration::from_secs(3), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_too_long_ends_the_call_at_once() {
        let (tries, took) = fail_with(|_| server(Some(61))).await;
        assert_eq!((tries, took), (1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_will_not_mend_is_not_repeated() {
        let attempt = || server(None).attempt().clone();
        let (tries, _) = fail_with(|_| Error::Unauthorized {
            attempt: Box::new(attempt()),
        })
        .await;
        assert_eq!(tries, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn one_seed_gives_one_timing() {
        async fn took() -> Duration {
            let began = Instant::now();
            let retry = Retry {
                seed: Some(7),
                ..Retry::default()
            };
            let result: Result<(), Error> =
                retry.run(|_| std::future::ready(Err(server(None)))).await;
            assert!(result.is_err());
            began.elapsed()
        }
        assert_eq!(took().await, took().await);
    }
}
