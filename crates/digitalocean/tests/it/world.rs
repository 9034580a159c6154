//! The two ways to stand in for the platform: a mock server on a real socket, and a function in process.
//!
//! The first shows what goes over the wire; the second runs in virtual time, so waits cost nothing and can be
//! measured exactly.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use digitalocean::{BoxError, Client, Deadlines, Retry, Transport, transport};
use http_body_util::{BodyExt as _, Full};
use secrecy::SecretString;
use serde_json::Value;
use url::Url;
use wiremock::{Mock, MockServer, ResponseTemplate};

pub(crate) const TOKEN: &str = "dop_v1_canary";

/// Enough for a loaded machine; no test waits for it to pass.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Reading the certificates takes a while, so it is done once. Tests can share it because no connection to this
/// machine is kept.
static HTTPS: LazyLock<Transport> = LazyLock::new(|| transport::https().unwrap());

/// Returns a client over real sockets that repeats reads almost at once.
pub(crate) fn client(base: &str) -> Client {
    let base = Url::parse(base).unwrap();
    let retry = Retry {
        min_wait: Duration::from_millis(1),
        max_wait: Duration::from_millis(2),
        ..Retry::default()
    };
    let deadlines = Deadlines {
        read: DEADLINE,
        write: DEADLINE,
        log: DEADLINE,
    };
    Client::new(HTTPS.clone(), &base, SecretString::from(TOKEN))
        .unwrap()
        .with_retry(retry)
        .with_deadlines(deadlines)
}

/// A mock server and a client of it.
pub(crate) struct World {
    pub(crate) server: MockServer,
    pub(crate) client: Client,
}

pub(crate) async fn world() -> World {
    let server = MockServer::start().await;
    let client = client(&server.uri());
    World { server, client }
}

impl World {
    /// Answers one call, which must come exactly `times` times.
    pub(crate) async fn answers(
        &self,
        call: (&str, &str),
        reply: ResponseTemplate,
        times: u64,
    ) -> &Self {
        let (method, path) = call;
        Mock::given(wiremock::matchers::method(method))
            .and(wiremock::matchers::path(path))
            .respond_with(reply)
            .expect(times)
            .mount(&self.server)
            .await;
        self
    }

    /// Returns the requests so far.
    pub(crate) async fn seen(&self) -> Vec<wiremock::Request> {
        self.server.received_requests().await.unwrap()
    }

    /// Returns the JSON body of the only request.
    pub(crate) async fn only_body(&self) -> String {
        let seen = self.seen().await;
        assert_eq!(seen.len(), 1, "{seen:?}");
        String::from_utf8(seen.first().unwrap().body.clone()).unwrap()
    }
}

pub(crate) fn json(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

/// A request as the in-process platform got it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let pair = self.query.iter().find(|(key, _)| key == name);
        pair.map(|(_, value)| value.as_str())
    }
}

/// Every request so far.
pub(crate) type Record = Arc<Mutex<Vec<Seen>>>;

/// Returns a transport that asks a function, and the record of what it was asked.
pub(crate) fn in_process(
    answer: impl Fn(&Seen) -> http::Response<String> + Send + Sync + 'static,
) -> (Transport, Record) {
    let record = Record::default();
    let answer = Arc::new(answer);
    let seen_by = record.clone();
    let service = tower::service_fn(move |request: http::Request<Bytes>| {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).unwrap();
        let seen = Seen {
            method: parts.method.to_string(),
            path: url.path().to_owned(),
            query: url.query_pairs().into_owned().collect(),
            headers: parts.headers,
            body,
        };
        seen_by.lock().unwrap().push(seen.clone());
        let reply = answer(&seen);
        async move {
            let whole = |text: String| Full::from(text).map_err(BoxError::from).boxed_unsync();
            Ok(reply.map(whole))
        }
    });
    (Transport::new(service), record)
}

/// Returns a client of the platform's own address over such a transport, with the waits of production.
pub(crate) fn client_of(transport: Transport) -> Client {
    let base = Url::parse("https://api.digitalocean.com").unwrap();
    Client::new(transport, &base, SecretString::from(TOKEN)).unwrap()
}

pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &Value) -> http::Response<String> {
    let mut reply = http::Response::builder().status(status);
    for (name, value) in headers {
        reply = reply.header(*name, *value);
    }
    reply.body(body.to_string()).unwrap()
}
