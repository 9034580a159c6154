//! Log requests, and the storage behind the presigned URLs that they answer with.
//!
//! A presigned URL is good for 900 seconds (observed) and carries its own authorisation: a second one in a header is
//! refused, as S3 does.

use crate::clock::later;
use crate::deployment::{Deployment, Phase};
use crate::error::ApiError;
use crate::ids::hex_of;
use crate::knobs::{LogAnswer, LogEncoding, seconds};
use crate::logs::{Log, LogType, has_component, part};
use crate::world::{State as WorldState, World};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Write as _;

/// How long a presigned URL is good for.
const EXPIRES_SECONDS: u64 = 900;

/// Stands for all components in the address of a log.
const ALL: &str = "_all";

pub(crate) fn router(world: World) -> Router {
    Router::new()
        .route("/v2/apps/{app}/logs", get(active_aggregate))
        .route("/v2/apps/{app}/components/{component}/logs", get(active))
        .route(
            "/v2/apps/{app}/deployments/{deployment}/logs",
            get(aggregate),
        )
        .route(
            "/v2/apps/{app}/deployments/{deployment}/components/{component}/logs",
            get(one),
        )
        .route(
            "/v2/apps/{app}/jobs/{job}/invocations/{invocation}/logs",
            get(invocation),
        )
        .route("/_logs/{app}/{deployment}/{component}/{file}", get(stored))
        .route(
            "/_logs/live/{app}/{deployment}/{component}/{kind}",
            get(live),
        )
        .with_state(world)
}

/// The query of a log request. `component_name` is not in the published description, but the official client sends it.
#[derive(Debug, Deserialize)]
struct Ask {
    #[serde(rename = "type")]
    kind: Option<String>,
    follow: Option<String>,
    component_name: Option<String>,
}

async fn active_aggregate(
    State(world): State<World>,
    Path(app): Path<String>,
    Query(ask): Query<Ask>,
) -> Result<Json<Value>, ApiError> {
    world.with(|state| answer(state, &app, None, None, &ask))
}

async fn active(
    State(world): State<World>,
    Path((app, component)): Path<(String, String)>,
    Query(ask): Query<Ask>,
) -> Result<Json<Value>, ApiError> {
    world.with(|state| answer(state, &app, None, Some(&component), &ask))
}

async fn aggregate(
    State(world): State<World>,
    Path((app, deployment)): Path<(String, String)>,
    Query(ask): Query<Ask>,
) -> Result<Json<Value>, ApiError> {
    world.with(|state| answer(state, &app, Some(&deployment), None, &ask))
}

async fn one(
    State(world): State<World>,
    Path((app, deployment, component)): Path<(String, String, String)>,
    Query(ask): Query<Ask>,
) -> Result<Json<Value>, ApiError> {
    world.with(|state| answer(state, &app, Some(&deployment), Some(&component), &ask))
}

async fn invocation(
    State(world): State<World>,
    Path((app, job, invocation)): Path<(String, String, String)>,
    Query(ask): Query<Ask>,
) -> Result<Json<Value>, ApiError> {
    if ask.kind.as_deref() != Some("JOB_INVOCATION") {
        return Err(ApiError::bad_request("type must be JOB_INVOCATION"));
    }
    world.with(|state| {
        let (deployment, run) = super::jobs::find(state, &app, &invocation)?;
        if run.name != job {
            return Err(ApiError::not_found());
        }
        let id = deployment.id.clone();
        let ask = Ask {
            kind: Some("DEPLOY".to_owned()),
            follow: ask.follow.clone(),
            component_name: None,
        };
        answer(state, &app, Some(&id), Some(&job), &ask)
    })
}

fn answer(
    state: &WorldState,
    app: &str,
    deployment: Option<&str>,
    component: Option<&str>,
    ask: &Ask,
) -> Result<Json<Value>, ApiError> {
    let app = state.app(app)?;
    let kind = ask.kind.as_deref().unwrap_or_default();
    let kind = LogType::read(kind)
        .ok_or_else(|| ApiError::bad_request(format!("invalid log type {kind:?}")))?;
    let found = match deployment {
        Some(id) => app.deployment(id),
        None => app.active_deployment(),
    };
    let found = found.ok_or_else(ApiError::not_found)?;
    let component = component
        .or(ask.component_name.as_deref())
        .filter(|name| !name.is_empty());
    if component.is_some_and(|name| !has_component(found, name)) {
        return Err(ApiError::not_found());
    }
    let log = Log::of(found, component, kind, state.now, &state.knobs);
    if !log.reached || state.knobs.log_answer == LogAnswer::BadRequest {
        let what = kind.slug();
        return Err(ApiError::bad_request(format!(
            "{what} logs are not available for deployment {}",
            found.id
        )));
    }
    if kind == LogType::Run && found.is_over() && found.phase != Phase::Active {
        let text = format!(
            "cannot get running logs from deployment {} in phase final_cleanup",
            found.id
        );
        return Err(ApiError::bad_request(text));
    }
    let place = format!("{}/{}/{}", app.id, found.id, component.unwrap_or(ALL));
    let shown = log.archived && state.knobs.log_answer == LogAnswer::Normal;
    let parts = if shown {
        state.knobs.log_parts.max(1)
    } else {
        0
    };
    let urls: Vec<String> = (0..parts)
        .map(|number| presigned(state, &place, kind, number))
        .collect();
    let mut answer = json!({"historic_urls": urls});
    if ask.follow.as_deref() == Some("true") {
        let token = hex_of(&format!("live/{place}"), 32);
        answer["live_url"] = json!(format!(
            "{}/_logs/live/{place}/{}?token={token}",
            state.public_base,
            kind.slug()
        ));
    }
    Ok(Json(answer))
}

