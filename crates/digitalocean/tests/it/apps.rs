//! Apps: what is sent, and what is read.

use app_spec::AppId;
use digitalocean::{Client, ConfigError, Error, MonthlyCost, PutOutcome, transport};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;
use wiremock::ResponseTemplate;

use crate::fixture;
use crate::world::{TOKEN, client, client_of, in_process, json, reply, world};

#[tokio::test]
async fn an_app_is_read_with_the_token_and_the_servers_time() {
    let world = world().await;
    let answer = json(200, &json!({"app": fixture::app()}))
        .insert_header("date", "Wed, 18 Feb 2026 00:35:00 GMT");
    let path = format!("/v2/apps/{}", fixture::APP);
    world.answers(("GET", &path), answer, 1).await;

    let app = world.client.app(&fixture::app_id()).await.unwrap();
    assert_eq!(app.server_time.unwrap().to_string(), "2026-02-18T00:35:00Z");
    assert_eq!(app.value.spec.to_value(), fixture::spec_json());
    assert_eq!(app.value.active.unwrap().id, fixture::old());

    let seen = world.seen().await;
    let headers = &seen.first().unwrap().headers;
    assert_eq!(headers.get_all("authorization").iter().count(), 1);
    assert_eq!(headers["authorization"], format!("Bearer {TOKEN}").as_str());
    assert_eq!(headers["accept"], "application/json");
    let name = headers["user-agent"].to_str().unwrap();
    assert!(name.starts_with("harbor-pilot/"), "{name}");
}

#[tokio::test]
async fn a_path_in_the_api_address_is_kept() {
    for base_path in ["/proxy/do", "/proxy/do/"] {
        let world = world().await;
        let path = format!("/proxy/do/v2/apps/{}", fixture::APP);
        let answer = json(200, &json!({"app": fixture::app()}));
        world.answers(("GET", &path), answer, 1).await;
        let client = client(&format!("{}{base_path}", world.server.uri()));
        client.app(&fixture::app_id()).await.unwrap();
    }
}

#[tokio::test]
async fn an_id_cannot_lead_to_another_endpoint() {
    let (transport, record) = in_process(|_| reply(200, &[], &json!({"app": fixture::app()})));
    let client = client_of(transport);
    for id in ["", ".", ".."] {
        let error = client.app(&AppId::new(id)).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    }
    assert!(record.lock().unwrap().is_empty());
    client.app(&AppId::new("a/../b?c#d")).await.unwrap();
    let path = record.lock().unwrap().first().unwrap().path.clone();
    assert_eq!(path, "/v2/apps/a%2F..%2Fb%3Fc%23d");
}

/// Serves five apps on three pages of two, one of them twice, as when an app is made between two pages.
fn five_apps(asked: &str) -> Value {
    let app = |n: u32| fixture::app_called(&format!("id-{n}"), &format!("app-{}", n % 4));
    let next = json!({"pages": {"next": "https://evil.example.com/?page=9"}});
    match asked {
        "1" => json!({"apps": [app(1), app(2)], "links": next, "meta": {"total": 5}}),
        "2" => json!({"apps": [app(2), app(3)], "links": next, "meta": {"total": 5}}),
        "3" => {
            json!({"apps": [app(4), app(5)], "links": {"pages": {"prev": "x"}}, "meta": {"total": 5}})
        }
        page => panic!("page {page} was asked for"),
    }
}

