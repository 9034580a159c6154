//! Equal in meaning, and different in meaning.

use app_spec::{AppSpec, Change, ChangeKind, Fingerprint, changes};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::strategy::{json_object, respelled};
use crate::{shop, spec};

/// A body as somebody would write it.
fn body() -> Value {
    json!({
        "name": "shop", "region": "nyc", "disable_edge_cache": false, "features": ["b", "a"], "vpc": {},
        "services": [{
            "name": "web", "instance_count": 1, "instance_size_slug": "apps-s-1vcpu-0.5gb", "http_port": 3000, "routes": [],
            "github": {"repo": "acme/shop", "branch": "main", "deploy_on_push": false},
            "health_check": {"http_path": "/health", "initial_delay_seconds": 0},
            "envs": [
                {"key": "NODE_ENV", "value": "production", "type": "GENERAL", "scope": "RUN_AND_BUILD_TIME"},
                {"key": "PORT", "value": "3000", "type": "GENERAL", "scope": "RUN_TIME"}
            ]
        }],
        "jobs": [{
            "name": "seed", "kind": "UNSPECIFIED", "timeout": "30m", "run_command": "",
            "image": {"registry_type": "DOCR", "repository": "shop", "tag": "latest", "deploy_on_push": {"enabled": false}}
        }],
        "ingress": {"rules": [{"component": {"name": "web"}}, {"component": {"name": "api"}}]}
    })
}

/// The same body as the platform reads it back.
fn read_back() -> Value {
    json!({
        "features": ["a", "b"], "name": "shop", "region": "nyc",
        "ingress": {"rules": [{"component": {"name": "web"}}, {"component": {"name": "api"}}]},
        "jobs": [{
            "image": {"registry_type": "DOCR", "repository": "shop"}, "instance_count": 1,
            "instance_size_slug": "apps-s-1vcpu-0.5gb", "kind": "POST_DEPLOY", "name": "seed", "timeout": "30m0s"
        }],
        "services": [{
            "envs": [
                {"key": "PORT", "scope": "RUN_TIME", "value": "3000"},
                {"key": "NODE_ENV", "value": "production"}
            ],
            "github": {"branch": "main", "repo": "acme/shop"}, "health_check": {"http_path": "/health"},
            "http_port": 3000, "instance_count": 1, "instance_size_slug": "apps-s-1vcpu-0.5gb", "name": "web"
        }]
    })
}

#[test]
fn a_body_and_its_read_back_have_one_fingerprint() {
    assert_eq!(spec(body()).fingerprint(), spec(read_back()).fingerprint());
    assert_eq!(changes(&spec(body()), &spec(read_back())), []);
}

