//! One sentence for each thing that happens, and the list of them.

use super::escape;
use super::words::{Part, Words, capital, clock, count, day, list, name, short, words};
use crate::{Clean, Disarmed, Entry, Evidence, Happening, Moment, Plan, Redactor, Role};
use app_spec::Phase;
use jiff::Timestamp;

/// Returns what happened in one sentence, without a full stop.
pub(crate) fn sentence(what: &Happening, redactor: &Redactor) -> Words {
    let own = |text: &String| name(&redactor.clean_line(text));
    match what {
        Happening::Planned(plan) => planned(plan),
        Happening::Refused(refusal) => words!["Refused: ", &redactor.clean_line(&refusal.message)],
        Happening::AlreadyDone { .. } => words!["Every step is done already; nothing is run"],
        Happening::AlreadyEnded(ended) => {
            words!["Epoch ", ended.epoch, " ended earlier; nothing is run"]
        }
        Happening::PartDone { steps, .. } => {
            let (noun, verb) = match steps.len() {
                1 => ("Step ", " is"),
                _ => ("Steps ", " are"),
            };
            let steps = list(steps.iter().map(Part::from));
            words![noun, steps, verb, " done, and the app is put back"]
        }
        Happening::Waiting(cause) => words![&capital(cause)],
        Happening::Claimed => {
            words!["The claim is in the ledger; of several, the oldest may insert the job"]
        }
        Happening::Inserted {
            job,
            deployment: Some(deployment),
        } => {
            words![
                "Job ",
                job,
                " is in the app spec; deployment ",
                short(deployment),
                " carries it"
            ]
        }
        Happening::Inserted {
            job,
            deployment: None,
        } => {
            words![
                "Job ",
                job,
                " is in the app spec; the reply named no deployment, it is found by the job's name"
            ]
        }
        Happening::Doubtful(why) => {
            words![
                "A change of the app spec got no clear reply (",
                why,
                "); it is not sent again, the app is read first"
            ]
        }
        Happening::Phase {
            deployment,
            role,
            phase,
        } => {
            words![
                whose(*role),
                short(deployment),
                " ",
                phase_words(phase, redactor)
            ]
        }
        Happening::JobRunning { deployment } => {
            words!["The job runs, in deployment ", short(deployment)]
        }
        Happening::Log {
            deployment,
            evidence,
            lines,
            path,
            ..
        } => {
            let length = usize::try_from(*lines).unwrap_or(usize::MAX);
            let stored = path
                .as_ref()
                .map_or_else(Words::default, |path| words![", kept in ", own(path)]);
            words![
                "Log of the job in deployment ",
                short(deployment),
                " (",
                count(length, "line", "lines"),
                stored,
                "): ",
                proven(evidence, redactor)
            ]
        }
        Happening::Removed { jobs, deployment } => {
            let rolled = deployment.as_ref().map_or_else(Words::default, |id| {
                words!["; deployment ", short(id), " takes it out of the app"]
            });
            words![
                if jobs.len() == 1 { "Job " } else { "Jobs " },
                list(jobs.iter().map(own)),
                " out of the app spec",
                rolled
            ]
        }
        Happening::Cancelled(deployment) => {
            words!["Our deployment ", short(deployment), " was asked to cancel"]
        }
        Happening::Restored { changed_by_others } if changed_by_others.is_empty() => {
            words!["The app is proven put back: its spec is what it was"]
        }
        Happening::Restored { changed_by_others } => {
            words![
                "The app is proven put back; others changed ",
                list(changed_by_others.iter().map(own)),
                " meanwhile, which stays"
            ]
        }
        Happening::Health { ok: true } => words!["The app is healthy: three good answers in a row"],
        Happening::Health { ok: false } => words!["The app does not answer as healthy yet"],
        Happening::Firewall { restored, extra } => firewall(*restored, extra),
        Happening::Overwritten(places) => {
            words![
                "Somebody's edit of the app spec may be overwritten, and is left to you: ",
                list(places.iter().map(own))
            ]
        }
        Happening::Warned(warning) => words!["Note: ", warning],
        Happening::Ended(verdict) => words!["Ended: ", verdict.reason.code()],
    }
}

fn planned(plan: &Plan) -> Words {
    let steps = list(plan.steps.iter().map(|step| Part::from(&step.name)));
    let noun = if plan.steps.len() == 1 {
        "step "
    } else {
        "steps "
    };
    let after = if plan.left.is_empty() {
        words![]
    } else {
        words!["; after it ", list(plan.left.iter().map(Part::from))]
    };
    match plan.entry {
        Entry::Fresh => words!["Planned ", noun, steps, " as job ", &plan.job(), after],
        Entry::Resumed => words![
            "Following job ",
            &plan.job(),
            " of an earlier run, with ",
            noun,
            steps,
            after
        ],
    }
}

