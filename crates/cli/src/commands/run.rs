//! `plan`, `check` and `run`.

use super::prepare::{Asked, Prepared, is_to_run, prepare};
use crate::args::{AgainArgs, CheckArgs, PlanArgs, RunArgs};
use crate::desk::{Desk, Form};
use crate::hint;
use migration::render::terminal;
use migration::{Reason, Refusal};

/// Shows what a run would do.
pub(crate) async fn plan(mut desk: Desk<'_>, args: PlanArgs) -> u8 {
    let PlanArgs {
        subject,
        again,
        choices,
    } = args;
    match prepare(
        &mut desk,
        Asked {
            subject: &subject,
            again,
            checks_only: false,
            choices,
        },
    )
    .await
    {
        Ok(prepared) => show_plan(&desk, &prepared).await,
        Err(refusal) => desk.refuse(refusal),
    }
}

/// Runs the checks alone.
pub(crate) async fn check(mut desk: Desk<'_>, args: CheckArgs) -> u8 {
    let CheckArgs {
        subject,
        yes,
        choices,
    } = args;
    let asked = Asked {
        subject: &subject,
        again: AgainArgs::default(),
        checks_only: true,
        choices,
    };
    go(&mut desk, asked, Consent::of(yes)).await
}

/// Runs a migration.
pub(crate) async fn run(mut desk: Desk<'_>, args: RunArgs) -> u8 {
    let RunArgs {
        subject,
        again,
        dry_run,
        yes,
        choices,
    } = args;
    let asked = Asked {
        subject: &subject,
        again,
        checks_only: false,
        choices,
    };
    if dry_run {
        return match prepare(&mut desk, asked).await {
            Ok(prepared) => show_plan(&desk, &prepared).await,
            Err(refusal) => desk.refuse(refusal),
        };
    }
    go(&mut desk, asked, Consent::of(yes)).await
}

/// Whether the person who started it has agreed already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consent {
    Given,
    ToAsk,
}

impl Consent {
    fn of(yes: bool) -> Self {
        if yes { Self::Given } else { Self::ToAsk }
    }
}

async fn show_plan(desk: &Desk<'_>, prepared: &Prepared) -> u8 {
    let ended = match prepared.plan(desk).await {
        Ok(ended) => ended,
        Err(refusal) => return desk.refuse(refusal),
    };
    let links = hint::links(
        &prepared.found.app.id,
        Some(&prepared.request),
        &prepared.typed,
    );
    desk.report(ended.report, &links)
}

async fn go(desk: &mut Desk<'_>, asked: Asked<'_>, consent: Consent) -> u8 {
    let what = if asked.checks_only {
        "a check, which redeploys the app twice,"
    } else {
        "a run"
    };
    if consent == Consent::ToAsk && desk.host.input.is_none() {
        desk.result_file.clone_from(&asked.subject.result_file);
        return desk.refuse(hint::unconfirmed(what));
    }
    let prepared = match prepare(desk, asked).await {
        Ok(prepared) => prepared,
        Err(refusal) => return desk.refuse(refusal),
    };
    let links = hint::links(
        &prepared.found.app.id,
        Some(&prepared.request),
        &prepared.typed,
    );
    if consent == Consent::ToAsk {
        let planned = match prepared.plan(desk).await {
            Ok(planned) => planned,
            Err(refusal) => return desk.refuse(refusal),
        };
        if !is_to_run(&planned) {
            return desk.report(planned.report, &links);
        }
        let mut shown = planned.report;
        shown.redactor = desk.redactor.clone();
        shown.subject = desk.subject.clone();
        desk.put(
            &desk.host.err,
            &terminal::render_final(&shown, &links),
            Form::Text,
        );
        if let Err(refusal) = agreed(desk).await {
            return desk.refuse(refusal);
        }
    }
    let note = prepared.record.note();
    let ended = prepared
        .told(desk, note, |harbor, request| async move {
            runner::migrate(&harbor, request).await
        })
        .await;
    let cut_off = ended.reason == Reason::Interrupted && ended.report.job.is_some();
    let code = desk.report(ended.report, &links);
    if cut_off {
        // No post step follows a command line.
        desk.tell(&format!(
            "Ended by a signal. The job may be in the app; it runs nothing after its lease. To take it out:\n\n    {}\n",
            hint::reap(&prepared.found.app.id, &prepared.typed)
        ));
    }
    code
}

/// Asks whether to go on.
pub(super) async fn agreed(desk: &Desk<'_>) -> Result<(), Refusal> {
    let Some(input) = desk.host.input.clone() else {
        return Err(hint::unconfirmed("this"));
    };
    desk.put(&desk.host.err, "Go on? Type yes:", Form::Text);
    let answer = tokio::task::spawn_blocking(move || input.line());
    match desk.unless_stopped(answer).await? {
        Ok(Ok(line)) if matches!(line.to_lowercase().as_str(), "y" | "yes") => Ok(()),
        Ok(_) | Err(_) => Err(Refusal::new(
            Reason::Skipped,
            "not confirmed",
            "Nothing was changed.",
        )),
    }
}
