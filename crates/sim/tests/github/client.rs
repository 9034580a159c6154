//! A caller of the simulated GitHub whose every answer is checked against the description.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sim::github::{Act, GitHubState};
use sim::{Clock, World, WorldConfig};
use tower::ServiceExt as _;

use crate::contract::Contract;

pub(crate) const REPO: &str = "acme/shop";

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
    pub(crate) json: Value,
}

impl Answer {
    /// Returns a header's text, empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the address that a `Link` header gives for a relation, as path and query.
    pub(crate) fn link(&self, rel: &str) -> Option<String> {
        let wanted = format!("; rel=\"{rel}\"");
        let link = self
            .header("link")
            .split(", ")
            .find(|link| link.ends_with(&wanted))?;
        let url = link.strip_prefix('<')?.split('>').next()?;
        let (_, path) = url.split_once("://")?.1.split_once('/')?;
        Some(format!("/{path}"))
    }

    /// Returns one field of every entry of a list.
    pub(crate) fn each(&self, field: &str) -> Vec<&Value> {
        self.json
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| &entry[field])
            .collect()
    }
}

/// A world with one private repository, a fork of it and a public one.
pub(crate) struct Client {
    pub(crate) world: World,
    token: Option<String>,
    contract: Option<Arc<Contract>>,
}

pub(crate) fn config() -> Value {
    let all = json!({"contents": "write", "pull-requests": "write", "issues": "write",
                     "deployments": "write", "actions": "write"});
    json!({
        "users": ["mona", {"login": "acme", "type": "Organization"}],
        "tokens": {
            "full": {"login": "github-actions[bot]", "permissions": all, "limit_per_hour": 100_000},
            "plain": {"login": "github-actions[bot]", "permissions": {"contents": "read"}},
            "person": {"login": "mona", "permissions": {"contents": "read"}},
            "reviewer": {"login": "github-actions[bot]", "permissions": {"pull-requests": "write"}},
            "elsewhere": {"login": "eve", "permissions": all, "repositories": ["eve/other"]},
            "slow": {"login": "mona", "permissions": all, "limit_per_hour": 2},
        },
        "repositories": [
            {
                "name": REPO, "visibility": "private", "default_branch": "main",
                "files": {
                    "README.md": "# Shop\n",
                    "src/app.js": "one\ntwo\nthree\n",
                    "src/lib/ids.js": "ids\n",
                    ".github/workflows/migrate.yml": "on: [push, workflow_dispatch]\n",
                    ".github/workflows/push.yml": "on: push\n",
                },
                "commits": [{"message": "Second", "author": "mona", "files": {"second.txt": "2\n"},
                             "sha": "1234567890abcdef1234567890abcdef12345678",
                             "date": "2026-02-01T10:00:00Z"}],
                "collaborators": {"mona": "maintain"},
                "labels": [{"name": "bug", "color": "d73a4a", "description": "It is broken"}],
                "pull_requests": [{
                    "number": 428, "title": "Move the ids", "user": "mona", "head": "move-ids",
                    "body": "Please", "labels": ["needs-migration"], "delete": ["second.txt"],
                    "files": {"src/app.js": "one\n2\nthree\n", ".harbor-pilot/ter-235.yml": "steps: []\n"},
                }],
                "issues": [{"number": 7, "title": "A plain issue", "user": "mona"}],
            },
            {"name": "eve/shop", "fork_of": REPO, "visibility": "private"},
            {"name": "acme/open", "has_issues": false, "issues": [{"title": "Old", "user": "mona"}]},
        ],
    })
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::with_contract(Contract::load().map(Arc::new))
    }

    pub(crate) fn with_contract(contract: Option<Arc<Contract>>) -> Self {
        let start = "2026-02-18T00:35:00Z".parse().unwrap();
        let file = WorldConfig::read(&json!({"github": config()}).to_string()).unwrap();
        let world = World::new(file, Clock::starting_at(start)).unwrap();
        Self {
            world,
            token: Some("full".to_owned()),
            contract,
        }
    }

    /// Returns the same caller with another token.
    pub(crate) fn with_token(&self, token: Option<&str>) -> Self {
        let world = self.world.clone();
        let contract = self.contract.clone();
        Self {
            world,
            token: token.map(str::to_owned),
            contract,
        }
    }

    /// Runs `work` on the state as a person.
    pub(crate) fn as_mona<T>(&self, work: impl FnOnce(&mut GitHubState, Act<'_>) -> T) -> T {
        self.world
            .github(|github, at| work(github, Act { login: "mona", at }))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, "application/vnd.github+json")
            .await
    }

    pub(crate) async fn get_as(&self, path: &str, accept: &str) -> Answer {
        self.send("GET", path, None, accept).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(body), "*/*").await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, Some(body), "*/*").await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, Some(body), "*/*").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None, "*/*").await
    }

    /// Sends a call to the repository, or to an absolute path where that begins with a slash.
    async fn send(&self, method: &str, path: &str, body: Option<Value>, accept: &str) -> Answer {
        let uri = match path {
            "" => format!("/repos/{REPO}"),
            path if path.starts_with('/') => path.to_owned(),
            path => format!("/repos/{REPO}/{path}"),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(&uri)
            .header("user-agent", "test")
            .header("accept", accept);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        self.send_request(request.body(body).unwrap()).await
    }

    pub(crate) async fn send_request(&self, request: Request<Bytes>) -> Answer {
        let method = request.method().to_string();
        let path = request.uri().path().to_owned();
        let accept = request
            .headers()
            .get("accept")
            .map_or("", |value| value.to_str().unwrap())
            .to_owned();
        let response = self.world.in_process().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        let content_type = parts
            .headers
            .get("content-type")
            .map(|value| value.to_str().unwrap());
        let is_json = content_type.is_some_and(|text| text.starts_with("application/json"));
        let json = if is_json {
            serde_json::from_slice(&bytes).unwrap()
        } else {
            Value::Null
        };
        let status = parts.status.as_u16();
        if let Some(contract) = &self.contract {
            // Further pages name the repository by its number.
            let path = match path
                .strip_prefix("/repositories/")
                .and_then(|rest| rest.split_once('/'))
            {
                Some((_, rest)) => format!("/repos/{REPO}/{rest}"),
                None => path,
            };
            if is_json || bytes.is_empty() {
                contract.check((&method, &path, &accept), status, is_json.then_some(&json));
            }
        }
        Answer {
            status,
            headers: parts.headers,
            bytes,
            json,
        }
    }
}
