//! An overwritten edit is put back, and an overlap is reported.

use app_spec::{AppSpec, ComponentName, JobComponent, merge};
use proptest::prelude::*;
use serde_json::json;

use crate::strategy::{json_object, spec_around_jobs};
use crate::{shop, spec};

fn text(spec: &AppSpec) -> String {
    serde_json::to_string(spec).unwrap()
}

proptest! {
    #[test]
    fn where_nothing_was_lost_the_present_stays(base in json_object(), present in json_object()) {
        let (base, present) = (AppSpec::from(base), AppSpec::from(present));
        for lost in [&base, &present] {
            let merged = merge(&base, &present, lost);
            prop_assert_eq!(text(&merged.spec), text(&present));
            prop_assert_eq!(merged.overlaps, Vec::<String>::new());
        }
    }

    #[test]
    fn where_nobody_else_wrote_the_lost_edit_comes_back_whole(base in json_object(), lost in json_object()) {
        let (base, lost) = (AppSpec::from(base), AppSpec::from(lost));
        let merged = merge(&base, &base, &lost);
        prop_assert!(merged.spec.fingerprint() == lost.fingerprint());
        prop_assert_eq!(merged.overlaps, Vec::<String>::new());
    }

    #[test]
    fn our_job_and_a_field_that_somebody_added_both_stand(map in spec_around_jobs(), value in 1..9) {
        let base = AppSpec::from(map);
        // A job can be told from the others only where each has a name of its own.
        let distinct = base.jobs().map(|job| job.name().to_owned()).collect::<std::collections::BTreeSet<_>>();
        let count = base.raw().get("jobs").and_then(|jobs| jobs.as_array()).map_or(0, Vec::len);
        prop_assume!(distinct.len() == count);
        let name = ComponentName::parse("migrate-k3f9q2x7-e0").unwrap();
        let job = JobComponent::copy_of(&shop().component("web").unwrap(), name).unwrap().build().unwrap();
        let present = base.insert_job(&job).unwrap();
        let mut lost = base.raw().clone();
        lost.insert("their edit".to_owned(), json!(value));
        let merged = merge(&base, &present, &AppSpec::from(lost));
        prop_assert_eq!(merged.overlaps, Vec::<String>::new());
        prop_assert_eq!(merged.spec.raw()["their edit"].clone(), json!(value));
        prop_assert!(merged.spec.job("migrate-k3f9q2x7-e0").is_some());
        let mut rest = merged.spec.raw().clone();
        rest.shift_remove("their edit");
        prop_assert_eq!(text(&AppSpec::from(rest)), text(&present));
    }
}

#[test]
fn edits_of_different_components_variables_and_fields_all_survive() {
    let base = spec(json!({"name": "shop", "region": "nyc", "services": [
        {"name": "web", "instance_count": 1, "envs": [{"key": "A", "value": "1"}, {"key": "B", "value": "1"}]},
        {"name": "api"}
    ]}));
    let present = spec(json!({"name": "shop", "region": "nyc", "services": [
        {"name": "web", "instance_count": 1, "envs": [{"key": "A", "value": "1"}, {"key": "B", "value": "2"}]},
        {"name": "api"}
    ], "jobs": [{"name": "migrate-k3f9q2x7-e0"}]}));
    let lost = spec(json!({"name": "shop", "region": "nyc", "services": [
        {"name": "web", "instance_count": 3, "envs": [{"key": "A", "value": "3"}, {"key": "B", "value": "1"}, {"key": "C"}]},
        {"name": "new"}
    ], "jobs": [{"name": "seed"}]}));
    let merged = merge(&base, &present, &lost);
    assert_eq!(merged.overlaps, Vec::<String>::new());
    assert_eq!(
        merged.spec.to_value(),
        json!({"name": "shop", "region": "nyc", "services": [
            {"name": "web", "instance_count": 3, "envs": [{"key": "A", "value": "3"}, {"key": "B", "value": "2"}, {"key": "C"}]},
            {"name": "new"}
        ], "jobs": [{"name": "migrate-k3f9q2x7-e0"}, {"name": "seed"}]})
    );
}

#[test]
fn the_same_place_changed_in_two_ways_is_reported_and_stays_as_it_is() {
    let base = spec(
        json!({"services": [{"name": "web", "run_command": "a"}, {"name": "api", "x": 1}],
        "features": ["a"], "workers": [{"name": "w", "x": 1}]}),
    );
    let present = spec(
        json!({"services": [{"name": "web", "run_command": "b"}, {"name": "api", "x": 2}],
        "features": ["b"], "workers": []}),
    );
    let lost = spec(json!({"services": [{"name": "web", "run_command": "c"}],
        "features": ["c"], "workers": [{"name": "w", "x": 2}]}));
    let merged = merge(&base, &present, &lost);
    assert_eq!(merged.spec, present);
    assert_eq!(
        merged.overlaps,
        [
            "services[web].run_command",
            "services[api]",
            "features",
            "workers[w]"
        ]
    );
}

#[test]
fn a_list_that_ran_empty_is_merged_as_an_empty_list() {
    let ours = json!({"name": "migrate-k3f9q2x7-e0"});
    let base = spec(json!({"name": "shop", "jobs": [ours]}));
    let removed = spec(json!({"name": "shop"}));
    let added = spec(json!({"name": "shop", "jobs": [ours, {"name": "seed"}]}));
    for (present, lost) in [(&removed, &added), (&added, &removed)] {
        let merged = merge(&base, present, lost);
        assert_eq!(
            merged.spec,
            spec(json!({"name": "shop", "jobs": [{"name": "seed"}]}))
        );
        assert_eq!(merged.overlaps, Vec::<String>::new());
    }
}

#[test]
fn a_list_that_is_gone_and_was_edited_stays_gone() {
    let base = spec(json!({"name": "shop", "envs": [{"key": "A", "value": "1"}]}));
    let gone = spec(json!({"name": "shop"}));
    let lost = spec(json!({"name": "shop", "envs": [{"key": "A", "value": "2"}]}));
    let merged = merge(&base, &gone, &lost);
    assert_eq!(
        (merged.spec, merged.overlaps),
        (gone, vec!["envs[A]".to_owned()])
    );
}

#[test]
fn the_platforms_own_rewriting_is_no_edit() {
    let base = spec(json!({"name": "shop", "disable_edge_cache": false, "jobs": []}));
    let present = spec(json!({"name": "shop", "jobs": [{"name": "migrate-k3f9q2x7-e0"}]}));
    let lost = spec(json!({"name": "shop"}));
    let merged = merge(&base, &present, &lost);
    assert_eq!((merged.spec, merged.overlaps), (present, Vec::new()));
}