#[tokio::test]
async fn all_pages_of_apps_are_read_and_each_app_is_there_once() {
    let (transport, record) = in_process(|seen| {
        assert_eq!(seen.query("per_page"), Some("200"));
        reply(200, &[], &five_apps(seen.query("page").unwrap()))
    });
    let apps = client_of(transport).apps().await.unwrap();
    let ids: Vec<_> = apps.iter().map(|app| app.id.as_str()).collect();
    assert_eq!(ids, ["id-1", "id-2", "id-3", "id-4", "id-5"]);
    assert_eq!(record.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_name_finds_none_one_or_many_apps() {
    let (transport, _) =
        in_process(|seen| reply(200, &[], &five_apps(seen.query("page").unwrap())));
    let client = client_of(transport);
    for (name, found) in [("app-9", 0), ("app-2", 1), ("app-1", 2)] {
        assert_eq!(client.app_named(name).await.unwrap().len(), found, "{name}");
    }
}

#[tokio::test]
async fn an_account_without_apps_has_an_empty_list() {
    for body in [
        json!({}),
        json!({"apps": null}),
        json!({"apps": [], "links": {}, "meta": {"total": 0}}),
    ] {
        let (transport, _) = in_process(move |_| reply(200, &[], &body));
        assert!(client_of(transport).apps().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_list_that_never_ends_is_given_up() {
    let (transport, record) = in_process(|seen| {
        let page = seen.query("page").unwrap();
        let app = fixture::app_called(page, "shop");
        reply(
            200,
            &[],
            &json!({"apps": [app], "links": {"pages": {"next": "x"}}}),
        )
    });
    let error = client_of(transport).apps().await.unwrap_err();
    assert!(
        matches!(error, Error::Endless { pages: 50, .. }),
        "{error:?}"
    );
    assert_eq!(record.lock().unwrap().len(), 50);
}

#[tokio::test]
async fn a_spec_is_proposed_for_its_app() {
    let world = world().await;
    let mut normalised = fixture::spec_json();
    normalised["services"][0]["run_command"] = json!("node .");
    let answer = json!({"app_name_available": true, "app_cost": 12, "spec": normalised});
    world
        .answers(("POST", "/v2/apps/propose"), json(200, &answer), 1)
        .await;

    let app = fixture::app_id();
    let proposal = world
        .client
        .propose(&fixture::spec(), Some(&app))
        .await
        .unwrap();
    assert_eq!(proposal.spec.to_value(), normalised);
    assert_eq!(proposal.cost, Some(MonthlyCost(12.0)));
    assert_eq!(proposal.raw["app_name_available"], json!(true));
    assert!(!format!("{proposal:?}").contains("EV["), "{proposal:?}");
    let spec = fixture::spec_json();
    let expected = format!(r#"{{"spec":{spec},"app_id":"{}"}}"#, fixture::APP);
    assert_eq!(world.only_body().await, expected);
}

#[tokio::test]
async fn a_spec_that_the_platform_refuses_comes_with_its_words() {
    let world = world().await;
    let text = "error validating app spec field \"services.health_check.port\": health check port \"9090\" not found";
    let answer = json!({"id": "bad_request", "message": text, "request_id": "req-1"});
    world
        .answers(("POST", "/v2/apps/propose"), json(400, &answer), 1)
        .await;
    let error = world
        .client
        .propose(&fixture::spec(), None)
        .await
        .unwrap_err();
    insta::assert_snapshot!(error, @"cannot have the spec of app `shop` checked: the platform refused it (400 Bad Request)");
    assert_eq!(error.platform_text().unwrap().as_str(), text);
    assert_eq!(error.attempt().request_id().unwrap().as_str(), "req-1");
    assert_eq!(
        world.only_body().await,
        json!({"spec": fixture::spec_json()}).to_string()
    );
}

#[tokio::test]
async fn an_update_sends_the_spec_byte_for_byte_and_keeps_sources() {
    let world = world().await;
    let path = format!("/v2/apps/{}", fixture::APP);
    let answer =
        json(200, &fixture::updated_app()).insert_header("date", "Wed, 18 Feb 2026 00:35:00 GMT");
    world.answers(("PUT", &path), answer, 1).await;

    let outcome = world
        .client
        .update_app(&fixture::app_id(), &fixture::spec())
        .await;
    let PutOutcome::Applied { app, deployment } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(deployment, Some(fixture::ours()));
    assert_eq!(app.server_time.unwrap().to_string(), "2026-02-18T00:35:00Z");
    let spec = fixture::spec_json();
    let expected = format!(r#"{{"spec":{spec},"update_all_source_versions":false}}"#);
    assert_eq!(world.only_body().await, expected);
    let seen = world.seen().await;
    assert_eq!(
        seen.first().unwrap().headers["content-type"],
        "application/json"
    );
}

#[tokio::test]
async fn an_update_whose_reply_names_no_deployment_is_still_applied() {
    let world = world().await;
    let path = format!("/v2/apps/{}", fixture::APP);
    let answer = json(200, &json!({"app": fixture::app()}));
    world.answers(("PUT", &path), answer, 1).await;
    let outcome = world
        .client
        .update_app(&fixture::app_id(), &fixture::spec())
        .await;
    assert!(
        matches!(
            outcome,
            PutOutcome::Applied {
                deployment: None,
                ..
            }
        ),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn the_tokens_budget_is_known_after_any_reply() {
    let world = world().await;
    assert_eq!(world.client.rate_limit(), None);
    let clone = world.client.clone();
    let answer = ResponseTemplate::new(404)
        .insert_header("ratelimit-limit", "5000")
        .insert_header("ratelimit-remaining", "17")
        .insert_header("ratelimit-reset", "1771376400");
    world
        .answers(("GET", &format!("/v2/apps/{}", fixture::APP)), answer, 1)
        .await;
    assert!(world.client.app(&fixture::app_id()).await.is_err());
    let limit = clone.rate_limit().unwrap();
    assert_eq!((limit.limit, limit.remaining), (Some(5000), 17));
    assert_eq!(limit.reset.unwrap().to_string(), "2026-02-18T01:00:00Z");
}

#[test]
fn only_https_or_this_machine_is_an_api_address() {
    let make = |base: &str, token: &str| {
        let (transport, _) = in_process(|_| reply(200, &[], &json!({})));
        Client::new(
            transport,
            &Url::parse(base).unwrap(),
            SecretString::from(token),
        )
    };
    for base in [
        "https://api.digitalocean.com",
        "http://127.0.0.1:8080/x",
        "http://localhost",
        "http://[::1]:1",
    ] {
        assert!(make(base, TOKEN).is_ok(), "{base}");
    }
    for base in [
        "http://api.digitalocean.com",
        "http://10.0.0.1",
        "ftp://localhost",
        "file:///etc/passwd",
    ] {
        let error = make(base, TOKEN).unwrap_err();
        assert!(matches!(error, ConfigError::NotHttps(_)), "{base}");
    }
    for base in [
        "https://user:pass@host",
        "https://host/?a=b",
        "https://host/#f",
    ] {
        let error = make(base, TOKEN).unwrap_err();
        assert!(matches!(error, ConfigError::NotABase), "{base}");
    }
    let error = make("https://host", "two words").unwrap_err();
    assert!(matches!(error, ConfigError::Token(_)));
}

#[tokio::test]
async fn no_text_about_a_client_or_its_errors_holds_the_token() {
    let base = Url::parse("https://api.digitalocean.com").unwrap();
    let transport = transport::https().unwrap();
    let client = Client::new(transport, &base, SecretString::from(TOKEN)).unwrap();
    assert!(!format!("{client:?}").contains("canary"), "{client:?}");

    let world = world().await;
    let outcome = world
        .client
        .update_app(&fixture::app_id(), &fixture::spec())
        .await;
    let PutOutcome::NotApplied(error) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(
        !format!("{error} {error:?}").contains("canary"),
        "{error:?}"
    );
}
