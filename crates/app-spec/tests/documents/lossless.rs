//! A spec comes out as it went in.

use app_spec::AppSpec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::spec;
use crate::strategy::json_object;

proptest! {
    #[test]
    fn any_object_keeps_values_key_order_nulls_and_empty_lists(map in json_object()) {
        let text = serde_json::to_string(&map).unwrap();
        let spec: AppSpec = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&serde_json::to_string(&spec).unwrap(), &text);
        prop_assert_eq!(&serde_json::to_string(&spec.to_value()).unwrap(), &text);
    }
}

#[test]
fn unknown_fields_nulls_and_encrypted_text_survive() {
    let text = concat!(
        r#"{"name":"shop","zeta":null,"services":[{"run_command":null,"name":"web","envs":[],"#,
        r#""new_field":{"b":1,"a":[]}}],"alpha":[],"envs":[{"value":"EV[1:bm9uY2U=:Y2lw]","#,
        r#""type":"SECRET","key":"K"}],"features":[]}"#
    );
    let spec: AppSpec = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&spec).unwrap(), text);
}

#[test]
fn numbers_are_read_as_numbers_and_not_as_text() {
    // The `arbitrary_precision` feature of serde_json, turned on by any crate of the workspace, would keep
    // `1.10` and break floats in tagged enums elsewhere.
    let spec: AppSpec = serde_json::from_str(r#"{"ratio":1.10}"#).unwrap();
    assert_eq!(serde_json::to_string(&spec).unwrap(), r#"{"ratio":1.1}"#);
}

#[test]
fn only_an_object_is_a_spec() {
    for value in [json!(null), json!([]), json!("x"), json!(1), json!(true)] {
        assert!(AppSpec::from_value(value.clone()).is_err());
        assert!(serde_json::from_value::<AppSpec>(value).is_err());
    }
    insta::assert_snapshot!(AppSpec::from_value(json!([])).unwrap_err(), @"the app spec is a list, not an object");
}

#[test]
fn identical_counts_the_order_of_keys_and_equal_does_not() {
    let one = spec(json!({"name": "shop", "region": "nyc"}));
    let other = spec(json!({"region": "nyc", "name": "shop"}));
    assert_eq!(one, other);
    assert!(!one.is_identical(&other));
    assert!(one.is_identical(&one.clone()));
}

#[test]
fn components_that_are_no_objects_are_passed_over_and_kept() {
    let odd = spec(
        json!({"services": [null, "web", {"name": "web"}], "jobs": "none", "databases": null}),
    );
    let names: Vec<&str> = odd.components().map(|component| component.name()).collect();
    assert_eq!(names, ["web"]);
    assert_eq!(odd.to_value()["services"][1], Value::from("web"));
}

#[test]
fn specs_are_equal_where_they_hold_the_same() {
    let spec = |region: &str| {
        AppSpec::from_value(json!({"name": "shop", "region": region})).expect("a spec is an object")
    };
    assert_eq!(spec("ams"), spec("ams"));
    assert_ne!(spec("ams"), spec("fra"));
}
