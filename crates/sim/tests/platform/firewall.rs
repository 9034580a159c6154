//! Database clusters and their trusted sources.

use crate::client::{APP_ID, Client, FIREWALL, client, job, wait};
use http::Method;
use serde_json::{Value, json};
use sim::{EmptyFirewall, JobExit};

async fn rules(client: &Client) -> Value {
    client.get(FIREWALL).await.ok()["rules"].take()
}

#[tokio::test(start_paused = true)]
async fn a_put_replaces_the_whole_list_and_keeps_what_is_known() {
    let client = client();
    let own = rules(&client).await[0].clone();
    wait(60).await;
    let added = json!({"type": "ip_addr", "value": "203.0.113.7", "description": "debug"});
    let put = client.put(FIREWALL, &json!({"rules": [own, added]})).await;
    assert_eq!((put.status, put.bytes.len()), (204, 0));
    let both = rules(&client).await;
    assert_eq!(both[0], own);
    assert_eq!(both[1]["description"], "debug");
    assert_eq!(both[1]["created_at"], "2026-02-18T00:36:00Z");
    assert_ne!(both[1]["uuid"], own["uuid"]);
    client
        .put(
            FIREWALL,
            &json!({"rules": [{"type": "app", "value": APP_ID}]}),
        )
        .await
        .ok();
    assert_eq!(
        rules(&client).await,
        json!([own]),
        "a rule sent without its id is recognised"
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_is_refused_whole() {
    let client = client();
    let before = rules(&client).await;
    let rule = |kind: &str, value: &str| json!({"type": kind, "value": value});
    for bad in [
        json!([rule("app", APP_ID), rule("galaxy", "x")]),
        json!([rule("ip_addr", "2001:db8::1")]),
        json!([rule("ip_addr", "")]),
        Value::Array(
            (0..101)
                .map(|number| rule("ip_addr", &format!("203.0.113.{number}")))
                .collect(),
        ),
        json!("none"),
    ] {
        assert_eq!(
            client.put(FIREWALL, &json!({"rules": bad})).await.status,
            422
        );
    }
    assert_eq!(rules(&client).await, before);
    assert_eq!(
        client
            .put("/v2/databases/nobody/firewall", &json!({"rules": []}))
            .await
            .status,
        404
    );
}

#[tokio::test(start_paused = true)]
async fn clusters_are_listed_and_their_credentials_guarded() {
    let client = client();
    let list = client.get("/v2/databases").await.ok();
    assert_eq!(list["meta"]["total"], 1);
    let one = client
        .get("/v2/databases/55555555-5555-4555-8555-555555555555")
        .await
        .ok();
    assert_eq!(one["database"]["status"], "online");
    assert_eq!(one["database"]["connection"]["user"], "doadmin");
    let reader = client.with_token("do-read");
    let one = reader
        .get("/v2/databases/55555555-5555-4555-8555-555555555555")
        .await
        .ok();
    assert_eq!(one["database"]["connection"]["user"], Value::Null);
    assert_eq!(one["database"]["connection"]["uri"], Value::Null);
    assert!(!one.to_string().contains("real-password"));
}

/// Runs a job that fails where it is given an address that refuses.
async fn reaches(client: &Client) -> bool {
    let mut connect = job(
        "once",
        "sh -c 'case $DATABASE_URL in *127.0.0.1:1/*) exit 1;; esac'",
    );
    connect["envs"] = json!([{"key": "DATABASE_URL", "value": "${db.DATABASE_URL}"}]);
    let made = client.insert(&connect).await;
    client.settle(&made).await;
    client.world.executions().last().unwrap().exit == JobExit::Code(0)
}

#[tokio::test(start_paused = true)]
async fn without_its_own_rule_an_app_does_not_reach_its_database() {
    let client = client();
    assert!(reaches(&client).await);
    client
        .put(
            FIREWALL,
            &json!({"rules": [{"type": "ip_addr", "value": "203.0.113.7"}]}),
        )
        .await
        .ok();
    wait(180).await;
    assert!(!reaches(&client).await);
    client
        .put(
            FIREWALL,
            &json!({"rules": [{"type": "app", "value": APP_ID}]}),
        )
        .await
        .ok();
    wait(180).await;
    assert!(reaches(&client).await);
}

#[tokio::test(start_paused = true)]
async fn a_change_takes_its_time_to_have_effect() {
    let client = client();
    client
        .world
        .turn(|knobs| knobs.firewall_propagation_seconds = 3600);
    client
        .put(
            FIREWALL,
            &json!({"rules": [{"type": "ip_addr", "value": "203.0.113.7"}]}),
        )
        .await
        .ok();
    assert_eq!(
        rules(&client).await[0]["type"],
        "ip_addr",
        "the API shows it at once"
    );
    assert!(reaches(&client).await);
    wait(3600).await;
    assert!(!reaches(&client).await);
}

#[tokio::test(start_paused = true)]
async fn an_empty_list_lets_nobody_in_or_everybody() {
    for (knob, wanted) in [(EmptyFirewall::Closed, false), (EmptyFirewall::Open, true)] {
        let client = client();
        client.world.turn(|knobs| {
            knobs.empty_firewall = knob;
            knobs.firewall_propagation_seconds = 0;
        });
        client
            .send(Method::PUT, FIREWALL, Some(&json!({"rules": []})))
            .await
            .ok();
        assert_eq!(reaches(&client).await, wanted);
    }
}
