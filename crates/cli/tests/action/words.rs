//! The comments as people read them, without what is folded away (the timeline and the log are `migration`'s words), and
//! the frame of the step's log.

use crate::stage::{Stage, TER_235, good, manifest, redacted};

/// What stands above the folded parts.
fn unfolded(comment: &str) -> &str {
    comment.split("<details>").next().unwrap_or(comment)
}

/// The lines that the runner obeys, and the job's own between them.
fn commands(out: &str) -> String {
    let ours = out
        .lines()
        .filter(|line| line.starts_with("::") || line.starts_with("| "));
    ours.map(|line| format!("{line}\n")).collect()
}

#[tokio::test(start_paused = true)]
async fn the_plan_is_a_comment_with_the_commands_and_the_edit() {
    let stage = Stage::new();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    stage
        .pull_request(428, "labeled", Some("needs-migration"))
        .await;
    insta::assert_snapshot!(redacted(unfolded(&stage.comments(428)[0])), @r#"
    <!-- harbor-pilot v1 key=<key> -->
    ### Plan for migration `ter-235` on `shop`

    Nothing has been sent yet. Merging this pull request runs steps `columns` and `backfill` in production.

    **What to do now**

    Read the commands below. Merge when they are right; take the label off when they must not run.

    | Step | State |
    | --- | --- |
    | `columns` | to run |
    | `backfill` | to run |

    **Worth knowing**

    - Note: no `job-timeout` is set, so the platform ends the job after 30 min. (`job-timeout-default`)
    - Note: the job is built from the head of `main`; when that is not `<short>`, it runs nothing and says so. (`built-at-head`)
    - Note: the job does not get `JWT_SECRET` of `web`. Name what it needs in `env`. (`secret-not-copied`)

    Commands from `.harbor-pilot/ter-235.yml` at commit `<short>`; the job must be built from commit `<short>`.

    Step `columns`:

    ```sh
    echo adding columns
    ```

    Step `backfill`:

    ```sh
    echo filling in
    ```

    **What will happen**

    - After the merge it waits until the merge's own deployment is live. If that fails, nothing is run.
    - It puts job `migrate-<key>-e0` into the app, with the source and build of `web` and the database `db`, started after the services are healthy (`POST_DEPLOY`).
    - The steps run in order, each in its own shell, and the first that fails stops the rest; a failure fails the deployment, and the platform rolls the app back. The platform stops the job after 30 min.
    - It keeps the job's log, takes the job out again, and proves that the app spec is what it was (fingerprint `<short>`).
    - Each run redeploys `web` twice: once with the job, once without it.
    - Then `http://127.0.0.1:9/_live/shop/health` must answer well three times in a row; the database's firewall is read, and rules beside the app's own are reported.
    - About 12 min in all: 5 min to the job's start, 2 min for the job, 5 min to take it out (measured on this app's past deployments).

    [Workflow run](<http://127.0.0.1:9/acme/shop/actions/runs/9001/attempts/1>) · [Whole log](<http://127.0.0.1:9/acme/shop/actions/runs/9001/attempts/1>) · [App in the control panel](<https://cloud.digitalocean.com/apps/<uuid>>) · [Pull request](<http://127.0.0.1:9/acme/shop/pull/428>) · reason `planned`, exit code 0 · 2026-02-18 <time> UTC
    "#);
}

#[tokio::test(start_paused = true)]
async fn the_end_is_the_same_comment_with_the_proof() {
    let stage = Stage::new();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    stage
        .pull_request(428, "labeled", Some("needs-migration"))
        .await;
    stage.merge(&[428]).await;
    assert_eq!(stage.comments(428).len(), 1);
    insta::assert_snapshot!(redacted(unfolded(&stage.comments(428)[0])), @r#"
    <!-- harbor-pilot v1 key=<key> -->
    ### ✅ Migration `ter-235` is done

    Steps `columns` and `backfill` each ended with 0, by the marks in the job's own log.

    Live now: deployment `<short>`, commit `<short>`.

    | Step | State | Took |
    | --- | --- | --- |
    | `columns` | done | 0 s |
    | `backfill` | done | 0 s |

    **Where things stand**

    - **Job**: `migrate-<key>-e0`, started once
    - **Deployment**: [`<short>`](<https://cloud.digitalocean.com/apps/<uuid>/deployments/<uuid>>) became live; live now [`<short>`](<https://cloud.digitalocean.com/apps/<uuid>/deployments/<uuid>>) at commit `<short>`
    - **Clean-up**: proven: the job is out of the app spec and out of the newest good deployment (deployment [`<short>`](<https://cloud.digitalocean.com/apps/<uuid>/deployments/<uuid>>)); the app spec is what it was before, fingerprint `<short>`
    - **Health**: three good answers in a row
    - **Firewall**: as asked: the app's own rule, and the rules to keep
    - **Log**: kept in `<temp>/harbor-pilot-logs/migrate-<key>-e0-<short>-a62d-…` (11 lines)

    **Epochs so far**

    - Epoch 0, 2026-02-18 <time> UTC, PR 428, `merge:<short>`: done: `columns` and `backfill`

    [Workflow run](<http://127.0.0.1:9/acme/shop/actions/runs/9002/attempts/1>) · [Whole log](<http://127.0.0.1:9/acme/shop/actions/runs/9002/attempts/1>) · [App in the control panel](<https://cloud.digitalocean.com/apps/<uuid>>) · [Pull request](<http://127.0.0.1:9/acme/shop/pull/428>) · reason `done`, exit code 0 · 2026-02-18 <time> UTC
    "#);
}

#[tokio::test(start_paused = true)]
async fn the_log_of_the_step_has_a_group_for_each_phase() {
    let stage = Stage::new();
    stage.open(
        428,
        "columns",
        &[(
            TER_235,
            &manifest(&[("columns", "echo adding columns"), ("backfill", "exit 1")]),
        )],
    );
    stage.label(428, "needs-migration");
    let ran = stage.merge(&[428]).await;
    insta::assert_snapshot!(redacted(&commands(&ran.out)), @r#"
    ::add-mask::dop_v1_canary0canary0canary0canary0canary0canary0canary0canary0canary0
    ::add-mask::ghs_canaryCanaryCanaryCanaryCanaryCanary
    ::group::Look at the app and plan
    ::endgroup::
    ::group::Put the job into the app
    ::endgroup::
    ::group::Deploy and run the job
    ::endgroup::
    ::group::The job's log
    ::stop-commands::<hex>
    | migrate-<key>-e0 <time> adding columns
    | migrate-<key>-e0 <time> ERROR component terminated with non-zero exit code: 1
    ::<hex>::
    ::endgroup::
    ::group::Put the app back
    ::endgroup::
    ::group::Look at the app's health and firewall
    ::endgroup::
    ::error title=Migration `ter-235` failed at step `backfill`; the platform rolled the app back::Step `backfill` failed with exit code 1. Step `columns` is done and stays done.%0AThe platform rolled the app back, with deployment `<short>`. Live now: deployment `<short>`, commit `<short>`.%0AA rollback puts code back, not data: what `backfill` wrote before it failed is still in the database, unless its script undoes it.%0AFix it in a pull request, put the label `needs-migration` on it and merge it. That run does `backfill`; `columns` is not run again.%0AIf the fix is not in a pull request (data, a setting, a direct push), ask for a retry:%0Agh workflow run migrate.yml --repo acme/shop --ref main -f mode=retry -f migration=ter-235
    "#);
}
