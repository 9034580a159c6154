use super::*;
use crate::{Authority, Epoch, Key, MigrationId, Nonce, RECORD_VERSION, StepName};
use proptest::prelude::*;

fn record() -> RunRecord {
    RunRecord {
        version: RECORD_VERSION,
        key: Key::parse("k3f9q2x7").unwrap(),
        epoch: Epoch(0),
        nonce: Nonce::from_bytes([0xab; 16]),
        migration: MigrationId::parse("ter-235").unwrap(),
        steps: Vec::new(),
        mode: RunMode::Steps,
        authority: Authority::Merge("7f3e".to_owned()),
        pr: Some(428),
        sha: Some("7f3e".to_owned()),
        repository: Some("vivatsit/terp".to_owned()),
        not_after: 1_771_380_000,
    }
}

fn step(run: &str, check: Option<&str>) -> Step {
    Step {
        name: StepName::parse("columns").unwrap(),
        run: run.to_owned(),
        check: check.map(str::to_owned),
    }
}

fn script<'a>(record: &'a RunRecord, steps: &'a [Step]) -> Script<'a> {
    Script {
        record,
        steps,
        mode: RunMode::Steps,
        on_failure: OnFailure::Fail,
        needed: &[],
        not_after: record.not_after,
        planned_commit: None,
        reference: None,
    }
}

fn value<'a>(wrapped: &'a Wrapped, name: &str) -> Option<&'a str> {
    let found = wrapped.env.iter().find(|(own, _)| own == name);
    found.map(|(_, value)| value.as_str())
}

#[test]
fn environment_says_what_the_job_may_do() {
    let (record, steps) = (record(), [step("node columns.js", None)]);
    let sha = CommitSha::parse(&"7f3e".repeat(10)).unwrap();
    let web = ComponentName::parse("web").unwrap();
    let mut wrapped = wrap(&Script {
        planned_commit: Some(&sha),
        reference: Some(&web),
        ..script(&record, &steps)
    });
    let first = wrapped.env.remove(0);
    assert_eq!(first.0, "HARBOR_PILOT_SCRIPT");
    let lines: Vec<_> = wrapped
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    HARBOR_PILOT_NOT_AFTER=1771380000
    HARBOR_PILOT_COMMIT=${_self.COMMIT_HASH}
    HARBOR_PILOT_REFERENCE_COMMIT=${web.COMMIT_HASH}
    HARBOR_PILOT_PLANNED_COMMIT=7f3e7f3e7f3e7f3e7f3e7f3e7f3e7f3e7f3e7f3e
    HARBOR_PILOT_RUN={"version":1,"key":"k3f9q2x7","epoch":0,"nonce":"abababababababababababababababab","migration":"ter-235","steps":[],"mode":"steps","authority":"merge:7f3e","pr":428,"sha":"7f3e","repository":"vivatsit/terp","not_after":1771380000}
    "#);
    assert_eq!(wrapped.run_command, RUN_COMMAND);
}

/// A binding that the platform can't resolve may make it refuse the spec.
#[test]
fn job_without_a_planned_commit_has_no_binding() {
    let (record, steps) = (record(), [step("true", None)]);
    let web = ComponentName::parse("web").unwrap();
    let wrapped = wrap(&Script {
        reference: Some(&web),
        ..script(&record, &steps)
    });
    assert!(
        wrapped.env.iter().all(|(_, value)| !value.contains('$')),
        "{wrapped:?}"
    );
}

#[test]
fn without_a_shell_the_command_stands_as_it_is() {
    let (record, steps) = (
        record(),
        [step("/migrate --all '$HOME'", Some("/migrate --dry"))],
    );
    let of = |mode| {
        bare(&Script {
            mode,
            ..script(&record, &steps)
        })
    };
    assert_eq!(of(RunMode::Steps).run_command, "/migrate --all '$HOME'");
    assert_eq!(of(RunMode::ChecksOnly).run_command, "/migrate --dry");
    let names: Vec<_> = of(RunMode::Steps)
        .env
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["HARBOR_PILOT_RUN"]);
}

#[test]
fn script_is_short_enough_to_read() {
    let (record, steps) = (record(), [step("node columns.js", None)]);
    let wrapped = wrap(&script(&record, &steps));
    let length = value(&wrapped, "HARBOR_PILOT_SCRIPT").unwrap().len();
    assert!(length < 5_000, "{length} bytes");
}

/// Five characters in place of two for each line would cost room that commands need.
#[test]
fn a_line_break_travels_as_two_characters() {
    assert_eq!(escape("a\nb$"), r"a\nb\0044");
}

#[test]
fn script_holds_no_text_of_a_mark() {
    let (record, steps) = (record(), [step("true", Some("true"))]);
    let text = text(&script(&record, &steps));
    assert!(!text.contains("harbor-pilot"), "{text}");
    assert!(
        text.lines()
            .all(|line| !crate::is_mark(line, &record.nonce))
    );
    assert!(!text.contains('@'), "a blank was not filled in:\n{text}");
}

#[test]
fn name_that_is_no_variable_is_missing_and_not_code() {
    let hostile = "A}; touch /tmp/x; : ${B".to_owned();
    assert_eq!(needed(&[hostile]), "_hp_need _A___touch__tmp_x______B ''\n");
    assert_eq!(
        needed(&["JWT_SECRET".to_owned()]),
        "_hp_need JWT_SECRET \"${JWT_SECRET-}\"\n"
    );
    assert_eq!(
        needed(&["1A".to_owned(), String::new()]),
        "_hp_need _1A ''\n_hp_need _ ''\n"
    );
}

proptest! {
    #[test]
    fn values_are_printable_ascii_without_a_dollar(
        run in any::<String>(),
        check in any::<Option<String>>(),
        repository in any::<String>(),
        authority in "(?s).{1,20}",
    ) {
        let mut record = record();
        record.repository = Some(repository);
        record.authority = Authority::Cli(authority);
        record.sha = Some("${web.COMMIT_HASH}".to_owned());
        let steps = [step(&run, check.as_deref())];
        let wrapped = wrap(&script(&record, &steps));
        for (name, value) in &wrapped.env {
            prop_assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'$'), "{name}={value}");
            prop_assert_eq!(value.trim(), value);
        }
        let read: RunRecord = serde_json::from_str(value(&wrapped, "HARBOR_PILOT_RUN").unwrap()).unwrap();
        prop_assert_eq!(read, record);
    }
}
