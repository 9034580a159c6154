//! Others are busy, or somebody makes noise on purpose: every wait has its end, one job is in the app at a time, and
//! nothing runs twice.

use crate::stage::{Ran, Stage, TER_235, good, manifest};
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The input `deadline`'s default, which outlasts every wait in it.
const DEADLINE: Duration = Duration::from_secs(110 * 60);

/// How many jobs each write of the spec brought along.
fn jobs_of_each_write(stage: &Stage) -> Vec<usize> {
    let requests = stage.world.requests();
    let writes = requests
        .iter()
        .filter(|request| request.call == Some("apps.update"));
    writes
        .map(|write| write.body["spec"]["jobs"].as_array().map_or(0, Vec::len))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn pushes_without_end_hold_a_run_no_longer_than_its_bounds() {
    let stage = Stage::new();
    let before = stage.spec();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    let pushed = stage.land(&[428]);
    let noise = async {
        for number in 1000_u64.. {
            sleep(Duration::from_secs(240)).await;
            stage.open(number, "noise", &[("noise.txt", &number.to_string())]);
            stage.land(&[number]);
        }
    };
    let began = Instant::now();
    let ran = tokio::select! {
        ran = stage.pushed(&pushed) => ran,
        () = noise => unreachable!("it never ends"),
    };
    assert!(began.elapsed() < DEADLINE, "{:?}", began.elapsed());
    assert!(!ran.output("reason-code").is_empty(), "{}", ran.out);
    assert!(
        jobs_of_each_write(&stage).iter().all(|jobs| *jobs <= 1),
        "{}",
        ran.out
    );
    assert!(stage.world.executions().len() <= 1, "{}", ran.out);

    // And once it is quiet again, the same merge is carried out.
    sleep(Duration::from_secs(3600)).await;
    let quiet = stage.pushed(&pushed).await;
    assert_eq!(quiet.code, 0, "{}\n{}", quiet.out, quiet.err);
    assert_eq!(stage.world.executions().len(), 1);
    assert_eq!(stage.spec(), before);
}

#[tokio::test(start_paused = true)]
async fn many_runs_at_once_bring_one_job_at_a_time_and_each_once() {
    let stage = Stage::new();
    let before = stage.spec();
    let ids = ["ant", "bee", "cat"];
    for (number, id) in (1_u64..).zip(ids) {
        let path = format!(".harbor-pilot/{id}.yml");
        stage.open(
            number,
            id,
            &[(&path, &manifest(&[(id, &format!("echo {id}"))]))],
        );
        stage.label(number, "needs-migration");
    }
    let landed: Vec<_> = (1_u64..)
        .zip(ids)
        .map(|(number, _)| stage.land(&[number]))
        .collect();
    // As where the workflow lacks the concurrency group: nobody waits for anybody.
    let began = Instant::now();
    let (one, two, three) = tokio::join!(
        stage.pushed(&landed[0]),
        stage.pushed(&landed[1]),
        stage.pushed(&landed[2])
    );
    assert!(began.elapsed() < DEADLINE, "{:?}", began.elapsed());
    let runs: [Ran; 3] = [one, two, three];
    assert!(
        jobs_of_each_write(&stage).iter().all(|jobs| *jobs <= 1),
        "{:?}",
        jobs_of_each_write(&stage)
    );
    for run in &runs {
        assert!(!run.output("reason-code").is_empty(), "{}", run.out);
    }
    assert!(runs.iter().any(|run| run.code == 0));

    // What was turned away is carried out when it is asked for again, and what is done stays done.
    for pushed in &landed {
        let again = stage.pushed(pushed).await;
        assert_eq!(again.code, 0, "{}\n{}", again.out, again.err);
    }
    assert_eq!(stage.world.executions().len(), ids.len());
    assert_eq!(stage.spec(), before);
}

#[test]
fn the_workflow_lets_runs_wait_and_drops_none() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.github/workflows/migrate.yml");
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for line in ["queue: max", "cancel-in-progress: false"] {
        assert!(lines.contains(&line), "`{line}` is not in it");
    }
}
