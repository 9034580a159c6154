//! No secret in debug texts and diffs.

use app_spec::{
    App, AppSpec, ComponentName, Deployment, Env, EnvScope, JobComponent, redacted_diff,
};
use serde_json::{Value, json};

use crate::{shop, spec};

/// Stands in every value that must not be seen.
const CANARY: &str = "canary";

/// A spec with a secret in every place that can hold one; `n` makes each of them another.
fn full(n: u32) -> AppSpec {
    let secret = format!("{CANARY}{n}");
    spec(json!({
        "name": "shop",
        "envs": [{"key": "APP_WIDE", "type": "SECRET", "value": format!("EV[1:{secret}:x]")}],
        "services": [{
            "name": "web",
            "git": {"repo_clone_url": format!("https://user:{secret}@git.example.com/a.git"), "branch": "main"},
            "envs": [
                {"key": "JWT", "type": "SECRET", "value": secret},
                {"key": "ODD", "type": "NEW_KIND", "value": secret},
                {"key": "UNTYPED", "value": format!("EV[1:{secret}:x]")},
                {"key": "STRIPE_API_KEY", "value": secret},
                {"key": "NUMBER_TOKEN", "type": "SECRET", "value": [secret]},
                {"key": "DB", "value": format!("mysql://root:{secret}@db.example.com:25060/x")},
                {"key": "PLAIN", "value": "shown"}
            ],
            "log_destinations": [
                {"name": "dd", "datadog": {"endpoint": "https://e.example", "api_key": secret}},
                {"name": "lt", "logtail": {"token": secret}},
                {"name": "os", "open_search": {"basic_auth": {"user": secret, "password": secret}}}
            ]
        }],
        "workers": [{"name": "worker", "image": {"repository": "shop", "registry_credentials": secret}}],
        "databases": [{"name": "db", "engine": "MYSQL"}]
    }))
}

#[test]
fn no_debug_text_shows_a_secret() {
    let mut spec = full(1).raw().clone();
    // A field that nobody knows is kept in the document and shown by none of its types.
    spec["databases"][0]["new_field"] = json!(CANARY);
    spec["services"][0]["run_command"] = json!(CANARY);
    let spec = AppSpec::from(spec);
    let row = json!({"id": "d", "spec": spec.to_value()});
    let app = json!({"id": "a", "spec": spec.to_value(), "active_deployment": row});
    let name = ComponentName::parse("migrate-k3f9q2x7-e0").unwrap();
    let builder = JobComponent::copy_of(&spec.component("worker").unwrap(), name)
        .unwrap()
        .env(Env::secret("TOKEN", CANARY, &EnvScope::RunTime));
    let texts = [
        format!("{spec:#?}"),
        format!("{:#?}", spec.components().collect::<Vec<_>>()),
        format!("{:#?}", spec.databases().collect::<Vec<_>>()),
        format!("{:#?}", spec.app_envs().collect::<Vec<_>>()),
        format!("{:#?}", App::from_value(&app).unwrap()),
        format!("{:#?}", Deployment::from_value(&row).unwrap()),
        format!("{builder:#?}"),
        format!("{:#?}", builder.build().unwrap()),
    ];
    for text in texts {
        assert!(!text.contains(CANARY), "{text}");
    }
}

#[test]
fn no_diff_shows_a_secret_whether_it_is_changed_unchanged_new_or_gone() {
    let bare = spec(json!({"name": "shop"}));
    let mut reordered = full(1).raw().clone();
    reordered["services"][0]["envs"]
        .as_array_mut()
        .unwrap()
        .reverse();
    let plain_now: Value = serde_json::from_str(
        &full(1)
            .to_value()
            .to_string()
            .replace("\"SECRET\"", "\"GENERAL\"")
            .replace("JWT", "JW"),
    )
    .unwrap();
    let others = [
        bare,
        full(2),
        AppSpec::from(reordered),
        spec(json!({"name": CANARY.len()})),
    ];
    for other in others {
        for diff in [
            redacted_diff(&full(1), &other),
            redacted_diff(&other, &full(1)),
        ] {
            assert!(!diff.is_empty());
            assert!(!diff.contains(CANARY), "{diff}");
        }
    }
    // A value that one side calls plain is shown only where the other side has no such variable.
    let turned = redacted_diff(&full(1), &spec(plain_now));
    assert_eq!(turned.matches(CANARY).count(), 1, "{turned}");
}

