//! The way out: any tower service from request to response, and the adapter that lets octocrab
//! run over it.
//!
//! Harbor Pilot's DigitalOcean client takes a service of the very same shape, so the program
//! builds one HTTP client (roots, proxy, redirects) and hands it to both; a test hands in a
//! router in the same process.
//!
//! Not here: retries, deadlines and the meaning of a status. They belong to `client`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, HeaderValue, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use octocrab::OctoBody;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;
use url::Url;

use crate::token::TokenError;

/// An error of the transport, whatever it is made of.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A service that carries one HTTP request and streams the response's body back.
///
/// It must not retry and must not follow redirects of a write: a write that was carried twice
/// cannot be told from one that was carried once.
pub type Transport =
    BoxCloneSyncService<Request<Bytes>, Response<UnsyncBoxBody<Bytes, BoxError>>, BoxError>;

/// Why a client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The base address is not one that requests can be joined to.
    #[error("`{url}` cannot be the address of GitHub's API: {reason}")]
    BaseUrl {
        /// The address, without user information.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The token cannot be sent.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// octocrab keeps a task running, which needs a tokio runtime.
    #[error("the GitHub client was built outside a tokio runtime")]
    NoRuntime,
}

/// The largest body that a request may bring back, in bytes; sent along as an extension.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimit(pub(crate) usize);

/// The response body was larger than its [`BodyLimit`].
#[derive(Debug, thiserror::Error)]
#[error("the response is larger than {0} bytes")]
pub(crate) struct BodyTooLarge(pub(crate) usize);

/// Sent with each request, as GitHub's API demands one.
const AGENT: &str = concat!("harbor-pilot/", env!("CARGO_PKG_VERSION"));

/// Turns octocrab's requests into the transport's and collects the responses.
///
/// The base address is joined here and not by octocrab's own layer, which leaves the prefix out
/// whenever a request's path happens to begin with the same letters.
#[derive(Clone)]
pub(crate) struct Adapter {
    transport: Transport,
    base: Base,
}

impl Adapter {
    pub(crate) fn new(transport: Transport, base_url: &Url) -> Result<Self, SetupError> {
        Ok(Self {
            transport,
            base: Base::new(base_url)?,
        })
    }
}

impl tower::Service<Request<OctoBody>> for Adapter {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    /// Always ready: each call waits for its own clone of the transport, so that one failed
    /// readiness does not close octocrab's queue for good.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<OctoBody>) -> Self::Future {
        let transport = self.transport.clone();
        let base = self.base.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            parts.uri = base.join(&parts.uri)?;
            parts
                .headers
                .insert(USER_AGENT, HeaderValue::from_static(AGENT));
            parts
                .headers
                .entry(ACCEPT)
                .or_insert(HeaderValue::from_static("application/vnd.github+json"));
            let limit = parts
                .extensions
                .get::<BodyLimit>()
                .map_or(DEFAULT_BODY_BYTES, |limit| limit.0);
            let body = body.collect().await?.to_bytes();

            let response = transport.oneshot(Request::from_parts(parts, body)).await?;
            let (parts, body) = response.into_parts();
            let bytes = collected(body, limit).await?;
            Ok(Response::from_parts(parts, Full::new(bytes)))
        })
    }
}

/// Cap for a JSON reply: a hundred pull requests or a compare page with patches stay far below.
pub(crate) const DEFAULT_BODY_BYTES: usize = 32 * 1024 * 1024;

/// Reads a body to its end, or to its limit. Frame by frame, because the ready-made combinators
/// are generic over the boxed error in a way that the compiler cannot prove to be `Send`.
async fn collected(
    mut body: UnsyncBoxBody<Bytes, BoxError>,
    limit: usize,
) -> Result<Bytes, BoxError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            if bytes.len() + data.len() > limit {
                return Err(Box::new(BodyTooLarge(limit)));
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.freeze())
}

/// The address that every path is appended to, with its own path kept: GitHub Enterprise Server
/// answers under `https://HOST/api/v3`.
#[derive(Debug, Clone)]
struct Base {
    scheme: http::uri::Scheme,
    authority: http::uri::Authority,
    prefix: String,
}

impl Base {
    fn new(url: &Url) -> Result<Self, SetupError> {
        let refused = |reason| SetupError::BaseUrl {
            url: shown(url),
            reason,
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("it must not hold a user name or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused("it must end with its path"));
        }
        let scheme = match url.scheme() {
            "https" => http::uri::Scheme::HTTPS,
            "http" => http::uri::Scheme::HTTP,
            _ => return Err(refused("it must begin with https:// or http://")),
        };
        let authority = url
            .authority()
            .parse()
            .map_err(|_invalid: http::uri::InvalidUri| refused("it has no usable host"))?;
        Ok(Self {
            scheme,
            authority,
            prefix: url.path().trim_end_matches('/').to_owned(),
        })
    }

    fn join(&self, relative: &Uri) -> Result<Uri, BoxError> {
        let path = relative.path_and_query().map_or("/", PathAndQuery::as_str);
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path}", self.prefix))
            .build()?;
        Ok(uri)
    }
}

fn shown(url: &Url) -> String {
    format!(
        "{}://{}{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.path()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, path: &'static str) -> String {
        Base::new(&Url::parse(base).unwrap())
            .unwrap()
            .join(&Uri::from_static(path))
            .unwrap()
            .to_string()
    }

    #[test]
    fn the_prefix_of_the_base_address_is_kept() {
        assert_eq!(
            joined("https://ghe.acme.test/api/v3", "/repos/a/b?x=1"),
            "https://ghe.acme.test/api/v3/repos/a/b?x=1"
        );
        assert_eq!(
            joined("https://api.github.com", "/repos/a/b"),
            "https://api.github.com/repos/a/b"
        );
        // A prefix that the path begins with must not be mistaken for an absolute path.
        assert_eq!(
            joined("http://127.0.0.1:9/re/", "/repos/a/b"),
            "http://127.0.0.1:9/re/repos/a/b"
        );
    }

    #[test]
    fn a_base_address_with_credentials_or_a_query_is_refused_without_repeating_them() {
        for bad in [
            "https://me:hunter2@ghe.test/",
            "https://ghe.test/?t=hunter2",
            "ftp://ghe.test/",
        ] {
            let error = Base::new(&Url::parse(bad).unwrap()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
