//! The rate limit: 5000 requests an hour and 250 a minute per token, in sliding windows (published).

use crate::clock::{earlier, later};
use crate::knobs::seconds;
use crate::token::presented;
use crate::world::State;
use http::HeaderMap;
use jiff::Timestamp;

/// What is left of a token's allowance.
pub(crate) struct Limits {
    pub(crate) hour: u32,
    pub(crate) remaining: u32,
    pub(crate) reset: Timestamp,
    /// Set when the burst limit is hit.
    pub(crate) retry_after: Option<u64>,
    pub(crate) exceeded: bool,
}

/// Counts one use of a token in its sliding hour and minute.
pub(crate) fn count_use(state: &mut State, headers: &HeaderMap) -> Limits {
    let now = state.now;
    let (hour, minute) = (state.knobs.rate_limit_hour, state.knobs.rate_limit_minute);
    let used = state
        .used
        .entry(presented(headers).unwrap_or_default().to_owned())
        .or_default();
    while used
        .front()
        .is_some_and(|at| *at <= earlier(now, seconds(3600)))
    {
        used.pop_front();
    }
    let count = |used: usize| u32::try_from(used).unwrap_or(u32::MAX);
    let a_minute_ago = earlier(now, seconds(60));
    let lately = used.iter().rev().take_while(|at| **at > a_minute_ago);
    let oldest_lately = lately.clone().last().copied();
    let burst = count(lately.count()) >= minute;
    let exceeded = burst || count(used.len()) >= hour;
    if !exceeded {
        used.push_back(now);
    }
    let wait = oldest_lately.map_or(60, |oldest| {
        later(oldest, seconds(60)).duration_since(now).as_secs()
    });
    Limits {
        hour,
        remaining: hour.saturating_sub(count(used.len())),
        reset: later(used.front().copied().unwrap_or(now), seconds(3600)),
        retry_after: burst.then(|| u64::try_from(wait).unwrap_or(1).max(1)),
        exceeded,
    }
}
