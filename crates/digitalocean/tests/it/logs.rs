//! Finding logs and fetching them.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use digitalocean::{
    Client, Deadlines, Error, FetchedLog, LogGuard, LogKind, LogLimits, PresignedUrl, Refusal,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::ResponseTemplate;

use crate::fixture;
use crate::world::{World, client, client_of, in_process, json, reply, world};

const LOG: &str = "job 2026-02-18T00:37:10.1Z BEGIN\njob 2026-02-18T00:37:41.0Z END\n";

fn logs_path() -> String {
    let (app, deployment, job) = (fixture::APP, fixture::OURS, fixture::job());
    format!("/v2/apps/{app}/deployments/{deployment}/components/{job}/logs")
}

async fn find(client: &Client) -> Result<digitalocean::LogUrls, Error> {
    client
        .log_urls(
            &fixture::app_id(),
            &fixture::ours(),
            &fixture::job(),
            LogKind::Deploy,
        )
        .await
}

#[tokio::test]
async fn a_jobs_log_is_found_by_deployment_component_and_kind() {
    let world = world().await;
    let body = json!({
        "live_url": "wss://proxy.example.com/?token=canary",
        "historic_urls": ["https://logs.example.com/a?X-Amz-Signature=canary", "https://logs.example.com/b"],
    });
    world
        .answers(("GET", &logs_path()), json(200, &body), 1)
        .await;
    let urls = find(&world.client).await.unwrap();
    assert_eq!(urls.historic.len(), 2);
    assert!(!urls.is_empty());
    insta::assert_snapshot!(format!("{urls:?}"), @"LogUrls { live: Some(PresignedUrl(proxy.example.com)), historic: [PresignedUrl(logs.example.com), PresignedUrl(logs.example.com)] }");
    let first = urls.historic.first().unwrap();
    assert!(
        first
            .secret()
            .expose_secret()
            .ends_with("X-Amz-Signature=canary")
    );
    let seen = world.seen().await;
    let query = seen.first().unwrap().url.query();
    assert_eq!(
        query,
        Some("type=DEPLOY&follow=false&pod_connection_timeout=10s")
    );
}

