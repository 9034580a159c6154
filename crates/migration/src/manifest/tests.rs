use super::*;
use crate::FileError;
use rstest::rstest;

const FILE: &str = ".harbor-pilot/ter-235.yml";

fn id() -> MigrationId {
    MigrationId::parse("ter-235").unwrap()
}

fn parse(text: &str) -> Result<Manifest, FileError> {
    Manifest::parse(id(), FILE, text)
}

/// What a user sees of a manifest that is refused.
fn told(text: &str) -> String {
    let error = parse(text).unwrap_err();
    match error.hint() {
        Some(hint) => format!("{error}\n{hint}"),
        None => error.to_string(),
    }
}

const WHOLE: &str = "
app: terp-app
kind: pre-deploy
env: [JWT_SECRET]
job-timeout: 1h 30m
instance-size: apps-s-1vcpu-1gb
on-failure: contain
strategy: one-job-per-step
steps:
  - name: columns
    run: node scripts/columns.js
  - name: backfill
    run: |
      node scripts/backfill.js \\
        --confirm
    check: node scripts/backfill.js --dry-run
";

#[test]
fn a_whole_manifest_is_read() {
    let manifest = parse(WHOLE).unwrap();
    assert_eq!(manifest.id, id());
    assert_eq!(manifest.app.as_deref(), Some("terp-app"));
    assert_eq!(manifest.kind, Some(Kind::PreDeploy));
    assert_eq!(manifest.env, ["JWT_SECRET"]);
    assert_eq!(manifest.job_timeout, Some(Duration::from_secs(5400)));
    assert_eq!(manifest.instance_size.as_deref(), Some("apps-s-1vcpu-1gb"));
    assert_eq!(manifest.on_failure, Some(OnFailure::Contain));
    assert_eq!(manifest.strategy, Some(Strategy::OneJobPerStep));
    let [columns, backfill] = &manifest.steps[..] else {
        panic!("two steps")
    };
    assert_eq!(
        (columns.name.as_str(), columns.run.as_str()),
        ("columns", "node scripts/columns.js")
    );
    assert_eq!(columns.check, None);
    assert_eq!(backfill.run, "node scripts/backfill.js \\\n  --confirm\n");
    assert_eq!(
        backfill.check.as_deref(),
        Some("node scripts/backfill.js --dry-run")
    );
}

#[rstest]
#[case("POST_DEPLOY", Kind::PostDeploy)]
#[case("post_deploy", Kind::PostDeploy)]
#[case("post-deploy", Kind::PostDeploy)]
#[case("Pre-Deploy", Kind::PreDeploy)]
fn a_kind_is_read_in_any_spelling(#[case] written: &str, #[case] kind: Kind) {
    let text = format!("kind: {written}\nsteps: [{{name: a, run: b}}]");
    assert_eq!(parse(&text).unwrap().kind, Some(kind));
}

