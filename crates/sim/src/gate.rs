//! The gate that every request passes: time moves on, faults strike, tokens are checked, everything is recorded.
//!
//! One gate stands before both worlds, so a fault or a record means the same on either side. `/_sim/` is let through
//! untouched: whoever tells the story is not part of it.

use crate::answer::{collect, copy, invented, json_bytes};
use crate::clock::{http_date, later};
use crate::error::ApiError;
use crate::fault::{Applied, FaultKind};
use crate::knobs::seconds;
use crate::limit::{Limits, count_use};
use crate::record::{Answer, Face, Request as Recorded, body, with_field};
use crate::render::request_id;
use crate::routes;
use crate::routes::endpoint::{Found, find};
use crate::token::Side;
use crate::world::{State, World};
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt as _;

/// Whose request it is, for the handlers behind the gate.
#[derive(Clone)]
pub(crate) struct User(pub(crate) String);

/// What the caller gets to see.
pub(crate) enum Outcome {
    /// An answer.
    Answer(Response<Bytes>),
    /// A connection that was refused or is closed without an answer.
    Closed(&'static str),
    /// Nothing, ever.
    Silence,
}

/// The gate to one world.
#[derive(Clone)]
pub(crate) struct Gate {
    world: World,
    inner: Router,
}

impl Gate {
    pub(crate) fn new(world: World) -> Self {
        Self {
            inner: routes::router(world.clone()),
            world,
        }
    }

    /// Carries a request out as far as its fault lets it, and decides what comes back.
    pub(crate) async fn pass(&self, request: Request<Bytes>) -> Outcome {
        self.catch_up().await;
        let path = request.uri().path().to_owned();
        if path.starts_with("/_sim/") {
            return Outcome::Answer(self.dated(self.call(request).await));
        }
        let face = face(&path);
        let method = request.method().clone();
        let call = match (face, find(&method, &path)) {
            (Face::DigitalOcean, Found::Endpoint(endpoint)) => Some(endpoint.call),
            _ => None,
        };
        let (place, fault) = self.world.with(|state| {
            let fault = state.faults.strike(method.as_str(), &path, call);
            let place = open_record(state, &request, face, call);
            if let (Some(fault), Some(entry)) = (&fault, state.record.requests.get_mut(place)) {
                entry.fault = Some(kind_of(fault));
            }
            (place, fault)
        });
        let outcome = self.strike(fault, face, place, request).await;
        match &outcome {
            Outcome::Answer(answer) => self.world.with(|state| {
                if let Some(entry) = state.record.requests.get_mut(place) {
                    entry.status = Some(answer.status().as_u16());
                    entry.response = Answer(answer.body().clone());
                }
            }),
            Outcome::Closed(_) => {}
            Outcome::Silence => {
                self.world.with(|state| state.record.unanswered.push(place));
                self.world.silence.notify_waiters();
            }
        }
        outcome
    }

    async fn strike(
        &self,
        fault: Option<FaultKind>,
        face: Face,
        place: usize,
        request: Request<Bytes>,
    ) -> Outcome {
        let carry_out = async |request: Request<Bytes>| {
            let answer = self.carry_out(face, place, request).await;
            self.world.with(|state| {
                if let Some(entry) = state.record.requests.get_mut(place) {
                    entry.applied += 1;
                }
            });
            answer
        };
        let Some(fault) = fault else {
            return Outcome::Answer(carry_out(request).await);
        };
        match fault {
            FaultKind::Refuse => Outcome::Closed("connection refused"),
            FaultKind::Timeout { applied } => {
                if applied == Applied::Yes {
                    carry_out(request).await;
                }
                Outcome::Silence
            }
            FaultKind::Reset { applied } => {
                if applied == Applied::Yes {
                    carry_out(request).await;
                }
                Outcome::Closed("connection reset before the response")
            }
            FaultKind::Respond {
                status,
                headers,
                body,
                applied,
            } => {
                if applied == Applied::Yes {
                    carry_out(request).await;
                }
                Outcome::Answer(self.dated(invented(face, status, &headers, body)))
            }
            FaultKind::Truncated => {
                let (mut parts, body) = carry_out(request).await.into_parts();
                parts.headers.remove(header::CONTENT_LENGTH);
                Outcome::Answer(Response::from_parts(parts, body.slice(..body.len() / 2)))
            }
            FaultKind::ContentType { value } => {
                let mut answer = carry_out(request).await;
                if let Ok(value) = HeaderValue::from_str(&value) {
                    answer.headers_mut().insert(header::CONTENT_TYPE, value);
                }
                Outcome::Answer(answer)
            }
            FaultKind::Slow { seconds: count } => {
                let answer = carry_out(request).await;
                tokio::time::sleep(seconds(count)).await;
                Outcome::Answer(answer)
            }
            FaultKind::Stale => {
                let (path, query) = (
                    request.uri().path().to_owned(),
                    request.uri().query().unwrap_or_default().to_owned(),
                );
                let old = self
                    .world
                    .with(|state| state.record.last_answer(&path, &query));
                match old {
                    Some(old) if request.method() == Method::GET => {
                        Outcome::Answer(self.dated(json_bytes(StatusCode::OK, old)))
                    }
                    _ => Outcome::Answer(carry_out(request).await),
                }
            }
            // A read that arrives late changes nothing.
            FaultKind::AppliedLate { .. } if request.method() == Method::GET => Outcome::Silence,
            FaultKind::AppliedLate { seconds: count } => {
                self.world.with(|state| {
                    state
                        .delayed
                        .push((later(state.now, seconds(count)), request))
                });
                Outcome::Silence
            }
            FaultKind::AppliedTwice => {
                carry_out(copy(&request)).await;
                Outcome::Answer(carry_out(request).await)
            }
        }
    }

