//! Things that go wrong between a caller and a world, on purpose and at a chosen moment.
//!
//! A fault is armed for a method and a path, or for a named call, lets some matches pass and then strikes a number of
//! times. What it does to the request (did it take effect?) and what it does to the answer are separate choices.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Whether a request that goes wrong took effect all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Applied {
    /// It never reached the server's logic.
    #[default]
    No,
    /// It did its work; only the answer is lost or wrong.
    Yes,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum FaultKind {
    /// The connection is refused.
    Refuse,
    /// No answer ever comes.
    Timeout {
        /// Whether the request took effect.
        #[serde(default)]
        applied: Applied,
    },
    /// The connection is closed before the answer.
    Reset {
        /// Whether the request took effect.
        #[serde(default)]
        applied: Applied,
    },
    /// Another answer comes: 500, 502, 429, 401, 403, 404 or any other.
    Respond {
        /// Its status.
        status: u16,
        /// Its headers, such as `retry-after`.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// Its body; the side's usual error body where it is left out.
        #[serde(default)]
        body: Option<Value>,
        /// Whether the request took effect.
        #[serde(default)]
        applied: Applied,
    },
    /// The answer's body ends half-way.
    Truncated,
    /// The answer claims another content type.
    ContentType {
        /// The type it claims.
        value: String,
    },
    /// The answer takes its time. The request takes effect at once.
    Slow {
        /// How long, in seconds of the caller's clock (not simulated ones: HTTP has no pace).
        seconds: u64,
    },
    /// A read gives the answer that the same read got the last time, if it ever got one.
    Stale,
    /// No answer ever comes, and the request takes effect later.
    AppliedLate {
        /// How much later, in simulated seconds.
        seconds: u64,
    },
    /// The request takes effect twice; the answer is the second one's.
    AppliedTwice,
}

/// A fault, armed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The method it strikes; any where it is left out.
    #[serde(default)]
    pub method: Option<String>,
    /// The path it strikes, in which `*` stands for any text; or the name of a call, such as `apps.update`.
    pub on: String,
    /// Which match is the first to be struck, counted from 1.
    #[serde(default = "one")]
    pub nth: u32,
    /// How many matches in a row are struck.
    #[serde(default = "one")]
    pub times: u32,
    /// What goes wrong.
    pub fault: FaultKind,
}

fn one() -> u32 {
    1
}

impl Fault {
    /// Returns a fault that strikes the next match, once.
    #[must_use]
    pub fn next(on: &str, fault: FaultKind) -> Self {
        Self {
            method: None,
            on: on.to_owned(),
            nth: 1,
            times: 1,
            fault,
        }
    }

    /// Limits it to one method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Makes the `nth` match (from 1) the first to be struck.
    #[must_use]
    pub fn nth(mut self, nth: u32) -> Self {
        self.nth = nth;
        self
    }

    /// Makes it strike so many matches in a row.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn matches(&self, method: &str, path: &str, call: Option<&str>) -> bool {
        let place = if self.on.starts_with('/') {
            fits(&self.on, path)
        } else {
            call == Some(&self.on)
        };
        place
            && self
                .method
                .as_deref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
    }
}

/// The faults of a world, with how often each has matched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    armed: Vec<(Fault, u32)>,
}

impl Faults {
    pub(crate) fn arm(&mut self, fault: Fault) {
        self.armed.push((fault, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.armed.clear();
    }

    pub(crate) fn armed(&self) -> impl Iterator<Item = &Fault> {
        self.armed.iter().map(|(fault, _)| fault)
    }

    /// Counts a request against every fault and returns the first that strikes it. A spent fault is forgotten.
    pub(crate) fn strike(
        &mut self,
        method: &str,
        path: &str,
        call: Option<&str>,
    ) -> Option<FaultKind> {
        let mut struck = None;
        for (fault, seen) in &mut self.armed {
            if fault.matches(method, path, call) {
                *seen += 1;
                let from = fault.nth.max(1);
                if struck.is_none() && (from..from.saturating_add(fault.times)).contains(seen) {
                    struck = Some(fault.fault.clone());
                }
            }
        }
        self.armed
            .retain(|(fault, seen)| *seen < fault.nth.max(1).saturating_add(fault.times) - 1);
        struck
    }
}

/// Tells whether a text fits a pattern in which `*` stands for any text.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(rest) = text.strip_prefix(before) else {
        return false;
    };
    (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| fits(after, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_from_the_nth_match_so_many_times() {
        let mut faults = Faults::default();
        faults.arm(
            Fault::next("/v2/apps/*", FaultKind::Refuse)
                .method("PUT")
                .nth(2)
                .times(2),
        );
        let mut put = || {
            faults
                .strike("PUT", "/v2/apps/x", Some("apps.update"))
                .is_some()
        };
        assert_eq!([put(), put(), put(), put()], [false, true, true, false]);
        assert_eq!(faults.armed().count(), 0);
    }

    #[test]
    fn a_call_is_named_without_its_path() {
        let mut faults = Faults::default();
        faults.arm(Fault::next("apps.update", FaultKind::Refuse));
        assert!(
            faults
                .strike("GET", "/v2/apps/x", Some("apps.get"))
                .is_none()
        );
        assert!(
            faults
                .strike("PUT", "/v2/apps/x", Some("apps.update"))
                .is_some()
        );
    }

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(fits("/v2/apps/*/deployments", "/v2/apps/1/deployments"));
        assert!(!fits("/v2/apps/*/deployments", "/v2/apps/1/deployments/2"));
        assert!(fits("migrate-*", "migrate-k3-e0"));
    }

    #[test]
    fn a_fault_is_written_like_this() {
        let text = r#"{"method":"PUT","on":"/v2/apps/*","fault":{"kind":"respond","status":502,"applied":"yes"}}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        let kind = FaultKind::Respond {
            status: 502,
            headers: BTreeMap::new(),
            body: None,
            applied: Applied::Yes,
        };
        assert_eq!(fault, Fault::next("/v2/apps/*", kind).method("PUT"));
    }
}
