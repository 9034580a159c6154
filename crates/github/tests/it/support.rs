//! A client of a mock GitHub, every exchange of which is checked against the API description.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use github::{BoxError, GitHub, RepoName, Sha, Timing, Transport};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use secrecy::SecretString;
use serde_json::Value;
use tower::util::BoxCloneSyncService;
use url::Url;
use wiremock::matchers::{body_partial_json, method, path};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

use crate::contract::{self, Exchange};

pub(crate) const TOKEN: &str = "ghs_canary0123456789";
pub(crate) const PREFIX: &str = "/api/v3";

pub(crate) fn sha(digit: char) -> Sha {
    Sha::parse(&digit.to_string().repeat(40)).unwrap()
}

/// Waits short enough for real sockets. The deadlines stay.
pub(crate) fn hasty() -> Timing {
    Timing {
        first_wait: Duration::from_millis(1),
        attempts: 3,
        ..Timing::default()
    }
}

/// What the wire does to one request besides carrying it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// The request arrives, the reply does not.
    LosesReply,
}

type Mishaps = Arc<Mutex<Vec<(http::Method, String, Wire)>>>;

/// A mock GitHub and a client of it.
pub(crate) struct World {
    server: MockServer,
    record: Arc<Mutex<Vec<Exchange>>>,
    mishaps: Mishaps,
    pub(crate) github: GitHub,
}

pub(crate) async fn world() -> World {
    let server = MockServer::start().await;
    let record = Arc::new(Mutex::new(Vec::new()));
    let mishaps = Mishaps::default();
    let base = Url::parse(&format!("{}{PREFIX}", server.uri())).unwrap();
    let github = client(over_sockets(record.clone(), mishaps.clone()), &base).with_timing(hasty());
    World {
        server,
        record,
        mishaps,
        github,
    }
}

pub(crate) fn client(transport: Transport, base: &Url) -> GitHub {
    GitHub::new(
        transport,
        base,
        SecretString::from(TOKEN),
        RepoName::parse("acme/shop").unwrap(),
    )
    .unwrap()
}

fn at(verb: &str, rest: &str) -> MockBuilder {
    Mock::given(method(verb)).and(path(format!("{PREFIX}/repos/acme/shop{rest}")))
}

impl World {
    /// Answers with JSON, as often as asked.
    pub(crate) async fn on(&self, verb: &str, rest: &str, status: u16, body: &Value) {
        at(verb, rest)
            .respond_with(ResponseTemplate::new(status).set_body_json(body))
            .mount(&self.server)
            .await;
    }

    /// Answers with JSON the next `times` times, before anything mounted earlier or later by
    /// [`World::on`].
    pub(crate) async fn on_next(
        &self,
        times: u64,
        verb: &str,
        rest: &str,
        status: u16,
        body: &Value,
    ) {
        at(verb, rest)
            .respond_with(ResponseTemplate::new(status).set_body_json(body))
            .up_to_n_times(times)
            .with_priority(1)
            .mount(&self.server)
            .await;
    }

    /// Answers a page of a list.
    pub(crate) async fn on_page(&self, rest: &str, page: usize, body: &Value) {
        at("GET", rest)
            .and(wiremock::matchers::query_param("page", page.to_string()))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .with_priority(2)
            .mount(&self.server)
            .await;
    }

    /// Answers with anything.
    pub(crate) async fn on_raw(&self, verb: &str, rest: &str, template: ResponseTemplate) {
        at(verb, rest)
            .respond_with(template)
            .mount(&self.server)
            .await;
    }

    /// Demands exactly this body in a request, and answers it.
    pub(crate) async fn expect_body(
        &self,
        verb: &str,
        rest: &str,
        sent: &Value,
        status: u16,
        body: &Value,
    ) {
        at(verb, rest)
            .and(body_partial_json(sent))
            .respond_with(ResponseTemplate::new(status).set_body_json(body))
            .expect(1)
            .mount(&self.server)
            .await;
    }

    /// Lets something happen to the next request of this method to this path.
    pub(crate) fn next(&self, verb: http::Method, rest: &str, wire: Wire) {
        let path = format!("{PREFIX}/repos/acme/shop{rest}");
        self.mishaps.lock().unwrap().push((verb, path, wire));
    }

    /// How often a request of this method arrived at this path.
    pub(crate) fn count(&self, verb: &str, rest: &str) -> usize {
        let path = format!("/repos/acme/shop{rest}");
        let record = self.record.lock().unwrap();
        record
            .iter()
            .filter(|exchange| exchange.method == verb && exchange.path == path)
            .count()
    }

