//! What the rarer ends say, and what they leave unsaid.

use super::world::*;
use super::{head, terminal};
use crate::*;

fn ended(verdict: Verdict) -> Story {
    story().planned(ter235()).inserted().ended(verdict)
}

#[test]
fn a_run_of_the_checks_alone_is_told() {
    let mut plan = ter235();
    plan.request.intent = Intent::Check;
    let mut evidence = evidence(Vec::new());
    evidence.checks = vec![ran("columns", 1, Some(0))];
    let story = story()
        .planned(plan)
        .inserted()
        .deployed()
        .log(evidence, &["0 rows to do"])
        .removed()
        .ended(verdict(Reason::ChecksPassed));
    insta::assert_snapshot!(head(&story.comment()), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ✅ The checks of migration `ter-235` passed

    Every check ended with 0, by the marks in the job's own log. No step was run.

    Live now: deployment `cccccccc`, commit `9f8e7d6`.
    "#);
}

#[test]
fn a_job_that_never_started_says_why_where_that_is_known() {
    let told = |reason| {
        let mut verdict = verdict(reason);
        verdict.job = JobAxis::NeverStarted;
        let comment = ended(verdict).comment();
        let sentence = comment
            .lines()
            .find(|line| line.starts_with("The job's process"));
        sentence.unwrap().to_owned()
    };
    insta::assert_snapshot!(told(Reason::NeverStarted), @"The job's process never started, so no check and no step ran.");
    insta::assert_snapshot!(told(Reason::StartTimedOut), @"The job's process never started, so no check and no step ran. The job did not start in time and was taken out.");
    insta::assert_snapshot!(told(Reason::Terminated), @"The job's process never started, so no check and no step ran. SIGTERM ended the run.");
}

#[test]
fn a_failure_that_should_have_been_rolled_back_and_was_not_is_told() {
    let told = |on_failure, deployment| {
        let mut plan = ter235();
        plan.request.settings.on_failure = on_failure;
        let mut verdict = rolled_back();
        verdict.deployment = deployment;
        let comment = story().planned(plan).inserted().ended(verdict).comment();
        comment.contains("No rollback was seen. Look at the app's deployments")
    };
    assert!(told(OnFailure::Fail, DeploymentAxis::Failed));
    assert!(!told(OnFailure::Fail, DeploymentAxis::RolledBack));
    assert!(!told(OnFailure::Contain, DeploymentAxis::Failed));
}

#[test]
fn what_is_not_known_leaves_no_empty_line() {
    let mut verdict = verdict(Reason::Done);
    verdict.facts.live = None;
    let story = ended(verdict);
    let comment = story.comment();
    assert!(!comment.contains("\n\n\n"), "{comment}");
    let closing = terminal::render_final(&story.report, &links());
    assert!(!closing.contains("\n\n\n"), "{closing}");
}

#[test]
fn how_things_stand_is_told_of_what_was_touched_only() {
    let told = |clean_up| {
        let verdict = Verdict {
            job: JobAxis::NotAttempted,
            clean_up,
            ..verdict(Reason::Superseded)
        };
        let comment = story().planned(ter235()).ended(verdict).comment();
        comment.contains("**Where things stand**")
    };
    assert!(!told(CleanUpAxis::NotNeeded));
    assert!(told(CleanUpAxis::Verified), "a stale job was taken out");
}

/// An address that is made of anything else would lead elsewhere, and a short name would fit another.
#[test]
fn only_an_id_of_the_platforms_form_is_shortened_or_linked() {
    for (id, shown) in [
        (
            OURS,
            "[`aaaaaaaa`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/aaaaaaaa-0000-4000-8000-000000000002>)",
        ),
        (
            "d-1-2-3-4",
            "[`d-1-2-3-4`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/d-1-2-3-4>)",
        ),
        (
            "a-deployment-of-thirty-six-letters-x",
            "[`a-deployment-of-thirty-six-letters-x`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/a-deployment-of-thirty-six-letters-x>)",
        ),
        ("../../account", "`(not an id)`"),
        ("d-1/../../../account?x", "`(not an id)`"),
        ("", "`(not an id)`"),
        ("d_1.2", "`d_1.2`"),
    ] {
        let mut verdict = verdict(Reason::Done);
        verdict.facts.deployment = Some(deployment(id));
        let comment = ended(verdict).comment();
        let line = format!("- **Deployment**: {shown} became live");
        assert!(comment.contains(&line), "{id}: {comment}");
    }
}