    /// Lets everything happen that was due by now, requests that arrive late among it.
    async fn catch_up(&self) {
        loop {
            let due = self.world.with(|state| {
                let now = state.clock.now();
                let first = (0..state.delayed.len())
                    .min_by_key(|at| state.delayed.get(*at).map(|(due, _)| *due));
                let due =
                    first.filter(|at| state.delayed.get(*at).is_some_and(|(due, _)| *due <= now));
                match due.map(|at| state.delayed.remove(at)) {
                    Some((at, request)) => {
                        state.advance(at);
                        Some(request)
                    }
                    None => {
                        state.advance(now);
                        None
                    }
                }
            });
            let Some(request) = due else { return };
            let face = face(request.uri().path());
            let place = self.world.with(|state| {
                let place = open_record(state, &request, face, None);
                if let Some(entry) = state.record.requests.get_mut(place) {
                    entry.fault = Some("arrived_late".to_owned());
                    entry.applied = 1;
                }
                place
            });
            let answer = self.carry_out(face, place, request).await;
            self.world.with(|state| {
                if let Some(entry) = state.record.requests.get_mut(place) {
                    entry.status = Some(answer.status().as_u16());
                    entry.response = Answer(answer.body().clone());
                }
            });
        }
    }

    /// Lets a request take effect, with everything that the API adds around it.
    async fn carry_out(
        &self,
        face: Face,
        place: usize,
        mut request: Request<Bytes>,
    ) -> Response<Bytes> {
        if face != Face::DigitalOcean {
            return self.dated(self.call(request).await);
        }
        let (admitted, limits) = self.world.with(|state| {
            let limits = count_use(state, request.headers());
            (admit(state, &request, &limits), limits)
        });
        let id = request_id(place + 1);
        let answer = match admitted {
            Ok(user) => {
                request.extensions_mut().insert(User(user));
                self.call(request).await
            }
            Err(error) => collect(error.into_response()).await,
        };
        let (mut parts, mut body) = self.dated(answer).into_parts();
        let failed = parts.status.is_client_error() || parts.status.is_server_error();
        if failed && let Some(with_id) = with_field(&body, "request_id", &id) {
            body = Bytes::from(with_id);
            parts.headers.remove(header::CONTENT_LENGTH);
        }
        let numbers = [
            ("ratelimit-limit", limits.hour.to_string()),
            ("ratelimit-remaining", limits.remaining.to_string()),
            ("ratelimit-reset", limits.reset.as_second().to_string()),
            ("x-request-id", id),
        ];
        for (name, value) in numbers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                parts.headers.insert(name, value);
            }
        }
        if let Some(wait) = limits.retry_after {
            parts
                .headers
                .insert(header::RETRY_AFTER, HeaderValue::from(wait));
        }
        Response::from_parts(parts, body)
    }

    async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        match self.inner.clone().oneshot(request.map(Body::from)).await {
            Ok(answer) => collect(answer).await,
            Err(never) => match never {},
        }
    }

    fn dated(&self, mut answer: Response<Bytes>) -> Response<Bytes> {
        let now = self.world.with(|state| state.now);
        if let Ok(date) = HeaderValue::from_str(&http_date(now)) {
            answer.headers_mut().insert(header::DATE, date);
        }
        answer
    }
}

fn face(path: &str) -> Face {
    match path.split('/').nth(1) {
        Some("v2") => Face::DigitalOcean,
        Some("_logs") => Face::Logs,
        Some("_live") => Face::Live,
        _ => Face::GitHub,
    }
}

fn open_record(
    state: &mut State,
    request: &Request<Bytes>,
    face: Face,
    call: Option<&'static str>,
) -> usize {
    let side = if face == Face::DigitalOcean {
        Side::DigitalOcean
    } else {
        Side::GitHub
    };
    let place = state.record.requests.len();
    let entry = Recorded {
        sequence: place + 1,
        at: state.now,
        to: face,
        call,
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        user: state
            .token(side, request.headers())
            .map(|token| token.user.clone()),
        authorization: request.headers().contains_key(header::AUTHORIZATION),
        body: body(request.body()),
        status: None,
        response: Answer::default(),
        fault: None,
        applied: 0,
    };
    state.record.requests.push(entry);
    place
}

/// The name under which a fault's configuration knows it.
fn kind_of(fault: &FaultKind) -> String {
    let written = serde_json::to_value(fault).unwrap_or_default();
    written
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// Decides whether a request may go on to its handler, and in whose name.
fn admit(state: &State, request: &Request<Bytes>, limits: &Limits) -> Result<String, ApiError> {
    let token = state
        .token(Side::DigitalOcean, request.headers())
        .ok_or_else(ApiError::unauthorized)?;
    if limits.exceeded {
        return Err(ApiError::too_many_requests());
    }
    match find(request.method(), request.uri().path()) {
        Found::Endpoint(endpoint) if endpoint.scopes.iter().all(|scope| token.allows(scope)) => {
            Ok(token.user.clone())
        }
        Found::Endpoint(_) => Err(ApiError::forbidden()),
        Found::OtherMethod => Err(ApiError::wrong_method()),
        Found::Nothing => Err(ApiError::no_route()),
    }
}
