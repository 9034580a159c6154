//! Deployments and runs of jobs.

use app_spec::{InvocationId, Phase};
use digitalocean::{LOOK_BACK_PAGES, Page, WriteOutcome};
use serde_json::{Value, json};

use crate::fixture;
use crate::world::{Seen, client_of, in_process, json, reply, world};

fn deployments_path() -> String {
    format!("/v2/apps/{}/deployments", fixture::APP)
}

#[tokio::test]
async fn a_page_of_deployments_is_read_newest_first() {
    let world = world().await;
    let rows = [
        fixture::deployment(fixture::OURS, "BUILDING"),
        fixture::deployment(fixture::OLD, "ACTIVE"),
    ];
    let body =
        json!({"deployments": rows, "links": {"pages": {"next": "x"}}, "meta": {"total": 9}});
    let answer = json(200, &body).insert_header("date", "Wed, 18 Feb 2026 00:35:00 GMT");
    world.answers(("GET", &deployments_path()), answer, 1).await;
    let page = Page {
        number: 3,
        per_page: 2,
    };
    let listed = world
        .client
        .deployments(&fixture::app_id(), page)
        .await
        .unwrap();
    assert!(listed.server_time.is_some());
    let ids: Vec<_> = listed
        .value
        .items
        .iter()
        .map(|row| row.id.clone())
        .collect();
    assert_eq!(ids, [fixture::ours(), fixture::old()]);
    assert_eq!((listed.value.more, listed.value.total), (true, Some(9)));
    let seen = world.seen().await;
    assert_eq!(seen.first().unwrap().url.query(), Some("page=3&per_page=2"));
}

/// A history of `total` deployments on pages of two; one new one appears while it is read.
fn history(seen: &Seen, total: usize) -> http::Response<String> {
    let page: usize = seen.query("page").unwrap().parse().unwrap();
    // From the second page on, everything has moved one row down.
    let newest = if page == 1 { total } else { total + 1 };
    let row = |back: usize| {
        let n = newest.checked_sub(back)?;
        (n > 0).then(|| fixture::deployment(&format!("d{n}"), "SUPERSEDED"))
    };
    let rows: Vec<Value> = [(page - 1) * 2, (page - 1) * 2 + 1]
        .into_iter()
        .filter_map(row)
        .collect();
    let pages = if page * 2 < newest {
        json!({"next": "x", "prev": "x"})
    } else {
        json!({"prev": "x"})
    };
    reply(
        200,
        &[],
        &json!({"deployments": rows, "links": {"pages": pages}}),
    )
}

#[tokio::test]
async fn looking_back_reads_each_deployment_once_and_to_the_first() {
    let (transport, record) = in_process(|seen| history(seen, 5));
    let client = client_of(transport);
    let app = fixture::app_id();
    let back = client
        .deployments_back(&app, LOOK_BACK_PAGES)
        .collect()
        .await
        .unwrap();
    let ids: Vec<_> = back.deployments.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["d5", "d4", "d3", "d2", "d1"]);
    assert!(back.complete);
    let record = record.lock().unwrap();
    assert_eq!(record.len(), 3);
    assert!(
        record
            .iter()
            .all(|seen| seen.query("per_page") == Some("200"))
    );
}

