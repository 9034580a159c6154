//! The story, from the hand-left job to the restored firewall.
//!
//! One function for the demo, the virtual-time test and the test on MariaDB: they differ in the stage only. Whatever
//! must hold on the way is a check, as are the facts at the end; nothing is asserted by ending early.

use super::checks::Checks;
use super::look::{
    carried, deployments, inserts, is_quiet, jobs, live_jobs, ours, spec, step_runs,
};
use super::stage::Stage;
use super::tell::{Details, Teller, comment};
use super::workflow::{Ran, Run, Trigger};
use super::world::{
    self, APP, CLUSTER, DEBUG_ADDRESS, DEVELOPER, FIX, HAND_LEFT, OPERATOR, PULL, REPO,
};
use anyhow::{Context as _, Result, anyhow};
use futures_util::future::{Either, select};
use jiff::Timestamp;
use serde_json::{Value, json};
use sim::{Act, Edits, MergeMethod, NewPullRequest, Overlap, Pushed};
use std::pin::pin;
use std::time::Duration;

/// How long the fix took that night: from the failure at 00:50 to the push at 01:00.
const FIXING: Duration = Duration::from_secs(10 * 60);

/// A few minutes in which a person reads.
const READING: Duration = Duration::from_secs(3 * 60);

/// What happened when, for the table at the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// Pull request 428 was merged.
    pub(super) merged: Timestamp,
    /// The last check after the fix.
    pub(super) verified: Timestamp,
    /// How many deployments were made in between.
    pub(super) deployments: usize,
}

impl Times {
    /// Returns the simulated time from the merge to the last check.
    pub(super) fn took(&self) -> Duration {
        Duration::try_from(self.verified.duration_since(self.merged)).unwrap_or_default()
    }
}

/// What the world was like before anybody touched it.
struct Before {
    spec: Value,
}

/// Plays the story and returns what held and what did not.
///
/// # Errors
/// Only when the stage itself fails: a file, a process, an event that never comes.
pub(super) async fn play(stage: &Stage, teller: &Teller) -> Result<(Checks, Times)> {
    let mut checks = Checks::default();
    let before = Before { spec: spec(stage) };
    left_behind(stage, teller, &before, &mut checks).await?;
    planned(stage, teller, &mut checks).await?;
    let (merged, known) = (stage.world.now(), deployments(stage));
    failed(stage, teller, &before, &mut checks).await?;
    let verified = fixed(stage, teller, &before, &mut checks).await?;
    stage.until("the app is quiet", is_quiet).await?;
    checks.of_the_end(stage, &before.spec)?;
    let times = Times {
        merged,
        verified,
        deployments: deployments(stage) - known,
    };
    Ok((checks, times))
}

/// A killed run and a hand-left job: refused, named, cleared.
async fn left_behind(
    stage: &Stage,
    teller: &Teller,
    before: &Before,
    checks: &mut Checks,
) -> Result<()> {
    teller.chapter("1. What a bad day left behind");
    let world = &stage.world;
    teller.act(world, "A workflow runs the migration `ter-228`. Its machine dies as soon as the job is in the app.");
    let run = Run::prepare(stage, &Trigger::by_hand(stage, "run", "ter-228")?)?;
    let inserted = stage.until("the job of `ter-228` is in the app", |app| {
        ours(app).is_some()
    });
    match select(pin!(run.main()), pin!(inserted)).await {
        Either::Left(((exit, log), _)) => {
            return Err(anyhow!("`ter-228` ended by itself with {exit}:\n{log}"));
        }
        Either::Right((inserted, _)) => inserted?,
    }
    stage.pass(READING).await;
    teller.act(world, &format!("{OPERATOR} adds `{HAND_LEFT}` in the control panel, as the runbook says, and forgets it there."));
    world.edit_spec(APP, OPERATOR, add_hand_left)?;
    stage.until("the app is quiet", is_quiet).await?;

    teller.act(world, "Somebody starts `ter-228` again.");
    let refused = by_hand(stage, "ter-228").await?;
    teller.frame(
        "the run's summary",
        &stage.shown(&refused.summary),
        Details::Folded,
    );
    checks.exit(
        "a run is refused while an undeclared job is in the app",
        &refused,
        11,
    );
    checks.output("its reason code", &refused, "reason-code", "undeclared-job");
    for part in [
        HAND_LEFT,
        "accept-jobs: [migration-job]",
        "also-stale: [migration-job]",
    ] {
        checks.holds(
            format!("the refusal shows `{part}`"),
            refused.summary.contains(part),
            &refused.summary,
        );
    }
    teller.act(
        world,
        &format!("The killed run's job was ours: it is out, and its end is on record. `{HAND_LEFT}` is somebody's; it was not touched."),
    );
    let now = spec(stage);
    let left = jobs(&now).iter().map(|job| job["name"].clone());
    checks.equal(
        "what the refused run leaves in the app",
        &left.collect::<Vec<_>>(),
        &vec![json!(HAND_LEFT)],
    );
    checks.equal("insertions so far, the killed run's", &inserts(stage), &1);

    teller.act(world, "The config declares the job as left over, with one of the two lines. The push deploys the app once more.");
    push(
        stage,
        &world::declared(),
        "Declare the job that was left in the spec",
    )?;
    let cleared = by_hand(stage, "ter-228").await?;
    let times = stage
        .jobs()
        .iter()
        .filter(|job| job.component == HAND_LEFT)
        .count();
    teller.act(
        world,
        &format!(
            "Started again, the run finds `ter-228` done (`{}`) and takes `{HAND_LEFT}` out, which ran {times} times by then.",
            reason(&cleared)
        ),
    );
    checks.equal(
        "how often the hand-left job ran: once with each deployment that had it",
        &times,
        &carried(stage, HAND_LEFT),
    );
    checks.holds(
        "it ran with deployments that were about something else",
        times > 1,
        "it ran once",
    );
    checks.exit("with the declaration the run ends well", &cleared, 0);
    checks.output("its reason code", &cleared, "reason-code", "already-done");
    checks.equal(
        "the app's spec after the clean-up",
        &spec(stage),
        &before.spec,
    );
    stage.until("the app is quiet", is_quiet).await
}

