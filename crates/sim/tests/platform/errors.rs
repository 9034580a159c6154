//! Who may ask what, how often, and how a refusal looks.

use crate::client::{APP, FIREWALL, client, wait};
use http::Method;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn an_unknown_token_is_401() {
    let client = client();
    for token in ["", "nobody", "gh-token"] {
        let refused = client.with_token(token).get(APP).await;
        assert_eq!(
            (refused.status, refused.body["id"].as_str()),
            (401, Some("unauthorized"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_scope_is_403_and_nothing_happens() {
    let client = client();
    let reader = client.with_token("do-read");
    let spec = reader.spec().await;
    for (method, path, body) in [
        (Method::PUT, APP.to_owned(), json!({"spec": spec})),
        (Method::POST, format!("{APP}/deployments"), json!({})),
        (
            Method::POST,
            format!("{APP}/rollback/validate"),
            json!({"deployment_id": "x"}),
        ),
        (Method::PUT, FIREWALL.to_owned(), json!({"rules": []})),
    ] {
        let refused = reader.send(method, &path, Some(&body)).await;
        assert_eq!(
            (refused.status, refused.body["id"].as_str()),
            (403, Some("forbidden"))
        );
    }
    assert_eq!(client.deployments().await.len(), 1);
    assert_eq!(
        reader
            .post("/v2/apps/propose", &json!({"spec": {"name": "other"}}))
            .await
            .status,
        200
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_404_and_a_wrong_verb_405() {
    let client = client();
    let missing = client
        .get("/v2/apps/99999999-9999-4999-8999-999999999999")
        .await;
    assert_eq!(
        (missing.status, missing.message()),
        (404, "The resource you requested could not be found.")
    );
    let unroutable = client.get("/v2/nothing/here").await;
    assert_eq!(
        (unroutable.status, unroutable.message()),
        (404, "Your request could not be routed.")
    );
    assert_eq!(client.send(Method::PATCH, APP, None).await.status, 405);
    let invalid = client.get("/v2/apps/shop").await;
    assert_eq!((invalid.status, invalid.message()), (400, "invalid uuid"));
    assert_eq!(
        client.get(&format!("{APP}/deployments/none")).await.status,
        404
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_names_its_request() {
    let client = client();
    let refused = client.get("/v2/nothing").await;
    assert_eq!(refused.body["request_id"], refused.header("x-request-id"));
    assert_ne!(
        client.get("/v2/nothing").await.header("x-request-id"),
        refused.header("x-request-id")
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_object_is_400() {
    let client = client();
    assert_eq!(client.put(APP, &json!("spec")).await.status, 400);
    assert_eq!(client.put(APP, &json!({})).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn the_allowance_is_counted_down_in_a_sliding_window() {
    let client = client();
    client.world.turn(|knobs| knobs.rate_limit_hour = 3);
    let first = client.get(APP).await;
    assert_eq!(
        (
            first.header("ratelimit-limit"),
            first.header("ratelimit-remaining")
        ),
        ("3", "2")
    );
    assert_eq!(first.header("ratelimit-reset"), "1771378500");
    wait(600).await;
    client.get(APP).await;
    client.get(APP).await;
    let over = client.get(APP).await;
    assert_eq!(
        (over.status, over.body["id"].as_str()),
        (429, Some("too_many_requests"))
    );
    assert_eq!(
        (
            over.header("ratelimit-remaining"),
            over.header("retry-after")
        ),
        ("0", "")
    );
    assert_eq!(
        client.with_token("do-read").get(APP).await.status,
        200,
        "each token has its own"
    );
    wait(3000).await;
    assert_eq!(client.get(APP).await.header("ratelimit-remaining"), "0");
}

#[tokio::test(start_paused = true)]
async fn only_the_burst_limit_says_when_to_come_back() {
    let client = client();
    client.world.turn(|knobs| knobs.rate_limit_minute = 2);
    client.get(APP).await;
    wait(20).await;
    client.get(APP).await;
    let over = client.get(APP).await;
    assert_eq!((over.status, over.header("retry-after")), (429, "40"));
    wait(40).await;
    assert_eq!(client.get(APP).await.status, 200);
}
