//! The names of requests, without what differs from run to run.

use sim::{Face, Fault, FaultKind, Request};

/// Returns the name of the call that a request is.
pub(crate) fn name(request: &Request) -> String {
    match (request.to, request.call) {
        (Face::DigitalOcean, Some(call)) => call.to_owned(),
        (Face::Logs, _) => "log storage".to_owned(),
        (Face::Live, _) => "live address".to_owned(),
        (Face::DigitalOcean, None) | (Face::GitHub, _) => {
            format!("{} {}", request.method, pattern(&request.path))
        }
    }
}

fn pattern(path: &str) -> String {
    let words: Vec<&str> = path
        .split('/')
        .map(|word| if varies(word) { "*" } else { word })
        .collect();
    words.join("/")
}

fn varies(word: &str) -> bool {
    let number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let commit = word.len() >= 40
        && word
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'.');
    number || commit
}

/// Whether a call changes anything, by its name.
pub(crate) fn writes(name: &str) -> bool {
    let method = name.split_once(' ').map(|(method, _)| method);
    matches!(method, Some("POST" | "PATCH" | "PUT" | "DELETE"))
        || matches!(name, "apps.update" | "deployments.cancel" | "firewall.put")
}

/// Returns a fault that strikes the first request of that name.
pub(crate) fn first(name: &str, fault: FaultKind) -> Fault {
    match name.split_once(' ') {
        Some(("log", _)) => Fault::next("/_logs/*", fault),
        Some(("live", _)) => Fault::next("/_live/*", fault),
        Some((method, path)) => Fault::next(path, fault).method(method),
        None => Fault::next(name, fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_not_in_a_name() {
        let commit = "168f2082369d137e9b1cd7d742f741f300c53cde";
        let paths = [
            "/repos/acme/shop/issues/comments/1000006".to_owned(),
            format!("/repos/acme/shop/compare/{commit}...{commit}"),
            "/repos/acme/shop/contents/.harbor-pilot/ter-235.yml".to_owned(),
        ];
        assert_eq!(
            paths.map(|path| pattern(&path)),
            [
                "/repos/acme/shop/issues/comments/*",
                "/repos/acme/shop/compare/*",
                "/repos/acme/shop/contents/.harbor-pilot/ter-235.yml",
            ]
        );
    }

    #[test]
    fn the_first_request_of_a_name_is_found_by_it() {
        let refused = |name: &str| first(name, FaultKind::Refuse);
        assert_eq!(refused("apps.update").on, "apps.update");
        assert_eq!(refused("log storage").on, "/_logs/*");
        let github = refused("PATCH /repos/acme/shop/issues/comments/*");
        assert_eq!(github.method.as_deref(), Some("PATCH"));
        assert_eq!(github.on, "/repos/acme/shop/issues/comments/*");
    }
}
