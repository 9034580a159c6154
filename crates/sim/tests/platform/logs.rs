//! Logs: when they can be had, and what their URLs allow.

use crate::client::{APP, Answer, Client, client, id, job, text, wait};
use flate2::read::GzDecoder;
use serde_json::json;
use sim::{LogAnswer, LogArchive, LogEncoding};
use std::io::Read as _;

/// A client with a job whose process began five seconds ago.
async fn running() -> (Client, String) {
    let client = client();
    let made = client
        .insert(&job("once", "sh -c 'echo first; echo second; exit 7'"))
        .await;
    wait(530).await;
    (client, made)
}

async fn logs(client: &Client, deployment: &str) -> Answer {
    client
        .get(&format!(
            "{APP}/deployments/{deployment}/components/once/logs?type=DEPLOY&follow=false"
        ))
        .await
}

async fn urls(client: &Client, deployment: &str) -> Vec<String> {
    let answer = logs(client, deployment).await.ok();
    answer["historic_urls"]
        .as_array()
        .unwrap()
        .iter()
        .map(text)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_log_is_refused_before_the_job_and_archived_after_it() {
    let client = client();
    let made = client
        .insert(&job("once", "sh -c 'echo first; echo second; exit 7'"))
        .await;
    wait(500).await;
    assert_eq!(logs(&client, &made).await.status, 400);
    wait(30).await;
    assert_eq!(urls(&client, &made).await, Vec::<String>::new());
    wait(100).await;
    let [url] = urls(&client, &made).await.try_into().unwrap();
    let log = client.again().anonymous().get(&url).await;
    insta::assert_snapshot!(log.text(), @"
    once 2026-02-18T00:44:15.000000000Z first
    once 2026-02-18T00:44:45.000000000Z second
    once 2026-02-18T00:45:15.000000000Z ERROR component terminated with non-zero exit code: 7
    ");
}

#[tokio::test(start_paused = true)]
async fn a_growing_log_may_be_archived_from_the_start() {
    let (client, made) = running().await;
    client
        .world
        .turn(|knobs| knobs.log_archive = LogArchive::WhileRunning);
    let [url] = urls(&client, &made).await.try_into().unwrap();
    let anonymous = client.again().anonymous();
    assert_eq!(anonymous.get(&url).await.text(), "");
    wait(30).await;
    assert!(anonymous.get(&url).await.text().ends_with(" first\n"));
}

#[tokio::test(start_paused = true)]
async fn a_log_may_be_late() {
    let (client, made) = running().await;
    client.world.turn(|knobs| knobs.log_delay_seconds = 60);
    client.settle(&made).await;
    assert_eq!(urls(&client, &made).await.len(), 0);
    wait(60).await;
    assert_eq!(urls(&client, &made).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_log_may_never_come() {
    let (client, made) = running().await;
    client.settle(&made).await;
    client
        .world
        .turn(|knobs| knobs.log_answer = LogAnswer::Empty);
    assert_eq!(urls(&client, &made).await.len(), 0);
    client
        .world
        .turn(|knobs| knobs.log_answer = LogAnswer::BadRequest);
    assert_eq!(logs(&client, &made).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn a_presigned_url_is_good_for_fifteen_minutes_and_wants_no_other_authorisation() {
    let (client, made) = running().await;
    client.settle(&made).await;
    let [url] = urls(&client, &made).await.try_into().unwrap();
    let anonymous = client.again().anonymous();
    assert_eq!(anonymous.get(&url).await.status, 200);
    assert_eq!(
        client.get(&url).await.status,
        400,
        "with an Authorization header"
    );
    assert_eq!(
        anonymous
            .get(&url.replace("Signature=", "Signature=0"))
            .await
            .status,
        403
    );
    assert_eq!(
        anonymous.get(url.split('?').next().unwrap()).await.status,
        403
    );
    wait(899).await;
    assert_eq!(anonymous.get(&url).await.status, 200);
    wait(1).await;
    assert_eq!(anonymous.get(&url).await.status, 403);
    assert_eq!(
        anonymous.get(&urls(&client, &made).await[0]).await.status,
        200
    );
}

#[tokio::test(start_paused = true)]
async fn a_log_may_be_split_and_compressed() {
    let (client, made) = running().await;
    client.settle(&made).await;
    let whole = client
        .again()
        .anonymous()
        .get(&urls(&client, &made).await[0])
        .await
        .text();
    client.world.turn(|knobs| {
        knobs.log_parts = 2;
        knobs.log_encoding = LogEncoding::Gzip;
    });
    let mut joined = String::new();
    for url in urls(&client, &made).await {
        let part = client.again().anonymous().get(&url).await;
        assert_eq!(part.bytes.get(..2), Some(&[0x1f, 0x8b][..]));
        assert_eq!(part.header("content-encoding"), "");
        GzDecoder::new(&part.bytes[..])
            .read_to_string(&mut joined)
            .unwrap();
    }
    assert_eq!(joined, whole);
}

#[tokio::test(start_paused = true)]
async fn following_gives_a_live_url_that_reads_as_text() {
    let (client, made) = running().await;
    let place =
        format!("{APP}/deployments/{made}/logs?type=DEPLOY&follow=true&component_name=once");
    let answer = client.get(&place).await.ok();
    wait(40).await;
    let live = client
        .again()
        .anonymous()
        .get(&text(&answer["live_url"]))
        .await;
    assert!(
        live.text().starts_with("once 2026-02-18T00:44:"),
        "{}",
        live.text()
    );
    assert_eq!(logs(&client, &made).await.ok()["live_url"], json!(null));
}

#[tokio::test(start_paused = true)]
async fn the_whole_deployment_has_a_log_too() {
    let (client, made) = running().await;
    client.settle(&made).await;
    let answer = client
        .get(&format!("{APP}/deployments/{made}/logs?type=DEPLOY"))
        .await
        .ok();
    let log = client
        .again()
        .anonymous()
        .get(&text(&answer["historic_urls"][0]))
        .await
        .text();
    assert!(log.starts_with("web ") && log.contains("\nonce "), "{log}");
    let build = client
        .get(&format!(
            "{APP}/deployments/{made}/components/once/logs?type=BUILD"
        ))
        .await
        .ok();
    let log = client
        .again()
        .anonymous()
        .get(&text(&build["historic_urls"][0]))
        .await
        .text();
    assert!(log.contains("build complete"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn without_a_deployment_the_active_one_is_meant() {
    let client = client();
    let made = client.update(&client.spec().await).await;
    client.settle(&made).await;
    for place in [
        format!("{APP}/logs?type=BUILD"),
        format!("{APP}/components/web/logs?type=BUILD"),
    ] {
        let answer = client.get(&place).await.ok();
        assert!(text(&answer["historic_urls"][0]).contains(&made));
    }
}

#[tokio::test(start_paused = true)]
async fn running_logs_of_a_dead_deployment_are_refused() {
    let client = client();
    let old = id(&client.app().await["active_deployment"]);
    assert_eq!(
        client
            .get(&format!("{APP}/components/web/logs?type=RUN"))
            .await
            .status,
        200
    );
    let made = client.update(&client.spec().await).await;
    client.settle(&made).await;
    let refused = client
        .get(&format!(
            "{APP}/deployments/{old}/components/web/logs?type=RUN"
        ))
        .await;
    assert_eq!(
        (refused.status, refused.message()),
        (
            400,
            format!("cannot get running logs from deployment {old} in phase final_cleanup")
                .as_str()
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_log_needs_a_type_and_a_component_that_exists() {
    let client = client();
    assert_eq!(client.get(&format!("{APP}/logs")).await.status, 400);
    assert_eq!(
        client
            .get(&format!("{APP}/components/nobody/logs?type=BUILD"))
            .await
            .status,
        404
    );
}