#[tokio::test]
async fn looking_back_ends_with_its_pages_and_says_that_there_is_more() {
    let (transport, record) = in_process(|seen| history(seen, 50));
    let client = client_of(transport);
    let app = fixture::app_id();
    let back = client.deployments_back(&app, 3).collect().await.unwrap();
    assert_eq!((back.deployments.len(), back.complete), (5, false));
    assert_eq!(record.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn looking_back_reads_no_page_before_it_is_needed() {
    let (transport, record) = in_process(|seen| history(seen, 50));
    let client = client_of(transport);
    let app = fixture::app_id();
    let mut back = client.deployments_back(&app, 3);
    assert_eq!(record.lock().unwrap().len(), 0);
    for _ in 0..2 {
        back.next().await.unwrap().unwrap();
    }
    assert_eq!(record.lock().unwrap().len(), 1);
    assert!(!back.is_complete());
    assert!(
        client
            .deployments_back(&app, 0)
            .next()
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_deployment_is_read_by_its_id() {
    let world = world().await;
    let path = format!("{}/{}", deployments_path(), fixture::OURS);
    let body = json!({"deployment": fixture::deployment(fixture::OURS, "DEPLOYING")});
    world.answers(("GET", &path), json(200, &body), 1).await;
    let read = world
        .client
        .deployment(&fixture::app_id(), &fixture::ours())
        .await
        .unwrap();
    assert_eq!(
        (read.value.id, read.value.phase),
        (fixture::ours(), Phase::Deploying)
    );
    assert!(
        read.server_time.is_some(),
        "the mock server dates its replies"
    );
}

#[tokio::test]
async fn a_deployment_is_cancelled() {
    let world = world().await;
    let path = format!("{}/{}/cancel", deployments_path(), fixture::OURS);
    let body = json!({"deployment": fixture::deployment(fixture::OURS, "CANCELED")});
    world.answers(("POST", &path), json(200, &body), 1).await;
    let outcome = world
        .client
        .cancel_deployment(&fixture::app_id(), &fixture::ours())
        .await;
    let WriteOutcome::Applied(cancelled) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(cancelled.value.phase, Phase::Canceled);
}

#[tokio::test]
async fn the_probe_for_the_write_scope_only_validates() {
    let world = world().await;
    let path = format!("/v2/apps/{}/rollback/validate", fixture::APP);
    let body =
        json!({"valid": false, "error": {"code": "app_pinned", "message": "m", "components": []}});
    world.answers(("POST", &path), json(200, &body), 1).await;
    let check = world
        .client
        .probe_write_scope(&fixture::app_id(), &fixture::old())
        .await
        .unwrap();
    assert!(!check.valid);
    assert_eq!(check.code.unwrap().as_str(), "app_pinned");
    let expected = json!({"deployment_id": fixture::OLD, "skip_pin": true});
    assert_eq!(world.only_body().await, expected.to_string());
}

#[tokio::test]
async fn job_runs_are_listed_over_all_pages() {
    let (transport, record) = in_process(|seen| {
        assert_eq!(seen.query("deployment_id"), Some(fixture::OURS));
        let first = seen.query("page") == Some("1");
        let pages = if first {
            json!({"next": "x"})
        } else {
            json!({"prev": "x"})
        };
        let body = json!({"job_invocations": [fixture::invocation()], "links": {"pages": pages}});
        reply(200, &[], &body)
    });
    let ours = fixture::ours();
    let runs = client_of(transport)
        .job_invocations(&fixture::app_id(), Some(&ours))
        .await
        .unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!(runs.first().unwrap().job_name, fixture::job().as_str());
    assert_eq!(record.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn an_app_without_job_runs_has_an_empty_list() {
    for body in [json!({}), json!({"job_invocations": null, "links": {}})] {
        let (transport, record) = in_process(move |_| reply(200, &[], &body));
        let runs = client_of(transport)
            .job_invocations(&fixture::app_id(), None)
            .await
            .unwrap();
        assert!(runs.is_empty());
        assert_eq!(
            record
                .lock()
                .unwrap()
                .first()
                .unwrap()
                .query("deployment_id"),
            None
        );
    }
}

#[tokio::test]
async fn a_job_run_is_cancelled_with_or_without_the_wrapper_in_the_reply() {
    for body in [
        fixture::invocation(),
        json!({"job_invocation": fixture::invocation()}),
    ] {
        let world = world().await;
        let id = "77777777-7777-4777-8777-777777777777";
        let path = format!("/v2/apps/{}/job-invocations/{id}/cancel", fixture::APP);
        world.answers(("POST", &path), json(200, &body), 1).await;
        let run = InvocationId::new(id);
        let outcome = world
            .client
            .cancel_job_invocation(&fixture::app_id(), &run, &fixture::job())
            .await;
        let WriteOutcome::Applied(cancelled) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(cancelled.value.id, run);
        let seen = world.seen().await;
        assert_eq!(
            seen.first().unwrap().url.query(),
            Some("job_name=migrate-k3f9q2x7-e0")
        );
    }
}
