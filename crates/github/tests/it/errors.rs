//! Every class of error: what it says, whether it may be tried again, whether it may have
//! applied.

use github::{Error, ErrorKind, GitHub, NewDeployment, Permission, Reached};
use serde_json::{Value, json};
use url::Url;
use wiremock::ResponseTemplate;

use crate::support::{Step, chain, client, scripted, sha, world};

fn claim() -> NewDeployment {
    NewDeployment {
        git_ref: sha('c').to_string(),
        task: "t".to_owned(),
        environment: "e".to_owned(),
        description: String::new(),
        payload: json!({"nonce": "n"}),
    }
}

/// The error of a read and of a creation that are answered with this.
async fn both(status: u16, headers: &[(&'static str, &'static str)], body: &Value) -> [Error; 2] {
    let world = world().await;
    let template = || {
        headers
            .iter()
            .fold(ResponseTemplate::new(status), |template, (name, value)| {
                template.insert_header(*name, *value)
            })
            .set_body_json(body)
    };
    world.on_raw("GET", "", template()).await;
    world.on_raw("GET", "/deployments", template()).await;
    world.on_raw("POST", "/deployments", template()).await;
    [
        world.github.repo().await.unwrap_err(),
        world.github.create_deployment(&claim()).await.unwrap_err(),
    ]
}

fn facts(error: &Error) -> String {
    format!(
        "{} [retryable {}, may have applied {}]",
        chain(error),
        error.is_retryable(),
        error.may_have_applied()
    )
}

#[tokio::test]
async fn a_bad_token_is_unauthorized() {
    let [read, write] = both(401, &[], &json!({"message": "Bad credentials"})).await;
    insta::assert_snapshot!(facts(&read), @"cannot read the repository `acme/shop`: GitHub does not accept the token [retryable false, may have applied false]");
    insta::assert_snapshot!(facts(&write), @"cannot create a deployment in `acme/shop`: GitHub does not accept the token [retryable false, may have applied false]");
}

#[tokio::test]
async fn a_missing_permission_names_the_line_of_yaml_to_add() {
    let body = json!({"message": "Resource not accessible by integration"});
    let [_, write] = both(403, &[], &body).await;
    assert_eq!(
        write.missing_permission(),
        Some(Permission::DeploymentsWrite)
    );
    assert_eq!(
        write.missing_permission().unwrap().yaml(),
        "deployments: write"
    );
    insta::assert_snapshot!(facts(&write), @"cannot create a deployment in `acme/shop`: the token lacks the permission `deployments: write` (GitHub: Resource not accessible by integration) [retryable false, may have applied false]");
}

#[tokio::test]
async fn an_archived_repository_is_no_matter_of_permissions() {
    let body = json!({"message": "Repository was archived so is read-only."});
    let [_, write] = both(403, &[], &body).await;
    assert_eq!(write.missing_permission(), None);
    assert!(matches!(
        write.kind(),
        ErrorKind::Refused { status: 403, .. }
    ));
}

#[tokio::test]
async fn what_cannot_be_seen_is_not_found() {
    let [read, _] = both(404, &[], &json!({"message": "Not Found"})).await;
    insta::assert_snapshot!(facts(&read), @"cannot read the repository `acme/shop`: GitHub knows no such thing, or does not show it to this token [retryable false, may have applied false]");
}

#[tokio::test]
async fn a_rate_limit_with_a_far_reset_ends_the_call_at_once() {
    let headers = [
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "4102444800"),
        ("date", "Mon, 05 Oct 2026 09:33:20 GMT"),
    ];
    for error in both(
        403,
        &headers,
        &json!({"message": "API rate limit exceeded"}),
    )
    .await
    {
        assert!(matches!(
            error.kind(),
            ErrorKind::RateLimited {
                reset_after: Some(_)
            }
        ));
        assert!(error.is_retryable() && !error.may_have_applied());
    }
    let [read, _] = both(429, &[("retry-after", "3600")], &json!({})).await;
    insta::assert_snapshot!(facts(&read), @"cannot read the repository `acme/shop`: GitHub's rate limit is reached; it ends in 3600 seconds [retryable true, may have applied false]");
}

#[tokio::test]
async fn a_secondary_limit_is_told_by_its_sentence_too() {
    let body = json!({"message": "You have exceeded a secondary rate limit. Please wait."});
    for error in both(403, &[], &body).await {
        assert!(matches!(
            error.kind(),
            ErrorKind::RateLimited { reset_after: None }
        ));
    }
}