fn whose(role: Role) -> &'static str {
    match role {
        Role::Ours => "Our deployment ",
        Role::CarriesOurs => "Another deployment with our job in it, ",
        Role::Rollback => "The platform's rollback ",
        Role::CleanUp => "The clean-up deployment ",
        Role::Merge => "A deployment of the merged commit, ",
        Role::Other => "Another deployment ",
    }
}

/// Returns what a deployment does in a phase.
pub(crate) fn phase_words(phase: &Phase, redactor: &Redactor) -> Words {
    match phase {
        Phase::Unknown => words!["is in a phase that the platform does not name"],
        Phase::PendingBuild => words!["waits to be built"],
        Phase::Building => words!["is being built"],
        Phase::PendingDeploy => words!["waits to be rolled out"],
        Phase::Deploying => words!["is being rolled out"],
        Phase::Active => words!["is live"],
        Phase::Superseded => words!["gave way to a newer one"],
        Phase::Error => words!["failed"],
        Phase::Canceled => words!["was cancelled"],
        Phase::Other(word) => words!["is in phase ", name(&redactor.clean_line(word))],
    }
}

/// Returns what the marks in a log prove, as half a sentence.
fn proven(evidence: &Evidence, redactor: &Redactor) -> Words {
    if let Some(why) = &evidence.disarmed {
        return words!["it ran nothing, ", disarmed(why, redactor)];
    }
    if let Some(variable) = &evidence.refused {
        let variable = name(&redactor.clean_line(variable));
        return words![
            "it ran nothing, variable ",
            variable,
            " is empty or still encrypted"
        ];
    }
    if evidence.begins == 0 {
        return words!["no mark of this run"];
    }
    let failed = evidence
        .checks
        .iter()
        .find(|check| check.code.is_some_and(|code| code != 0));
    if let Some((check, code)) = failed.and_then(|check| Some((check, check.code?))) {
        return words!["the check of ", &check.step, " ended with ", code];
    }
    if evidence.steps.is_empty() {
        return words!["it began"];
    }
    list(evidence.steps.iter().map(|ran| {
        Part::Words(match ran.code {
            Some(code) => words![&ran.step, " ended with ", code],
            None => words![&ran.step, " began"],
        })
    }))
}

/// Returns why a copy of the job ran nothing, as half a sentence.
pub(crate) fn disarmed(why: &Disarmed, redactor: &Redactor) -> Words {
    match why {
        Disarmed::Lease => words!["it started after its lease"],
        Disarmed::Commit { built } => {
            let built: String = redactor
                .clean_line(built)
                .as_str()
                .chars()
                .take(12)
                .collect();
            words![
                "it was built from another commit, ",
                name(&Clean::composed(built))
            ]
        }
        Disarmed::NoClock => {
            words!["the image has no usable `date`, so its lease can't be checked"]
        }
    }
}

fn firewall(restored: bool, extra: &[Clean]) -> Words {
    let rules = || list(extra.iter().map(name));
    match (restored, extra.is_empty()) {
        (false, true) => words!["The database's firewall is as asked"],
        (false, false) => words!["The database's firewall also lets in ", rules()],
        (true, true) => words!["The database's firewall was put back"],
        (true, false) => words!["The database's firewall was put back; taken out: ", rules()],
    }
}

/// How many of a timeline's first lines stay when its middle is cut out.
const HEAD: usize = 5;

/// Returns a Markdown list of what happened that has at most `budget` bytes: its beginning and its end, where it does
/// not fit. Empty where not even those fit.
pub(crate) fn markdown(moments: &[Moment], budget: usize) -> String {
    let lines: Vec<String> = moments
        .iter()
        .map(|moment| {
            format!(
                "- {} {}",
                escape::code_span(&when(moments, moment.at)),
                escape::prose(moment.text.as_str())
            )
        })
        .collect();
    let size = |lines: &[String]| lines.iter().map(|line| line.len() + 1).sum::<usize>();
    if size(&lines) <= budget {
        return lines.join("\n");
    }
    let (head, tail) = lines.split_at(HEAD.min(lines.len()));
    let note = |skipped: usize| format!("- … {skipped} more …");
    let Some(mut room) = budget.checked_sub(size(head) + note(lines.len()).len() + 1) else {
        return String::new();
    };
    let mut skipped = tail.len();
    for line in tail.iter().rev() {
        let Some(left) = room.checked_sub(line.len() + 1) else {
            break;
        };
        room = left;
        skipped -= 1;
    }
    [
        head,
        &[note(skipped)],
        tail.get(skipped..).unwrap_or_default(),
    ]
    .concat()
    .join("\n")
}

/// Returns the time of day, with the day where it is not the first moment's.
fn when(moments: &[Moment], at: Timestamp) -> String {
    match moments.first() {
        Some(first) if day(first.at) != day(at) => format!("{} {}", day(at), clock(at)),
        Some(_) | None => clock(at),
    }
}
