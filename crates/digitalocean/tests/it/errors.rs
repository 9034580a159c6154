//! What reads make of bad answers, and how often they try.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use digitalocean::{Client, Deadlines, Error, PutOutcome, Scope};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;
use wiremock::ResponseTemplate;

use crate::fixture;
use crate::world::{DEADLINE, Record, client, client_of, in_process, reply, world};

/// Answers the first requests with the given replies and every later one with the app.
fn stumbling(replies: Vec<http::Response<String>>) -> (Client, Record) {
    let next = AtomicUsize::new(0);
    let (transport, record) =
        in_process(
            move |_| match replies.get(next.fetch_add(1, Ordering::Relaxed)) {
                Some(reply) => reply.clone(),
                None => reply(200, &[], &json!({"app": fixture::app()})),
            },
        );
    (client_of(transport), record)
}

/// Reads the app and returns how that went, how many requests it took and how long.
async fn read(replies: Vec<http::Response<String>>) -> (Result<(), Error>, usize, Duration) {
    let began = Instant::now();
    let (client, record) = stumbling(replies);
    let result = client.app(&fixture::app_id()).await.map(drop);
    let requests = record.lock().unwrap().len();
    (result, requests, began.elapsed())
}

fn error_body() -> Value {
    json!({"id": "some_code", "message": "some words", "request_id": "req-1"})
}

