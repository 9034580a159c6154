//! Every request that was made, in order, with what came back.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// One request and its outcome.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// Its number, from 1.
    pub sequence: usize,
    /// The simulated time.
    pub at: Timestamp,
    /// What it was made to.
    pub to: Face,
    /// The name of the call on the DigitalOcean side, such as `apps.update`.
    pub call: Option<&'static str>,
    /// The method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The query, as it was sent.
    pub query: String,
    /// Whose token it bore, if it is known.
    pub user: Option<String>,
    /// Whether it bore an `Authorization` header at all.
    pub authorization: bool,
    /// The body: JSON where it was, text otherwise, null where there was none.
    pub body: Value,
    /// The status of the answer, if one was given.
    pub status: Option<u16>,
    /// The body of the answer.
    pub response: Answer,
    /// What was made to go wrong, as its configuration names it.
    pub fault: Option<String>,
    /// How many times it took effect: 0 or 2 where a fault said so.
    pub applied: u8,
}

/// The body of an answer, as it was sent: most are never looked at, so it is read when somebody does.
#[derive(Clone, Debug, Default)]
pub struct Answer(pub(crate) Bytes);

impl Answer {
    /// Returns it in the form of [`Request::body`].
    #[must_use]
    pub fn json(&self) -> Value {
        body(&self.0)
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}

/// What a request was made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// The DigitalOcean API.
    DigitalOcean,
    /// The GitHub API.
    GitHub,
    /// The storage behind presigned log URLs.
    Logs,
    /// An app's own live address.
    Live,
}

impl Serialize for Face {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::DigitalOcean => "digitalocean",
            Self::GitHub => "github",
            Self::Logs => "logs",
            Self::Live => "live",
        })
    }
}

/// The requests so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) requests: Vec<Request>,
    /// The places of those that are never answered, in the order in which that became so.
    pub(crate) unanswered: Vec<usize>,
}

impl Record {
    /// Returns the last good answer to the same read, for a caller that is to see an old state.
    pub(crate) fn last_answer(&self, path: &str, query: &str) -> Option<Bytes> {
        let same = |each: &&Request| {
            each.method == "GET"
                && each.path == path
                && each.query == query
                && each.status == Some(200)
        };
        self.requests
            .iter()
            .rev()
            .find(same)
            .map(|request| request.response.0.clone())
    }
}

/// Reads a body as JSON, or as text.
pub(crate) fn body(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

/// Adds a field to a JSON object in bytes; anything else stays as it is.
pub(crate) fn with_field(bytes: &[u8], name: &str, value: &str) -> Option<Vec<u8>> {
    let mut fields: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    fields.insert(name.to_owned(), Value::String(value.to_owned()));
    serde_json::to_vec(&fields).ok()
}