#[test]
fn every_real_change_has_another_fingerprint_and_is_told_by_its_place() {
    let before = spec(body());
    let mut told = Vec::new();
    for (pointer, value) in [
        ("/name", json!("shop2")),
        ("/services/0/instance_count", json!(2)),
        ("/services/0/instance_size_slug", json!("apps-s-1vcpu-1gb")),
        ("/services/0/github/deploy_on_push", json!(true)),
        ("/services/0/envs/0/value", json!("staging")),
        ("/services/0/envs/0/scope", json!("BUILD_TIME")),
        ("/services/0/envs/1/type", json!("SECRET")),
        ("/services/0/envs/1/key", json!("PORT2")),
        ("/services/0/health_check/initial_delay_seconds", json!(1)),
        ("/services/0/routes", json!([{}])),
        ("/jobs/0/kind", json!("PRE_DEPLOY")),
        ("/jobs/0/timeout", json!("31m")),
        ("/jobs/0/image/tag", json!("v2")),
        ("/jobs", json!([])),
        ("/features", json!(["a"])),
        ("/disable_edge_cache", json!(true)),
        (
            "/ingress/rules",
            json!([{"component": {"name": "api"}}, {"component": {"name": "web"}}]),
        ),
    ] {
        let mut edited = body();
        *edited.pointer_mut(pointer).unwrap() = value;
        let after = spec(edited);
        assert_ne!(after.fingerprint(), before.fingerprint(), "{pointer}");
        for Change { path, kind } in changes(&before, &after) {
            told.push(format!("{kind:?} {path}"));
        }
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    Changed name
    Added services[web].instance_count
    Added services[web].instance_size_slug
    Added services[web].github.deploy_on_push
    Changed services[web].envs[NODE_ENV].value
    Added services[web].envs[NODE_ENV].scope
    Added services[web].envs[PORT].type
    Removed services[web].envs[PORT]
    Added services[web].envs[PORT2]
    Added services[web].health_check.initial_delay_seconds
    Added services[web].routes[0]
    Added jobs[seed].kind
    Changed jobs[seed].timeout
    Added jobs[seed].image.tag
    Removed jobs[seed]
    Removed features[1]
    Added disable_edge_cache
    Changed ingress.rules[0].component.name
    Changed ingress.rules[1].component.name
    "#);
}

proptest! {
    #[test]
    fn another_spelling_of_any_spec_has_the_same_fingerprint(map in json_object()) {
        let value = Value::Object(map);
        let before = spec(value.clone());
        let after = spec(respelled(&value));
        prop_assert_eq!(before.fingerprint(), after.fingerprint());
        prop_assert_eq!(changes(&before, &after), vec![]);
    }

    #[test]
    fn changes_are_told_exactly_when_the_fingerprints_differ(one in json_object(), other in json_object()) {
        let (one, other) = (AppSpec::from(one), AppSpec::from(other));
        let same = one.fingerprint() == other.fingerprint();
        prop_assert_eq!(changes(&one, &other).is_empty(), same);
    }
}

#[test]
fn a_job_that_came_or_went_is_one_change() {
    let without = shop();
    let mut with = without.raw().clone();
    with.insert(
        "jobs".to_owned(),
        json!([{"name": "migrate-k3f9q2x7-e0", "kind": "PRE_DEPLOY"}]),
    );
    let with = AppSpec::from(with);
    let path = "jobs[migrate-k3f9q2x7-e0]".to_owned();
    assert_eq!(
        changes(&without, &with),
        [Change {
            path: path.clone(),
            kind: ChangeKind::Added
        }]
    );
    assert_eq!(
        changes(&with, &without),
        [Change {
            path,
            kind: ChangeKind::Removed
        }]
    );
}

#[test]
fn only_a_jobs_timeout_is_a_time() {
    let pairs = [
        (
            json!({"jobs": [{"name": "seed", "run_command": "60s"}]}),
            json!({"jobs": [{"name": "seed", "run_command": "1m"}]}),
        ),
        (
            json!({"services": [{"name": "web", "timeout": "60s"}]}),
            json!({"services": [{"name": "web", "timeout": "1m"}]}),
        ),
    ];
    for (one, other) in pairs {
        assert_ne!(
            spec(one.clone()).fingerprint(),
            spec(other).fingerprint(),
            "{one}"
        );
    }
}

#[test]
fn order_counts_but_in_the_lists_that_are_sets() {
    let (a, b) = (
        json!({"domain": "a.example"}),
        json!({"domain": "b.example"}),
    );
    for (one, other, same) in [
        (
            json!({"features": ["a", "b"]}),
            json!({"features": ["b", "a"]}),
            true,
        ),
        (json!({"domains": [a, b]}), json!({"domains": [b, a]}), true),
        (
            json!({"new_list": ["a", "b"]}),
            json!({"new_list": ["b", "a"]}),
            false,
        ),
        (
            json!({"services": [{"name": "web", "features": ["a", "b"]}]}),
            json!({"services": [{"name": "web", "features": ["b", "a"]}]}),
            false,
        ),
    ] {
        let equal = spec(one.clone()).fingerprint() == spec(other).fingerprint();
        assert_eq!(equal, same, "{one}");
    }
}

#[test]
fn entries_of_one_name_are_told_apart_by_their_place() {
    let twice = |last: &str| {
        spec(json!({"envs": [{"key": "A", "value": "1"}, {"key": "A", "value": last}]}))
    };
    let told = changes(&twice("2"), &twice("3"));
    assert_eq!(
        told,
        [Change {
            path: "envs[1].value".to_owned(),
            kind: ChangeKind::Changed
        }]
    );
}

#[test]
fn secrets_count_by_their_text_unless_asked_otherwise() {
    let with = |value: &str| {
        spec(
            json!({"services": [{"name": "web", "envs": [{"key": "K", "type": "SECRET", "value": value}]}]}),
        )
    };
    let (plain, one, other, gone) = (with("text"), with("EV[1:a:b]"), with("EV[1:c:d]"), with(""));
    assert_ne!(one.fingerprint(), other.fingerprint());
    let loose = Fingerprint::without_secrets;
    assert_eq!(loose(&plain), loose(&one));
    assert_eq!(loose(&one), loose(&other));
    assert_ne!(loose(&one), loose(&gone));
    let beside = |key: &str, kind: &str, value: &str| {
        spec(json!({"envs": [{"key": key, "type": kind, "value": value}]}))
    };
    assert_ne!(
        loose(&beside("K", "SECRET", "text")),
        loose(&beside("L", "SECRET", "text")),
        "the name of a secret counts"
    );
    assert_ne!(
        loose(&beside("K", "GENERAL", "one")),
        loose(&beside("K", "GENERAL", "two")),
        "plain values count"
    );
}

#[test]
fn a_fingerprint_never_changes_between_versions_by_accident() {
    insta::assert_snapshot!(shop().fingerprint().short(), @"ee4f0ba58770");
    assert_eq!(shop().fingerprint().as_str().len(), 64);
}
