//! What the rarer ends say, and what they leave unsaid.

use super::world::*;
use super::{head, terminal};
use crate::*;
use app_spec::{DeploymentId, Phase};

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
    let rows = story.report.step_rows();
    let states: Vec<StepState> = rows.iter().map(|row| row.state).collect();
    assert_eq!(states, [StepState::CheckPassed, StepState::NotRun]);
}

/// How to take it out is said once, at the head where nobody will do it otherwise.
#[test]
fn a_job_that_still_runs_is_taken_out_by_one_command() {
    let comment = |reason, clean_up| {
        let mut verdict = verdict(reason);
        verdict.job = JobAxis::Running;
        verdict.clean_up = clean_up;
        ended(verdict).comment()
    };
    let waits = "Let it end, then take it out:";
    let left = comment(Reason::Detached, CleanUpAxis::Sent);
    assert_eq!(left.matches("harbor-pilot reap").count(), 1, "{left}");
    assert!(!left.contains(waits), "{left}");
    let runs = comment(Reason::Interrupted, CleanUpAxis::NotNeeded);
    assert_eq!(runs.matches("harbor-pilot reap").count(), 1, "{runs}");
    assert!(runs.contains(waits), "{runs}");
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
    insta::assert_snapshot!(told(Reason::NeverStarted), @"The job's process never started, so no check and no step of it ran.");
    insta::assert_snapshot!(told(Reason::StartTimedOut), @"The job's process never started, so no check and no step of it ran. The job did not start in time and was taken out.");
    insta::assert_snapshot!(told(Reason::Terminated), @"The job's process never started, so no check and no step of it ran. SIGTERM ended the run.");
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

#[test]
fn only_an_address_of_the_web_is_a_link() {
    for address in [
        "javascript:alert",
        "ftp://files.example",
        "https://x.example/a)b",
        "https://x.example/a b",
        "",
    ] {
        let links = Links {
            run: Some(address.to_owned()),
            ..Links::default()
        };
        let comment = super::comment::render(&ended(verdict(Reason::Done)).report, &links, 60_000);
        assert!(comment.contains("\nWorkflow run · reason"), "{comment}");
    }
}

/// Whatever else ended the run, and whether or not the platform said no to the clean-up.
#[test]
fn a_job_that_may_be_left_in_the_app_is_the_headline() {
    let headline = |reason, clean_up, refused| {
        let job = match refused {
            Some(_) => JobAxis::NotAttempted,
            None => JobAxis::Done,
        };
        let mut story = story().planned(ter235()).ended(Verdict {
            job,
            clean_up,
            ..verdict(reason)
        });
        story.report.refusal = refused;
        story.report.headline().to_string()
    };
    let left = "A person must act: job `migrate-k3f9q2x7-e0` is not proven to be out of `terp-app`";
    let refusal = || Some(Refusal::new(Reason::StaleJob, "it is stale", ""));
    for (reason, clean_up, refused) in [
        (Reason::JobTimedOut, CleanUpAxis::Blocked, None),
        (Reason::Detached, CleanUpAxis::Sent, None),
        (Reason::CleanUpNotProven, CleanUpAxis::Sent, refusal()),
    ] {
        assert_eq!(headline(reason, clean_up, refused), left, "{reason:?}");
    }
    assert_eq!(
        headline(Reason::StaleJob, CleanUpAxis::Verified, refusal()),
        "Migration `ter-235` was not started; nothing was inserted"
    );
}

/// A plan was made before the other run was seen.
#[test]
fn who_waited_for_another_run_says_how_that_ended() {
    let waited = || story().planned(ter235());
    let done = fix_plan().already_done;
    let done = waited().then(1, already_done(done));
    assert_eq!(done.report.reason(), Some(Reason::AlreadyDone));
    assert_eq!(
        done.report.headline().to_string(),
        "Migration `ter-235` is done already; nothing was run"
    );
    // Its own job, which had never started and was brought back.
    let done = fix_plan().already_done;
    let done = waited().inserted().then(1, already_done(done));
    insta::assert_snapshot!(head(&done.comment()), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ✅ Migration `ter-235` is done

    Done: `columns`. A job of this run that had not started was brought back by somebody, and did it; or another run did. What is done is not run again.
    "#);
    let failed = waited().then(1, Happening::AlreadyEnded(failed_at("backfill")));
    assert_eq!(failed.report.reason(), Some(Reason::AlreadyFailed));
    assert_eq!(
        states(&failed.report),
        [StepState::Done, StepState::Failed(3)]
    );
}

fn failed_at(name: &str) -> Ended {
    Ended {
        epoch: Epoch(1),
        outcome: LedgerOutcome::Failed {
            step: step(name),
            code: 3,
            check: false,
        },
        hint: Clean::own("merge a fix, or ask for a retry"),
    }
}

fn states(report: &Report) -> Vec<StepState> {
    report.step_rows().iter().map(|row| row.state).collect()
}

fn part_done(steps: Vec<StepName>) -> Happening {
    let unproven = Vec::new();
    Happening::PartDone { steps, unproven }
}

fn already_done(steps: Vec<DoneStep>) -> Happening {
    Happening::AlreadyDone {
        steps,
        cleaned_up: false,
    }
}

/// A run of one job for each step, whose first one is done.
fn half_done() -> Story {
    let mut plan = ter235();
    plan.left = vec![plan.steps.remove(1).name];
    story()
        .planned(plan)
        .inserted()
        .then(1, part_done(vec![step("columns")]))
}

#[test]
fn a_run_whose_rest_is_refused_says_what_is_done() {
    let story = half_done();
    assert_eq!(story.report.reason(), None);
    let why = Refusal::new(Reason::Pinned, "the app is pinned by a manual rollback", "");
    let story = story.then(1, Happening::Refused(why));
    insta::assert_snapshot!(head(&story.comment()), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ❌ Migration `ter-235` is done in part; the rest was not started

    Done, and the app put back after it: `columns`.

    For the rest: The app is pinned by a manual rollback.
    "#);
    assert_eq!(states(&story.report), [StepState::Done, StepState::NotRun]);
}

#[test]
fn a_run_whose_rest_failed_in_another_one_says_both() {
    let story = half_done().then(1, Happening::AlreadyEnded(failed_at("backfill")));
    insta::assert_snapshot!(head(&story.comment()), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ❌ Migration `ter-235` failed in another run; a part of it is done

    Done, and the app put back after it: `columns`.

    Epoch 1 ended in another run: step `backfill` ended with 3. Re-running a workflow only reports this; it never runs a step twice.

    Merge a fix, or ask for a retry.

    **What to do now**

    To run it again:

    ```
    gh workflow run migrate.yml -f mode=retry -f migration=ter-235
    ```
    "#);
    assert_eq!(
        states(&story.report),
        [StepState::Done, StepState::Failed(3)]
    );
    let unproven = Ended {
        outcome: LedgerOutcome::Unproven { done: 0 },
        ..failed_at("backfill")
    };
    let story = half_done().then(1, Happening::AlreadyEnded(unproven));
    assert_eq!(
        story.report.headline().to_string(),
        "Migration `ter-235` is unproven since another run; a part of it is done"
    );
    assert_eq!(
        states(&story.report),
        [StepState::Done, StepState::Unproven]
    );
}

#[test]
fn a_run_whose_rest_another_one_did_is_done() {
    let both = vec![step("columns"), step("backfill")];
    let story = half_done().then(1, part_done(both));
    let story = story.ended(verdict(Reason::Done));
    assert_eq!(
        story.report.headline().to_string(),
        "Migration `ter-235` is done"
    );
    assert_eq!(states(&story.report), [StepState::Done; 2]);
}

#[test]
fn what_of_a_run_never_went_in_is_said_of_that_alone() {
    let headline = |story: Story, job| {
        let mut verdict = verdict(Reason::Deadline);
        verdict.job = job;
        verdict.clean_up = CleanUpAxis::NotNeeded;
        story.ended(verdict).report.headline().to_string()
    };
    let time = "; the time for the whole run was up";
    for (story, job, says) in [
        (
            story().planned(ter235()),
            JobAxis::NotAttempted,
            "was not started; nothing was inserted",
        ),
        (
            story().planned(ter235()).inserted(),
            JobAxis::NotAttempted,
            "was not put in again after its job was taken out",
        ),
        (
            half_done(),
            JobAxis::NotAttempted,
            "is done in part; the rest was not started",
        ),
        (
            half_done(),
            JobAxis::NeverStarted,
            "is done in part; the rest never started",
        ),
    ] {
        let wanted = format!("Migration `ter-235` {says}{time}");
        assert_eq!(headline(story, job), wanted);
    }
}

#[test]
fn the_sweepers_headline_says_whether_there_was_a_job() {
    let headline = |removed: &[&str]| {
        let mut verdict = verdict(Reason::Cleaned);
        verdict.job = JobAxis::NotAttempted;
        verdict.facts.removed = removed.iter().map(|job| (*job).to_owned()).collect();
        ended(verdict).report.headline().to_string()
    };
    assert_eq!(headline(&[]), "No temporary job was left in `terp-app`");
    assert_eq!(
        headline(&["migrate-k3f9q2x7-e0"]),
        "Left-over jobs are out of `terp-app`"
    );
}

#[test]
fn before_there_is_a_plan_a_run_is_under_way() {
    let story = story().then(1, Happening::Waiting(Clean::own("reading the app")));
    assert_eq!(
        story.report.headline().to_string(),
        "Migration `ter-235` is under way on `terp-app`"
    );
}

#[test]
fn what_is_worth_a_look_is_told_of_runs_that_inserted_a_job() {
    let told = |job| {
        let mut verdict = verdict(Reason::Done);
        verdict.job = job;
        verdict.facts.healthy_before = Some(false);
        verdict.facts.recorded = false;
        verdict.facts.repaired = vec!["/services/0/instance_count".to_owned()];
        verdict.facts.conflicts = vec!["/envs/3".to_owned()];
        let comment = ended(verdict).comment();
        let sentences = comment
            .split_once("`9f8e7d6`.")
            .map(|(_, behind)| head(behind));
        sentences.unwrap().trim().to_owned()
    };
    insta::assert_snapshot!(told(JobAxis::Done), @r#"
    The app did not answer as healthy before this run began either.

    An update of ours had overwritten somebody's edit of the app spec; it was put back: `/services/0/instance_count`.

    An update of ours may have overwritten somebody's edit of the app spec, and it was not put back: `/envs/3`. Compare the deployments' app specs in the control panel and set these places as they should be.

    The ledger did not take the outcome; the next run reads it from the deployments and the log.
    "#);
    insta::assert_snapshot!(told(JobAxis::NotAttempted), @r#"
    An update of ours had overwritten somebody's edit of the app spec; it was put back: `/services/0/instance_count`.

    An update of ours may have overwritten somebody's edit of the app spec, and it was not put back: `/envs/3`. Compare the deployments' app specs in the control panel and set these places as they should be.
    "#);
}

/// A mended step has not run yet, whatever the old one came to.
#[test]
fn a_job_that_was_only_followed_is_told_apart() {
    let told = |entry, authority| {
        let plan = Plan {
            entry,
            authority,
            ..ter235()
        };
        let comment = story()
            .planned(plan)
            .inserted()
            .ended(rolled_back())
            .comment();
        comment.contains("this run only followed it")
    };
    let own = ter235().authority;
    let anothers = || Authority::Cli("7".to_owned());
    assert!(told(Entry::Resumed, anothers()));
    assert!(!told(Entry::Resumed, own.clone()));
    assert!(!told(Entry::Fresh, own));
}

/// The job that was followed ran by an older manifest.
#[test]
fn a_step_that_ended_well_is_done_where_the_one_that_failed_is_in_the_manifest_no_more() {
    let mut plan = ter235();
    plan.steps.truncate(1);
    plan.request.manifest.steps.truncate(1);
    let log = |code| evidence(vec![ran("columns", 1, code)]);
    let told = |log| {
        let story = story().planned(plan.clone()).inserted().deployed();
        states(&story.log(log, &[]).ended(rolled_back()).report)
    };
    assert_eq!(told(log(Some(0))), [StepState::Done]);
    assert_eq!(told(evidence(Vec::new())), [StepState::NotRun]);
}

#[test]
fn a_first_step_that_failed_leaves_the_rest_not_run() {
    let mut verdict = rolled_back();
    verdict.job = JobAxis::Failed {
        step: step("columns"),
        code: 3,
        check: false,
    };
    let comment = ended(verdict).comment();
    let sentence = comment.lines().find(|line| line.starts_with("Step `"));
    assert_eq!(
        sentence,
        Some("Step `columns` failed with exit code 3. Not run: `backfill`.")
    );
}

/// The sweeper has no plan and so no fingerprint to compare with.
#[test]
fn without_a_plan_the_clean_up_says_nothing_about_the_rest_of_the_spec() {
    let comment = story().ended(verdict(Reason::Cleaned)).comment();
    let line = comment
        .lines()
        .find(|line| line.starts_with("- **Clean-up**"));
    let line = line.unwrap();
    assert!(line.ends_with("000000000004>))"), "{line}");
}

#[test]
fn what_to_do_follows_from_the_job_and_the_reason() {
    let told = |job, reason| {
        let comment = ended(Verdict {
            job,
            ..verdict(reason)
        })
        .comment();
        let todo = comment.split_once("**What to do now**\n\n");
        todo.map_or_else(String::new, |(_, todo)| head(todo).trim().to_owned())
    };
    insta::assert_snapshot!(told(JobAxis::NotAttempted, Reason::EarlierUnproven), @r#"
    Look at the database before anything else: find out how much of what its steps should have changed is there. Nothing runs it again by itself.

    When it is safe to run once more (the script can meet its own half-done work):

    ```
    gh workflow run migrate.yml -f mode=retry -f migration=ter-235
    ```
    "#);
    insta::assert_snapshot!(told(JobAxis::Running, Reason::Deadline), @r#"
    Let it end, then take it out:

    ```
    harbor-pilot reap --app terp-app
    ```
    "#);
    insta::assert_snapshot!(told(JobAxis::NotAttempted, Reason::AppGone), @"There is nothing left to put back. If the app was deleted by mistake, restore it first.");
    assert_eq!(told(JobAxis::NotAttempted, Reason::Superseded), "");
    assert_eq!(told(JobAxis::Done, Reason::Done), "");
}

#[test]
fn a_hints_lines_to_paste_stay_together_as_they_are_indented() {
    let hint = "first do this:\n\tone\n\n\ttwo\nthen that:\n  three\n    four\n\nand rest";
    let refusal = Refusal::new(Reason::Usage, "no", hint);
    let comment = story().then(0, Happening::Refused(refusal)).comment();
    let todo = comment.split_once("**What to do now**\n\n").unwrap().1;
    let todo = todo.split_once("\n\n[Workflow run]").unwrap().0;
    insta::assert_snapshot!(todo, @r#"
    First do this:

    ```
    one

    two
    ```

    Then that:

    ```
    three
      four
    ```

    And rest.
    "#);
}

#[test]
fn a_long_list_of_names_ends_with_a_count() {
    let told = |count: usize| {
        let mut verdict = verdict(Reason::Done);
        verdict.facts.changed_by_others = (0..count).map(|n| format!("/envs/{n}")).collect();
        let comment = ended(verdict).comment();
        let line = comment.lines().find(|line| line.starts_with("Others"));
        let names = line.unwrap().split_once("their changes stay: ").unwrap().1;
        names.to_owned()
    };
    assert_eq!(told(1), "`/envs/0`.");
    assert_eq!(told(2), "`/envs/0` and `/envs/1`.");
    assert_eq!(told(3), "`/envs/0`, `/envs/1` and `/envs/2`.");
    assert!(told(10).ends_with("`/envs/8` and `/envs/9`."));
    assert!(told(12).ends_with("`/envs/9` and 2 more."));
}

#[test]
fn spans_are_said_as_people_say_them() {
    for (seconds, said) in [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (245, "4 min 5 s"),
        (3_600, "1 h"),
        (3_659, "1 h"),
        (7_500, "2 h 5 min"),
        (90_061, "25 h 1 min"),
    ] {
        let span = super::words::span(std::time::Duration::from_secs(seconds));
        assert_eq!(span, said);
    }
}

#[test]
fn a_timeline_over_midnight_tells_the_day() {
    let story = story()
        .planned(ter235())
        .then(60, Happening::Claimed)
        .then(86_400, Happening::Waiting(Clean::own("waiting")));
    let comment = story.comment();
    assert!(comment.contains("\n- `00:36:00` The claim"), "{comment}");
    assert!(
        comment.contains("\n- `2026-02-19 00:36:00` Waiting"),
        "{comment}"
    );
}

#[test]
fn a_plan_waits_for_the_merges_deployment_where_it_is_asked_to() {
    let told = |wait_for_deploy, pull_request| {
        let mut plan = ter235();
        plan.request.settings.wait_for_deploy = wait_for_deploy;
        plan.request.origin.pull_request = pull_request;
        let mut story = story().planned(plan);
        story.report.purpose = Purpose::Preview;
        story.comment().contains("After the merge it waits until")
    };
    assert!(told(WaitForDeploy::Live, Some(428)));
    assert!(!told(WaitForDeploy::Off, Some(428)));
    assert!(!told(WaitForDeploy::Live, None));
}

/// A workflow may paste it into a shell.
#[test]
fn an_id_of_another_form_is_no_output() {
    let output = |id: &str| {
        let mut verdict = verdict(Reason::Done);
        verdict.facts.deployment = Some(deployment(id));
        let report = ended(verdict).report;
        let mut outputs = super::result::outputs(&report).into_iter();
        let found = outputs.find(|(name, _)| *name == "deployment-id");
        found.unwrap().1
    };
    let longest = "d".repeat(64);
    for id in ["d-1", OURS, &longest] {
        assert_eq!(output(id), id);
    }
    for id in ["", "-rf", "d 1", "d;1", "$(d)", "é", &"d".repeat(65)] {
        assert_eq!(output(id), "", "{id}");
    }
}

/// Who sees that an earlier run's job is followed must not fear for the steps that it does not run.
#[test]
fn what_comes_after_the_plan_is_told_with_it() {
    let step = |name| StepName::parse(name).unwrap();
    let mut plan = ter235();
    plan.entry = Entry::Resumed;
    plan.left = vec![step("indexes"), step("totals")];
    let event = Event {
        at: jiff::Timestamp::UNIX_EPOCH,
        what: Happening::Planned(Box::new(plan)),
    };
    let line = render::terminal::line(&event, &Redactor::default()).unwrap();
    let wanted =
        "of an earlier run, with steps `columns` and `backfill`; after it `indexes` and `totals`";
    assert!(line.ends_with(wanted), "{line}");
}

fn failed_check() -> Verdict {
    let mut verdict = verdict(Reason::CheckFailed);
    verdict.job = JobAxis::Failed {
        step: step("backfill"),
        code: 4,
        check: true,
    };
    verdict
}

/// Whoever reads it takes the database for what it was.
#[test]
fn a_check_that_fails_after_a_job_was_done_does_not_say_that_nothing_changed() {
    insta::assert_snapshot!(head(&half_done().ended(failed_check()).comment()), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ❌ Migration `ter-235` is done in part; the check of step `backfill` failed; the app runs on, it was not rolled back

    The check of step `backfill` failed with exit code 4, before any step of its job ran. Done before that, and staying done: `columns`.

    Live now: deployment `cccccccc`, commit `9f8e7d6`.

    **What to do now**

    Fix it in a pull request, put the label `needs-migration` on it and merge it. That run does `backfill`; `columns` is not run again.

    If the fix is not in a pull request (data, a setting, a direct push), ask for a retry:

    ```
    gh workflow run migrate.yml -f mode=retry -f migration=ter-235
    ```
    "#);
    let alone = ended(failed_check()).comment();
    assert!(alone.contains("failed, no step ran"), "{alone}");
    assert!(alone.contains("so no step changed anything"), "{alone}");
}

#[test]
fn what_is_done_is_told_however_the_rest_ended() {
    for (job, reason) in [
        (JobAxis::NeverStarted, Reason::NeverStarted),
        (JobAxis::NeverStarted, Reason::CleanUpNotProven),
        (JobAxis::NotAttempted, Reason::Deadline),
        (JobAxis::Unproven { during: None }, Reason::Unproven),
        (JobAxis::Running, Reason::Detached),
        (
            JobAxis::Refused {
                variable: "JWT_SECRET".to_owned(),
            },
            Reason::VariableMissing,
        ),
    ] {
        let verdict = Verdict {
            job,
            ..verdict(reason)
        };
        let page = half_done().ended(verdict).comment();
        let done = "Done, and the app put back after it: `columns`.";
        assert!(page.contains(done), "{reason:?}: {page}");
        for denial in [
            "ran nothing",
            "Nothing ran",
            "nothing ran",
            "no step ran",
            "Nothing was changed in the database",
        ] {
            assert!(!page.contains(denial), "{reason:?} {denial:?}: {page}");
        }
    }
}

/// The log of a copy of the job.
fn copy(deployment: DeploymentId, evidence: Evidence) -> Happening {
    Happening::Log {
        job: ter235().job(),
        deployment,
        evidence,
        tail: Vec::new(),
        lines: 3,
        path: None,
    }
}

#[test]
fn a_job_that_ran_twice_is_told_with_where() {
    let ran = || evidence(vec![ran("columns", 1, Some(0))]);
    let disarmed = Evidence {
        disarmed: Some(Disarmed::Lease),
        ..ran()
    };
    let once = || story().planned(ter235()).inserted().log(ran(), &[]);
    let quiet = once()
        .then(1, copy(deployment(PUSHED), disarmed))
        .ended(verdict(Reason::Done));
    assert!(!quiet.comment().contains("may run twice"));
    let twice = "Job `migrate-k3f9q2x7-e0` was started 2 times, in deployments `aaaaaaaa` and `dddddddd`. \
                 Look whether its steps may run twice.";
    let story = || once().then(1, copy(deployment(PUSHED), ran()));
    let page = story().ended(verdict(Reason::Done)).comment();
    assert!(
        page.contains("is done, with something to look at"),
        "{page}"
    );
    assert!(page.contains(twice), "{page}");
    // However it ends.
    let why = Refusal::new(Reason::Pinned, "the app is pinned by a manual rollback", "");
    let page = story().then(1, Happening::Refused(why)).comment();
    assert!(page.contains(twice), "{page}");
}

#[test]
fn a_job_that_may_have_run_once_more_is_told_with_where() {
    let mut verdict = verdict(Reason::Done);
    verdict.facts.unproven = vec![deployment(PUSHED)];
    let more = "A job of this migration may have run once more, in whole or in part: no log shows what it did in deployment `dddddddd`. \
                Look whether its steps may run twice.";
    let page = ended(verdict.clone()).comment();
    assert!(
        page.contains("is done, with something to look at"),
        "{page}"
    );
    assert!(page.contains(more), "{page}");
    assert!(page.contains("one start seen in its logs"), "{page}");
    // A part that went before.
    let part = Happening::PartDone {
        steps: vec![step("columns")],
        unproven: verdict.facts.unproven.clone(),
    };
    let story = story().planned(ter235()).inserted().then(1, part);
    let page = story.ended(super::world::verdict(Reason::Done)).comment();
    assert!(page.contains(more), "{page}");
    // Where its own end is not known, that says it all.
    verdict.job = JobAxis::Unproven { during: None };
    verdict.reason = Reason::Unproven;
    let page = ended(verdict).comment();
    assert!(!page.contains("once more, in whole"), "{page}");
}

#[test]
fn who_cleaned_up_and_found_all_done_does_not_say_that_nothing_was_sent() {
    let done = |cleaned_up| {
        let steps = fix_plan().already_done;
        let page = story().then(0, Happening::AlreadyDone { steps, cleaned_up });
        page.comment()
    };
    let sent = "What is done is not run again; the app was only cleaned up after another run.";
    assert!(done(true).contains(sent), "{}", done(true));
    assert!(!done(true).contains("nothing was sent"));
    assert!(done(false).contains("nothing was sent to the app"));
}

#[test]
fn parts_that_are_done_are_counted_in_words() {
    let line = |steps: &[&str]| {
        let steps = steps.iter().map(|name| step(name)).collect();
        story().then(0, part_done(steps)).report.timeline[0]
            .text
            .to_string()
    };
    assert_eq!(
        line(&["columns"]),
        "Step `columns` is done, and the app is put back"
    );
    assert_eq!(
        line(&["columns", "backfill"]),
        "Steps `columns` and `backfill` are done, and the app is put back"
    );
}

/// The reply to the insert may have been lost.
#[test]
fn a_deployment_of_ours_shows_that_the_job_went_in() {
    let seen = |role| {
        story()
            .phase(1, OURS, role, Phase::Building)
            .report
            .inserted
    };
    assert!(seen(Role::Ours));
    assert!(!seen(Role::Other));
    assert!(!seen(Role::CarriesOurs));
    // And what is seen after it does not take that back.
    let story = story().phase(1, OURS, Role::Ours, Phase::Building).phase(
        1,
        CLEAN_UP,
        Role::CleanUp,
        Phase::Building,
    );
    assert!(story.report.inserted);
}

/// Who runs it again and is refused has lost time, and trust.
#[test]
fn a_job_that_never_started_is_run_again_only_while_there_are_tries_left() {
    let told = |tries| {
        let mut verdict = verdict(Reason::NeverStarted);
        verdict.job = JobAxis::NeverStarted;
        verdict.facts.never_started = tries;
        ended(verdict).comment()
    };
    for tries in [1, 2] {
        let page = told(tries);
        assert!(
            page.contains(
                "re-run this workflow; where that says that it is not tried again by itself"
            ),
            "{page}"
        );
    }
    let page = told(3);
    assert!(
        page.contains("As 3 jobs never started, to re-run this workflow puts no other one in."),
        "{page}"
    );
    for page in [told(1), told(3)] {
        assert!(
            page.contains("-f mode=retry -f migration=ter-235"),
            "{page}"
        );
    }
}
