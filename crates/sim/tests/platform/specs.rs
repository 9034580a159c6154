//! What an update does to a spec, and what is refused.

use crate::client::{APP, APP_ID, Client, client, job};
use serde_json::{Value, json};
use sim::{Clock, EvInNewComponent, EvOnRead, ReadBack, UnknownField, World, WorldConfig};

async fn refused(client: &Client, edit: impl FnOnce(&mut Value)) -> String {
    let mut spec = client.spec().await;
    edit(&mut spec);
    let answer = client.put(APP, &json!({"spec": spec})).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    answer.message().to_owned()
}

#[tokio::test(start_paused = true)]
async fn an_update_replaces_the_whole_spec() {
    let client = client();
    let mut spec = client.spec().await;
    for section in ["databases", "domains", "alerts", "features"] {
        spec.as_object_mut().unwrap().shift_remove(section);
    }
    client.update(&spec).await;
    assert_eq!(client.spec().await, spec);
    assert_eq!(client.app().await["domains"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_spec_sent_back_reads_the_same() {
    let client = client();
    let spec = client.spec().await;
    client.update(&spec).await;
    assert_eq!(client.spec().await, spec);
}

#[tokio::test(start_paused = true)]
async fn read_back_is_normalised_or_verbatim() {
    let mut added = job("once", "x");
    added["github"]["deploy_on_push"] = json!(false);
    added["envs"] = json!([{"key": "A", "value": "1", "type": "GENERAL", "scope": "RUN_TIME"}]);
    for knob in [ReadBack::Normalised, ReadBack::Verbatim] {
        let client = client();
        client.world.turn(|knobs| knobs.read_back = knob);
        client.insert(&added).await;
        let seen = client.spec().await["jobs"][0].clone();
        match knob {
            ReadBack::Verbatim => assert_eq!(seen, added),
            ReadBack::Normalised => assert_eq!(
                seen,
                json!({"name": "once", "kind": "POST_DEPLOY", "github": {"repo": "acme/shop", "branch": "main"},
                    "run_command": "x", "envs": [{"key": "A", "value": "1", "scope": "RUN_TIME"}],
                    "instance_size_slug": "apps-s-1vcpu-0.5gb", "instance_count": 1})
            ),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_are_the_platform_s() {
    let client = client();
    let mut said = vec![
        refused(&client, |spec| spec["jobs"] = json!([job("web", "x")])).await,
        refused(&client, |spec| spec["jobs"] = json!([job("Once", "x")])).await,
        refused(&client, |spec| {
            spec["databases"][0]["cluster_name"] = json!("nobody")
        })
        .await,
        refused(&client, |spec| {
            spec["services"][0]["github"]["repo"] = json!("acme/secret")
        })
        .await,
        refused(&client, |spec| {
            spec["services"][0]["health_check"]["port"] = json!(9090)
        })
        .await,
        refused(&client, |spec| {
            let rule = spec["ingress"]["rules"][0].clone();
            spec["ingress"]["rules"].as_array_mut().unwrap().push(rule);
        })
        .await,
    ];
    said.dedup();
    insta::assert_snapshot!(said.join("\n"), @r#"
    error validating app spec field "jobs.name": component name "web" is already in use
    error validating app spec field "jobs.name": must be 2 to 32 lower case letters, digits and hyphens
    database cluster was not found
    GitHub user does not have access to acme/secret, or it has no branch main
    error validating app spec field "services.health_check.port": health check port "9090" not found in internal_ports
    error validating app spec field "ingress.rules": rule matching path prefix '/' already in use
    "#);
    assert_eq!(client.deployments().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_field_is_kept_or_refused() {
    let client = client();
    let mut spec = client.spec().await;
    spec["services"][0]["colour"] = json!("red");
    client.update(&spec).await;
    assert_eq!(client.spec().await["services"][0]["colour"], "red");
    client
        .world
        .turn(|knobs| knobs.unknown_spec_field = UnknownField::Reject);
    let said = refused(&client, |_| {}).await;
    assert_eq!(
        said,
        "error validating app spec field \"services.colour\": unknown field"
    );
}

fn secret(spec: &Value) -> &Value {
    &spec["services"][0]["envs"][1]["value"]
}

#[tokio::test(start_paused = true)]
async fn a_secret_reads_back_encrypted_and_survives_being_sent_back() {
    let client = client();
    let spec = client.spec().await;
    let text = secret(&spec).as_str().unwrap();
    assert!(text.starts_with("EV[1:") && text.ends_with(']'));
    assert!(!client.app().await.to_string().contains("plain-jwt-secret"));
    client.update(&spec).await;
    assert_eq!(secret(&client.spec().await), text);
}

#[tokio::test(start_paused = true)]
async fn a_secret_without_a_value_is_wiped() {
    let client = client();
    let mut spec = client.spec().await;
    spec["services"][0]["envs"][1]["value"] = json!("");
    client.update(&spec).await;
    assert_eq!(secret(&client.spec().await), &Value::Null);
}

#[tokio::test(start_paused = true)]
async fn an_encrypted_value_from_elsewhere_is_refused() {
    let client = client();
    let said = refused(&client, |spec| {
        spec["services"][0]["envs"][1]["value"] = json!("EV[1:bm9uY2U=:Y2lwaGVy]")
    })
    .await;
    assert_eq!(
        said,
        "error validating app spec field \"envs.1.value\": secret env value could not be decrypted"
    );
}

#[tokio::test(start_paused = true)]
async fn an_encrypted_value_in_another_component_follows_its_knob() {
    for knob in [
        EvInNewComponent::Accepted,
        EvInNewComponent::Rejected,
        EvInNewComponent::Undecryptable,
    ] {
        let client = client();
        client.world.turn(|knobs| knobs.ev_in_new_component = knob);
        let mut spec = client.spec().await;
        let mut copy = job("once", "sh -c 'test \"$JWT_SECRET\" = plain-jwt-secret'");
        copy["envs"] = json!([spec["services"][0]["envs"][1]]);
        spec["jobs"] = json!([copy]);
        let answer = client.put(APP, &json!({"spec": spec})).await;
        if knob == EvInNewComponent::Rejected {
            assert_eq!(answer.status, 400);
            continue;
        }
        let made = answer.ok()["app"]["pending_deployment"]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let phase = client.settle(&made).await;
        assert_eq!(
            phase,
            if knob == EvInNewComponent::Accepted {
                "ACTIVE"
            } else {
                "ERROR"
            }
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_may_read_differently_each_time_and_every_text_stays_good() {
    let client = client();
    client
        .world
        .turn(|knobs| knobs.ev_on_read = EvOnRead::Changing);
    let first = client.spec().await;
    let second = client.spec().await;
    assert_ne!(secret(&first), secret(&second));
    client.update(&first).await;
    client.update(&second).await;
}

#[tokio::test(start_paused = true)]
async fn propose_shows_the_normalised_spec_and_changes_nothing() {
    let client = client();
    let mut spec = client.spec().await;
    spec["jobs"] =
        json!([{"name": "once", "image": {"registry_type": "DOCR", "repository": "shop"}}]);
    let answer = client
        .post("/v2/apps/propose", &json!({"spec": spec, "app_id": APP_ID}))
        .await
        .ok();
    assert_eq!(answer["spec"]["jobs"][0]["kind"], "POST_DEPLOY");
    assert_eq!(answer["app_cost"], 17);
    assert_eq!(answer["app_name_available"], true);
    assert_eq!(client.spec().await["jobs"], Value::Null);
    assert_eq!(client.deployments().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn propose_without_the_app_refuses_encrypted_values() {
    let client = client();
    let refused = client
        .post("/v2/apps/propose", &json!({"spec": client.spec().await}))
        .await;
    assert_eq!(
        (refused.status, refused.message()),
        (
            400,
            "errors validating app spec; first error in field \"envs.1.value\": \
             secret env value must not be encrypted before app is created"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn propose_refuses_what_the_knob_says() {
    let client = client();
    client
        .world
        .turn(|knobs| knobs.propose_refusal = Some("quota exceeded".to_owned()));
    let refused = client
        .post(
            "/v2/apps/propose",
            &json!({"spec": client.spec().await, "app_id": APP_ID}),
        )
        .await;
    assert_eq!((refused.status, refused.message()), (400, "quota exceeded"));
}

#[tokio::test(start_paused = true)]
async fn a_world_file_is_read_strictly() {
    let clock = || Clock::starting_at("2026-02-18T00:35:00Z".parse().unwrap());
    assert!(WorldConfig::read(r#"{"aps": []}"#).is_err());
    let file = |id: &str, repo: &str| {
        json!({"apps": [{"id": id, "spec": {"name": "shop",
            "services": [{"name": "web", "github": {"repo": repo, "branch": "main"}}]}}]})
        .to_string()
    };
    let set_up = |text: &str| {
        World::new(WorldConfig::read(text).unwrap(), clock())
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        set_up(&file("1", "acme/shop")),
        "cannot set up app `1`: its id is not a UUID"
    );
    assert!(
        set_up(&file(APP_ID, "acme/shop"))
            .contains("GitHub user does not have access to acme/shop")
    );
}

#[tokio::test(start_paused = true)]
async fn an_app_name_belongs_to_one_app() {
    let web = |name: &str| json!({"name": name, "services": [{"name": "web", "image": {"registry_type": "DOCR", "repository": "x"}}]});
    let file = json!({"tokens": [{"token": "do-token", "user": "dev@example.com", "scopes": ["*"]}],
        "apps": [{"id": APP_ID, "spec": web("one")},
            {"id": "22222222-2222-4222-8222-222222222222", "spec": web("two")}]});
    let clock = Clock::starting_at("2026-02-18T00:35:00Z".parse().unwrap());
    let client =
        Client::of(World::new(WorldConfig::read(&file.to_string()).unwrap(), clock).unwrap());
    assert_eq!(
        client.put(APP, &json!({"spec": web("two")})).await.status,
        409
    );
    let proposed = client
        .post("/v2/apps/propose", &json!({"spec": web("two")}))
        .await
        .ok();
    assert_eq!(
        (
            &proposed["app_name_available"],
            &proposed["app_name_suggestion"]
        ),
        (&json!(false), &json!("two-2"))
    );
    assert_eq!(
        client.get("/v2/apps?per_page=1").await.ok()["meta"]["total"],
        2
    );
}
