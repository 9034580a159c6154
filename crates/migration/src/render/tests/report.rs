//! What the events so far come to, before any of it is worded.

use super::*;

fn other_job() -> JobName {
    JobName {
        epoch: Epoch(1),
        ..ter235().job()
    }
}

fn log_of(job: JobName, id: &str, evidence: Evidence, lines: u64) -> Happening {
    Happening::Log {
        job,
        deployment: deployment(id),
        evidence,
        tail: Vec::new(),
        lines,
        path: None,
    }
}

fn began() -> Evidence {
    evidence(Vec::new())
}

fn with_step() -> Evidence {
    evidence(vec![ran("columns", 1, Some(0))])
}

fn with_check() -> Evidence {
    Evidence {
        checks: with_step().steps,
        ..began()
    }
}

/// The deployment whose log tells the most, after logs in this order, and an end in `OURS` where there is one.
fn tells_most(logs: &[(&str, Evidence)], ended: bool) -> Option<String> {
    let mut story = story().planned(ter235());
    for (id, evidence) in logs {
        let job = ter235().job();
        story = story.then(1, log_of(job, id, evidence.clone(), 1));
    }
    if ended {
        story = story.ended(verdict(Reason::Done));
    }
    let log = story.report.telling_log()?;
    Some(log.deployment.to_string())
}

#[test]
fn the_log_with_marks_of_work_tells_the_most_and_the_verdicts_own_before_all() {
    assert_eq!(tells_most(&[], true), None);
    for marked in [with_step(), with_check()] {
        let both = [
            (PUSHED, marked.clone()),
            (OURS, marked.clone()),
            (ROLLBACK, marked.clone()),
        ];
        assert_eq!(tells_most(&both, true).as_deref(), Some(OURS));
        assert_eq!(
            tells_most(&both, false).as_deref(),
            Some(ROLLBACK),
            "the newest"
        );
        let elsewhere = [(PUSHED, marked), (OURS, began()), (ROLLBACK, began())];
        assert_eq!(tells_most(&elsewhere, true).as_deref(), Some(PUSHED));
    }
    let bare = [(PUSHED, began()), (OURS, began()), (ROLLBACK, began())];
    assert_eq!(tells_most(&bare, true).as_deref(), Some(OURS));
    assert_eq!(tells_most(&bare, false).as_deref(), Some(ROLLBACK));
}

#[test]
fn the_log_of_another_job_tells_nothing_about_this_one() {
    let story = story()
        .planned(ter235())
        .then(1, log_of(ter235().job(), OURS, began(), 1))
        .then(1, log_of(other_job(), PUSHED, with_step(), 1));
    let log = story.report.telling_log().unwrap();
    assert_eq!(log.deployment, deployment(OURS));
}

#[test]
fn a_log_that_is_read_again_takes_its_own_place() {
    let job = || ter235().job();
    let story = story()
        .planned(ter235())
        .then(1, log_of(job(), OURS, began(), 1))
        .then(1, log_of(job(), PUSHED, began(), 2))
        .then(1, log_of(other_job(), OURS, began(), 3))
        .then(1, log_of(job(), OURS, with_step(), 4));
    let logs: Vec<(&JobName, &str, u64)> = story
        .report
        .logs
        .iter()
        .map(|log| (&log.job, log.deployment.as_str(), log.lines))
        .collect();
    assert_eq!(
        logs,
        [
            (&job(), OURS, 4),
            (&job(), PUSHED, 2),
            (&other_job(), OURS, 3)
        ]
    );
}

#[test]
fn a_deployment_stands_once_with_what_was_seen_of_it_last() {
    let story = story()
        .phase(1, OURS, Role::Other, Phase::PendingBuild)
        .phase(1, ROLLBACK, Role::Rollback, Phase::Building)
        .phase(1, OURS, Role::Ours, Phase::Error);
    let seen: Vec<(&str, Role, &Phase)> = story
        .report
        .deployments
        .iter()
        .map(|seen| (seen.id.as_str(), seen.role, &seen.phase))
        .collect();
    assert_eq!(
        seen,
        [
            (OURS, Role::Ours, &Phase::Error),
            (ROLLBACK, Role::Rollback, &Phase::Building)
        ]
    );
}

#[test]
fn the_steps_of_a_run_under_way_stand_as_their_checks_or_they_themselves_ended() {
    let states = |intent, code| {
        let mut plan = ter235();
        plan.request.intent = intent;
        let ended = vec![ran("columns", 1, Some(code))];
        let evidence = match plan.request.intent {
            Intent::Check => Evidence {
                checks: ended,
                ..began()
            },
            Intent::Run | Intent::Retry | Intent::Again { .. } => evidence(ended),
        };
        let story = story()
            .planned(plan)
            .then(1, log_of(ter235().job(), OURS, evidence, 1));
        let rows = story.report.step_rows();
        rows.first().unwrap().state
    };
    assert_eq!(states(Intent::Check, 0), StepState::CheckPassed);
    assert_eq!(states(Intent::Check, 3), StepState::CheckFailed(3));
    assert_eq!(states(Intent::Run, 0), StepState::Done);
    assert_eq!(states(Intent::Run, 3), StepState::Failed(3));
}

/// Marks of two starts, or marks that contradict each other, do not tell of which start a step's end is.
#[test]
fn a_step_before_the_unproven_one_is_done_only_by_clear_marks() {
    let row = |evidence: Evidence| {
        let mut verdict = verdict(Reason::Unproven);
        verdict.job = JobAxis::Unproven {
            during: Some(step("backfill")),
        };
        let story = story()
            .planned(ter235())
            .then(1, log_of(ter235().job(), OURS, evidence, 1))
            .ended(verdict);
        let first = story.report.step_rows().swap_remove(0);
        (first.state, first.took.is_some())
    };
    assert_eq!(row(with_step()), (StepState::Done, true));
    let failed = evidence(vec![ran("columns", 1, Some(3))]);
    let twice = Evidence {
        begins: 2,
        ..with_step()
    };
    let contradictory = Evidence {
        contradictory: true,
        ..with_step()
    };
    for unclear in [began(), failed, twice, contradictory] {
        assert_eq!(row(unclear), (StepState::Unproven, false));
    }
}