fn presigned(state: &WorldState, place: &str, kind: LogType, number: u32) -> String {
    let path = format!("/_logs/{place}/{}-{number}.log", kind.slug());
    let date = state.now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let signature = signature(&path, &date);
    format!(
        "{}{path}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=simulated%2F{}%2Fnyc3%2Fs3%2Faws4_request\
         &X-Amz-Date={date}&X-Amz-Expires={EXPIRES_SECONDS}&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}",
        state.public_base,
        date.get(..8).unwrap_or_default(),
    )
}

fn signature(path: &str, date: &str) -> String {
    hex_of(&format!("signature/{path}/{date}"), 64)
}

/// The signed part of a presigned URL.
#[derive(Debug, Deserialize)]
struct Signed {
    #[serde(rename = "X-Amz-Date")]
    date: Option<String>,
    #[serde(rename = "X-Amz-Signature")]
    signature: Option<String>,
}

async fn stored(
    State(world): State<World>,
    Path((app, deployment, component, file)): Path<(String, String, String, String)>,
    Query(signed): Query<Signed>,
    headers: HeaderMap,
) -> Response {
    if headers.contains_key(header::AUTHORIZATION) {
        let text = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
                    parameter or the Authorization header should be specified";
        return refusal(StatusCode::BAD_REQUEST, "InvalidArgument", text);
    }
    let path = format!("/_logs/{app}/{deployment}/{component}/{file}");
    let (Some(date), Some(given)) = (signed.date, signed.signature) else {
        return refusal(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied");
    };
    if given != signature(&path, &date) {
        return refusal(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "The signature does not match",
        );
    }
    world.with(|state| {
        let fresh =
            signed_at(&date).is_some_and(|at| state.now < later(at, seconds(EXPIRES_SECONDS)));
        if !fresh {
            return refusal(StatusCode::FORBIDDEN, "AccessDenied", "Request has expired");
        }
        let name = file
            .strip_suffix(".log")
            .and_then(|name| name.rsplit_once('-'));
        let kind = name.and_then(|(kind, _)| LogType::of_slug(kind));
        let number = name.and_then(|(_, number)| number.parse().ok());
        let found = state
            .app(&app)
            .ok()
            .and_then(|app| app.deployment(&deployment));
        let (Some(kind), Some(number), Some(found)) = (kind, number, found) else {
            return refusal(
                StatusCode::NOT_FOUND,
                "NoSuchKey",
                "The specified key does not exist.",
            );
        };
        let text = text(state, found, &component, kind);
        let parts = usize::try_from(state.knobs.log_parts).unwrap_or(1);
        content(&part(&text, number, parts), state.knobs.log_encoding)
    })
}

fn text(state: &WorldState, deployment: &Deployment, component: &str, kind: LogType) -> String {
    let component = Some(component).filter(|name| *name != ALL);
    Log::of(deployment, component, kind, state.now, &state.knobs).text()
}

fn content(text: &str, encoding: LogEncoding) -> Response {
    let plain = ([(header::CONTENT_TYPE, "text/plain")], text.to_owned());
    match encoding {
        LogEncoding::Plain => plain.into_response(),
        LogEncoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            match encoder
                .write_all(text.as_bytes())
                .and_then(|()| encoder.finish())
            {
                Ok(bytes) => {
                    ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
                }
                // Writing into memory does not fail; were it to, the plain text is still the truth.
                Err(_) => plain.into_response(),
            }
        }
    }
}

fn signed_at(date: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

/// The live log as plain text, as far as it has been written.
async fn live(
    State(world): State<World>,
    Path((app, deployment, component, kind)): Path<(String, String, String, String)>,
    Query(token): Query<std::collections::BTreeMap<String, String>>,
) -> Response {
    let place = format!("{app}/{deployment}/{component}");
    if token.get("token") != Some(&hex_of(&format!("live/{place}"), 32)) {
        return refusal(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied");
    }
    world.with(|state| {
        let found = state
            .app(&app)
            .ok()
            .and_then(|app| app.deployment(&deployment));
        match (found, LogType::of_slug(&kind)) {
            (Some(found), Some(kind)) => {
                content(&text(state, found, &component, kind), LogEncoding::Plain)
            }
            _ => refusal(
                StatusCode::NOT_FOUND,
                "NoSuchKey",
                "The specified key does not exist.",
            ),
        }
    })
}
