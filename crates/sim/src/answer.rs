//! Answers and requests as plain bytes, and the answers that no handler gave.

use crate::record::Face;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use std::collections::BTreeMap;

pub(crate) fn invented(
    face: Face,
    status: u16,
    headers: &BTreeMap<String, String>,
    body: Option<Value>,
) -> Response<Bytes> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reason = status.canonical_reason().unwrap_or("Error");
    let body = body.unwrap_or_else(|| match face {
        Face::GitHub => serde_json::json!({"message": reason, "documentation_url": "https://docs.github.com/rest"}),
        Face::DigitalOcean | Face::Logs | Face::Live => {
            serde_json::json!({"id": reason.to_lowercase().replace(' ', "_"), "message": reason})
        }
    });
    let mut answer = json(status, &body);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (
            http::HeaderName::try_from(name),
            HeaderValue::from_str(value),
        ) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

pub(crate) fn json(status: StatusCode, body: &Value) -> Response<Bytes> {
    json_bytes(status, Bytes::from(body.to_string()))
}

pub(crate) fn json_bytes(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    answer
}

pub(crate) fn copy(request: &Request<Bytes>) -> Request<Bytes> {
    let mut copy = Request::new(request.body().clone());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

pub(crate) async fn collect(answer: Response<Body>) -> Response<Bytes> {
    let (parts, body) = answer.into_parts();
    // Bodies are made in memory; one that fails could only be an empty one.
    let bytes = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    Response::from_parts(parts, bytes)
}
