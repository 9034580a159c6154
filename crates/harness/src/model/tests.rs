use super::variants::{self, Expected};
use super::{is_as_expected, search, way_to};

/// A slice of the list: the whole of it is `harness model`.
const SMALL: [&str; 13] = [
    "late-rollback",
    "two-edits",
    "rollback-overtaken",
    "no-claim",
    "any-claim-inserts",
    "sent-again",
    "ran-again",
    "no-lease",
    "no-commit-check",
    "no-sweeper",
    "no-repair",
    "repair-predecessor",
    "shared-user",
];

#[test]
fn the_small_variants_end_as_expected() {
    for name in SMALL {
        let case = variants::all()
            .into_iter()
            .find(|case| case.name == name)
            .unwrap();
        let found = search(&case);
        assert!(is_as_expected(&case, &found), "{name}: {:?}", found.broken);
    }
}

#[test]
fn every_negative_variant_differs_from_the_protocol_in_what_it_breaks() {
    for case in variants::all() {
        let negative = case.holds.is_empty();
        assert_eq!(negative, case.expected == Expected::Breaks, "{}", case.name);
        assert_eq!(
            case.breaks.is_empty(),
            case.expected == Expected::Holds,
            "{}",
            case.name
        );
    }
}

#[test]
fn an_edit_inside_the_lease_runs_the_job_again() {
    let case = variants::all()
        .into_iter()
        .find(|case| case.name == "two-edits")
        .unwrap();
    let path = way_to(&case.variant, super::check::RAN).unwrap().into_vec();
    let told: Vec<String> = path
        .windows(2)
        .filter_map(|pair| Some(super::words::step(&pair[0].0, pair[0].1?, &pair[1].0)))
        .collect();
    let runs = told
        .iter()
        .filter(|line| line.contains("runs the commands of job 0"));
    assert_eq!(runs.count(), 2, "{told:#?}");
    assert!(
        told.iter()
            .any(|line| line.contains("puts it back with an edit")),
        "{told:#?}"
    );
}