#[tokio::test]
async fn a_failure_of_github_leaves_a_write_in_doubt_and_a_read_not() {
    for status in [408, 500, 502, 503, 504] {
        let [read, write] = both(status, &[], &json!({})).await;
        assert!(read.is_retryable() && !read.may_have_applied());
        assert!(write.is_retryable() && write.may_have_applied());
        assert!(matches!(read.kind(), ErrorKind::Server { .. }));
    }
}

#[tokio::test]
async fn other_refusals_are_told_in_githubs_words() {
    let body = json!({
        "message": "Validation Failed",
        "documentation_url": "https://docs.github.test",
        "errors": [{"resource": "Deployment", "field": "ref", "code": "custom",
                    "message": "ref is invalid"}],
    });
    let [_, write] = both(422, &[], &body).await;
    insta::assert_snapshot!(facts(&write), @"cannot create a deployment in `acme/shop`: GitHub refused with status 422: Validation Failed; ref is invalid [retryable false, may have applied false]");
    let [read, _] = both(301, &[], &json!({"message": "Moved Permanently"})).await;
    insta::assert_snapshot!(facts(&read), @"cannot read the repository `acme/shop`: GitHub refused with status 301: Moved Permanently [retryable false, may have applied false]");
}

#[tokio::test]
async fn a_gone_conversation_is_gone() {
    let [read, write] = both(410, &[], &json!({"message": "Issues are disabled"})).await;
    assert!(matches!(read.kind(), ErrorKind::Gone));
    assert!(matches!(write.kind(), ErrorKind::Gone));
}

async fn repo_answered(step: fn() -> Step) -> Error {
    let (github, _) = scripted(move |_| step());
    github.repo().await.unwrap_err()
}

async fn claim_answered(step: fn() -> Step) -> (Error, usize) {
    let (github, requests) = scripted(move |request| {
        if request.method() == http::Method::POST {
            step()
        } else {
            Step::Reply(200, &[], json!([]))
        }
    });
    let error = github.create_deployment(&claim()).await.unwrap_err();
    let posts = requests
        .lock()
        .unwrap()
        .iter()
        .filter(|request| request.starts_with("POST"))
        .count();
    (error, posts)
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_cannot_be_understood_says_where() {
    let error = repo_answered(|| Step::Reply(200, &[], json!({"default_branch": 7}))).await;
    insta::assert_snapshot!(facts(&error), @"cannot read the repository `acme/shop`: cannot understand GitHub's reply at `default_branch`: invalid type: integer `7`, expected a string at line 1 column 19 [retryable false, may have applied false]");
    let (error, _) = claim_answered(|| Step::Reply(201, &[], json!({"id": "x"}))).await;
    assert!(matches!(error.kind(), ErrorKind::Decode { path, .. } if path == "id"));
    assert!(error.may_have_applied());
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_leaves_a_write_in_doubt() {
    let (error, posts) = claim_answered(|| Step::Fail(std::io::ErrorKind::ConnectionReset)).await;
    assert!(error.may_have_applied() && error.is_retryable());
    assert_eq!(posts, 2, "once, and once more after looking");
    insta::assert_snapshot!(facts(&error), @"cannot create a deployment in `acme/shop`: the connection to GitHub failed: connection reset [retryable true, may have applied true]");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_never_stood_leaves_no_doubt() {
    let (error, posts) = claim_answered(|| Step::Fail(std::io::ErrorKind::ConnectionRefused)).await;
    assert!(!error.may_have_applied());
    assert!(matches!(
        error.kind(),
        ErrorKind::Transport {
            reached: Reached::No,
            ..
        }
    ));
    assert_eq!(posts, 4, "as often as a read");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_known_as_never_connected() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let github: GitHub =
        client(crate::support::plain_sockets(), &base).with_timing(crate::support::hasty());
    let error = github.repo().await.unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Transport {
                reached: Reached::No,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn silence_ends_at_the_deadline() {
    let error = repo_answered(|| Step::Hang).await;
    insta::assert_snapshot!(facts(&error), @"cannot read the repository `acme/shop`: GitHub did not answer within 20 seconds [retryable true, may have applied false]");
    let (error, _) = claim_answered(|| Step::Hang).await;
    insta::assert_snapshot!(facts(&error), @"cannot create a deployment in `acme/shop`: GitHub did not answer within 30 seconds [retryable true, may have applied true]");
}

#[test]
fn a_client_outside_of_a_runtime_is_an_error_and_no_panic() {
    let unused = tower::service_fn(|_| async { Err(std::io::Error::other("unused").into()) });
    let error = GitHub::new(
        tower::util::BoxCloneSyncService::new(unused),
        &Url::parse("https://api.github.test").unwrap(),
        secrecy::SecretString::from("ghs_x"),
        github::RepoName::parse("a/b").unwrap(),
    )
    .unwrap_err();
    assert!(matches!(error, github::SetupError::NoRuntime));
}
