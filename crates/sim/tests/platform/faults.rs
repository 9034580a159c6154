//! Faults between a caller and a world, and the record of what happened.

use crate::client::{APP, APP_ID, Client, client, job, wait};
use http::Method;
use serde_json::{Value, json};
use sim::{Applied, Face, Fault, FaultKind};
use std::collections::BTreeMap;
use std::time::Duration;

/// Sends an update that is to go wrong; `None` where no answer came within a minute.
async fn update(client: &Client, kind: FaultKind) -> Option<Result<u16, String>> {
    client.world.arm(Fault::next("apps.update", kind));
    let mut spec = client.spec().await;
    spec["jobs"] = json!([job("once", "x")]);
    let body = json!({"spec": spec});
    let sent = client.try_send(Method::PUT, APP, Some(&body));
    let answer = tokio::time::timeout(Duration::from_secs(60), sent)
        .await
        .ok()?;
    Some(
        answer
            .map(|answer| answer.status)
            .map_err(|error| error.to_string()),
    )
}

/// Counts the deployments beyond the first.
async fn made(client: &Client) -> usize {
    client.deployments().await.len() - 1
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_fails_is_an_error_whether_the_request_applied_or_not() {
    for (kind, deployments) in [
        (FaultKind::Refuse, 0),
        (
            FaultKind::Reset {
                applied: Applied::No,
            },
            0,
        ),
        (
            FaultKind::Reset {
                applied: Applied::Yes,
            },
            1,
        ),
    ] {
        let client = client();
        assert!(matches!(update(&client, kind).await, Some(Err(_))));
        assert_eq!(made(&client).await, deployments);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_leaves_the_caller_to_its_own_timeout() {
    for (applied, deployments) in [(Applied::No, 0), (Applied::Yes, 1)] {
        let client = client();
        assert_eq!(update(&client, FaultKind::Timeout { applied }).await, None);
        assert_eq!(made(&client).await, deployments);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_request_without_an_answer_sees_it_with_its_effect() {
    for (applied, deployments) in [(Applied::No, 0), (Applied::Yes, 1)] {
        let client = client();
        let world = client.world.clone();
        let waiting = async {
            let request = world.unanswered().await;
            (request, made(&client).await)
        };
        let silent = update(&client, FaultKind::Timeout { applied });
        let ((request, made), _) = tokio::join!(waiting, silent);
        assert_eq!((request.call, request.status), (Some("apps.update"), None));
        assert_eq!(
            (usize::from(request.applied), made),
            (deployments, deployments)
        );
        // And whoever comes later sees the same one.
        assert_eq!(world.unanswered().await.sequence, request.sequence);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_answer_may_hide_that_the_request_applied() {
    for (applied, deployments) in [(Applied::No, 0), (Applied::Yes, 1)] {
        for status in [500, 502, 401, 403, 404] {
            let client = client();
            let kind = FaultKind::Respond {
                status,
                headers: BTreeMap::new(),
                body: None,
                applied,
            };
            assert_eq!(update(&client, kind).await, Some(Ok(status)));
            assert_eq!(made(&client).await, deployments);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_comes_with_or_without_a_time_to_wait() {
    let client = client();
    for headers in [
        BTreeMap::new(),
        BTreeMap::from([("retry-after".to_owned(), "12".to_owned())]),
    ] {
        let wait = headers.get("retry-after").cloned().unwrap_or_default();
        let body = Some(json!({"id": "too_many_requests", "message": "API rate limit exceeded."}));
        let kind = FaultKind::Respond {
            status: 429,
            headers,
            body,
            applied: Applied::No,
        };
        client
            .world
            .arm(Fault::next(&format!("/v2/apps/{APP_ID}"), kind).method("GET"));
        let answer = client.get(APP).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (429, wait.as_str())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_may_apply_late_or_twice() {
    let client = client();
    assert_eq!(
        update(&client, FaultKind::AppliedLate { seconds: 100 }).await,
        None
    );
    assert_eq!(made(&client).await, 0);
    wait(40).await;
    assert_eq!(made(&client).await, 1);
    let late = client.deployments().await[0].clone();
    assert_eq!(late["created_at"], "2026-02-18T00:36:40Z");
    let puts = client
        .world
        .requests()
        .into_iter()
        .filter(|request| request.method == "PUT");
    let puts: Vec<_> = puts
        .map(|put| (put.fault.unwrap(), put.applied, put.status))
        .collect();
    assert_eq!(
        puts,
        [
            ("applied_late".to_owned(), 0, None),
            ("arrived_late".to_owned(), 1, Some(200))
        ]
    );
    assert_eq!(
        update(&client, FaultKind::AppliedTwice).await,
        Some(Ok(200))
    );
    assert_eq!(made(&client).await, 3);
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_be_cut_mislabelled_slow_or_old() {
    let client = client();
    let whole = client.get(APP).await.bytes;
    client
        .world
        .arm(Fault::next("apps.get", FaultKind::Truncated));
    let cut = client.get(APP).await;
    assert_eq!(
        (cut.status, cut.bytes.len(), &cut.body),
        (200, whole.len() / 2, &Value::Null)
    );
    client.world.arm(Fault::next(
        "apps.get",
        FaultKind::ContentType {
            value: "text/html".to_owned(),
        },
    ));
    assert_eq!(client.get(APP).await.header("content-type"), "text/html");
    client
        .world
        .arm(Fault::next("apps.get", FaultKind::Slow { seconds: 59 }));
    let before = tokio::time::Instant::now();
    client.get(APP).await;
    assert_eq!(before.elapsed().as_secs(), 59);
    client.update(&json!({"name": "shop"})).await;
    client.world.arm(Fault::next("apps.get", FaultKind::Stale));
    assert_eq!(client.spec().await["services"][0]["name"], "web");
    assert_eq!(client.spec().await, json!({"name": "shop"}));
}

#[tokio::test(start_paused = true)]
async fn one_gate_stands_before_both_worlds() {
    let client = client();
    let github = client.with_token("gh-token");
    client.world.arm(Fault::next("/repos/*", FaultKind::Refuse));
    assert!(
        github
            .try_send(Method::GET, "/repos/acme/shop", None)
            .await
            .is_err()
    );
    client.world.arm(Fault::next("/_live/*", FaultKind::Refuse));
    assert!(
        client
            .try_send(Method::GET, "/_live/shop/health", None)
            .await
            .is_err()
    );
    let [first, second] = client.world.requests().try_into().unwrap();
    assert_eq!((first.to, first.authorization), (Face::GitHub, true));
    assert_eq!((second.to, second.applied), (Face::Live, 0));
}

#[tokio::test(start_paused = true)]
async fn everything_is_recorded_with_what_came_of_it() {
    let client = client();
    assert_eq!(
        update(
            &client,
            FaultKind::Reset {
                applied: Applied::Yes
            }
        )
        .await,
        Some(Err("connection reset before the response".to_owned()))
    );
    client.again().anonymous().get(APP).await;
    let [read, write, refused] = client.world.requests().try_into().unwrap();
    assert_eq!(
        (read.sequence, read.call, read.status),
        (1, Some("apps.get"), Some(200))
    );
    assert_eq!(read.response.json()["app"]["id"], APP_ID);
    assert_eq!(
        (write.method.as_str(), write.status, write.applied),
        ("PUT", None, 1)
    );
    assert_eq!(
        (write.user.as_deref(), write.fault.as_deref()),
        (Some("dev@example.com"), Some("reset"))
    );
    assert_eq!(write.body["spec"]["jobs"][0]["name"], "once");
    assert_eq!(
        (refused.user, refused.authorization, refused.status),
        (None, false, Some(401))
    );
}
