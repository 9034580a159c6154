//! The DigitalOcean endpoints that exist: what each is called here, and which scopes it asks for.
//!
//! The table follows the published description (`security` of each operation); the names are ours and are what faults
//! and the record use.

use http::Method;

/// An endpoint.
pub(crate) struct Endpoint {
    pub(crate) call: &'static str,
    method: &'static str,
    template: &'static str,
    pub(crate) scopes: &'static [&'static str],
}

/// What a method and a path lead to.
pub(crate) enum Found {
    Endpoint(&'static Endpoint),
    /// The path exists, but not with this method.
    OtherMethod,
    Nothing,
}

const READ: &[&str] = &["app:read"];
const UPDATE: &[&str] = &["app:read", "app:update"];
const DATABASE_READ: &[&str] = &["database:read"];
const DATABASE_UPDATE: &[&str] = &["database:update"];

const fn endpoint(
    call: &'static str,
    method: &'static str,
    template: &'static str,
    scopes: &'static [&'static str],
) -> Endpoint {
    Endpoint {
        call,
        method,
        template,
        scopes,
    }
}

const ENDPOINTS: &[Endpoint] = &[
    endpoint("apps.list", "GET", "/v2/apps", READ),
    endpoint("apps.propose", "POST", "/v2/apps/propose", READ),
    endpoint("apps.get", "GET", "/v2/apps/{}", READ),
    endpoint("apps.update", "PUT", "/v2/apps/{}", UPDATE),
    endpoint("apps.restart", "POST", "/v2/apps/{}/restart", UPDATE),
    endpoint("apps.health", "GET", "/v2/apps/{}/health", READ),
    endpoint("deployments.list", "GET", "/v2/apps/{}/deployments", READ),
    endpoint(
        "deployments.create",
        "POST",
        "/v2/apps/{}/deployments",
        UPDATE,
    ),
    endpoint("deployments.get", "GET", "/v2/apps/{}/deployments/{}", READ),
    endpoint(
        "deployments.cancel",
        "POST",
        "/v2/apps/{}/deployments/{}/cancel",
        UPDATE,
    ),
    endpoint("rollback.create", "POST", "/v2/apps/{}/rollback", UPDATE),
    endpoint(
        "rollback.validate",
        "POST",
        "/v2/apps/{}/rollback/validate",
        UPDATE,
    ),
    endpoint(
        "rollback.commit",
        "POST",
        "/v2/apps/{}/rollback/commit",
        UPDATE,
    ),
    endpoint(
        "rollback.revert",
        "POST",
        "/v2/apps/{}/rollback/revert",
        UPDATE,
    ),
    endpoint("logs.active_aggregate", "GET", "/v2/apps/{}/logs", READ),
    endpoint("logs.active", "GET", "/v2/apps/{}/components/{}/logs", READ),
    endpoint(
        "logs.aggregate",
        "GET",
        "/v2/apps/{}/deployments/{}/logs",
        READ,
    ),
    endpoint(
        "logs.get",
        "GET",
        "/v2/apps/{}/deployments/{}/components/{}/logs",
        READ,
    ),
    endpoint(
        "invocations.list",
        "GET",
        "/v2/apps/{}/job-invocations",
        READ,
    ),
    endpoint(
        "invocations.get",
        "GET",
        "/v2/apps/{}/job-invocations/{}",
        READ,
    ),
    endpoint(
        "invocations.cancel",
        "POST",
        "/v2/apps/{}/job-invocations/{}/cancel",
        UPDATE,
    ),
    endpoint(
        "logs.invocation",
        "GET",
        "/v2/apps/{}/jobs/{}/invocations/{}/logs",
        READ,
    ),
    endpoint("databases.list", "GET", "/v2/databases", DATABASE_READ),
    endpoint("databases.get", "GET", "/v2/databases/{}", DATABASE_READ),
    endpoint(
        "firewall.get",
        "GET",
        "/v2/databases/{}/firewall",
        DATABASE_READ,
    ),
    endpoint(
        "firewall.update",
        "PUT",
        "/v2/databases/{}/firewall",
        DATABASE_UPDATE,
    ),
];

/// Finds the endpoint of a request.
pub(crate) fn find(method: &Method, path: &str) -> Found {
    let mut other = false;
    for endpoint in ENDPOINTS {
        if fits(endpoint.template, path) {
            if endpoint.method == method.as_str() {
                return Found::Endpoint(endpoint);
            }
            other = true;
        }
    }
    if other {
        Found::OtherMethod
    } else {
        Found::Nothing
    }
}

fn fits(template: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let all = template.split('/').all(|wanted| match parts.next() {
        Some(part) if wanted == "{}" => !part.is_empty(),
        Some(part) => part == wanted,
        None => false,
    });
    all && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &Method, path: &str) -> &'static str {
        match find(method, path) {
            Found::Endpoint(endpoint) => endpoint.call,
            Found::OtherMethod => "405",
            Found::Nothing => "404",
        }
    }

    #[test]
    fn a_request_finds_its_endpoint() {
        assert_eq!(call(&Method::GET, "/v2/apps/1"), "apps.get");
        assert_eq!(call(&Method::POST, "/v2/apps/propose"), "apps.propose");
        assert_eq!(call(&Method::DELETE, "/v2/apps/1"), "405");
        assert_eq!(call(&Method::GET, "/v2/apps/1/nothing"), "404");
        assert_eq!(call(&Method::GET, "/v2/apps/"), "404");
    }
}
