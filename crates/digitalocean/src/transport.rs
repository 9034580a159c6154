//! The seam between the calls and the wire: `http::Request<Bytes>` in, a streaming response out.
//!
//! Production uses [`https`]; tests put an in-process router into the same type, so that they run in virtual
//! time. A transport sends a request once: it never retries, never follows a redirect, never unpacks a body
//! and adds no credentials. Deadlines, retries and status codes belong to [`Client`](crate::Client).
//!
//! A transport that knows that a request never left must say so with [`NotSent`]; every other error counts as
//! "may have arrived", which for a write means that it is never repeated.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tower::util::BoxCloneSyncService;
use url::Url;

use crate::address;

/// Any error of a transport.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A streaming response body.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// One request, one response; cheap to clone.
pub type Transport = BoxCloneSyncService<http::Request<Bytes>, http::Response<Body>, BoxError>;

/// How long a connection may take to be made (name, TCP and TLS). Five seconds are many round trips to
/// anywhere, and leave room for a retry inside any wait of ours.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What we call ourselves to the servers.
const USER_AGENT: &str = concat!("harbor-pilot/", env!("CARGO_PKG_VERSION"));

/// Marks a request (as an `http` extension) whose URL came from outside and may lead to public hosts only.
///
/// [`https`] then refuses addresses that [`address::is_public`] refuses, after resolving the name and on the
/// very address it connects to, so that a name that changes its answer gains nothing. Behind a system proxy
/// the proxy resolves, and the rule is the proxy's to keep. An in-process transport may ignore the mark.
#[derive(Debug, Clone, Copy)]
pub struct PublicHostsOnly;

/// A request that certainly did not reach the server.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// No connection was made: the name, the TCP or the TLS part failed.
    #[error("no connection could be made")]
    NoConnection(#[source] BoxError),
    /// We refused to send it.
    #[error("the request was refused before it was sent")]
    Refused(#[source] Refusal),
}

/// Why a request was refused before it was sent.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Plain http to anything but this machine would show the token to the network.
    #[error("plain http is accepted for loopback addresses only, not for `{host}`")]
    PlainHttp {
        /// The host asked for.
        host: String,
    },
    /// The scheme is neither http nor https.
    #[error("the scheme `{scheme}` is not https")]
    Scheme {
        /// The scheme asked for.
        scheme: String,
    },
    /// A URL from outside leads to a private or otherwise special address.
    #[error("`{host}` is not a public host")]
    NotPublic {
        /// The host asked for.
        host: String,
    },
    /// The request cannot be put on the wire at all.
    #[error("the request is not valid http")]
    Malformed(#[source] BoxError),
}

/// Why the HTTPS client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the https client")]
pub struct TransportError(#[from] reqwest::Error);

/// Returns the transport of production.
///
/// Certificates are checked against the system's roots (`SSL_CERT_FILE` and a company's own included) and the
/// bundled web roots, so that it works in an empty container too. The system's proxy settings are obeyed,
/// except towards loopback. Plain http is refused for every host but loopback.
///
/// # Errors
///
/// [`TransportError`] when TLS cannot be set up.
pub fn https() -> Result<Transport, TransportError> {
    // reqwest panics at build time when no provider is installed. The error means that one is installed
    // already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());

    let this_machine = [
        SocketAddr::from(([127, 0, 0, 1], 0)),
        SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 0)),
    ];
    let clients = Clients {
        pooled: over_tls()?.build()?,
        unpooled: over_tls()?.pool_max_idle_per_host(0).build()?,
        public_only: over_tls()?.no_proxy().dns_resolver(PublicOnly).build()?,
        loopback: plain()
            .tls_certs_only([])
            .no_proxy()
            .pool_max_idle_per_host(0)
            .resolve_to_addrs("localhost", &this_machine)
            .build()?,
        proxies: Arc::new(Matcher::from_system()),
    };
    Ok(Transport::new(tower::service_fn(
        move |request: http::Request<Bytes>| {
            let clients = clients.clone();
            async move { clients.send(request).await }
        },
    )))
}

/// What every client has in common: nothing is done behind our back.
fn plain() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
}

fn over_tls() -> Result<reqwest::ClientBuilder, reqwest::Error> {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|root| reqwest::Certificate::from_der(root))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(plain().https_only(true).tls_certs_merge(roots))
}

/// One client per way of connecting: reqwest fixes proxy, resolver and pool when a client is built.
#[derive(Clone)]
struct Clients {
    pooled: reqwest::Client,
    /// For writes: a connection that sat in a pool may be closed by the server just as the request goes out,
    /// and a write that dies so is ambiguous for no reason. A new connection fails before anything is sent.
    unpooled: reqwest::Client,
    public_only: reqwest::Client,
    /// Unpooled too: here a connection costs nothing.
    loopback: reqwest::Client,
    proxies: Arc<Matcher>,
}

impl Clients {
    async fn send(self, request: http::Request<Bytes>) -> Result<http::Response<Body>, BoxError> {
        let public_only = request.extensions().get::<PublicHostsOnly>().copied();
        let uri = request.uri().clone();
        let request = reqwest::Request::try_from(request)
            .map_err(|error| NotSent::Refused(Refusal::Malformed(error.without_url().into())))?;
        let client = self
            .choose(request.method(), request.url(), &uri, public_only)
            .map_err(NotSent::Refused)?;
        match client.execute(request).await {
            Ok(response) => {
                // A URL may be a credential, and reqwest's errors carry theirs.
                let body = |body: reqwest::Body| {
                    body.map_err(|error| BoxError::from(error.without_url()))
                        .boxed_unsync()
                };
                Ok(http::Response::from(response).map(body))
            }
            Err(error) if error.is_connect() || error.is_builder() => {
                Err(not_connected(error.without_url()).into())
            }
            Err(error) => Err(error.without_url().into()),
        }
    }

