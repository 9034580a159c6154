//! What a plan would do, told before it is done.

use super::words::{Part, Words, as_sentence, list, name, span, with_stop, words};
use crate::{
    Clean, Finding, FirewallPolicy, HealthCheck, Intent, Kind, OnFailure, Plan, Redactor, Report,
    Reviewed, Severity, Shell, Strategy, WaitForDeploy,
};

/// Returns what will happen, step by step.
pub(crate) fn outlook(report: &Report, plan: &Plan) -> Vec<Words> {
    let settings = &plan.request.settings;
    let reference = &settings.reference;
    let mut told = Vec::new();
    let waits = settings.wait_for_deploy == WaitForDeploy::Live
        && plan.request.origin.pull_request.is_some();
    if waits {
        told.push(words!["After the merge it waits until the merge's own deployment is live. If that fails, nothing is run."]);
    }
    let kind = match settings.kind {
        Kind::PostDeploy => "started after the services are healthy (`POST_DEPLOY`)",
        Kind::PreDeploy => "started before the services roll out (`PRE_DEPLOY`)",
    };
    told.push(words![
        "It puts job ",
        &plan.job(),
        " into the app, with the source and build of ",
        reference,
        " and the database ",
        name(&report.redactor.clean_line(&settings.database)),
        ", ",
        kind,
        "."
    ]);
    told.push(running(plan));
    told.push(words![
        "It keeps the job's log, takes the job out again, and proves that the app spec is what it was (fingerprint ",
        Part::Name(Clean::composed(plan.baseline.short().chars().filter(char::is_ascii_alphanumeric).collect())),
        ")."
    ]);
    told.push(match settings.strategy {
        Strategy::SingleJob => words![
            "Each run redeploys ",
            reference,
            " twice: once with the job, once without it."
        ],
        Strategy::OneJobPerStep => words![
            "Each step redeploys ",
            reference,
            " twice: once with its job, once without it."
        ],
    });
    told.push(after(report, plan));
    told.push(estimate(plan));
    told.retain(|sentence| !sentence.is_empty());
    told
}

fn running(plan: &Plan) -> Words {
    let settings = &plan.request.settings;
    if plan.request.intent == Intent::Check {
        return words![
            "Only the checks run, and no step. The job exits 0 whatever they say, so the app is not rolled back."
        ];
    }
    let checked = plan.steps.iter().any(|step| step.check.is_some());
    let checks = if checked {
        "All checks run first. "
    } else {
        ""
    };
    let shell = match settings.shell {
        Shell::Sh => {
            "The steps run in order, each in its own shell, and the first that fails stops the rest"
        }
        Shell::None => "The command runs without a shell, so that its completeness can't be proven",
    };
    let failing = match settings.on_failure {
        OnFailure::Fail => "; a failure fails the deployment, and the platform rolls the app back.",
        OnFailure::Contain => {
            "; a failure is contained: the job exits 0 and the app is not rolled back."
        }
    };
    words![
        checks,
        shell,
        failing,
        " The platform stops the job after ",
        settings.job_timeout,
        "."
    ]
}

fn after(report: &Report, plan: &Plan) -> Words {
    let settings = &plan.request.settings;
    let health = match (&settings.health, &plan.health_url) {
        (HealthCheck::Off, _) | (HealthCheck::OfReference | HealthCheck::Url(_), None) => {
            words!["The app's health is not checked"]
        }
        (HealthCheck::OfReference | HealthCheck::Url(_), Some(address)) => {
            words![
                "Then ",
                name(&report.redactor.clean_line(address)),
                " must answer well three times in a row"
            ]
        }
    };
    let firewall = match settings.firewall {
        FirewallPolicy::Check => {
            "; the database's firewall is read, and rules beside the app's own are reported."
        }
        FirewallPolicy::Restore => {
            "; the database's firewall is put back to the app's own rule and the rules to keep."
        }
        FirewallPolicy::Off => "; the database's firewall is not looked at.",
    };
    words![health, firewall]
}

fn estimate(plan: &Plan) -> Words {
    let parts = &plan.estimate;
    let source = if parts.measured {
        "measured on this app's past deployments"
    } else {
        "usual times; this app has no past to measure"
    };
    words![
        "About ",
        Part::Figure(span(parts.to_start + parts.job + parts.clean_up)),
        " in all: ",
        parts.to_start,
        " to the job's start, ",
        parts.job,
        " for the job, ",
        parts.clean_up,
        " to take it out (",
        source,
        ")."
    ]
}

/// Returns where the commands come from and what the job is pinned to.
pub(crate) fn source(report: &Report, plan: &Plan) -> Words {
    let clean = |text: &str| report.redactor.clean_line(text);
    let from = match &plan.request.reviewed {
        Reviewed::At { path, commit } => {
            words![
                "Commands from ",
                name(&clean(path)),
                " at commit ",
                name(&commit_id(&clean(commit)))
            ]
        }
        Reviewed::Unreviewed => words!["Commands from the command line, not reviewed"],
    };
    let built = match (&plan.commit, &plan.image_digest) {
        (Some(commit), _) => words!["; the job must be built from commit ", commit],
        (None, Some(digest)) => words!["; the job is pinned to image ", name(&clean(digest))],
        (None, None) => words!["; which commit the job is built from is not checked"],
    };
    let earlier = match plan.already_done.len() {
        0 => Words::default(),
        _ => words![
            "; done before and not run again: ",
            list(
                plan.already_done
                    .iter()
                    .map(|done| Part::from(&done.step.name))
            )
        ],
    };
    words![from, built, earlier, "."]
}

/// Returns the first seven characters, as people write commits.
fn commit_id(commit: &Clean) -> Clean {
    Clean::composed(commit.as_str().chars().take(7).collect())
}

/// Returns a finding as a sentence, its hint behind it.
pub(crate) fn finding(finding: &Finding, redactor: &Redactor) -> Words {
    let severity = match finding.severity {
        Severity::Note => "Note: ",
        Severity::Warning => "Warning: ",
        Severity::Error => "Refused: ",
    };
    let hint = finding.hint.as_ref().map_or_else(Words::default, |hint| {
        words![" ", as_sentence(&redactor.clean_line(hint))]
    });
    words![
        severity,
        with_stop(&redactor.clean_line(&finding.message)),
        hint,
        " (",
        name(&redactor.clean_line(finding.code)),
        ")"
    ]
}
