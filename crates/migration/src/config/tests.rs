use super::*;
use rstest::rstest;

fn parse(text: &str) -> Result<Config, FileError> {
    Config::parse(CONFIG_PATH, text)
}

fn told(text: &str) -> String {
    let error = parse(text).unwrap_err();
    match error.hint() {
        Some(hint) => format!("{error}\n{hint}"),
        None => error.to_string(),
    }
}

const WHOLE: &str = "
app: terp-app
component: web
database: terp-mysql-db
manifests: ./ops/migrations/
label: run-migration
labels: {running: m-running, done: m-done, failed: m-failed}
health-url: off
firewall: restore
database-cluster: 03cd0216-a4df-42c6-9bff-d9dc7dadec83
keep-rules:
  - {type: ip_addr, value: 203.0.113.7}
also-stale: [migration-job]
accept-jobs: [warm-cache]
defaults:
  kind: PRE_DEPLOY
  instance-size: apps-s-1vcpu-1gb
  job-timeout: 45m
  deadline: 2h
  strategy: one-job-per-step
  on-failure: contain
  wait-for-deploy: off
  log: off
  shell: none
  env: [JWT_SECRET]
";

#[test]
fn a_whole_config_is_read() {
    let config = parse(WHOLE).unwrap();
    let name = |name: &str| ComponentName::parse(name).unwrap();
    assert_eq!(
        config,
        Config {
            app: Some("terp-app".to_owned()),
            component: Some(name("web")),
            database: Some("terp-mysql-db".to_owned()),
            manifests: "ops/migrations".to_owned(),
            label: "run-migration".to_owned(),
            labels: Labels {
                running: "m-running".to_owned(),
                done: "m-done".to_owned(),
                failed: "m-failed".to_owned(),
            },
            health: Some(HealthCheck::Off),
            firewall: Some(FirewallPolicy::Restore),
            database_cluster: Some(ClusterId::new("03cd0216-a4df-42c6-9bff-d9dc7dadec83")),
            keep_rules: vec![RuleMatch::new(RuleKind::IpAddr, "203.0.113.7")],
            also_stale: vec![name("migration-job")],
            accept_jobs: vec![name("warm-cache")],
            defaults: Defaults {
                kind: Some(Kind::PreDeploy),
                instance_size: Some("apps-s-1vcpu-1gb".to_owned()),
                job_timeout: Some(Duration::from_secs(45 * 60)),
                deadline: Some(Duration::from_secs(2 * 60 * 60)),
                strategy: Some(Strategy::OneJobPerStep),
                on_failure: Some(OnFailure::Contain),
                wait_for_deploy: Some(WaitForDeploy::Off),
                log: Some(LogPolicy::Off),
                shell: Some(Shell::None),
                env: vec!["JWT_SECRET".to_owned()],
            },
        }
    );
}

#[rstest]
#[case("")]
#[case("# nothing yet\n")]
#[case("---\n")]
#[case("app:\nlabels:\ndefaults:\n")]
fn a_config_that_settles_nothing_is_the_default(#[case] text: &str) {
    assert_eq!(parse(text).unwrap(), Config::default());
}