#[test]
fn an_unknown_key_is_pointed_at_and_the_nearest_is_named() {
    insta::assert_snapshot!(told("steps:\n  - nmae: columns\n    run: x\n"), @r#"
    .harbor-pilot/ter-235.yml:2:5: unknown key `nmae`
    did you mean `name`? the keys here are `name`, `run`, `check`
    "#);
    insta::assert_snapshot!(told("job_timeout: 30m\nsteps: [{name: a, run: b}]\n"), @r#"
    .harbor-pilot/ter-235.yml:1:1: unknown key `job_timeout`
    did you mean `job-timeout`? the keys here are `steps`, `app`, `kind`, `env`, `job-timeout`, `instance-size`, `on-failure`, `strategy`
    "#);
    insta::assert_snapshot!(told("colour: red\nsteps: [{name: a, run: b}]\n"), @r#"
    .harbor-pilot/ter-235.yml:1:1: unknown key `colour`
    the keys here are `steps`, `app`, `kind`, `env`, `job-timeout`, `instance-size`, `on-failure`, `strategy`
    "#);
}

#[test]
fn a_value_of_another_type_is_pointed_at() {
    insta::assert_snapshot!(told("steps: columns\n"), @".harbor-pilot/ter-235.yml:1:8: expected a list here");
    insta::assert_snapshot!(told("steps:\n  - name: columns\n    run: true\n"), @r#"
    .harbor-pilot/ter-235.yml:3:10: `run`: expected text, found `true`, which YAML takes for a number or a truth value
    put the value into quotes
    "#);
    insta::assert_snapshot!(told("steps:\n  - name: 235\n    run: x\n"), @r#"
    .harbor-pilot/ter-235.yml:2:11: `name`: expected text, found `235`, which YAML takes for a number or a truth value
    put the value into quotes
    "#);
    insta::assert_snapshot!(told("steps: [{name: a, run: [x, y]}]\n"), @".harbor-pilot/ter-235.yml:1:24: `run`: expected text, found a list");
    insta::assert_snapshot!(told("steps: [{name: a, run: {x: y}}]\n"), @".harbor-pilot/ter-235.yml:1:24: `run`: expected text, found keys with values");
    insta::assert_snapshot!(told("steps: [columns]\n"), @".harbor-pilot/ter-235.yml:1:9: expected keys with values here");
    insta::assert_snapshot!(told("env: JWT_SECRET\nsteps: [{name: a, run: b}]\n"), @".harbor-pilot/ter-235.yml:1:6: expected a list here");
    insta::assert_snapshot!(told("job-timeout: 30\nsteps: [{name: a, run: b}]\n"), @r#"
    .harbor-pilot/ter-235.yml:1:14: `job-timeout`: expected text, found `30`, which YAML takes for a number or a truth value
    put the value into quotes
    "#);
    insta::assert_snapshot!(told("- name: a\n"), @".harbor-pilot/ter-235.yml:1:1: expected keys with values here");
    insta::assert_snapshot!(told("just text\n"), @".harbor-pilot/ter-235.yml:1:1: expected keys with values here");
}

#[test]
fn a_value_that_can_not_be_taken_is_pointed_at() {
    insta::assert_snapshot!(told("steps:\n  - name: Add Columns\n    run: x\n"), @".harbor-pilot/ter-235.yml:2:11: `name`: `Add Columns` is not a step name (1 to 64 lower-case letters, digits, `.`, `_`, `-`; first a letter or digit)");
    insta::assert_snapshot!(told("steps:\n  - name: columns\n    run: ' '\n"), @".harbor-pilot/ter-235.yml:3:10: `run`: it is empty");
    insta::assert_snapshot!(told("kind: AFTER\nsteps: [{name: a, run: b}]\n"), @r#"
    .harbor-pilot/ter-235.yml:1:7: `AFTER` is not a value of `kind`
    the values are `POST_DEPLOY`, `PRE_DEPLOY`, `post-deploy`, `pre-deploy`
    "#);
    insta::assert_snapshot!(told("on-failure: ignore\nsteps: [{name: a, run: b}]\n"), @r#"
    .harbor-pilot/ter-235.yml:1:13: `ignore` is not a value of `on-failure`
    the values are `fail`, `contain`
    "#);
    insta::assert_snapshot!(told("strategy: one_job_per_step\nsteps: [{name: a, run: b}]\n"), @r#"
    .harbor-pilot/ter-235.yml:1:11: `one_job_per_step` is not a value of `strategy`
    did you mean `one-job-per-step`? the values are `single-job`, `one-job-per-step`
    "#);
    insta::assert_snapshot!(told("job-timeout: soon\nsteps: [{name: a, run: b}]\n"), @".harbor-pilot/ter-235.yml:1:14: `job-timeout`: `soon` is not a span of time such as `30m` or `1h 30m`");
    insta::assert_snapshot!(told("job-timeout: 30s\nsteps: [{name: a, run: b}]\n"), @".harbor-pilot/ter-235.yml:1:14: `job-timeout`: `30s` is not between 1 min and 24 h");
    insta::assert_snapshot!(told("env: [A-B]\nsteps: [{name: a, run: b}]\n"), @".harbor-pilot/ter-235.yml:1:7: `env`: `A-B` is not the name of an environment variable");
    insta::assert_snapshot!(told("env: [HARBOR_PILOT_RUN]\nsteps: [{name: a, run: b}]\n"), @".harbor-pilot/ter-235.yml:1:7: `env`: names that begin with `HARBOR_PILOT_` are for the job's own use");
}

#[test]
fn what_must_be_there_is_asked_for() {
    insta::assert_snapshot!(told(""), @r#"
    .harbor-pilot/ter-235.yml: it has no steps
    write at least one:
    steps:
      - name: columns
        run: node scripts/columns.js
    "#);
    insta::assert_snapshot!(told("steps: []\n"), @r#"
    .harbor-pilot/ter-235.yml:1:8: it has no steps
    write at least one:
    steps:
      - name: columns
        run: node scripts/columns.js
    "#);
    insta::assert_snapshot!(told("kind: POST_DEPLOY\n"), @".harbor-pilot/ter-235.yml:1:1: `steps` is missing");
    insta::assert_snapshot!(told("steps:\n  - name: columns\n"), @".harbor-pilot/ter-235.yml:2:5: `run` is missing");
    insta::assert_snapshot!(told("steps:\n"), @".harbor-pilot/ter-235.yml:1:6: expected a list here");
}

#[test]
fn what_stands_twice_is_pointed_at() {
    insta::assert_snapshot!(
        told("steps:\n  - name: columns\n    run: a\n  - name: backfill\n    run: b\n  - name: columns\n    run: c\n"),
        @r#"
    .harbor-pilot/ter-235.yml:6:11: the step `columns` stands here a second time
    the first one stands in line 2; give each step a name of its own
    "#
    );
    insta::assert_snapshot!(told("steps:\n  - name: columns\n    run: a\n    run: b\n"), @".harbor-pilot/ter-235.yml:4:5: the key `run` stands here a second time");
    insta::assert_snapshot!(told("kind: post-deploy\nkind: pre-deploy\nsteps: [{name: a, run: b}]\n"), @".harbor-pilot/ter-235.yml:2:1: the key `kind` stands here a second time");
}

#[test]
fn what_is_no_yaml_is_pointed_at() {
    insta::assert_snapshot!(told("steps:\n  - name: 'columns\n    run: a\n"), @".harbor-pilot/ter-235.yml:2:11: cannot read it as YAML: unclosed quote");
    insta::assert_snapshot!(told("steps:\n\t- name: a\n"), @".harbor-pilot/ter-235.yml:2:2: cannot read it as YAML: tabs disallowed within this context (block indentation)");
}

#[test]
fn nothing_is_read_that_is_too_large_or_grows() {
    insta::assert_snapshot!(told(&format!("steps: [{{name: a, run: '{}'}}]", "x".repeat(MAX_FILE))), @r#"
    .harbor-pilot/ter-235.yml: the file has 65563 bytes, and at most 65536 are read
    put the work into a script of the repository and let a step call it
    "#);
    let steps: String = (0..=MAX_STEPS)
        .map(|n| format!("  - {{name: s{n}, run: x}}\n"))
        .collect();
    insta::assert_snapshot!(told(&format!("steps:\n{steps}")), @r#"
    .harbor-pilot/ter-235.yml:2:3: it has 51 steps, and at most 50 are taken
    put the work into a script of the repository and let a step call it
    "#);
    let deep = format!("steps: {}{}", "[".repeat(1000), "]".repeat(1000));
    assert!(matches!(
        parse(&deep).unwrap_err().problem,
        Problem::NotYaml(_) | Problem::WrongType { .. }
    ));
    let bomb = "steps: &a [{name: a, run: &b [x, x]}]\nenv: [*b, *b, *b]\n";
    assert!(parse(bomb).is_err());
    let documents = "steps: [{name: a, run: b}]\n---\nsteps: [{name: c, run: d}]\n";
    assert!(parse(documents).is_err());
}

#[test]
fn what_is_just_small_enough_is_read() {
    let steps: String = (0..MAX_STEPS)
        .map(|n| format!("  - {{name: s{n}, run: x}}\n"))
        .collect();
    assert_eq!(
        parse(&format!("steps:\n{steps}")).unwrap().steps.len(),
        MAX_STEPS
    );
    let around = "steps: [{name: a, run: ''}]".len();
    let run = "x".repeat(MAX_FILE - around);
    let text = format!("steps: [{{name: a, run: '{run}'}}]");
    assert_eq!(text.len(), MAX_FILE);
    assert_eq!(parse(&text).unwrap().steps[0].run, run);
}

const MAX_FILE: usize = crate::MAX_FILE_BYTES;

#[test]
fn a_refused_manifest_is_a_refusal_of_its_own_reason() {
    let refusal = crate::Refusal::from(parse("steps: []").unwrap_err());
    assert_eq!(refusal.reason, crate::Reason::BadManifest);
}

#[test]
fn commands_of_the_command_line_are_a_manifest() {
    let step = |name: &str, run: &str| (name.to_owned(), run.to_owned());
    let manifest =
        Manifest::from_steps(id(), [step("columns", "a"), step("backfill", "b")]).unwrap();
    assert_eq!(manifest.steps.len(), 2);
    let twice = Manifest::from_steps(id(), [step("a", "x"), step("a", "y")]).unwrap_err();
    insta::assert_snapshot!(twice, @"--step: the step `a` stands here a second time");
    let bad = Manifest::from_steps(id(), [step("A", "x")]).unwrap_err();
    insta::assert_snapshot!(bad, @"--step: `name`: `A` is not a step name (1 to 64 lower-case letters, digits, `.`, `_`, `-`; first a letter or digit)");
    let none = Manifest::from_steps(id(), []).unwrap_err();
    insta::assert_snapshot!(none, @"--step: it has no steps");
}

/// What both the schema and the parser can tell, they tell alike.
#[rstest]
#[case::whole(WHOLE, true)]
#[case::least("steps: [{name: a, run: b}]", true)]
#[case::nulls("app:\nkind:\nenv:\nsteps: [{name: a, run: b}]", true)]
#[case::kind("kind: PRE_DEPLOY\nsteps: [{name: a, run: b}]", true)]
#[case::no_steps("app: x", false)]
#[case::empty_steps("steps: []", false)]
#[case::unknown_key("steps: [{name: a, run: b}]\ncolour: red", false)]
#[case::unknown_key_of_a_step("steps: [{name: a, run: b, colour: red}]", false)]
#[case::no_run("steps: [{name: a}]", false)]
#[case::null_run("steps: [{name: a, run: }]", false)]
#[case::empty_run("steps: [{name: a, run: ''}]", false)]
#[case::number("steps: [{name: a, run: 1}]", false)]
#[case::boolean("steps: [{name: a, run: true}]", false)]
#[case::step_name("steps: [{name: 'A B', run: b}]", false)]
#[case::on_failure("on-failure: ignore\nsteps: [{name: a, run: b}]", false)]
#[case::strategy("strategy: both\nsteps: [{name: a, run: b}]", false)]
#[case::unknown_kind("kind: NEVER\nsteps: [{name: a, run: b}]", false)]
#[case::env("env: [A-B]\nsteps: [{name: a, run: b}]", false)]
#[case::env_text("env: AB\nsteps: [{name: a, run: b}]", false)]
#[case::list("- a", false)]
fn schema_and_parser_agree(#[case] text: &str, #[case] good: bool) {
    let document: serde_json::Value = serde_saphyr::from_str(text).unwrap();
    let schema = jsonschema::validator_for(&manifest_schema()).unwrap();
    assert_eq!(schema.is_valid(&document), good, "the schema");
    assert_eq!(parse(text).is_ok(), good, "the parser: {:?}", parse(text));
}

#[test]
fn the_schema_names_every_key_and_says_what_it_is_for() {
    let schema = manifest_schema();
    let keys = schema["properties"].as_object().unwrap();
    let names: Vec<&str> = keys.keys().map(String::as_str).collect();
    let problem = parse("x: y\nsteps: [{name: a, run: b}]")
        .unwrap_err()
        .problem;
    let Problem::UnknownKey { mut known, .. } = problem else {
        panic!("{problem}")
    };
    known.sort_unstable();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, known);
    assert!(keys.values().all(|key| {
        key["description"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    }));
}
