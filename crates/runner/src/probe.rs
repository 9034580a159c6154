//! One look at the app's health address.
//!
//! The address was checked by the planner to be on one of the app's own hosts, but whose address that name stands for is
//! decided by whoever owns it: the transport is told to reach public hosts only, so that a probe can't be sent to the
//! machine we run on or its metadata service. No credential is sent, nothing of the answer but its status is kept.

use bytes::Bytes;
use digitalocean::{Client, Transport};
use jiff::Timestamp;
use migration::HealthSample;
use std::time::Duration;
use tower::ServiceExt as _;
use url::Url;

/// How long the app may take to answer; the platform's own checks default to one second.
const ANSWER: Duration = Duration::from_secs(10);

/// Asks `url` once.
///
/// # Cancel safety
/// Safe: nothing but the answer is lost.
pub(crate) async fn probe(
    (transport, client): (&Transport, &Client),
    url: &str,
    at: Timestamp,
) -> HealthSample {
    let answer = async {
        let url = Url::parse(url).ok()?;
        let mut request = http::Request::get(url.as_str())
            .header(
                http::header::USER_AGENT,
                concat!("harbor-pilot/", env!("CARGO_PKG_VERSION")),
            )
            .body(Bytes::new())
            .ok()?;
        if let Some(mark) = client.mark_for(&url) {
            request.extensions_mut().insert(mark);
        }
        let response = transport.clone().oneshot(request).await.ok()?;
        Some(response.status().as_u16())
    };
    let status = tokio::time::timeout(ANSWER, answer).await.ok().flatten();
    tracing::debug!(?status, "health probe");
    HealthSample { at, status }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A server on this machine that is well, and counts who asks.
    fn server() -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let visits = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&visits);
        std::thread::spawn(move || {
            for visitor in listener.incoming() {
                let mut visitor = visitor.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                let read = visitor.read(&mut [0; 4096]);
                let told = visitor.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
                drop((read, told));
            }
        });
        (address, visits)
    }

    async fn status(api: &str, url: &str) -> Option<u16> {
        let transport = digitalocean::transport::https().unwrap();
        let token = SecretString::from(format!("dop_v1_{}", "0".repeat(64)));
        let client = Client::new(transport.clone(), &Url::parse(api).unwrap(), token).unwrap();
        let at = Timestamp::UNIX_EPOCH;
        probe((&transport, &client), url, at).await.status
    }

    #[tokio::test]
    async fn a_health_address_never_leads_to_this_machine() {
        let (address, visits) = server();
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{address}/health");
            assert_eq!(status("https://api.digitalocean.com", &url).await, None);
        }
        assert_eq!(visits.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_simulator_on_this_machine_has_its_apps_here_too() {
        let (address, visits) = server();
        let url = format!("http://{address}/health");
        assert_eq!(status(&format!("http://{address}"), &url).await, Some(200));
        assert_eq!(visits.load(Ordering::SeqCst), 1);
    }
}
