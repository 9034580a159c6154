//! What is folded away at the end of a page, cut to the space that is left: timeline, logs, a plan's difference.

use super::escape;
use super::story::{self, State};
use super::words::{count, short, words};
use crate::{Clean, LogPolicy, Report, SeenLog};

/// Returns a folded block whose content `inner` fits into what is left of `room` bytes; nothing for empty content.
pub(crate) fn details(
    title: &str,
    inner: impl FnOnce(usize) -> String,
    room: usize,
) -> Option<String> {
    let (open, close) = (
        format!("<details><summary>{title}</summary>\n\n"),
        "\n\n</details>",
    );
    let content = inner(room.checked_sub(open.len() + close.len() + 4)?);
    (!content.is_empty()).then(|| format!("{open}{content}{close}"))
}

/// The logs and the plan's difference, folded, each cut to what the ones before it left of `room` bytes.
pub(crate) fn foldable(report: &Report, room: usize) -> Vec<String> {
    let mut blocks = Vec::new();
    let left = |blocks: &[String]| {
        room.saturating_sub(blocks.iter().map(|block| block.len() + 2).sum::<usize>())
    };
    if let (State::Preview(_), Some(diff)) = (story::state(report), &report.plan_diff) {
        let lines: Vec<&str> = diff.as_str().lines().collect();
        blocks.extend(details(
            "The app spec, with and without the job",
            |room| cut_fence("diff", &lines, End::Head, room),
            left(&blocks),
        ));
    }
    if !shows_log(report) {
        return blocks;
    }
    let telling = report.telling_log();
    let others = report
        .logs
        .iter()
        .filter(|log| telling.is_none_or(|telling| telling.deployment != log.deployment));
    for log in telling.into_iter().chain(others) {
        blocks.extend(log_block(log, left(&blocks)));
    }
    blocks
}

fn log_block(log: &SeenLog, room: usize) -> Option<String> {
    let lines: Vec<&str> = log.tail.iter().map(Clean::as_str).collect();
    let lead = words![
        "Job ",
        &log.job,
        " in deployment ",
        short(&log.deployment),
        ":"
    ]
    .markdown();
    let total = count(
        usize::try_from(log.lines).unwrap_or(usize::MAX),
        "line",
        "lines",
    )
    .markdown();
    details(
        &format!("End of the job's log ({total} in all)"),
        |room| {
            let fence = cut_fence("", &lines, End::Tail, room.saturating_sub(lead.len() + 2));
            if fence.is_empty() {
                fence
            } else {
                format!("{lead}\n\n{fence}")
            }
        },
        room,
    )
}

/// Which end of a text stays when it is cut.
#[derive(Clone, Copy)]
enum End {
    Head,
    Tail,
}

/// Returns as many lines in a fence as fit into `room` bytes, with a count of the rest; empty where none fits.
fn cut_fence(language: &'static str, lines: &[&str], end: End, room: usize) -> String {
    let mut kept = lines.len();
    while kept > 0 {
        let cut = lines.len() - kept;
        let note = format!("… {cut} more");
        let shown = match (end, cut) {
            (_, 0) => lines.join("\n"),
            (End::Head, _) => format!(
                "{}\n{note}",
                lines.get(..kept).unwrap_or_default().join("\n")
            ),
            (End::Tail, _) => format!(
                "{note}\n{}",
                lines.get(cut..).unwrap_or_default().join("\n")
            ),
        };
        let fence = escape::fence(language, &shown);
        if fence.len() <= room {
            return fence;
        }
        // A tenth at a time: a log has thousands of lines, and one line more or less is not worth a thousand tries.
        kept -= (kept / 10).max(1);
    }
    String::new()
}

/// Returns whether log lines are to be shown.
pub(crate) fn shows_log(report: &Report) -> bool {
    report
        .plan
        .as_ref()
        .is_none_or(|plan| plan.request.settings.log != LogPolicy::Off)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Evidence, JobName};
    use app_spec::DeploymentId;

    /// What stands between two blocks, before and after.
    const BETWEEN: usize = 4;

    #[test]
    fn a_block_takes_all_the_room_there_is_and_no_more() {
        let block = |room| details("Log", |inner| "x".repeat(inner), room);
        assert_eq!(block(300).unwrap().len() + BETWEEN, 300);
        assert_eq!(block(20), None, "there is no room for its title");
        assert_eq!(details("Log", |_| String::new(), 300), None);
    }

    #[test]
    fn a_log_is_cut_to_the_room_that_there_is() {
        let log = SeenLog {
            job: JobName::parse("migrate-k3f9q2x7-e0").unwrap(),
            deployment: DeploymentId::new("11111111-1111-4111-8111-111111111111"),
            evidence: Evidence::default(),
            tail: vec![Clean::composed("x".to_owned()); 400],
            lines: 400,
            path: None,
        };
        let whole = log_block(&log, 10_000).unwrap();
        assert_eq!(log_block(&log, whole.len() + BETWEEN), Some(whole));
        let mut shown = 0;
        for room in 0..900 {
            if let Some(block) = log_block(&log, room) {
                assert!(block.len() + BETWEEN <= room, "{room}: {}", block.len());
                shown += 1;
            }
        }
        assert!(shown > 500, "{shown}");
    }

    #[test]
    fn all_that_is_folded_keeps_to_the_room_together() {
        let job = JobName::parse("migrate-k3f9q2x7-e0").unwrap();
        let log = |id: &str| SeenLog {
            job: job.clone(),
            deployment: DeploymentId::new(id),
            evidence: Evidence::default(),
            tail: vec![Clean::composed("x".to_owned()); 60],
            lines: 60,
            path: None,
        };
        let report = Report {
            logs: vec![log("d-1"), log("d-2")],
            ..Report::default()
        };
        let mut fullest = 0;
        for room in 0..700 {
            let blocks = foldable(&report, room);
            let taken = blocks.iter().map(|block| block.len() + 2).sum::<usize>();
            assert!(taken <= room, "{room}: {taken}");
            fullest = fullest.max(blocks.len());
        }
        assert_eq!(fullest, 2);
    }
}