#[test]
fn what_is_wrong_is_pointed_at() {
    insta::assert_snapshot!(told("app: a\ncomponnet: web\n"), @r#"
    .github/harbor-pilot.yml:2:1: unknown key `componnet`
    did you mean `component`? the keys here are `app`, `component`, `database`, `manifests`, `label`, `labels`, `health-url`, `firewall`, `database-cluster`, `keep-rules`, `also-stale`, `accept-jobs`, `defaults`
    "#);
    insta::assert_snapshot!(told("defaults:\n  timeout: 30m\n"), @r#"
    .github/harbor-pilot.yml:2:3: unknown key `timeout`
    did you mean `job-timeout`? the keys here are `kind`, `instance-size`, `job-timeout`, `deadline`, `strategy`, `on-failure`, `wait-for-deploy`, `log`, `shell`, `env`
    "#);
    insta::assert_snapshot!(told("component: Web Server\n"), @r#".github/harbor-pilot.yml:1:12: `component`: component name "Web Server" must be 2 to 32 of `a-z`, `0-9` and `-`, begin with a letter and not end with `-`"#);
    insta::assert_snapshot!(told("firewall: restored\n"), @r#"
    .github/harbor-pilot.yml:1:11: `restored` is not a value of `firewall`
    did you mean `restore`? the values are `check`, `restore`, `off`
    "#);
    insta::assert_snapshot!(told("health-url: shop.example.com/health\n"), @".github/harbor-pilot.yml:1:13: `health-url`: it is neither an address that begins with `https://` nor `off`");
    insta::assert_snapshot!(told("manifests: ../elsewhere\n"), @".github/harbor-pilot.yml:1:12: `manifests`: it is not a folder inside the repository");
    insta::assert_snapshot!(told("keep-rules:\n  - {type: ip, value: 203.0.113.7}\n"), @r#"
    .github/harbor-pilot.yml:2:12: `ip` is not a value of `type`
    did you mean `ip_addr`? the values are `app`, `ip_addr`, `droplet`, `k8s`, `tag`
    "#);
    insta::assert_snapshot!(told("keep-rules: [203.0.113.7]\n"), @".github/harbor-pilot.yml:1:14: expected keys with values here");
    insta::assert_snapshot!(told("also-stale: migration-job\n"), @".github/harbor-pilot.yml:1:13: expected a list here");
    insta::assert_snapshot!(told("defaults: {deadline: 5m}\n"), @".github/harbor-pilot.yml:1:22: `deadline`: `5m` is not between 10 min and 48 h");
    insta::assert_snapshot!(told("defaults: {shell: bash}\n"), @r#"
    .github/harbor-pilot.yml:1:19: `bash` is not a value of `shell`
    the values are `sh`, `none`
    "#);
    insta::assert_snapshot!(told("app: yes\napp: no\n"), @".github/harbor-pilot.yml:2:1: the key `app` stands here a second time");
}

#[rstest]
#[case("ops", Some("ops"))]
#[case("./ops/migrations/", Some("ops/migrations"))]
#[case("/ops", None)]
#[case("ops//migrations", None)]
#[case("ops/../../elsewhere", None)]
#[case(r"ops\migrations", None)]
#[case(r"\ops", None)]
#[case("/", None)]
fn manifests_are_in_a_folder_of_the_repository(#[case] text: &str, #[case] folder: Option<&str>) {
    let config = parse(&format!("manifests: '{text}'")).ok();
    assert_eq!(
        config.map(|config| config.manifests),
        folder.map(str::to_owned)
    );
}

#[test]
fn a_label_has_at_most_fifty_characters() {
    let label = |count: usize| parse(&format!("label: {}", "ü".repeat(count)));
    assert_eq!(label(50).unwrap().label, "ü".repeat(50));
    assert!(label(51).is_err());
}

#[rstest]
#[case("https://shop.example.com/health")]
#[case("http://127.0.0.1:4000/health")]
fn a_health_address_is_taken_as_it_stands(#[case] url: &str) {
    assert_eq!(
        parse(&format!("health-url: {url}")).unwrap().health,
        Some(HealthCheck::Url(url.to_owned()))
    );
}

#[test]
fn a_refused_config_is_a_refusal_of_its_own_reason() {
    let refusal = crate::Refusal::from(parse("a: b").unwrap_err());
    assert_eq!(refusal.reason, crate::Reason::BadConfig);
}

/// What both the schema and the parser can tell, they tell alike.
#[rstest]
#[case::whole(WHOLE, true)]
#[case::some("app: x\ndefaults: {log: full}", true)]
#[case::nulls("app:\nlabels:\nkeep-rules:\ndefaults: {log: }", true)]
#[case::unknown_key("applet: x", false)]
#[case::unknown_label("labels: {walking: x}", false)]
#[case::unknown_default("defaults: {colour: red}", false)]
#[case::unknown_rule_key("keep-rules: [{type: app, value: x, why: y}]", false)]
#[case::rule_type("keep-rules: [{type: host, value: x}]", false)]
#[case::rule_without_value("keep-rules: [{type: app}]", false)]
#[case::component("component: Web", false)]
#[case::stale("also-stale: [Web]", false)]
#[case::accepted("accept-jobs: web", false)]
#[case::firewall("firewall: maybe", false)]
#[case::log("defaults: {log: some}", false)]
#[case::shell("defaults: {shell: bash}", false)]
#[case::wait("defaults: {wait-for-deploy: 3}", false)]
#[case::empty_label("label: ''", false)]
#[case::long_label(
    "label: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    false
)]
#[case::list("- a", false)]
fn schema_and_parser_agree(#[case] text: &str, #[case] good: bool) {
    // As an editor's YAML 1.2 reader sees it: `off` is text.
    let options = serde_saphyr::options! { strict_booleans: true };
    let document: serde_json::Value = serde_saphyr::from_str_with_options(text, options).unwrap();
    let schema = jsonschema::validator_for(&config_schema()).unwrap();
    assert_eq!(schema.is_valid(&document), good, "the schema");
    assert_eq!(parse(text).is_ok(), good, "the parser: {:?}", parse(text));
}

#[test]
fn the_schema_says_what_every_key_is_for() {
    let schema = config_schema();
    let keys = schema["properties"].as_object().unwrap();
    let described = |key: &serde_json::Value| {
        key["description"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    };
    assert!(keys.values().all(described));
    let defaults = schema["$defs"]["Defaults"]["properties"]
        .as_object()
        .unwrap();
    assert!(defaults.values().all(described));
}
