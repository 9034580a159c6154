//! The firewall of a database cluster.

use app_spec::{AppId, FirewallRules, RuleKind, RuleMatch};
use serde_json::{Value, json};

use crate::example;

fn app() -> AppId {
    AppId::new("11111111-1111-4111-8111-111111111111")
}

fn rules(value: &Value) -> FirewallRules {
    FirewallRules::from_value(value).unwrap()
}

#[test]
fn the_debug_rule_is_drift_and_app_only_is_the_documented_body() {
    let now = rules(&example("firewall"));
    assert!(now.admits_app(&app()));
    let drift: Vec<(RuleKind, &str, Option<&str>)> = now
        .others(&app())
        .iter()
        .map(|rule| (rule.kind(), rule.value(), rule.description()))
        .collect();
    assert_eq!(drift, [(RuleKind::IpAddr, "203.0.113.7", Some("debug"))]);
    let body = now.app_only(&app(), &[]).put_body();
    assert_eq!(body.to_string(), example("firewall_restore").to_string());
}

#[test]
fn kept_rules_keep_their_id_and_description() {
    let now = rules(&example("firewall"));
    let keep = [RuleMatch::new(RuleKind::IpAddr, "203.0.113.7/32")];
    let kept = now.app_only(&app(), &keep);
    assert_eq!(kept, now);
    assert_eq!(
        kept.put_body()["rules"][1],
        json!({"uuid": "66666666-6666-4666-8666-666666666666", "type": "ip_addr", "value": "203.0.113.7", "description": "debug"})
    );
}

#[test]
fn a_missing_rule_of_the_app_is_added_and_reads_back_as_equal() {
    let now = rules(&json!({"rules": [{"uuid": "u", "type": "tag", "value": "backend"}]}));
    assert!(!now.admits_app(&app()));
    let restored = now.app_only(&app(), &[]);
    assert_eq!(
        restored.put_body(),
        json!({"rules": [{"type": "app", "value": app().as_str()}]})
    );
    let read_back = rules(&json!([{"uuid": "new", "cluster_uuid": "c", "type": "app",
        "value": app().as_str(), "created_at": "2026-02-18T00:05:00Z"}]));
    assert_eq!(restored, read_back);
}

#[test]
fn another_apps_rule_is_drift() {
    let now = rules(&json!([{"type": "app", "value": "another"}]));
    assert!(!now.admits_app(&app()));
    assert_eq!(now.others(&app()).len(), 1);
}

#[test]
fn equality_ignores_order_ids_and_times_and_nothing_else() {
    let one = json!({"uuid": "1", "type": "ip_addr", "value": "203.0.113.7", "created_at": "2026-02-18T00:05:00Z"});
    let two = json!({"uuid": "2", "type": "app", "value": "a"});
    let same = json!({"uuid": "9", "type": "ip_addr", "value": "203.0.113.7/32"});
    assert_eq!(rules(&json!([one, two])), rules(&json!([two, same])));
    assert_ne!(rules(&json!([one, two])), rules(&json!([two])));
    assert_ne!(rules(&json!([one])), rules(&json!([one, one])));
    assert_ne!(
        rules(&json!([one])),
        rules(&json!([{"type": "ip_addr", "value": "203.0.113.0/24"}]))
    );
    assert_ne!(
        rules(&json!([two])),
        rules(&json!([{"type": "tag", "value": "a"}]))
    );
    assert_ne!(
        rules(&json!([two])),
        rules(&json!([{"type": "app", "value": "a", "description": "x"}]))
    );
}

#[test]
fn a_list_that_cannot_be_read_in_full_is_an_error() {
    assert_eq!(rules(&json!({})).rules().count(), 0);
    assert_eq!(rules(&json!({"rules": null})).rules().count(), 0);
    let errors = [
        FirewallRules::from_value(&json!({"rules": [{"type": "app", "value": "a"}, 1]}))
            .unwrap_err()
            .to_string(),
        FirewallRules::from_value(&json!({"rules": {}}))
            .unwrap_err()
            .to_string(),
        FirewallRules::from_value(&json!("x"))
            .unwrap_err()
            .to_string(),
    ];
    insta::assert_snapshot!(errors.join("\n"), @r#"
    cannot read a firewall rule: it is a number, not an object
    cannot read the firewall rules: it is an object, not a list
    cannot read the firewall rules: it is a string, not a list
    "#);
}