#[test]
fn a_value_that_was_secret_is_not_shown_once_somebody_calls_it_plain() {
    let secret = spec(json!({"envs": [{"key": "K", "type": "SECRET", "value": CANARY}]}));
    let plain = spec(json!({"envs": [{"key": "K", "value": CANARY}]}));
    for diff in [
        redacted_diff(&secret, &plain),
        redacted_diff(&plain, &secret),
    ] {
        assert!(diff.contains("<secret, unchanged>"), "{diff}");
        assert!(!diff.contains(CANARY), "{diff}");
    }
}

#[test]
fn a_diff_shows_what_changed_and_that_a_secret_did() {
    let before = spec(
        json!({"name": "shop", "services": [{"name": "web", "envs": [
            {"key": "A", "type": "SECRET", "value": "EV[1:a:b]"},
            {"key": "B", "type": "SECRET", "value": "EV[1:c:d]"},
            {"key": "MODE", "value": "one"}
        ]}]}),
    );
    let after = spec(
        json!({"name": "shop", "services": [{"name": "web", "envs": [
            {"key": "A", "type": "SECRET", "value": "EV[1:a:b]"},
            {"key": "B", "type": "SECRET", "value": "EV[1:e:f]"},
            {"key": "MODE", "value": "two"},
            {"key": "C", "type": "SECRET", "value": "new"}
        ]}]}),
    );
    insta::assert_snapshot!(redacted_diff(&before, &after), @r#"
    --- before
    +++ after
    @@ -12,11 +12,16 @@
             {
               "key": "B",
               "type": "SECRET",
    -          "value": "<secret>"
    +          "value": "<secret, changed>"
             },
             {
               "key": "MODE",
    -          "value": "one"
    +          "value": "two"
    +        },
    +        {
    +          "key": "C",
    +          "type": "SECRET",
    +          "value": "<secret>"
             }
           ]
         }
    "#);
    assert_eq!(redacted_diff(&before, &before), "");
}

#[test]
fn a_spec_is_debugged_by_its_components_and_fingerprint() {
    insta::assert_snapshot!(format!("{:?}", shop()), @r#"AppSpec { name: "shop", components: ["service web", "database shop-db"], fingerprint: "ee4f0ba58770", .. }"#);
    insta::assert_snapshot!(format!("{:?}", shop().component("web").unwrap()), @r#"Component { kind: Service, name: "web", source: Some(GitHub { repo: "acme/shop", branch: Some("main"), deploy_on_push: true }), envs: [Env { key: "DATABASE_URL", scope: RunTime, kind: General, .. }, Env { key: "JWT_SECRET", scope: RunTime, kind: Secret, .. }], .. }"#);
    insta::assert_snapshot!(format!("{:?}", shop().database("shop-db").unwrap()), @r#"Database { name: "shop-db", engine: Some("MYSQL"), cluster_name: Some("shop-mysql"), .. }"#);
    let job = JobComponent::copy_of(
        &shop().component("web").unwrap(),
        ComponentName::parse("migrate-k3f9q2x7-e0").unwrap(),
    )
    .unwrap();
    insta::assert_snapshot!(format!("{job:?}"), @r#"JobBuilder { name: ComponentName("migrate-k3f9q2x7-e0"), kind: PostDeploy, envs: [], .. }"#);
    insta::assert_snapshot!(format!("{:?}", job.build().unwrap()), @r#"JobComponent(Component { kind: Job, name: "migrate-k3f9q2x7-e0", source: Some(GitHub { repo: "acme/shop", branch: Some("main"), deploy_on_push: false }), envs: [], .. })"#);
}