/// The label asks for the plan.
async fn planned(stage: &Stage, teller: &Teller, checks: &mut Checks) -> Result<()> {
    teller.chapter("2. Pull request 428 asks for its migration");
    label(stage, PULL)?;
    teller.act(
        &stage.world,
        &format!("{DEVELOPER} puts the label `needs-migration` on #{PULL}."),
    );
    let ran = workflow(stage, Trigger::labelled(stage, PULL, LABEL)?).await?;
    let text = said(stage, PULL);
    teller.frame(
        &format!("comment on #{PULL}"),
        &stage.shown(&text),
        Details::Folded,
    );
    checks.exit("the plan", &ran, 0);
    for part in [
        "Plan for migration `ter-235` on `terp-app`",
        "Nothing has been sent yet",
        "--confirm-production",
    ] {
        checks.holds(
            format!("the plan says `{part}`"),
            text.contains(part),
            &text,
        );
    }
    stage.pass(READING).await;
    Ok(())
}

/// Merged: the columns go in, the backfill fails, the app is rolled back and put back.
async fn failed(
    stage: &Stage,
    teller: &Teller,
    before: &Before,
    checks: &mut Checks,
) -> Result<()> {
    teller.chapter(
        "3. Merged: `columns` succeeds, `backfill` fails, the platform rolls the app back",
    );
    let pushed = stage
        .world
        .merge(REPO, PULL, MergeMethod::Squash, DEVELOPER)?;
    teller.act(
        &stage.world,
        &format!(
            "{DEVELOPER} merges #{PULL}. The push deploys the app; the migration waits for it."
        ),
    );
    let run = workflow(stage, Trigger::pushed(stage, &pushed)?);
    let ran = told(stage, teller, PULL, run).await?;
    let text = said(stage, PULL);
    teller.frame(
        &format!("comment on #{PULL}"),
        &stage.shown(&text),
        Details::Folded,
    );
    checks.exit("the failed migration", &ran, 5);
    checks.output("its reason code", &ran, "reason-code", "rolled-back");
    checks.equal("exit code of its post step", &ran.post, &0);
    for part in [
        "failed at step `backfill`",
        "deletedAt",
        "`columns` is done and stays done",
        "Live now:",
        "Fix it in a pull request",
    ] {
        checks.holds(
            format!("the comment says `{part}`"),
            text.contains(part),
            &text,
        );
    }
    checks.equal(
        "the app's spec after the failure",
        &spec(stage),
        &before.spec,
    );
    checks.equal("what is live after the failure", &live_jobs(stage), &0);
    Ok(())
}

