//! The one clock of a world: simulated time as a function of `tokio::time`.
//!
//! Under tokio's paused clock simulated time is virtual; over real sockets it runs `pace` times as fast as the
//! wall. Nothing here ticks: the world is moved on by whoever asks it something.

use jiff::{Timestamp, tz::TimeZone};
use std::time::Duration;
use tokio::time::Instant;

/// Simulated time: a start plus the time that went by since, multiplied by a pace.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Timestamp,
    base: Instant,
    pace: f64,
}

impl Clock {
    /// Returns a clock that reads `start` now and runs as fast as `tokio::time` does.
    #[must_use]
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            start,
            base: Instant::now(),
            pace: 1.0,
        }
    }

    /// Returns the same clock running `pace` times as fast; a pace that is not a positive number counts as 1.
    #[must_use]
    pub fn at_pace(mut self, pace: f64) -> Self {
        self.pace = if pace.is_finite() && pace > 0.0 {
            pace
        } else {
            1.0
        };
        self
    }

    /// Returns the simulated time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        later(self.start, self.base.elapsed().mul_f64(self.pace))
    }

    /// Lets so much simulated time pass at once.
    pub(crate) fn skip(&mut self, span: Duration) {
        self.start = later(self.start, span);
    }

    /// Returns how many simulated seconds pass in one second.
    #[must_use]
    pub fn pace(&self) -> f64 {
        self.pace
    }
}

/// Returns `at` moved on by `span`, or the end of representable time.
pub(crate) fn later(at: Timestamp, span: Duration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// Returns `at` moved back by `span`, or the beginning of representable time.
pub(crate) fn earlier(at: Timestamp, span: Duration) -> Timestamp {
    at.checked_sub(span).unwrap_or(Timestamp::MIN)
}

/// Writes a time as RFC 3339 in whole seconds, the form of nearly every field of both APIs.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Writes a time as RFC 3339 with nine decimals, the form of log lines.
pub(crate) fn rfc3339_nanos(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
}

/// Writes a time as an HTTP date (RFC 7231, section 7.1.1.1).
pub(crate) fn http_date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pace_multiplies_the_time_that_went_by() {
        let start: Timestamp = "2026-02-18T00:35:00Z".parse().unwrap();
        let clock = Clock::starting_at(start).at_pace(60.0);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(rfc3339(clock.now()), "2026-02-18T00:37:00Z");
        assert_eq!(http_date(clock.now()), "Wed, 18 Feb 2026 00:37:00 GMT");
        assert_eq!(rfc3339_nanos(start), "2026-02-18T00:35:00.000000000Z");
    }
}
