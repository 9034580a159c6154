//! The token is in no text that we make.

use github::{PullNumber, SetupError};
use secrecy::SecretString;
use serde_json::json;
use url::Url;
use wiremock::ResponseTemplate;

use crate::support::{Step, TOKEN, chain, scripted, sha, world};

fn is_free_of_the_token(text: &str) -> bool {
    !text.contains(TOKEN) && !text.contains("canary")
}

#[tokio::test]
async fn debug_of_the_client_does_not_show_the_token() {
    let world = world().await;
    let shown = format!("{:?} {:#?}", world.github, world.github);
    assert!(shown.contains("acme"), "{shown}");
    assert!(is_free_of_the_token(&shown), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn no_error_shows_the_token() {
    let steps: [fn() -> Step; 7] = [
        || Step::Reply(401, &[], json!({"message": "Bad credentials"})),
        || Step::Reply(403, &[], json!({"message": "no"})),
        || Step::Reply(500, &[], json!({})),
        || Step::Reply(429, &[("retry-after", "9999")], json!({})),
        || Step::Reply(200, &[], json!("not what it should be")),
        || Step::Fail(std::io::ErrorKind::ConnectionReset),
        || Step::Hang,
    ];
    for step in steps {
        let (github, _) = scripted(move |request| {
            assert!(request.headers()["authorization"].is_sensitive());
            step()
        });
        let errors = [
            github.repo().await.unwrap_err(),
            github.pull(PullNumber(1)).await.unwrap_err(),
            github.commit(&sha('a')).await.unwrap_err(),
        ];
        for error in errors {
            let text = format!("{error:?} {error:#?} {}", chain(&error));
            assert!(is_free_of_the_token(&text), "{text}");
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_token_stays_here() {
    let world = world().await;
    let elsewhere = wiremock::MockServer::start().await;
    let redirect =
        ResponseTemplate::new(302).insert_header("location", format!("{}/steal", elsewhere.uri()));
    world.on_raw("GET", "/contents/x", redirect).await;
    world.github.file("x", "main").await.unwrap_err();
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_refused_without_being_shown() {
    let transport = crate::support::plain_sockets();
    let error = github::GitHub::new(
        transport,
        &Url::parse("https://api.github.test").unwrap(),
        SecretString::from("ghs_canary\nsecond line"),
        github::RepoName::parse("a/b").unwrap(),
    )
    .unwrap_err();
    assert!(matches!(error, SetupError::Token(_)));
    assert!(is_free_of_the_token(&format!("{error:?} {error}")));
}
