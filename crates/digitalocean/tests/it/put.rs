//! The three ends of a PUT, and that it is sent once whatever happens.

use std::time::Duration;

use digitalocean::{Deadlines, Error, PutOutcome, WriteOutcome};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use wiremock::ResponseTemplate;

use crate::fixture;
use crate::world::{DEADLINE, World, client, json, world};

async fn put(world: &World) -> PutOutcome {
    world
        .client
        .update_app(&fixture::app_id(), &fixture::spec())
        .await
}

/// Answers a PUT in one way and returns its end; the mock server checks that it came once.
async fn answered(reply: ResponseTemplate) -> PutOutcome {
    let world = world().await;
    let path = format!("/v2/apps/{}", fixture::APP);
    world.answers(("PUT", &path), reply, 1).await;
    let outcome = put(&world).await;
    world.server.verify().await;
    outcome
}

#[tokio::test]
async fn a_refusal_is_not_applied() {
    for status in [400, 401, 403, 404, 405, 409, 422, 429] {
        // Nothing of the reply's own makes it one: neither an error body nor a length.
        for body in ["{\"id\":\"x\",\"message\":\"y\"}", "", "<html>"] {
            let outcome = answered(ResponseTemplate::new(status).set_body_string(body)).await;
            assert!(
                matches!(outcome, PutOutcome::NotApplied(_)),
                "{status}: {outcome:?}"
            );
        }
    }
}

