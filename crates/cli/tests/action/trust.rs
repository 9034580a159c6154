//! What must not happen whatever others write: no secret in any place that can be read, no text that is obeyed, no
//! insertion without the right to claim.

use crate::stage::{DO_TOKEN, GH_TOKEN, Stage, TER_235, good, manifest};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn no_secret_is_in_anything_that_can_be_read() {
    const GIVEN: &str = "canary-secret-env-value-0001";
    let mut stage = Stage::new();
    stage
        .inputs
        .insert("secret-env".to_owned(), "STRIPE_KEY".to_owned());
    stage.vars.insert("STRIPE_KEY".to_owned(), GIVEN.to_owned());
    stage
        .vars
        .insert("HARBOR_PILOT_LOG_LEVEL".to_owned(), "trace".to_owned());
    let shout = format!("echo $DATABASE_URL; echo $STRIPE_KEY; echo {DO_TOKEN}; env; exit 1");
    stage.open(
        428,
        "columns",
        &[(TER_235, &manifest(&[("shout", &shout)]))],
    );
    stage.label(428, "needs-migration");
    let plan = stage
        .pull_request(428, "labeled", Some("needs-migration"))
        .await;
    let ran = stage.merge(&[428]).await;
    assert_eq!(ran.code, 5, "{}\n{}", ran.out, ran.err);
    let log = stage.job_output(&ran);
    assert!(log.contains("***"), "{log}");
    let masks = |text: &str| {
        text.lines()
            .filter(|line| !line.starts_with("::add-mask::"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let seen = [
        masks(&plan.all()),
        masks(&ran.all()),
        log,
        stage.comments(428).join("\n"),
        stage.payloads(),
    ];
    for secret in [
        DO_TOKEN,
        GH_TOKEN,
        GIVEN,
        "canary-db-password",
        "X-Amz-Signature=",
    ] {
        for text in &seen {
            assert!(!text.contains(secret), "`{secret}` in:\n{text}");
        }
        if secret == DO_TOKEN || secret == GH_TOKEN || secret == GIVEN {
            assert!(ran.out.contains(&format!("::add-mask::{secret}")));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn text_of_others_is_shown_and_never_obeyed() {
    let mut stage = Stage::new();
    stage
        .vars
        .insert("HARBOR_PILOT_LOG_LEVEL".to_owned(), "debug".to_owned());
    let evil = "echo '::set-output name=x::y'; echo 'ok ##[add-mask]z'; printf 'a\\r::error::b\\n'; echo '</details> @mona <!-- harbor-pilot v1 key=none -->'; exit 1";
    stage.open(
        428,
        "::error::title ##[x] @mona <img src=x>",
        &[(TER_235, &manifest(&[("evil", evil)]))],
    );
    stage.label(428, "needs-migration");
    let ran = stage.merge(&[428]).await;
    assert_eq!(ran.code, 5, "{}\n{}", ran.out, ran.err);
    let known = [
        "::add-mask::",
        "::group::",
        "::endgroup::",
        "::error title=",
        "::notice title=",
        "::stop-commands::",
    ];
    let mut resume: Option<String> = None;
    for line in ran.out.split(['\n', '\r']) {
        assert!(!line.contains("##["), "{line}");
        let command = line.trim_start();
        if let Some(token) = &resume {
            if command == format!("::{token}::") {
                resume = None;
            } else {
                assert!(line.starts_with("| "), "{line}");
            }
            continue;
        }
        if let Some(token) = command.strip_prefix("::stop-commands::") {
            resume = Some(token.to_owned());
        }
        assert!(
            !command.starts_with("::") || known.iter().any(|one| command.starts_with(one)),
            "{line}"
        );
    }
    assert_eq!(resume, None);
    // Standard error is read for commands as well.
    assert!(!ran.err.is_empty());
    for line in ran.err.split(['\n', '\r']) {
        assert!(
            !line.contains("##[") && !line.trim_start().starts_with("::"),
            "{line}"
        );
    }
    assert!(ran.out.contains("ok ##\\[add-mask]z"), "{}", ran.out);
    for text in [&ran.out, &ran.summary, &stage.comments(428).join("\n")] {
        assert!(
            !text.contains("title ##[x]") && !text.contains("<img"),
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_claim_nothing_is_inserted() {
    for access in ["none", "read"] {
        let stage = Stage::with(|github| {
            github["tokens"][GH_TOKEN]["permissions"]["deployments"] = json!(access)
        });
        let before = stage.spec();
        stage.open(428, "columns", &[(TER_235, &good())]);
        stage.label(428, "needs-migration");
        let ran = stage.merge(&[428]).await;
        assert_eq!(
            (ran.code, ran.output("reason-code")),
            (3, "missing-permission"),
            "{access}: {}",
            ran.out
        );
        assert_eq!(
            (stage.puts(), stage.world.executions().len()),
            (0, 0),
            "{access}"
        );
        assert_eq!(stage.spec(), before);
        for text in [&ran.out, &ran.summary, &stage.comments(428)[0]] {
            assert!(text.contains("deployments: write"), "{access}: {text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_that_cannot_be_posted_fails_nothing() {
    let stage = Stage::with(|github| {
        github["tokens"][GH_TOKEN]["permissions"]["pull-requests"] = json!("read")
    });
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    let ran = stage.merge(&[428]).await;
    assert_eq!(
        (ran.code, ran.output("status")),
        (0, "succeeded"),
        "{}\n{}",
        ran.out,
        ran.err
    );
    assert!(ran.summary.contains("`ter-235` is done"), "{}", ran.summary);
    let warnings: Vec<&str> = ran
        .out
        .lines()
        .filter(|line| line.starts_with("::warning "))
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("pull-requests: write"),
        "{}",
        warnings[0]
    );
    assert!(stage.comments(428).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_public_repository_shows_no_line_of_a_log_unless_asked() {
    let public =
        |github: &mut serde_json::Value| github["repositories"][0]["visibility"] = json!("public");
    for (log, shown) in [(None, false), (Some("tail"), true)] {
        let mut stage = Stage::with(public);
        if let Some(log) = log {
            stage.inputs.insert("log".to_owned(), log.to_owned());
        }
        stage.open(
            428,
            "columns",
            &[(
                TER_235,
                &manifest(&[("columns", "echo a-customer; exit 1")]),
            )],
        );
        stage.label(428, "needs-migration");
        let ran = stage.merge(&[428]).await;
        assert_eq!(ran.code, 5, "{}", ran.out);
        let texts = [
            ran.out.clone(),
            ran.summary.clone(),
            stage.comments(428).join("\n"),
        ];
        for text in texts {
            // The command itself is the reviewed manifest's, and public already.
            let output = text
                .lines()
                .any(|line| line.trim_end().ends_with("Z a-customer"));
            assert_eq!(output, shown, "{log:?}: {text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_github_token_that_expires_midway_stops_no_clean_up() {
    let stage = Stage::new();
    let before = stage.spec();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    let pushed = stage.land(&[428]);
    let expires = async {
        while stage.world.executions().is_empty() {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        let refused = sim::FaultKind::Respond {
            status: 401,
            headers: Default::default(),
            body: None,
            applied: sim::Applied::No,
        };
        stage
            .world
            .arm(sim::Fault::next("/repos/*", refused).times(u32::MAX));
    };
    let (ran, ()) = tokio::join!(stage.pushed(&pushed), expires);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert_eq!(stage.spec(), before);
    assert!(ran.summary.contains("`ter-235` is done"), "{}", ran.summary);
}
