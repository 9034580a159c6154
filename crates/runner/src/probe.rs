//! One look at the app's health address.
//!
//! The address was checked by the planner to be on one of the app's own hosts. No credential is sent, nothing of the
//! answer but its status is kept.

use bytes::Bytes;
use digitalocean::Transport;
use jiff::Timestamp;
use migration::HealthSample;
use std::time::Duration;
use tower::ServiceExt as _;

/// How long the app may take to answer; the platform's own checks default to one second.
const ANSWER: Duration = Duration::from_secs(10);

/// Asks `url` once.
///
/// # Cancel safety
/// Safe: nothing but the answer is lost.
pub(crate) async fn probe(transport: &Transport, url: &str, at: Timestamp) -> HealthSample {
    let answer = async {
        let request = http::Request::get(url)
            .header(
                http::header::USER_AGENT,
                concat!("harbor-pilot/", env!("CARGO_PKG_VERSION")),
            )
            .body(Bytes::new())
            .ok()?;
        let response = transport.clone().oneshot(request).await.ok()?;
        Some(response.status().as_u16())
    };
    let status = tokio::time::timeout(ANSWER, answer).await.ok().flatten();
    tracing::debug!(?status, "health probe");
    HealthSample { at, status }
}