/// The fix: only the backfill runs, a push in the window runs nothing, the firewall is put back.
async fn fixed(
    stage: &Stage,
    teller: &Teller,
    before: &Before,
    checks: &mut Checks,
) -> Result<Timestamp> {
    teller.chapter("4. The fix: only `backfill` runs");
    let world = &stage.world;
    teller.act(world, &format!("To look around, {OPERATOR} lets {DEBUG_ADDRESS} into the database, and forgets that, too."));
    let mut rules = world.state()["databases"][0]["rules"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    rules.push(json!({"type": "ip_addr", "value": DEBUG_ADDRESS}));
    world.edit_firewall(CLUSTER, &rules)?;
    stage.pass(FIXING).await;

    let new = NewPullRequest {
        number: Some(FIX),
        title: "TER-235: the backfill asks for no deletedAt".to_owned(),
        head: "ter-235-fix".to_owned(),
        edits: world::fix(),
        ..NewPullRequest::default()
    };
    world.github(|github, at| {
        github.open_pull_request(
            REPO,
            &new,
            Act {
                login: DEVELOPER,
                at,
            },
        )
    })?;
    label(stage, FIX)?;
    teller.act(world, &format!("Ten minutes later {DEVELOPER} opens #{FIX}, which changes only the script, with the label."));
    let planned = workflow(stage, Trigger::labelled(stage, FIX, LABEL)?).await?;
    checks.exit("the plan of the fix", &planned, 0);
    teller.act(
        world,
        &format!("  #{FIX} says: {}", first_line(&said(stage, FIX))),
    );

    let pushed = world.merge(REPO, FIX, MergeMethod::Squash, DEVELOPER)?;
    teller.act(world, &format!("{DEVELOPER} merges #{FIX}."));
    let run = workflow(stage, Trigger::pushed(stage, &pushed)?);
    let meanwhile = push_in_the_window(stage, teller);
    let (ran, pushed) = futures_util::join!(told(stage, teller, FIX, run), meanwhile);
    let ran = ran?;
    let verified = stage.world.now();
    pushed?;
    let text = said(stage, FIX);
    teller.frame(
        &format!("comment on #{FIX}"),
        &stage.shown(&text),
        Details::Open,
    );
    checks.exit("the fixed migration", &ran, 0);
    checks.output("its reason code", &ran, "reason-code", "done");
    checks.equal("exit code of its post step", &ran.post, &0);
    for part in [
        "Migration `ter-235` is done",
        "`columns` was done before and was not run again",
        "was built from another commit",
        DEBUG_ADDRESS,
    ] {
        checks.holds(
            format!("the comment says `{part}`"),
            text.contains(part),
            &text,
        );
    }
    checks.equal(
        "the app's spec at the end of the run",
        &spec(stage),
        &before.spec,
    );
    Ok(verified)
}

/// Another push arrives while the job runs, as at 01:01 that night.
async fn push_in_the_window(stage: &Stage, teller: &Teller) -> Result<()> {
    // Whether the platform queues a push's deployment or cancels the one under way is not documented. Cancelled, the
    // job would be killed in the middle of its work, and the comment would call it unproven; the tests of the runner
    // go through both.
    stage.world.turn(|knobs| knobs.overlap = Overlap::Queue);
    stage
        .until("the job of the fix runs", |app| {
            ours(app).is_some() && step_runs(app)
        })
        .await?;
    teller.act(&stage.world, "Another push arrives while the job runs. The platform queues its deployment, which carries a copy of the job.");
    push(stage, &world::unrelated(), "Make the order list faster")?;
    Ok(())
}

/// The label that asks for a migration.
const LABEL: &str = "needs-migration";

fn label(stage: &Stage, number: u64) -> Result<()> {
    let put = stage.world.github(|github, at| {
        github.add_label(
            REPO,
            number,
            LABEL,
            Act {
                login: DEVELOPER,
                at,
            },
        )
    });
    put.map(drop).context("cannot put the label on")
}

fn push(stage: &Stage, edits: &Edits, message: &str) -> Result<Pushed> {
    stage
        .world
        .push(REPO, "main", (edits, message), DEVELOPER)
        .context("cannot push")
}

async fn workflow(stage: &Stage, trigger: Trigger) -> Result<Ran> {
    Run::prepare(stage, &trigger)?.finished().await
}

async fn by_hand(stage: &Stage, migration: &'static str) -> Result<Ran> {
    workflow(stage, Trigger::by_hand(stage, "run", migration)?).await
}

/// Waits for a run and tells the comment's changes meanwhile.
async fn told(
    stage: &Stage,
    teller: &Teller,
    number: u64,
    run: impl Future<Output = Result<Ran>>,
) -> Result<Ran> {
    match select(pin!(run), pin!(teller.follow(stage, number))).await {
        Either::Left((ran, _)) => ran,
        Either::Right(((), _)) => Err(anyhow!("the comment is followed for ever")),
    }
}

fn said(stage: &Stage, number: u64) -> String {
    comment(&stage.world, number).unwrap_or_default()
}

fn first_line(markdown: &str) -> &str {
    markdown
        .lines()
        .find_map(|line| line.strip_prefix("### "))
        .unwrap_or_default()
}

fn reason(ran: &Ran) -> &str {
    ran.outputs.get("reason-code").map_or("", String::as_str)
}

fn add_hand_left(spec: &mut Value) {
    let job = json!({
        "name": HAND_LEFT, "kind": "POST_DEPLOY",
        "github": {"repo": REPO, "branch": "main"}, "dockerfile_path": "Dockerfile",
        "run_command": "sql scripts/vendor-mapping-report.sql",
        "envs": [{"key": "DATABASE_URL", "scope": "RUN_TIME", "value": "${terp-mysql-db.DATABASE_URL}"}],
        "instance_size_slug": "apps-s-1vcpu-0.5gb", "instance_count": 1,
    });
    let mut all = jobs(spec).to_vec();
    all.push(job);
    spec["jobs"] = Value::Array(all);
}