    /// The last request's headers.
    pub(crate) fn last_headers(&self) -> http::HeaderMap {
        let record = self.record.lock().unwrap();
        record.last().unwrap().headers.clone()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            contract::check(&self.record.lock().unwrap());
        }
    }
}

/// A transport over real sockets that records nothing.
pub(crate) fn plain_sockets() -> Transport {
    over_sockets(Arc::default(), Mishaps::default())
}

/// The transport of the program in small: reqwest behind a tower service.
fn over_sockets(record: Arc<Mutex<Vec<Exchange>>>, mishaps: Mishaps) -> Transport {
    // The provider is process-wide; a second installation is refused and harmless.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    BoxCloneSyncService::new(tower::service_fn(move |request: Request<Bytes>| {
        let http = http.clone();
        let record = record.clone();
        let mishaps = mishaps.clone();
        async move {
            let method = request.method().clone();
            let uri = request.uri().clone();
            let headers = request.headers().clone();
            let sent = request.body().clone();
            let response = http.execute(reqwest::Request::try_from(request)?).await?;
            let response: Response<reqwest::Body> = response.into();
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            record.lock().unwrap().push(Exchange {
                method: method.to_string(),
                path: uri.path().trim_start_matches(PREFIX).to_owned(),
                query: uri.query().unwrap_or_default().to_owned(),
                headers,
                sent,
                status: parts.status.as_u16(),
                content_type: parts
                    .headers
                    .get("content-type")
                    .map(|value| value.to_str().unwrap().to_owned()),
                received: body.clone(),
            });
            let mut mishaps = mishaps.lock().unwrap();
            let mishap = mishaps
                .iter()
                .position(|(verb, path, _)| *verb == method && path == uri.path());
            if let Some(index) = mishap {
                match mishaps.remove(index).2 {
                    Wire::LosesReply => {
                        return Err(
                            std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()
                        );
                    }
                }
            }
            Ok::<_, BoxError>(Response::from_parts(parts, boxed(body)))
        }
    }))
}

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

pub(crate) fn boxed(body: Bytes) -> Body {
    Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// What a scripted server does with one request.
pub(crate) enum Step {
    Reply(u16, &'static [(&'static str, &'static str)], Value),
    Hang,
    Fail(std::io::ErrorKind),
}

/// A client over an in-process script, for a virtual clock. Also returns the requests so far.
pub(crate) fn scripted(
    script: impl FnMut(&Request<Bytes>) -> Step + Send + 'static,
) -> (GitHub, Arc<Mutex<Vec<String>>>) {
    let (transport, requests) = transport(script);
    let base = Url::parse("https://api.github.test").unwrap();
    (client(transport, &base), requests)
}

/// The transport under [`scripted`].
pub(crate) fn transport(
    mut script: impl FnMut(&Request<Bytes>) -> Step + Send + 'static,
) -> (Transport, Arc<Mutex<Vec<String>>>) {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = requests.clone();
    let script = Arc::new(Mutex::new(move |request: &Request<Bytes>| {
        seen.lock()
            .unwrap()
            .push(format!("{} {}", request.method(), request.uri().path()));
        script(request)
    }));
    let transport = BoxCloneSyncService::new(tower::service_fn(move |request: Request<Bytes>| {
        let step = (script.lock().unwrap())(&request);
        async move {
            match step {
                Step::Reply(status, headers, body) => {
                    let mut response = Response::builder().status(status);
                    for (name, value) in headers {
                        response = response.header(*name, *value);
                    }
                    Ok(response.body(boxed(body.to_string().into()))?)
                }
                Step::Hang => std::future::pending().await,
                Step::Fail(kind) => Err(std::io::Error::from(kind).into()),
            }
        }
    }));
    (transport, requests)
}

/// A reply that satisfies the API description, with the fields that a test is about.
pub(crate) fn fixture(name: &str, fields: &Value) -> Value {
    let text = match name {
        "branch" => include_str!("fixtures/branch-with-protection.json"),
        "commit" => include_str!("fixtures/commit.json"),
        "comparison" => include_str!("fixtures/commit-comparison.json"),
        "deployment" => include_str!("fixtures/deployment.json"),
        "deployment-status" => include_str!("fixtures/deployment-status.json"),
        "file" => include_str!("fixtures/diff-entry.json"),
        "comment" => include_str!("fixtures/issue-comment.json"),
        "label" => include_str!("fixtures/label.json"),
        "pull" => include_str!("fixtures/pull-request.json"),
        "pull-simple" => include_str!("fixtures/pull-request-simple.json"),
        "repository" => include_str!("fixtures/full-repository.json"),
        other => panic!("no fixture `{other}`"),
    };
    let mut value: Value = serde_json::from_str(text).unwrap();
    merge(&mut value, fields);
    value
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// An error and everything behind it, as a log would show it.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}
