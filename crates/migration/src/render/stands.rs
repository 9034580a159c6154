//! Where things stand at the end, axis by axis, each with what proves it.

use super::timeline::disarmed;
use super::words::{self, Part, Words, count, list, name, short, words};
use crate::{
    CleanUpAxis, DeploymentAxis, FirewallAxis, HealthAxis, JobAxis, Links, Report, SeenLog, Verdict,
};
use app_spec::DeploymentId;

/// Returns each axis with its standing; nothing before the end.
pub(crate) fn stands(report: &Report, links: &Links) -> Vec<(&'static str, Words)> {
    let Some(verdict) = &report.verdict else {
        return Vec::new();
    };
    if verdict.job == JobAxis::NotAttempted && verdict.clean_up == CleanUpAxis::NotNeeded {
        return Vec::new();
    }
    let mut rows = vec![("Job", job(report, verdict))];
    if verdict.deployment != DeploymentAxis::None {
        rows.push(("Deployment", deployment(links, verdict)));
    }
    rows.push(("Clean-up", clean_up(report, links, verdict)));
    rows.push(("Health", words![health(verdict.health)]));
    rows.push(("Firewall", words![firewall(verdict.firewall)]));
    rows.extend(logs(report));
    rows
}

/// The most copies that are told one by one.
const COPIES: usize = 5;

fn job(report: &Report, verdict: &Verdict) -> Words {
    let facts = &verdict.facts;
    let named = facts
        .job
        .as_ref()
        .map_or_else(|| words!["none inserted"], |job| words![job]);
    let started = match (facts.executions, facts.unproven.is_empty()) {
        (0, _) => words![", no start seen in its logs"],
        (1, true) => words![", started once"],
        (2, true) => words![", started twice"],
        (more, true) => words![", started ", more, " times"],
        // There may be more.
        (1, false) => words![", one start seen in its logs"],
        (more, false) => words![", ", more, " starts seen in its logs"],
    };
    let started = if facts.job.is_some() {
        started
    } else {
        Words::default()
    };
    let copies = facts.disarmed.iter().map(|copy| {
        let why = disarmed(&copy.why, &report.redactor);
        Part::Words(words![
            "; its copy in deployment ",
            short(&copy.deployment),
            " ran nothing: ",
            why
        ])
    });
    words![named, started, Words(copies.take(COPIES).collect())]
}

fn deployment(links: &Links, verdict: &Verdict) -> Words {
    let facts = &verdict.facts;
    let own = facts.deployment.as_ref().map_or_else(
        || words!["of the job: not known"],
        |id| words![page(links, id)],
    );
    let how = match verdict.deployment {
        DeploymentAxis::None => "",
        DeploymentAxis::Active => " became live",
        DeploymentAxis::RolledBack => " failed and was rolled back",
        DeploymentAxis::Failed => " failed, no rollback seen",
        DeploymentAxis::Cancelled => " was cancelled or superseded",
        DeploymentAxis::InFlight => " is still in flight",
        DeploymentAxis::Unknown => ", its end can't be told",
    };
    let rollback = facts
        .rollback
        .as_ref()
        .map_or_else(Words::default, |id| words!["; rollback ", page(links, id)]);
    let carried = match facts.carried_by.as_slice() {
        [] => Words::default(),
        ids => words![
            "; the job was also in ",
            list(ids.iter().map(|id| page(links, id)))
        ],
    };
    let live = match &facts.live {
        Some((id, commit)) => {
            let commit = commit
                .as_ref()
                .map_or_else(Words::default, |commit| words![" at commit ", commit]);
            words!["; live now ", page(links, id), commit]
        }
        None => Words::default(),
    };
    words![own, how, rollback, carried, live]
}

fn clean_up(report: &Report, links: &Links, verdict: &Verdict) -> Words {
    let facts = &verdict.facts;
    let by = facts.clean_up.as_ref().map_or_else(Words::default, |id| {
        words![" (deployment ", page(links, id), ")"]
    });
    let spec = match (&report.plan, facts.changed_by_others.as_slice()) {
        (Some(plan), []) => words![
            "; the app spec is what it was before, fingerprint ",
            Part::Name(crate::Clean::composed(
                plan.baseline
                    .short()
                    .chars()
                    .filter(char::is_ascii_alphanumeric)
                    .collect()
            ))
        ],
        (_, []) => Words::default(),
        (_, changed) => words![
            "; the app spec is what it was before, but for what others changed: ",
            list(
                changed
                    .iter()
                    .map(|path| name(&report.redactor.clean_line(path)))
            )
        ],
    };
    match verdict.clean_up {
        CleanUpAxis::NotNeeded => words!["nothing to take out"],
        CleanUpAxis::Verified => words![
            "proven: the job is out of the app spec and out of the newest good deployment",
            by,
            spec
        ],
        CleanUpAxis::Sent => words![
            "the job is out of the app spec",
            by,
            "; the deployment that proves it has not settled",
            spec
        ],
        CleanUpAxis::Blocked => words!["NOT PROVEN: the job could not be taken out", by],
    }
}

fn health(axis: HealthAxis) -> &'static str {
    match axis {
        HealthAxis::Ok => "three good answers in a row",
        HealthAxis::Bad => "no three good answers in a row within three minutes",
        HealthAxis::NotChecked => "not checked",
    }
}

fn firewall(axis: FirewallAxis) -> &'static str {
    match axis {
        FirewallAxis::AsAsked => "as asked: the app's own rule, and the rules to keep",
        FirewallAxis::Drifted => "other rules found, see above; nothing was changed",
        FirewallAxis::Restored => {
            "put back to the app's own rule and the rules to keep, and read back; it takes effect within about five minutes"
        }
        FirewallAxis::Failed => "not as asked",
        FirewallAxis::NotChecked => "not looked at",
    }
}

fn logs(report: &Report) -> Option<(&'static str, Words)> {
    let kept = |log: &SeenLog| {
        let path = report.redactor.clean_line(log.path.as_ref()?);
        let lines = usize::try_from(log.lines).unwrap_or(usize::MAX);
        Some(Part::Words(words![
            name(&path),
            " (",
            count(lines, "line", "lines"),
            ")"
        ]))
    };
    let kept: Vec<Part> = report.logs.iter().filter_map(kept).collect();
    (!kept.is_empty()).then(|| ("Log", words!["kept in ", list(kept)]))
}

/// Returns a deployment's id, with a link to its page where its address can be built.
fn page(links: &Links, id: &DeploymentId) -> Part {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let fits = !id.as_str().is_empty() && id.as_str().chars().all(plain);
    let address = |app: &String| format!("{}/deployments/{id}", app.trim_end_matches('/'));
    words::page(id, links.dashboard.as_ref().filter(|_| fits).map(address))
}
