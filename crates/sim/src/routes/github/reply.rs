//! Answers: JSON, plain bytes or nothing, and the ways GitHub says no.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// The documentation that an error points at where no page is closer.
const DOCUMENTATION: &str = "https://docs.github.com/rest";

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Reply {
    /// Returns an answer of JSON.
    pub(super) fn json(status: StatusCode, json: &Value) -> Self {
        let content_type = ("content-type", "application/json; charset=utf-8".to_owned());
        Self {
            status,
            headers: vec![content_type],
            body: json.to_string().into(),
        }
    }

    /// Returns `200` with JSON.
    pub(super) fn ok(json: &Value) -> Self {
        Self::json(StatusCode::OK, json)
    }

    /// Returns `204`.
    pub(super) fn empty() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Returns `200` with bytes of a media type.
    pub(super) fn bytes(media_type: &str, body: impl Into<Bytes>) -> Self {
        let content_type = ("content-type", format!("{media_type}; charset=utf-8"));
        Self {
            status: StatusCode::OK,
            headers: vec![content_type],
            body: body.into(),
        }
    }

    /// Adds headers.
    pub(super) fn with(
        mut self,
        headers: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        self.headers.extend(headers);
        self
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response
                    .headers_mut()
                    .insert(HeaderName::from_static(name), value);
            }
        }
        if self.status != StatusCode::NO_CONTENT {
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, self.body.len().into());
        }
        response
    }
}

/// A refusal, in the shape of GitHub's errors.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    errors: Vec<Value>,
    headers: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            errors: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// Also the answer for what the caller may not know of.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    pub(super) fn bad_credentials() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Bad credentials")
    }

    pub(super) fn requires_authentication() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Requires authentication")
    }

    pub(super) fn no_user_agent() -> Self {
        let message = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.";
        Self::new(StatusCode::FORBIDDEN, message)
    }

    pub(super) fn rate_limited(login: Option<&str>) -> Self {
        let whom = login.map_or_else(
            || "your address".to_owned(),
            |login| format!("user `{login}`"),
        );
        Self::new(
            StatusCode::FORBIDDEN,
            format!("API rate limit exceeded for {whom}."),
        )
    }

    /// `accepted` is what the call would have needed, as `deployments=write`.
    pub(super) fn not_accessible(by: &str, accepted: String) -> Self {
        let mut refusal = Self::new(
            StatusCode::FORBIDDEN,
            format!("Resource not accessible by {by}"),
        );
        refusal
            .headers
            .push(("x-accepted-github-permissions", accepted));
        refusal
    }

    pub(super) fn gone(message: &str) -> Self {
        Self::new(StatusCode::GONE, message)
    }

    pub(super) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// Returns the error for a field that is wrong; `code` is one of GitHub's words for how.
    pub(super) fn invalid(resource: &str, field: &str, code: &str, message: Option<&str>) -> Self {
        let mut refusal = Self::unprocessable("Validation Failed");
        let mut error = json!({"resource": resource, "code": code, "field": field});
        if let Some(message) = message {
            error["message"] = json!(message);
        }
        refusal.errors.push(error);
        refusal
    }

    pub(super) fn reply(self) -> Reply {
        let mut json = json!({"message": self.message});
        if !self.errors.is_empty() {
            json["errors"] = json!(self.errors);
        }
        json["documentation_url"] = json!(DOCUMENTATION);
        json["status"] = json!(self.status.as_u16().to_string());
        Reply::json(self.status, &json).with(self.headers)
    }
}