#[tokio::test]
async fn a_log_that_is_not_there_yet_has_no_urls() {
    for body in [
        json!({}),
        json!({"live_url": "", "historic_urls": null}),
        json!({"historic_urls": []}),
    ] {
        let (transport, _) = in_process(move |_| reply(200, &[], &body));
        assert!(find(&client_of(transport)).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_stage_that_was_never_reached_is_told_apart_from_a_refusal() {
    let message = "cannot get running logs from deployment x in phase final_cleanup";
    let body = json!({"id": "bad_request", "message": message});
    let (transport, record) = in_process(move |_| reply(400, &[], &body));
    let error = find(&client_of(transport)).await.unwrap_err();
    assert!(matches!(error, Error::NotReached { .. }), "{error:?}");
    assert_eq!(error.platform_text().unwrap().as_str(), message);
    assert_eq!(record.lock().unwrap().len(), 1);
    insta::assert_snapshot!(error, @"cannot find the DEPLOY log of component `migrate-k3f9q2x7-e0` of deployment `aaaaaaaa-0000-4000-8000-000000000002`: there is no such log, or not yet");
}

#[tokio::test]
async fn a_log_url_that_is_none_is_an_error_without_the_url() {
    let body = json!({"historic_urls": ["https://ok.example.com/", "canary"]});
    let (transport, _) = in_process(move |_| reply(200, &[], &body));
    let error = find(&client_of(transport)).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("makes no sense at `historic_urls[1]`"),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("canary"));
}

async fn fetch_within(
    client: &Client,
    url: &str,
    limits: &LogLimits,
) -> Result<(Vec<u8>, FetchedLog), Error> {
    let url = PresignedUrl::parse(url).unwrap();
    let mut text = Vec::new();
    let log = client
        .fetch_log(&url, limits, |bytes| text.extend_from_slice(bytes))
        .await?;
    Ok((text, log))
}

async fn fetch(client: &Client, url: &str) -> Result<(Vec<u8>, FetchedLog), Error> {
    fetch_within(client, url, &LogLimits::default()).await
}

/// A world whose storage answers at `/log`, which must be asked `times` times.
async fn storage(answer: ResponseTemplate, times: u64) -> (World, String) {
    let world = world().await;
    world.answers(("GET", "/log"), answer, times).await;
    let url = format!("{}/log?X-Amz-Signature=canary", world.server.uri());
    (world, url)
}

#[tokio::test]
async fn a_log_is_fetched_without_our_token() {
    let (world, url) = storage(ResponseTemplate::new(200).set_body_string(LOG), 1).await;
    let (text, log) = fetch(&world.client, &url).await.unwrap();
    assert_eq!(text, LOG.as_bytes());
    assert_eq!(
        (log.read_bytes, log.omitted_bytes, log.truncated),
        (LOG.len() as u64, 0, false)
    );
    let seen = world.seen().await;
    let request = seen.first().unwrap();
    assert!(!request.headers.contains_key("authorization"));
    assert!(!request.headers.contains_key("accept-encoding"));
    assert_eq!(request.url.query(), Some("X-Amz-Signature=canary"));
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

#[tokio::test]
async fn a_packed_log_is_unpacked_whatever_its_headers_say() {
    for headers in [
        vec![],
        vec![("content-encoding", "gzip")],
        vec![("content-type", "text/plain")],
    ] {
        let mut answer = ResponseTemplate::new(200).set_body_bytes(gzip(LOG.as_bytes()));
        for (name, value) in headers {
            answer = answer.insert_header(name, value);
        }
        let (world, url) = storage(answer, 1).await;
        assert_eq!(fetch(&world.client, &url).await.unwrap().0, LOG.as_bytes());
    }
}

#[tokio::test]
async fn a_log_that_is_too_long_keeps_both_ends() {
    let line = |n: usize| format!("line {n:06}\n");
    let body: String = (0..100_000).map(line).collect();
    let limits = LogLimits {
        head_bytes: 1_200,
        tail_bytes: 1_200,
        ..LogLimits::default()
    };
    for packed in [body.clone().into_bytes(), gzip(body.as_bytes())] {
        let (world, url) = storage(ResponseTemplate::new(200).set_body_bytes(packed), 1).await;
        let (text, log) = fetch_within(&world.client, &url, &limits).await.unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("line 000000\n"));
        assert!(text.ends_with("line 099999\n"));
        assert!(
            text.contains("\n[1197612 bytes of this log are left out here]\nline 0999"),
            "{text}"
        );
        assert_eq!((log.read_bytes, log.omitted_bytes), (1_200_000, 1_197_612));
        assert!(!log.truncated);
    }
}

#[tokio::test]
async fn a_log_bomb_is_stopped_early() {
    let bomb = gzip(&vec![b'x'; 30_000_000]);
    let limits = LogLimits {
        read_bytes: 1_000_000,
        tail_bytes: 500,
        head_bytes: 500,
    };
    let (world, url) = storage(ResponseTemplate::new(200).set_body_bytes(bomb), 1).await;
    let (text, log) = fetch_within(&world.client, &url, &limits).await.unwrap();
    assert!(text.len() < 1_100);
    assert_eq!((log.read_bytes, log.truncated), (1_000_000, true));
}

#[tokio::test]
async fn an_expired_url_says_so_and_is_not_tried_again() {
    let body = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
    let (world, url) = storage(ResponseTemplate::new(403).set_body_string(body), 1).await;
    let error = fetch(&world.client, &url).await.unwrap_err();
    assert!(matches!(error, Error::Expired { .. }), "{error:?}");
    insta::assert_snapshot!(error, @"cannot fetch the log at `127.0.0.1`: its address has expired");
    assert!(!format!("{error:?}").contains("canary"));
}

#[tokio::test]
async fn other_answers_of_the_storage_have_their_own_errors() {
    for (status, times) in [(302, 1), (401, 1), (404, 1), (503, 4)] {
        let answer = ResponseTemplate::new(status).insert_header("location", "/elsewhere");
        let (world, url) = storage(answer, times).await;
        let error = fetch(&world.client, &url).await.unwrap_err();
        let as_expected = match status {
            404 => matches!(error, Error::NotFound { .. }),
            503 => matches!(error, Error::Server { .. }),
            _ => matches!(error, Error::Unexpected { .. }),
        };
        assert!(as_expected, "{status}: {error:?}");
        world.server.verify().await;
    }
}

#[tokio::test]
async fn opening_a_log_is_tried_again() {
    let asked = AtomicUsize::new(0);
    let (transport, record) = in_process(move |_| {
        let status = if asked.fetch_add(1, Ordering::Relaxed) < 2 {
            500
        } else {
            200
        };
        reply(status, &[], &Value::Null)
    });
    tokio::time::pause();
    let url = "https://logs.example.com/log?X-Amz-Signature=canary";
    let (text, _) = fetch(&client_of(transport), url).await.unwrap();
    assert_eq!(text, b"null");
    let record = record.lock().unwrap();
    assert_eq!(record.len(), 3);
    assert!(
        record
            .iter()
            .all(|seen| !seen.headers.contains_key("authorization"))
    );
}

#[tokio::test]
async fn a_log_that_breaks_off_is_an_error_and_not_a_short_log() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let serve = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert_ne!(connection.read(&mut request).await.unwrap(), 0);
        let half = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\none\ntwo\n";
        connection.write_all(half.as_bytes()).await.unwrap();
    };
    let client = client(&base);
    let url = format!("{base}/log");
    let (result, ()) = tokio::join!(fetch(&client, &url), serve);
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error:?}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_log_that_does_not_come_is_given_up() {
    let late = ResponseTemplate::new(200).set_delay(Duration::from_secs(30));
    let (world, url) = storage(late, 1).await;
    let log = Duration::from_millis(100);
    let client = world.client.clone().with_deadlines(Deadlines {
        log,
        ..Deadlines::default()
    });
    let error = fetch(&client, &url).await.unwrap_err();
    assert!(
        matches!(&error, Error::TimedOut { after, .. } if *after == log),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_log_url_leads_nowhere_it_must_not() {
    let (transport, record) = in_process(|_| reply(200, &[], &Value::Null));
    let client = client_of(transport);
    for url in [
        "http://logs.example.com/log",
        "http://127.0.0.1:8080/log",
        "https://127.0.0.1/log",
        "https://localhost/log",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://10.0.0.1/",
        "https://0x7f000001/",
        "wss://proxy.example.com/?token=x",
        "ftp://logs.example.com/log",
    ] {
        let error = fetch(&client, url).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{url}: {error:?}");
        assert!(!error.is_retryable());
    }
    assert!(record.lock().unwrap().is_empty());
    fetch(&client, "https://logs.example.com/log")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_simulator_on_this_machine_may_serve_logs_from_here_only() {
    let world = world().await;
    for url in ["http://logs.example.com/log", "https://10.0.0.1/log"] {
        let error = fetch(&world.client, url).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{url}: {error:?}");
    }
    assert!(world.seen().await.is_empty());
}

#[tokio::test]
async fn a_guard_of_the_callers_own_has_the_last_word() {
    let (transport, record) = in_process(|_| reply(200, &[], &Value::Null));
    let guard = LogGuard::new(|url| match url.host_str() {
        Some("logs.example.com") => Ok(()),
        _ => Err(Refusal::NotPublic {
            host: "elsewhere".to_owned(),
        }),
    });
    let client = client_of(transport).with_log_guard(guard);
    fetch(&client, "https://logs.example.com/log")
        .await
        .unwrap();
    let error = fetch(&client, "https://logs.example.org/log")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert_eq!(record.lock().unwrap().len(), 1);
}
