//! Database clusters and their firewalls.

use app_spec::FirewallRules;
use digitalocean::{ClusterStatus, Error, WriteOutcome};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::fixture;
use crate::world::{client_of, in_process, json, reply, world};

fn firewall_path() -> String {
    format!("/v2/databases/{}/firewall", fixture::CLUSTER)
}

#[tokio::test]
async fn clusters_are_listed_without_their_credentials() {
    let world = world().await;
    let body = json!({"databases": [fixture::database()]});
    world
        .answers(("GET", "/v2/databases"), json(200, &body), 1)
        .await;
    let clusters = world.client.databases().await.unwrap();
    let cluster = clusters.first().unwrap();
    assert_eq!(
        (cluster.name.as_str(), cluster.engine.as_str()),
        ("shop-mysql", "mysql")
    );
    assert_eq!(cluster.status, ClusterStatus::Online);
    assert!(!format!("{clusters:?}").contains("canary"), "{clusters:?}");
}

#[tokio::test]
async fn one_cluster_is_read_in_whatever_state() {
    let world = world().await;
    let mut database = fixture::database();
    database["status"] = json!("hibernating");
    let path = format!("/v2/databases/{}", fixture::CLUSTER);
    world
        .answers(("GET", &path), json(200, &json!({"database": database})), 1)
        .await;
    let cluster = world.client.database(&fixture::cluster()).await.unwrap();
    assert_eq!(cluster.id, fixture::cluster());
    assert_eq!(
        cluster.status,
        ClusterStatus::Other("hibernating".to_owned())
    );
}

#[tokio::test]
async fn an_account_without_clusters_has_an_empty_list() {
    for body in [json!({}), json!({"databases": null})] {
        let (transport, _) = in_process(move |_| reply(200, &[], &body));
        assert!(client_of(transport).databases().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_firewall_read_and_written_back_keeps_ids_and_descriptions() {
    let world = world().await;
    world
        .answers(("GET", &firewall_path()), json(200, &fixture::rules()), 1)
        .await;
    world
        .answers(("PUT", &firewall_path()), ResponseTemplate::new(204), 1)
        .await;
    let rules = world.client.firewall(&fixture::cluster()).await.unwrap();
    assert_eq!(rules.rules().count(), 2);
    let outcome = world.client.put_firewall(&fixture::cluster(), &rules).await;
    assert!(matches!(outcome, WriteOutcome::Applied(())), "{outcome:?}");
    let seen = world.seen().await;
    let written: Value = serde_json::from_slice(&seen.last().unwrap().body).unwrap();
    assert_eq!(
        written,
        json!({"rules": [
            {"uuid": "44444444-4444-4444-8444-444444444444", "type": "app", "value": fixture::APP},
            {"uuid": "66666666-6666-4666-8666-666666666666", "type": "ip_addr", "value": "203.0.113.7",
                "description": "debug"},
        ]})
    );
}

#[tokio::test]
async fn a_rule_that_makes_no_sense_is_not_passed_over() {
    let (transport, _) =
        in_process(|_| reply(200, &[], &json!({"rules": [{"type": "app"}, "canary"]})));
    let error = client_of(transport)
        .firewall(&fixture::cluster())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Decode { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("canary"));
}

#[tokio::test]
async fn a_firewall_of_no_rules_is_written_as_an_empty_list() {
    let world = world().await;
    world
        .answers(("PUT", &firewall_path()), ResponseTemplate::new(204), 1)
        .await;
    let outcome = world
        .client
        .put_firewall(&fixture::cluster(), &FirewallRules::default())
        .await;
    assert!(matches!(outcome, WriteOutcome::Applied(())), "{outcome:?}");
    assert_eq!(world.only_body().await, r#"{"rules":[]}"#);
}
