//! Hostile text in every foreign field: the page stays ours, and no secret is on it.

use super::world::*;
use super::{comment, everything, terminal};
use crate::*;
use app_spec::{DeploymentId, Phase};
use proptest::prelude::{
    ProptestConfig, TestCaseError, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use proptest::strategy::Strategy as Strategem;
use pulldown_cmark::{CowStr, Event as Md, Options, Parser, Tag};
use regex::Regex;
use std::sync::LazyLock;

/// Reports of several states with `evil` wherever text comes from outside.
fn reports(evil: &str, redactor: &Redactor) -> Vec<Report> {
    let clean = |text: &str| redactor.clean(text);
    let mut plan = ter235();
    plan.app_name = evil.to_owned();
    plan.steps[0].run = evil.to_owned();
    plan.steps[0].check = Some(evil.to_owned());
    plan.request.reviewed = Reviewed::At {
        path: evil.to_owned(),
        commit: evil.to_owned(),
    };
    plan.request.settings.database = evil.to_owned();
    plan.request.settings.reference = app_spec::ComponentName::from_platform(evil);
    plan.health_url = Some(evil.to_owned());
    plan.image_digest = Some(evil.to_owned());
    plan.commit = None;
    plan.findings = vec![Finding {
        severity: Severity::Warning,
        code: "operator-and",
        message: evil.to_owned(),
        hint: Some(evil.to_owned()),
    }];
    let id = DeploymentId::new(evil);
    let mut verdict = rolled_back();
    verdict.facts.live = Some((id.clone(), None));
    verdict.facts.rollback = Some(id.clone());
    verdict.facts.carried_by = vec![id.clone()];
    verdict.facts.disarmed = vec![DisarmedCopy {
        deployment: id.clone(),
        why: Disarmed::Commit {
            built: evil.to_owned(),
        },
    }];
    verdict.facts.changed_by_others = vec![evil.to_owned()];
    verdict.facts.extra_rules = vec![evil.to_owned()];
    verdict.firewall = FirewallAxis::Drifted;
    let mut evil_log = evidence(vec![
        ran("columns", 1, Some(0)),
        ran("backfill", 1, Some(1)),
    ]);
    evil_log.commit = Some(evil.to_owned());
    let told = |mut story: Story| {
        story.report.redactor = redactor.clone();
        let log = Happening::Log {
            job: plan.job(),
            deployment: deployment(OURS),
            evidence: evil_log.clone(),
            tail: vec![clean(evil), clean("x"), clean(evil)],
            lines: 3,
            path: Some(evil.to_owned()),
        };
        let mut refused = evidence(Vec::new());
        refused.refused = Some(evil.to_owned());
        let other = Happening::Log {
            job: plan.job(),
            deployment: id.clone(),
            evidence: refused,
            tail: vec![clean(evil)],
            lines: 1,
            path: None,
        };
        story
            .planned(plan.clone())
            .then(1, Happening::Waiting(clean(evil)))
            .then(1, Happening::Doubtful(clean(evil)))
            .then(
                1,
                Happening::Inserted {
                    job: plan.job(),
                    deployment: Some(id.clone()),
                },
            )
            .then(
                1,
                Happening::Phase {
                    deployment: id.clone(),
                    role: Role::Ours,
                    phase: Phase::Other(evil.to_owned()),
                },
            )
            .then(1, log)
            .then(1, other)
            .then(
                1,
                Happening::Removed {
                    jobs: vec![evil.to_owned()],
                    deployment: Some(id.clone()),
                },
            )
            .then(
                1,
                Happening::Restored {
                    changed_by_others: vec![evil.to_owned()],
                },
            )
            .then(
                1,
                Happening::Firewall {
                    restored: false,
                    extra: vec![clean(evil)],
                },
            )
            .then(1, Happening::Warned(clean(evil)))
    };
    let mut blocked = verdict.clone();
    blocked.reason = Reason::CleanUpNotProven;
    blocked.clean_up = CleanUpAxis::Blocked;
    let mut missing = verdict.clone();
    missing.job = JobAxis::Refused {
        variable: evil.to_owned(),
    };
    let mut preview = told(story()).report;
    preview.purpose = Purpose::Preview;
    preview.plan_diff = Some(clean(evil));
    preview.epochs = vec![LedgerEntry {
        id: EntryId(1),
        at: preview.started.unwrap(),
        claim: Claim {
            authority: Authority::Cli(evil.to_owned()),
            reason: Some(evil.to_owned()),
            ..claim()
        },
        outcome: None,
    }];
    let mut refused = story();
    refused.report.redactor = redactor.clone();
    refused.report.subject.app = Some(clean(evil));
    let refused = refused.then(
        0,
        Happening::Refused(Refusal::new(Reason::SpecRefused, evil, evil)),
    );
    let ended = Ended {
        epoch: Epoch(0),
        outcome: LedgerOutcome::NeverStarted,
        hint: clean(evil),
    };
    vec![
        told(story()).report,
        told(story()).ended(verdict).report,
        told(story()).ended(blocked).report,
        told(story()).ended(missing).report,
        preview,
        refused.report,
        story().then(0, Happening::AlreadyEnded(ended)).report,
    ]
}

/// The raw HTML that is ours.
static OUR_HTML: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"<!-- harbor-pilot v1 key=[0-9a-z]+ -->|</?details>|<summary>[A-Za-z0-9 ,()']*</summary>",
    )
    .unwrap()
});

