//! What gives way on a page that has little room, and what never does.

use super::world::*;
use super::{comment, timeline};
use crate::*;
use std::collections::BTreeMap;

/// A plan of so many steps, `s0` first, with this command each.
fn plan_of(steps: usize, run: &str) -> Plan {
    let mut plan = ter235();
    plan.steps = (0..steps)
        .map(|n| Step {
            name: step(&format!("s{n}")),
            run: run.to_owned(),
            check: None,
        })
        .collect();
    plan.request.manifest.steps = plan.steps.clone();
    plan
}

fn preview(plan: Plan) -> Report {
    let mut report = story().planned(plan).report;
    report.purpose = Purpose::Preview;
    report
}

fn epochs(count: u32) -> Vec<LedgerEntry> {
    let entry = |number| LedgerEntry {
        id: EntryId(1),
        at: "2026-02-18T00:35:02Z".parse().unwrap(),
        claim: Claim {
            epoch: Epoch(number),
            ..claim()
        },
        outcome: Some(LedgerOutcome::NeverStarted),
    };
    (0..count).map(entry).collect()
}

/// The least important is left out first, and the verdict and what to do stay whatever the room.
#[test]
fn a_page_without_room_leaves_out_whole_parts_and_says_so() {
    let mut plan = plan_of(8, &"npx tsx columns.ts ".repeat(50));
    plan.findings = vec![Finding {
        severity: Severity::Warning,
        code: "operator-and",
        message: "two commands have one result ".repeat(10),
        hint: None,
    }];
    let mut report = preview(plan);
    report.epochs = epochs(30);
    let parts = [
        "### Plan",
        "**What to do now**",
        "| Step |",
        "reason `planned`",
        "**Worth knowing**",
        "Step `s0`:",
        "**What will happen**",
        "**Epochs so far**",
    ];
    let mut least_room = BTreeMap::new();
    for budget in (0..8_000).step_by(13) {
        let page = comment::render(&report, &links(), budget);
        let shown: Vec<&str> = parts
            .into_iter()
            .filter(|part| page.contains(part))
            .collect();
        for part in &shown {
            least_room.entry(*part).or_insert(budget);
        }
        assert_eq!(
            page.contains("Some parts are left out here"),
            shown.len() < parts.len(),
            "{budget}: {page}"
        );
        assert!(
            page.len() <= budget.max(600),
            "{budget}: {} bytes",
            page.len()
        );
    }
    let mut by_room = parts;
    by_room.sort_by_key(|part| least_room.get(part));
    assert_eq!(by_room, parts, "{least_room:?}");
    assert_eq!(least_room.get("**What to do now**"), Some(&0));
}

/// Reviewers say yes to commands: a few letters of each are worth more than nothing of all.
#[test]
fn long_commands_are_cut_so_that_all_of_them_are_shown() {
    let long = "x".repeat(10_000);
    for (steps, shown) in [(1, 1), (40, 40), (50, 40)] {
        let page = comment::render(&preview(plan_of(steps, &long)), &links(), comment::BUDGET);
        assert_eq!(page.matches("\n```sh\nxxxxxxxx").count(), shown, "{steps}");
        assert_eq!(page.matches("x…\n```").count(), shown, "{steps}");
        assert_eq!(page.contains("| … | 10 more |"), steps == 50, "{steps}");
        assert_eq!(page.matches("| … |").count(), usize::from(steps == 50));
    }
    let whole = "y".repeat(3_500);
    let page = comment::render(&preview(plan_of(1, &whole)), &links(), comment::BUDGET);
    assert!(page.contains(&whole), "{page}");
}

#[test]
fn of_many_epochs_the_newest_are_listed() {
    let listed = |count| {
        let mut report = preview(ter235());
        report.epochs = epochs(count);
        let page = comment::render(&report, &links(), comment::BUDGET);
        let lines = page.lines().filter(|line| line.starts_with("- Epoch "));
        let of = |line: &str| line.split([' ', ',']).nth(2).unwrap_or_default().to_owned();
        lines.map(of).collect::<Vec<String>>()
    };
    let numbers = |range: std::ops::Range<u32>| range.map(|n| n.to_string()).collect::<Vec<_>>();
    assert_eq!(listed(40), numbers(0..40));
    assert_eq!(listed(43), numbers(3..43));
}

#[test]
fn a_timeline_loses_its_middle_and_keeps_to_its_room() {
    let moment = |n: usize| Moment {
        at: "2026-02-18T00:35:02Z".parse().unwrap(),
        text: Redactor::default().clean(&format!("moment {n}")),
    };
    let moments: Vec<Moment> = (100..160).map(moment).collect();
    let whole = timeline::markdown(&moments, 100_000);
    assert_eq!(whole.lines().count(), 60);
    let mut cut = 0;
    for room in 0..whole.len() {
        let told = timeline::markdown(&moments, room);
        assert!(told.len() <= room, "{room}: {}", told.len());
        if told.is_empty() {
            continue;
        }
        let lines: Vec<&str> = told.lines().collect();
        let skipped = 61 - lines.len();
        assert!(lines[4].ends_with("moment 104"), "{told}");
        assert_eq!(lines[5], format!("- … {skipped} more …"), "{room}: {told}");
        // What more than this is cut has no need to be.
        let next = whole.lines().nth(4 + skipped).unwrap();
        assert!(told.len() + next.len() + 4 > room, "{room}: {told}");
        if lines.len() > 6 {
            assert!(told.ends_with("moment 159"), "{told}");
        }
        cut += 1;
    }
    assert!(cut > 500, "{cut}");
}

#[test]
fn the_log_has_all_the_room_that_a_long_timeline_leaves() {
    let line = "x".repeat(100);
    let mut story = failed_backfill().log(began_and_failed(), &vec![line.as_str(); 5_000]);
    for second in 0..200 {
        let cause = Redactor::default().text(format_args!("waiting {second} {}", "y".repeat(100)));
        story = story.then(1, Happening::Waiting(cause));
    }
    let page = story.comment();
    assert!(page.contains("Waiting 100 ") && page.contains("End of the job's log"));
    // A log is cut by a tenth at a time.
    assert!(page.len() > comment::BUDGET * 9 / 10, "{}", page.len());
}

fn began_and_failed() -> Evidence {
    evidence(vec![
        ran("columns", 12, Some(0)),
        ran("backfill", 3, Some(1)),
    ])
}
