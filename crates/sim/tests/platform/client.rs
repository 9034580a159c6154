//! A caller of the API that checks every JSON answer against the published description.

use crate::contract;
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sim::{Clock, ConnectionFailed, Edits, InProcess, JobEnd, JobExit, JobStart, World};
use std::time::Duration;
use tower::ServiceExt as _;

pub(crate) const APP: &str = "/v2/apps/11111111-1111-4111-8111-111111111111";
pub(crate) const APP_ID: &str = "11111111-1111-4111-8111-111111111111";
pub(crate) const FIREWALL: &str = "/v2/databases/55555555-5555-4555-8555-555555555555/firewall";

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.body
    }

    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// A world with the app `shop`, and a caller with every scope.
pub(crate) struct Client {
    pub(crate) world: World,
    service: InProcess,
    token: String,
}

/// Returns the small world at the runbook's date.
pub(crate) fn client() -> Client {
    let start = "2026-02-18T00:35:00Z".parse().unwrap();
    let world = World::minimal(Clock::starting_at(start)).unwrap();
    world.set_public_base("http://127.0.0.1:9");
    Client {
        service: world.in_process(),
        world,
        token: "do-token".to_owned(),
    }
}

impl Client {
    /// Returns a caller of that world.
    pub(crate) fn of(world: World) -> Self {
        Self {
            service: world.in_process(),
            world,
            token: "do-token".to_owned(),
        }
    }

    /// Returns another caller of the same world.
    pub(crate) fn again(&self) -> Self {
        Self {
            world: self.world.clone(),
            service: self.service.clone(),
            token: self.token.clone(),
        }
    }

    /// Returns another caller of the same world, with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.again()
        }
    }

    /// Returns the caller without its token.
    pub(crate) fn anonymous(mut self) -> Self {
        self.token.clear();
        self
    }

    /// Sends a request and checks its answer against the description.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, ConnectionFailed> {
        let answer = self.exchange(method.clone(), path, body).await?;
        contract::check(&method, path, &answer);
        Ok(answer)
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, ConnectionFailed> {
        let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let mut request = Request::builder().method(method).uri(path);
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let answer = self
            .service
            .clone()
            .oneshot(request.body(bytes).unwrap())
            .await?;
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            bytes,
            body,
        })
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.try_send(method, path, body).await.expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// Returns the app.
    pub(crate) async fn app(&self) -> Value {
        self.get(APP).await.ok()["app"].take()
    }

    /// Returns the app's spec.
    pub(crate) async fn spec(&self) -> Value {
        self.app().await["spec"].take()
    }

    /// Replaces the spec and returns the new deployment's id.
    pub(crate) async fn update(&self, spec: &Value) -> String {
        let mut answer = self.put(APP, &json!({"spec": spec})).await.ok();
        id(&answer["app"]["pending_deployment"].take())
    }

    /// Adds a job to the spec and returns the new deployment's id.
    pub(crate) async fn insert(&self, job: &Value) -> String {
        let mut spec = self.spec().await;
        spec["jobs"] = json!([job]);
        self.update(&spec).await
    }

    /// Returns a deployment.
    pub(crate) async fn deployment(&self, id: &str) -> Value {
        self.get(&format!("{APP}/deployments/{id}")).await.ok()["deployment"].take()
    }

    pub(crate) async fn phase(&self, id: &str) -> String {
        text(&self.deployment(id).await["phase"])
    }

    /// Returns the deployments, newest first.
    pub(crate) async fn deployments(&self) -> Vec<Value> {
        let list = self
            .get(&format!("{APP}/deployments?per_page=200"))
            .await
            .ok();
        list["deployments"].as_array().unwrap().clone()
    }

    /// Lets a deployment come to its end. Only the answers before and after are checked: that takes its time.
    pub(crate) async fn settle(&self, id: &str) -> String {
        let path = format!("{APP}/deployments/{id}");
        self.phase(id).await;
        for _ in 0..720 {
            let answer = self
                .exchange(Method::GET, &path, None)
                .await
                .expect("an answer");
            let phase = text(&answer.body["deployment"]["phase"]);
            if ["ACTIVE", "ERROR", "CANCELED", "SUPERSEDED"].contains(&phase.as_str()) {
                return self.phase(id).await;
            }
            wait(5).await;
        }
        panic!("deployment {id} never settled");
    }

    /// Pushes a change of one file as mona and returns the new head.
    pub(crate) fn push(&self, path: &str, content: &str) -> String {
        let edits = Edits::new().write(path, content);
        self.world
            .push("acme/shop", "main", (&edits, "a change"), "mona")
            .unwrap()
            .after
    }
}

/// Lets simulated seconds pass.
pub(crate) async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(crate) fn id(object: &Value) -> String {
    text(&object["id"])
}

/// Returns a job component that runs a command.
pub(crate) fn job(name: &str, command: &str) -> Value {
    json!({"name": name, "kind": "POST_DEPLOY", "github": {"repo": "acme/shop", "branch": "main"},
        "run_command": command, "envs": []})
}

/// Makes every job end with a code, without a process.
pub(crate) fn jobs_exit(world: &World, code: i32) {
    world.set_executor(move |_: &JobStart| JobEnd {
        exit: JobExit::Code(code),
        output: "one\ntwo\n".to_owned(),
        seconds: None,
    });
}

/// Returns the steps of a progress tree that belong to a component, leaves only.
pub(crate) fn steps_of(deployment: &Value, component: &str) -> Vec<Value> {
    fn walk(step: &Value, component: &str, found: &mut Vec<Value>) {
        match step["steps"].as_array() {
            Some(steps) => steps.iter().for_each(|step| walk(step, component, found)),
            None if step["component_name"] == component => found.push(step.clone()),
            None => {}
        }
    }
    let mut found = Vec::new();
    walk(&deployment["progress"], component, &mut found);
    found
}
