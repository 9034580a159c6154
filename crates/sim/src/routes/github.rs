//! The GitHub REST calls under `/repos/{owner}/{repo}`, over the state in [`crate::github`].
//!
//! One handler takes every call, because GitHub's paths hold names with slashes in the middle
//! (`commits/feature/x/pulls`), which a route table cannot tell apart. [`answer`] is a plain
//! function of state, time and request; the axum side only carries bytes to it.
//!
//! Follows GitHub's published REST description. Left out: GraphQL, conditional requests (`ETag`),
//! secondary rate limits (the fault layer has those), and every call that Harbor Pilot never makes.

mod actions;
mod call;
mod code;
mod compare;
mod contents;
mod deployments;
mod issues;
mod labels;
mod pulls;
mod reply;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;

use crate::World;
use crate::github::{Caller, GitHubState, RateLimit, Visibility};
use crate::token::{Side, presented};
use call::{Call, Query, segments};
use reply::{Refusal, Reply};

/// Larger than any request that is allowed: a comment has 65,536 characters of at most four bytes.
const BODY_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// Returns the GitHub routes over `world`.
pub(crate) fn router(world: World) -> Router {
    Router::new()
        .route("/repos/{*path}", any(handle))
        .route("/repositories/{*path}", any(handle))
        .with_state(world)
}

async fn handle(State(world): State<World>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT_BYTES).await else {
        return Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "Payload too large")
            .reply()
            .into_response();
    };
    let reply = world.with(|state| {
        if let Some(token) = state.token(Side::GitHub, &parts.headers).cloned() {
            state
                .github
                .know_token(&token.token, &token.user, &token.scopes);
        }
        let now = state.now;
        let request = Received {
            method: &parts.method,
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &parts.headers,
            body,
        };
        answer(&mut state.github, now, request)
    });
    reply.into_response()
}

/// A request, read whole.
pub(crate) struct Received<'a> {
    method: &'a Method,
    path: &'a str,
    query: &'a str,
    headers: &'a HeaderMap,
    body: Bytes,
}

/// Answers a request as GitHub would at a time.
fn answer(state: &mut GitHubState, now: Timestamp, request: Received<'_>) -> Reply {
    if !request.headers.contains_key(header::USER_AGENT) {
        return Refusal::no_user_agent().reply();
    }
    let token = presented(request.headers);
    if token.is_none() && request.headers.contains_key(header::AUTHORIZATION) {
        return Refusal::bad_credentials().reply();
    }
    let Some((caller, limit)) = state.admit(token, now) else {
        return Refusal::bad_credentials().reply();
    };
    let reply = if limit.is_exceeded() {
        Refusal::rate_limited(caller.login.as_deref()).reply()
    } else {
        enter(state, now, caller, request).unwrap_or_else(Refusal::reply)
    };
    reply
        .with([("x-github-media-type", "github.v3; format=json".to_owned())])
        .with(counts(&limit))
}