fn check_page(page: &str) -> Result<(), TestCaseError> {
    let ours = |address: &str| {
        address.starts_with("https://github.com/acme/terp/")
            || address.starts_with("https://cloud.digitalocean.com/apps/")
    };
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM;
    let mut html = String::new();
    let mut in_code = false;
    for event in Parser::new_ext(page, options) {
        match event {
            Md::Html(text) | Md::InlineHtml(text) => html.push_str(&text),
            Md::Start(Tag::Image { .. }) => {
                return Err(TestCaseError::fail(format!("an image in:\n{page}")));
            }
            Md::Start(Tag::Link { dest_url, .. }) => {
                prop_assert!(ours(&dest_url), "a link to {} in:\n{}", dest_url, page)
            }
            Md::Start(Tag::CodeBlock(_)) => in_code = true,
            Md::End(pulldown_cmark::TagEnd::CodeBlock) => in_code = false,
            Md::Text(text) if !in_code => check_text(&text, page)?,
            Md::FootnoteReference(_) => {
                return Err(TestCaseError::fail(format!("a footnote in:\n{page}")));
            }
            Md::Start(_)
            | Md::End(_)
            | Md::Text(_)
            | Md::Code(_)
            | Md::InlineMath(_)
            | Md::DisplayMath(_)
            | Md::SoftBreak
            | Md::HardBreak
            | Md::Rule
            | Md::TaskListMarker(_) => {}
        }
    }
    let rest = OUR_HTML.replace_all(&html, "");
    prop_assert_eq!(rest.trim(), "", "raw HTML in:\n{}", page);
    prop_assert!(html.matches("<!--").count() == 1);
    Ok(())
}

static BAIT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"@octocat|#12|www\.evil|://|@evil|\b0b2c4d6e8f0a1b2c3d4e5f60718293a4b5c6d7e8\b")
        .unwrap()
});

/// What GitHub would make a mention, a reference or a link of, outside code.
fn check_text(text: &CowStr<'_>, page: &str) -> Result<(), TestCaseError> {
    prop_assert!(!BAIT.is_match(text), "{} outside code in:\n{}", text, page);
    Ok(())
}

fn evil() -> impl Strategem<Value = String> {
    let pieces = prop::sample::select(vec![
        "\n```\n<script>\n",
        "\n````\n![i](https://evil.example/p.png)\n",
        "\n\n</details>\n\n<b>x</b>",
        "`<b>`",
        "`",
        "``",
        "```",
        "````",
        "~~~",
        "\n",
        "\n\n",
        "    ",
        " ",
        "\t",
        "\\",
        "|",
        "*",
        "_",
        "[x](https://evil.example)",
        "![i](https://evil.example/p.png)",
        "<img src=x>",
        "<script>",
        "</details>",
        "<details>",
        "</summary>",
        "<!-- harbor-pilot v1 key=k3f9q2x7 -->",
        "-->",
        "@octocat",
        "org/x#12",
        "https://evil.example/a",
        "www.evil.example",
        "me@evil.example",
        "<https://evil.example>",
        "[x]: https://evil.example",
        "[^1]",
        "# h",
        "> q",
        "- l",
        "1. n",
        "---",
        "===",
        "|---|",
        "&lt;b&gt;",
        "&#60;",
        "$x$",
        "\u{202e}",
        "\u{200b}",
        "\r",
        "\u{1b}[31m",
        "::error::x",
        "##[add-mask]x",
        "word",
        "0b2c4d6e8f0a1b2c3d4e5f60718293a4b5c6d7e8",
        "é",
        "日本",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_foreign_text_becomes_markup(evil in prop_oneof![4 => evil(), 1 => any::<String>()]) {
        for report in reports(&evil, &Redactor::default()) {
            let page = comment::render(&report, &links(), comment::BUDGET);
            let first = page.lines().next().unwrap_or_default();
            prop_assert!(first.starts_with("<!-- harbor-pilot v1 key="), "{}", first);
            check_page(&page)?;
            for line in report.timeline.iter().map(|moment| moment.text.as_str()) {
                prop_assert!(!line.contains(['\u{1b}', '\r']), "{}", line);
            }
        }
    }

    #[test]
    fn budgets_hold(evil in evil(), times in 1usize..60) {
        for report in reports(&evil.repeat(times), &Redactor::default()) {
            let page = comment::render(&report, &links(), comment::BUDGET);
            prop_assert!(page.len() <= comment::BUDGET, "{}", page.len());
            let notices = super::notices::render(&report, &links());
            for notice in [notices.error, notices.notice].into_iter().flatten() {
                prop_assert!(notice.message.as_str().chars().count() <= 4096);
                prop_assert!(!notice.title.as_str().contains('\n'));
            }
        }
    }

    #[test]
    fn no_planted_secret_is_on_any_text(before in evil(), after in evil()) {
        let secret = "c4nary-S3cret+value/42";
        let redactor = Redactor::new([secrecy::SecretString::from(secret)]);
        let planted = [
            secret.to_owned(),
            "mysql://doadmin:c4nary-url@db.example/x".to_owned(),
            "https://logs.example/x.log?X-Amz-Signature=c4narysig".to_owned(),
            "dop_v1_c4nary0123456789".to_owned(),
            "EV[1:c4nary:c4nary]".to_owned(),
        ]
        .join(" ");
        for report in reports(&format!("{before} {planted} {after}"), &redactor) {
            for text in everything(&report) {
                prop_assert!(!text.replace('\\', "").contains("c4nary"), "{}", text);
            }
            let what = Happening::Removed { jobs: vec![planted.clone()], deployment: None };
            let event = Event { at: report.started.unwrap(), what };
            prop_assert!(!terminal::line(&event, &redactor).unwrap().contains("c4nary"));
        }
    }
}