#[tokio::test(start_paused = true)]
async fn every_class_of_error_has_its_words_its_tries_and_its_request_id() {
    let mut told = String::new();
    for status in [302, 400, 401, 403, 404, 405, 409, 422, 429, 500, 503] {
        let replies = vec![reply(status, &[], &error_body()); 9];
        let (result, requests, _) = read(replies).await;
        let error = result.unwrap_err();
        assert_eq!(error.is_retryable(), requests > 1, "{status}");
        assert!(!error.may_have_applied(), "{status}");
        assert_eq!(
            error.attempt().request_id().unwrap().as_str(),
            "req-1",
            "{status}"
        );
        let error = error.to_string();
        let error = error
            .strip_prefix("cannot read app `11111111-1111-4111-8111-111111111111`: ")
            .unwrap();
        told.push_str(&format!("{requests} x {error}\n"));
    }
    insta::assert_snapshot!(told, @r"
    1 x unexpected answer (302 Found)
    1 x the platform refused it (400 Bad Request)
    1 x the platform does not accept the token
    1 x the token lacks the scope `app:read`
    1 x app `11111111-1111-4111-8111-111111111111` was not found
    1 x unexpected answer (405 Method Not Allowed)
    1 x the platform refused it (409 Conflict)
    1 x the platform refused it (422 Unprocessable Entity)
    4 x too many requests for this token
    4 x the platform failed (500 Internal Server Error)
    4 x the platform failed (503 Service Unavailable)
    ");
}

#[tokio::test(start_paused = true)]
async fn a_read_recovers_from_three_failures() {
    let replies = vec![
        reply(500, &[], &error_body()),
        reply(502, &[], &json!({})),
        reply(504, &[], &json!({})),
    ];
    let (result, requests, took) = read(replies).await;
    result.unwrap();
    assert_eq!(requests, 4);
    assert!(
        (Duration::from_secs(7)..Duration::from_secs(15)).contains(&took),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_read_waits_as_long_as_the_platform_asks() {
    let burst = reply(
        429,
        &[("retry-after", "12"), ("ratelimit-remaining", "0")],
        &error_body(),
    );
    let (result, requests, took) = read(vec![burst.clone(), burst]).await;
    result.unwrap();
    assert_eq!((requests, took.as_secs()), (3, 24));

    // The hourly limit says only when the window has room again, by the server's clock.
    let hourly = reply(
        429,
        &[
            ("ratelimit-reset", "1771376400"),
            ("date", "Wed, 18 Feb 2026 00:59:20 GMT"),
        ],
        &error_body(),
    );
    let (result, requests, took) = read(vec![hourly]).await;
    result.unwrap();
    assert_eq!((requests, took.as_secs()), (2, 40));
}

#[tokio::test(start_paused = true)]
async fn a_read_does_not_sit_out_a_wait_of_more_than_a_minute() {
    let (result, requests, took) =
        read(vec![reply(429, &[("retry-after", "61")], &error_body())]).await;
    let error = result.unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(error.retry_after(), Some(Duration::from_secs(61)));
    assert_eq!((requests, took), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn each_call_names_the_scope_it_needs() {
    let (transport, _) = in_process(|_| reply(403, &[], &error_body()));
    let client = client_of(transport);
    let (app, cluster) = (fixture::app_id(), fixture::cluster());
    let rules = app_spec::FirewallRules::default();
    let scope = |error: Option<&Error>| match error {
        Some(Error::MissingScope { scope, .. }) => *scope,
        other => panic!("{other:?}"),
    };
    let scopes = [
        scope(client.apps().await.as_ref().err()),
        scope(client.app(&app).await.as_ref().err()),
        scope(
            client
                .deployment(&app, &fixture::old())
                .await
                .as_ref()
                .err(),
        ),
        match &client.update_app(&app, &fixture::spec()).await {
            PutOutcome::NotApplied(error) => scope(Some(error)),
            other => panic!("{other:?}"),
        },
        scope(client.propose(&fixture::spec(), None).await.as_ref().err()),
        scope(
            client
                .probe_write_scope(&app, &fixture::old())
                .await
                .as_ref()
                .err(),
        ),
        scope(
            client
                .cancel_deployment(&app, &fixture::old())
                .await
                .error(),
        ),
        scope(client.databases().await.as_ref().err()),
        scope(client.firewall(&cluster).await.as_ref().err()),
        scope(client.put_firewall(&cluster, &rules).await.error()),
    ];
    use Scope::{AppRead, AppUpdate, DatabaseRead, DatabaseUpdate};
    let expected = [
        AppRead,
        AppRead,
        AppRead,
        AppUpdate,
        AppRead,
        AppUpdate,
        AppUpdate,
        DatabaseRead,
        DatabaseRead,
        DatabaseUpdate,
    ];
    assert_eq!(scopes, expected);
}

#[tokio::test]
async fn a_reply_that_makes_no_sense_names_the_place_and_no_value() {
    let body = json!({"deployment": {"id": "x", "spec": "EV[1:canary:canary]"}});
    let (transport, record) = in_process(move |_| reply(200, &[("x-request-id", "req-7")], &body));
    let error = client_of(transport)
        .deployment(&fixture::app_id(), &fixture::ours())
        .await
        .unwrap_err();
    insta::assert_snapshot!(error, @"cannot read deployment `aaaaaaaa-0000-4000-8000-000000000002` of app `11111111-1111-4111-8111-111111111111`: the reply makes no sense at `deployment`");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    assert_eq!(error.attempt().request_id().unwrap().as_str(), "req-7");
    assert_eq!(record.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_read_without_a_connection_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&base).app(&fixture::app_id()).await.unwrap_err();
    assert!(matches!(error, Error::NotConnected { .. }), "{error:?}");
    assert!(error.is_retryable() && !error.may_have_applied());
}

#[tokio::test]
async fn a_read_whose_connection_breaks_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&format!("http://{}", listener.local_addr().unwrap()));
    let hang_up = async {
        for _ in 0..4 {
            drop(listener.accept().await.unwrap());
        }
    };
    let app = fixture::app_id();
    let (result, ()) = tokio::join!(client.app(&app), hang_up);
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error:?}");
}

#[tokio::test]
async fn a_read_without_an_answer_is_given_up_and_tried_again() {
    let mut world = world().await;
    let late = ResponseTemplate::new(200).set_delay(Duration::from_secs(30));
    let path = format!("/v2/apps/{}", fixture::APP);
    world.answers(("GET", &path), late, 4).await;
    let read = Duration::from_millis(100);
    world.client = world.client.with_deadlines(Deadlines {
        read,
        ..Deadlines::default()
    });
    let error = world.client.app(&fixture::app_id()).await.unwrap_err();
    assert!(
        matches!(&error, Error::TimedOut { after, .. } if *after == read),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    let world = world().await;
    let body = vec![b' '; 16 * 1024 * 1024 + 1];
    let path = format!("/v2/apps/{}", fixture::APP);
    world
        .answers(
            ("GET", &path),
            ResponseTemplate::new(200).set_body_bytes(body),
            1,
        )
        .await;
    let began = Instant::now();
    let error = world.client.app(&fixture::app_id()).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::TooLarge {
                cap_bytes: 16_777_216,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(began.elapsed() < DEADLINE);
}
