//! Waiting and the platform's clock, at a pace.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::time::Instant;

/// How much faster than real time the platform's clock runs: 1 for the real one, more for a simulator on this
/// machine. Divides waits; never an HTTP deadline, and never a lease. And how much more rarely than usual is looked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    times: f64,
    rarer: u32,
}

impl Pace {
    /// Real time.
    pub const REAL: Self = Self {
        times: 1.0,
        rarer: 1,
    };

    /// Returns the pace `times` real time; nothing unless it is finite and at least 1.
    #[must_use]
    pub fn new(times: f64) -> Option<Self> {
        (times.is_finite() && times >= 1.0).then_some(Self { times, rarer: 1 })
    }

    /// Returns the same pace with so many times as long between two looks, in which more can happen unseen.
    #[must_use]
    pub fn looking_more_rarely(self, rarer: u32) -> Self {
        Self { rarer, ..self }
    }

    /// Returns how far apart two looks are for whom `span` is usual.
    pub(crate) fn between_looks(self, span: Duration) -> Duration {
        span.saturating_mul(self.rarer)
    }

    /// Returns how long to wait here for `span` to pass there.
    #[must_use]
    pub fn local(self, span: Duration) -> Duration {
        span.div_f64(self.times)
    }

    /// Returns how much time passes there in `span` here.
    #[must_use]
    pub fn platform(self, span: Duration) -> Duration {
        span.mul_f64(self.times)
    }
}

/// The platform's clock: its last `Date`, and how long ago that was here. Nothing decides by this machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct PlatformClock {
    pace: Pace,
    begun: Instant,
    last: Option<(Timestamp, Instant)>,
}

impl PlatformClock {
    /// Returns a clock that has not been set yet.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            begun: Instant::now(),
            last: None,
        }
    }

    /// Sets it by a reply's `Date`. It never goes back: a `Date` is cut to the second.
    pub fn set(&mut self, date: Option<Timestamp>) {
        if let Some(date) = date {
            let date = self.now().map_or(date, |now| now.max(date));
            self.last = Some((date, Instant::now()));
        }
    }

    /// Returns the platform's time; nothing before the first reply.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        let (last, then) = self.last?;
        Some(self.later(last, then))
    }

    /// Returns the platform's time; before the first reply, a time at which as much has passed since the epoch as since
    /// the clock was made, so that a wait for that reply has its end, too.
    #[must_use]
    pub fn reckoned(&self) -> Timestamp {
        self.now()
            .unwrap_or_else(|| self.later(Timestamp::UNIX_EPOCH, self.begun))
    }

    fn later(&self, time: Timestamp, then: Instant) -> Timestamp {
        let passed = self.pace.platform(then.elapsed());
        let passed = SignedDuration::try_from(passed).unwrap_or_default();
        time.checked_add(passed).unwrap_or(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn platform_time_passes_at_its_pace() {
        let mut clock = PlatformClock::new(Pace::new(60.0).unwrap());
        assert_eq!(clock.now(), None);
        let start: Timestamp = "2026-02-18T00:35:00Z".parse().unwrap();
        clock.set(Some(start));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(clock.now().unwrap().to_string(), "2026-02-18T00:45:00Z");
        clock.set(Some(start));
        assert_eq!(clock.now().unwrap().to_string(), "2026-02-18T00:45:00Z");
    }

    #[test]
    fn pace_is_at_least_real_time() {
        assert_eq!(Pace::new(0.5), None);
        assert_eq!(Pace::new(f64::NAN), None);
        assert_eq!(Pace::new(f64::INFINITY), None);
    }
}