    fn choose(
        &self,
        method: &http::Method,
        url: &Url,
        uri: &http::Uri,
        public_only: Option<PublicHostsOnly>,
    ) -> Result<&reqwest::Client, Refusal> {
        let host = || url.host_str().unwrap_or_default().to_owned();
        match url.scheme() {
            "http" if address::is_loopback(url) => match public_only {
                Some(PublicHostsOnly) => Err(Refusal::NotPublic { host: host() }),
                None => Ok(&self.loopback),
            },
            "http" => Err(Refusal::PlainHttp { host: host() }),
            "https" => match public_only {
                Some(PublicHostsOnly) if !address::can_be_public(url) => {
                    Err(Refusal::NotPublic { host: host() })
                }
                Some(PublicHostsOnly) if self.proxies.intercept(uri).is_none() => {
                    Ok(&self.public_only)
                }
                Some(PublicHostsOnly) => Ok(&self.pooled),
                None if method.is_safe() => Ok(&self.pooled),
                None => Ok(&self.unpooled),
            },
            scheme => Err(Refusal::Scheme {
                scheme: scheme.to_owned(),
            }),
        }
    }
}

/// Finds our own refusal again, which the connector has wrapped, so that it is not tried again like an outage.
fn not_connected(error: reqwest::Error) -> NotSent {
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        if let Some(Refusal::NotPublic { host }) = inner.downcast_ref() {
            return NotSent::Refused(Refusal::NotPublic { host: host.clone() });
        }
        cause = inner.source();
    }
    NotSent::NoConnection(error.into())
}

/// The system's resolver, minus every address that is not public.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0))
                .await?
                .filter(|address| address::is_public(address.ip()))
                .collect();
            if found.is_empty() {
                return Err(BoxError::from(Refusal::NotPublic {
                    host: name.as_str().to_owned(),
                }));
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt as _;
    use wiremock::matchers::{header, method};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    fn get(uri: &str) -> http::Request<Bytes> {
        http::Request::get(uri).body(Bytes::new()).unwrap()
    }

    async fn refusal(request: http::Request<Bytes>) -> Refusal {
        let error = https().unwrap().oneshot(request).await.unwrap_err();
        match *error.downcast::<NotSent>().unwrap() {
            NotSent::Refused(refusal) => refusal,
            NotSent::NoConnection(source) => panic!("it was tried: {source:?}"),
        }
    }

    #[tokio::test]
    async fn a_request_to_loopback_goes_out_under_our_name() {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(header("user-agent", USER_AGENT))
            .respond_with(ResponseTemplate::new(200).set_body_string("hello"))
            .expect(1)
            .mount(&server)
            .await;
        let response = https().unwrap().oneshot(get(&server.uri())).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.as_ref(), b"hello");
    }

    #[tokio::test]
    async fn localhost_means_this_machine() {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(204))
            .mount(&server)
            .await;
        let uri = format!("http://localhost:{}/", server.address().port());
        let response = https().unwrap().oneshot(get(&uri)).await.unwrap();
        assert_eq!(response.status(), 204);
    }

    #[tokio::test]
    async fn redirects_are_handed_back_and_bodies_stay_packed() {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .respond_with(
                ResponseTemplate::new(302)
                    .insert_header("location", "https://elsewhere.example/")
                    .insert_header("content-encoding", "gzip")
                    .set_body_bytes(b"\x1f\x8bnot really".as_slice()),
            )
            .mount(&server)
            .await;
        let response = https().unwrap().oneshot(get(&server.uri())).await.unwrap();
        assert_eq!(response.status(), 302);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.as_ref(), b"\x1f\x8bnot really");
    }

    #[tokio::test]
    async fn plain_http_is_refused_beyond_loopback() {
        let refused = refusal(get("http://api.example.com/v2/apps")).await;
        insta::assert_snapshot!(refused, @"plain http is accepted for loopback addresses only, not for `api.example.com`");
    }

    #[tokio::test]
    async fn a_url_from_outside_may_not_lead_to_a_private_address() {
        for uri in [
            "https://169.254.169.254/latest/meta-data/",
            "https://127.0.0.1/",
            "https://[fd00:ec2::254]/",
            "https://localhost/",
            "http://127.0.0.1:8080/",
            "http://localhost/",
        ] {
            let mut request = get(uri);
            request.extensions_mut().insert(PublicHostsOnly);
            let refused = refusal(request).await;
            assert!(matches!(refused, Refusal::NotPublic { .. }), "{uri}");
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_loopback_is_refused_at_connect_time() {
        // The resolver is asked directly: a public name with a private address cannot be relied on in a test.
        let resolving = PublicOnly.resolve("localhost".parse().unwrap());
        let error = resolving.await.err().unwrap();
        assert!(matches!(
            error.downcast_ref::<Refusal>(),
            Some(Refusal::NotPublic { .. })
        ));
    }

    #[tokio::test]
    async fn a_refused_connection_is_known_not_to_have_been_sent() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let uri = format!("http://{address}/?token=canary");
        let error = https().unwrap().oneshot(get(&uri)).await.unwrap_err();
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        assert!(matches!(
            error.downcast_ref::<NotSent>(),
            Some(NotSent::NoConnection(_))
        ));
    }
}