#[tokio::test]
async fn any_other_bad_status_is_ambiguous() {
    for status in [
        300, 301, 302, 307, 308, 402, 408, 410, 412, 413, 415, 418, 425, 500, 502, 503, 504, 522,
    ] {
        let reply = ResponseTemplate::new(status)
            .insert_header("retry-after", "0")
            .insert_header("location", "/v2/elsewhere");
        let outcome = answered(reply).await;
        assert!(
            matches!(outcome, PutOutcome::Ambiguous(_)),
            "{status}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_good_status_with_a_body_that_makes_no_sense_is_ambiguous() {
    for body in [
        "",
        "{}",
        "<html>",
        r#"{"app":null}"#,
        r#"{"app":{"id":7}}"#,
        r#"{"app":{"spec":{}}"#,
    ] {
        let outcome = answered(ResponseTemplate::new(200).set_body_string(body)).await;
        assert!(
            matches!(outcome, PutOutcome::Ambiguous(Error::Decode { .. })),
            "{body}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_good_status_with_a_body_without_end_is_ambiguous() {
    let body = vec![b' '; 16 * 1024 * 1024 + 1];
    let outcome = answered(ResponseTemplate::new(200).set_body_bytes(body)).await;
    assert!(
        matches!(outcome, PutOutcome::Ambiguous(Error::TooLarge { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_refused_connection_is_not_applied() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = client(&base)
        .update_app(&fixture::app_id(), &fixture::spec())
        .await;
    assert!(
        matches!(outcome, PutOutcome::NotApplied(Error::NotConnected { .. })),
        "{outcome:?}"
    );
}

/// Accepts one connection, reads the request to its last byte, answers with `reply`, and hangs up.
async fn serve_once(listener: &TcpListener, reply: &str) {
    let accepted = tokio::time::timeout(DEADLINE, listener.accept()).await;
    let (mut connection, _) = accepted.expect("no new connection was made").unwrap();
    read_request(&mut connection).await;
    connection.write_all(reply.as_bytes()).await.unwrap();
}

async fn read_request(connection: &mut TcpStream) {
    let end = b"\"update_all_source_versions\":false}";
    let mut request = Vec::new();
    while !request.ends_with(end) {
        assert_ne!(connection.read_buf(&mut request).await.unwrap(), 0);
    }
}

/// Sends a PUT to a server that hangs up after `reply`; fails if a second connection is made.
async fn cut_after(reply: &str) -> PutOutcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&format!("http://{}", listener.local_addr().unwrap()));
    let (app, spec) = (fixture::app_id(), fixture::spec());
    let (outcome, ()) = tokio::join!(client.update_app(&app, &spec), serve_once(&listener, reply));
    let again = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(again.is_err(), "the PUT was sent again");
    outcome
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_ambiguous() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"app\":";
    for reply in ["", "HTTP/1.1 200", half] {
        let outcome = cut_after(reply).await;
        assert!(
            matches!(outcome, PutOutcome::Ambiguous(Error::Interrupted { .. })),
            "{reply:?}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_write_goes_out_on_a_connection_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&format!("http://{}", listener.local_addr().unwrap()));
    let (app, spec) = (fixture::app_id(), fixture::spec());
    let serve_read = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert_ne!(connection.read(&mut request).await.unwrap(), 0);
        let body = json!({"app": fixture::app()}).to_string();
        let reply = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(reply.as_bytes()).await.unwrap();
        connection
    };
    let (read, kept_open) = tokio::join!(client.app(&app), serve_read);
    read.unwrap();
    let serve_write = serve_once(
        &listener,
        "HTTP/1.1 409 Conflict\r\ncontent-length: 0\r\n\r\n",
    );
    let (outcome, ()) = tokio::join!(client.update_app(&app, &spec), serve_write);
    assert!(matches!(outcome, PutOutcome::NotApplied(_)), "{outcome:?}");
    drop(kept_open);
}

#[tokio::test]
async fn a_refusal_stays_one_when_its_text_is_cut_off() {
    let outcome =
        cut_after("HTTP/1.1 422 Unprocessable\r\ncontent-length: 500\r\n\r\n{\"id\":").await;
    assert!(
        matches!(outcome, PutOutcome::NotApplied(Error::Rejected { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn no_answer_within_the_deadline_is_ambiguous() {
    let mut world = world().await;
    let path = format!("/v2/apps/{}", fixture::APP);
    let late = json(200, &fixture::updated_app()).set_delay(Duration::from_secs(30));
    world.answers(("PUT", &path), late, 1).await;
    let write = Duration::from_millis(150);
    world.client = world.client.with_deadlines(Deadlines {
        write,
        ..Deadlines::default()
    });
    let began = Instant::now();
    let outcome = put(&world).await;
    assert!(began.elapsed() < DEADLINE);
    assert!(
        matches!(&outcome, PutOutcome::Ambiguous(Error::TimedOut { after, .. }) if *after == write),
        "{outcome:?}"
    );
}

#[test]
fn a_read_has_twenty_seconds_and_a_write_a_minute() {
    let Deadlines { read, write, log } = Deadlines::default();
    assert_eq!([read, write, log].map(|span| span.as_secs()), [20, 60, 60]);
}

#[tokio::test]
async fn the_other_writes_end_in_the_same_classes_and_are_sent_once_too() {
    fn class<T>(outcome: &WriteOutcome<T>) -> &'static str {
        match outcome {
            WriteOutcome::Applied(_) => "applied",
            WriteOutcome::NotApplied(_) => "not applied",
            WriteOutcome::Ambiguous(_) => "ambiguous",
        }
    }
    let rules = app_spec::FirewallRules::from_value(&fixture::rules()).unwrap();
    for (status, expected) in [
        (409, "not applied"),
        (429, "not applied"),
        (500, "ambiguous"),
        (503, "ambiguous"),
    ] {
        let world = world().await;
        let run = "77777777-7777-4777-8777-777777777777";
        let cancel = format!(
            "/v2/apps/{}/deployments/{}/cancel",
            fixture::APP,
            fixture::OURS
        );
        let stop = format!("/v2/apps/{}/job-invocations/{run}/cancel", fixture::APP);
        let firewall = format!("/v2/databases/{}/firewall", fixture::CLUSTER);
        let reply = || json(status, &json!({"id": "x", "message": "y"}));
        world.answers(("POST", &cancel), reply(), 1).await;
        world.answers(("POST", &stop), reply(), 1).await;
        world.answers(("PUT", &firewall), reply(), 1).await;
        let client = &world.client;
        let app = fixture::app_id();
        let run = app_spec::InvocationId::new(run);
        assert_eq!(
            class(&client.cancel_deployment(&app, &fixture::ours()).await),
            expected
        );
        assert_eq!(
            class(
                &client
                    .cancel_job_invocation(&app, &run, &fixture::job())
                    .await
            ),
            expected
        );
        assert_eq!(
            class(&client.put_firewall(&fixture::cluster(), &rules).await),
            expected
        );
        world.server.verify().await;
    }
}