fn counts(limit: &RateLimit) -> [(&'static str, String); 5] {
    [
        ("x-ratelimit-limit", limit.limit.to_string()),
        ("x-ratelimit-remaining", limit.remaining().to_string()),
        ("x-ratelimit-reset", limit.reset.as_second().to_string()),
        ("x-ratelimit-used", limit.used.min(limit.limit).to_string()),
        ("x-ratelimit-resource", "core".to_owned()),
    ]
}

/// Finds the repository and whether the caller may know of it, then the call.
fn enter(
    state: &mut GitHubState,
    now: Timestamp,
    caller: Caller,
    request: Received<'_>,
) -> Result<Reply, Refusal> {
    let segments = segments(request.path);
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    // Links to further pages name the repository by its number.
    let (repository, rest) = match parts.as_slice() {
        ["repos", owner, repo, rest @ ..] => (state.repository(&format!("{owner}/{repo}")), rest),
        ["repositories", id, rest @ ..] => {
            let mut all = state.repositories.values();
            (
                all.find(|repository| repository.id.to_string() == *id),
                rest,
            )
        }
        _ => return Err(Refusal::not_found()),
    };
    let repository = repository.ok_or_else(Refusal::not_found)?;
    let repo = repository.full_name();
    if repository.visibility != Visibility::Public && !caller.reaches(&repo) {
        return Err(Refusal::not_found());
    }
    // As written: a link must not lose what was encoded.
    let written: Vec<&str> = request
        .path
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let tail = written
        .get(segments.len() - rest.len()..)
        .unwrap_or_default()
        .join("/");
    let accept = request
        .headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let call = Call {
        tail,
        query: Query::parse(request.query),
        accept: accept.unwrap_or_default().to_owned(),
        body: request.body,
        state,
        now,
        caller,
        repo,
    };
    dispatch(call, request.method, rest)
}

/// Calls what a method and a path mean; `parts` come after the repository.
fn dispatch(mut call: Call<'_>, method: &Method, parts: &[&str]) -> Result<Reply, Refusal> {
    let call = &mut call;
    match (method.as_str(), parts) {
        ("GET", []) => code::repository(call),
        ("GET", ["contents", path @ ..]) => contents::get(call, &path.join("/")),
        ("GET", ["commits", reference @ .., "pulls"]) if !reference.is_empty() => {
            pulls::of_commit(call, &reference.join("/"))
        }
        ("GET", ["commits", first, rest @ ..]) => code::commit(call, &join(first, rest)),
        ("GET", ["compare", first, rest @ ..]) => compare::compare(call, &join(first, rest)),
        ("GET", ["branches", first, rest @ ..]) => code::branch(call, &join(first, rest)),
        ("GET", ["git", "ref", first, rest @ ..]) => code::reference(call, &join(first, rest)),
        ("GET", ["collaborators", user, "permission"]) => code::collaborator(call, user),
        ("GET", ["pulls", number]) => pulls::get(call, id(number)?),
        ("GET", ["pulls", number, "files"]) => pulls::files(call, id(number)?),
        ("GET", ["pulls", number, "commits"]) => pulls::commits(call, id(number)?),
        ("GET", ["issues", "comments", comment]) => issues::comment(call, id(comment)?),
        ("PATCH", ["issues", "comments", comment]) => issues::edit_comment(call, id(comment)?),
        ("DELETE", ["issues", "comments", comment]) => issues::delete_comment(call, id(comment)?),
        ("GET", ["issues", number]) => issues::get(call, id(number)?),
        ("GET", ["issues", number, "comments"]) => issues::comments(call, id(number)?),
        ("POST", ["issues", number, "comments"]) => issues::add_comment(call, id(number)?),
        ("GET", ["issues", number, "labels"]) => labels::of_issue(call, id(number)?),
        ("POST", ["issues", number, "labels"]) => labels::add(call, id(number)?),
        ("PUT", ["issues", number, "labels"]) => labels::replace(call, id(number)?),
        ("DELETE", ["issues", number, "labels"]) => labels::clear(call, id(number)?),
        ("DELETE", ["issues", number, "labels", first, rest @ ..]) => {
            labels::remove(call, id(number)?, &join(first, rest))
        }
        ("GET", ["labels"]) => labels::list(call),
        ("POST", ["labels"]) => labels::create(call),
        ("GET", ["labels", first, rest @ ..]) => labels::get(call, &join(first, rest)),
        ("GET", ["deployments"]) => deployments::list(call),
        ("POST", ["deployments"]) => deployments::create(call),
        ("GET", ["deployments", deployment]) => deployments::get(call, id(deployment)?),
        ("GET", ["deployments", deployment, "statuses"]) => {
            deployments::statuses(call, id(deployment)?)
        }
        ("POST", ["deployments", deployment, "statuses"]) => {
            deployments::add_status(call, id(deployment)?)
        }
        ("GET", ["deployments", deployment, "statuses", status]) => {
            deployments::status(call, id(deployment)?, id(status)?)
        }
        ("POST", ["actions", "workflows", workflow, "dispatches"]) => {
            actions::dispatch(call, workflow)
        }
        ("GET", ["actions", "runs", run]) => actions::run(call, id(run)?),
        _ => Err(Refusal::not_found()),
    }
}

/// Joins what slashes in a name took apart.
fn join(first: &str, rest: &[&str]) -> String {
    rest.iter()
        .fold(first.to_owned(), |name, part| format!("{name}/{part}"))
}

fn id(text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_not_a_number| Refusal::not_found())
}
