//! The comments as people read them.

use crate::stage::{Stage, TER_235, good, manifest, redacted};

#[tokio::test(start_paused = true)]
async fn the_plan_is_a_comment_with_the_commands_and_the_edit() {
    let stage = Stage::new();
    stage.open(428, "columns", &[(TER_235, &good())]);
    stage.label(428, "needs-migration");
    stage
        .pull_request(428, "labeled", Some("needs-migration"))
        .await;
    insta::assert_snapshot!(redacted(&stage.comments(428)[0]), @r#"
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

    <details><summary>Timeline (UTC)</summary>

    - `<time>` Planned steps `columns` and `backfill` as job `migrate-<key>-e0`

    </details>

    <details><summary>The app spec, with and without the job</summary>

    ```diff
    --- before
    +++ after
    @@ -45,5 +45,61 @@
           "domain": "shop.example.com",
           "type": "PRIMARY"
         }
    +  ],
    +  "jobs": [
    +    {
    +      "name": "migrate-<key>-e0",
    +      "kind": "POST_DEPLOY",
    +      "github": {
    +        "repo": "acme/shop",
    +        "branch": "main",
    +        "deploy_on_push": false
    +      },
    +      "dockerfile_path": "Dockerfile",
    +      "run_command": "sh -c 'eval \"$(printf %b \"$HARBOR_PILOT_SCRIPT\")\"'",
    +      "envs": [
    +        {
    +          "key": "DATABASE_URL",
    +          "scope": "RUN_TIME",
    +          "value": "${db.DATABASE_URL}"
    +        },
    +        {
    +          "key": "HARBOR_PILOT_SCRIPT",
    +          "scope": "RUN_TIME",
    +          "value": "(the steps, wrapped)"
    +        },
    +        {
    +          "key": "HARBOR_PILOT_NOT_AFTER",
    +          "scope": "RUN_TIME",
    +          "value": "(set when the job is inserted)"
    +        },
    +        {
    +          "key": "HARBOR_PILOT_COMMIT",
    +          "scope": "RUN_TIME",
    +          "value": "${_self.COMMIT_HASH}"
    +        },
    +        {
    +          "key": "HARBOR_PILOT_REFERENCE_COMMIT",
    +          "scope": "RUN_TIME",
    +          "value": "${web.COMMIT_HASH}"
    +        },
    +        {
    +          "key": "HARBOR_PILOT_PLANNED_COMMIT",
    +          "scope": "RUN_TIME",
    +          "value": "<hex>"
    +        },
    +        {
    +          "key": "HARBOR_PILOT_RUN",
    +          "scope": "RUN_TIME",
    +          "value": "(what the run says of itself)"
    +        }
    +      ],
    +      "instance_size_slug": "apps-s-1vcpu-1gb",
    +      "instance_count": 1,
    +      "timeout": "30m",
    +      "termination": {
    +        "grace_period_seconds": 120
    +      }
    +    }
       ]
     }
    ```

    </details>
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
    insta::assert_snapshot!(redacted(&stage.comments(428)[0]), @r#"
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

    <details><summary>Timeline (UTC)</summary>

    - `<time>` Somebody else's deployment `<short>` waits to be built
    - `<time>` Waiting for deployment `<uuid>` (PENDING\_BUILD), which somebody else started
    - `<time>` Somebody else's deployment `<short>` is being built
    - `<time>` Waiting for deployment `<uuid>` (BUILDING), which somebody else started
    - `<time>` Somebody else's deployment `<short>` is being rolled out
    - `<time>` Waiting for deployment `<uuid>` (DEPLOYING), which somebody else started
    - `<time>` Somebody else's deployment `<short>` is live
    - `<time>` Planned steps `columns` and `backfill` as job `migrate-<key>-e0`
    - `<time>` The claim stands in the ledger; nobody else inserts this job
    - `<time>` Job `migrate-<key>-e0` is in the app spec; deployment `<short>` carries it
    - `<time>` Our deployment `<short>` waits to be built
    - `<time>` Our deployment `<short>` is being built
    - `<time>` Our deployment `<short>` is being rolled out
    - `<time>` The job runs, in deployment `<short>`
    - `<time>` Somebody else's deployment `<short>` gave way to a newer one
    - `<time>` Our deployment `<short>` is live
    - `<time>` Log of the job in deployment `<short>` (11 lines, kept in `<temp>/harbor-pilot-logs/migrate-<key>-e0-<short>-a62d-…`): `columns` ended with 0 and `backfill` ended with 0
    - `<time>` Job `migrate-<key>-e0` out of the app spec; deployment `<short>` takes it out of the app
    - `<time>` The clean-up deployment `<short>` waits to be built
    - `<time>` The job is out of the spec; waiting for the deployment without it
    - `<time>` The clean-up deployment `<short>` is being rolled out
    - `<time>` Our deployment `<short>` gave way to a newer one
    - `<time>` The clean-up deployment `<short>` is live
    - `<time>` The app is proven put back: its spec is what it was
    - `<time>` Asking the app's health address
    - `<time>` The app is healthy: three good answers in a row
    - `<time>` The database's firewall is as asked
    - `<time>` Ended: done

    </details>

    <details><summary>End of the job's log (11 lines in all)</summary>

    Job `migrate-<key>-e0` in deployment `<short>`:

    ```
    migrate-<key>-e0 <time> adding columns
    migrate-<key>-e0 <time> filling in
    ```

    </details>
    "#);
}

#[tokio::test(start_paused = true)]
async fn the_log_of_the_step_is_short_and_grouped() {
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
    insta::assert_snapshot!(redacted(&ran.out), @r#"
    ::add-mask::dop_v1_canary0canary0canary0canary0canary0canary0canary0canary0canary0
    ::add-mask::ghs_canaryCanaryCanaryCanaryCanaryCanary
    ::group::Look at the app and plan
    <time> Somebody else's deployment `<short>` waits to be built
    <time> Waiting for deployment <uuid> (PENDING_BUILD), which somebody else started
    <time> Somebody else's deployment `<short>` is being built
    <time> Waiting for deployment <uuid> (BUILDING), which somebody else started
    … 1 min: Waiting for deployment <uuid> (BUILDING), which somebody else started
    … 2 min: Waiting for deployment <uuid> (BUILDING), which somebody else started
    … 3 min: Waiting for deployment <uuid> (BUILDING), which somebody else started
    … 4 min: Waiting for deployment <uuid> (BUILDING), which somebody else started
    <time> Somebody else's deployment `<short>` is being rolled out
    <time> Waiting for deployment <uuid> (DEPLOYING), which somebody else started
    … 1 min: Waiting for deployment <uuid> (DEPLOYING), which somebody else started
    … 2 min: Waiting for deployment <uuid> (DEPLOYING), which somebody else started
    … 3 min: Waiting for deployment <uuid> (DEPLOYING), which somebody else started
    … 4 min: Waiting for deployment <uuid> (DEPLOYING), which somebody else started
    <time> Somebody else's deployment `<short>` is live
    <time> Planned steps `columns` and `backfill` as job `migrate-<key>-e0`
    ::endgroup::
    ::group::Put the job into the app
    <time> The claim stands in the ledger; nobody else inserts this job
    ::endgroup::
    ::group::Deploy and run the job
    <time> Job `migrate-<key>-e0` is in the app spec; deployment `<short>` carries it
    <time> Our deployment `<short>` waits to be built
    <time> Our deployment `<short>` is being built
    … 1 min: Our deployment `<short>` is being built
    … 2 min: Our deployment `<short>` is being built
    … 3 min: Our deployment `<short>` is being built
    … 4 min: Our deployment `<short>` is being built
    <time> Our deployment `<short>` is being rolled out
    … 1 min: Our deployment `<short>` is being rolled out
    … 2 min: Our deployment `<short>` is being rolled out
    … 3 min: Our deployment `<short>` is being rolled out
    … 4 min: Our deployment `<short>` is being rolled out
    <time> The job runs, in deployment `<short>`
    … 1 min: The job runs, in deployment `<short>`
    <time> Our deployment `<short>` failed
    ::endgroup::
    ::group::The job's log
    <time> Log of the job in deployment `<short>` (11 lines, kept in `<temp>/harbor-pilot-logs/migrate-<key>-e0-<short>-a62d-…`): `columns` ended with 0 and `backfill` ended with 1
    ::stop-commands::<hex>
    | migrate-<key>-e0 <time> adding columns
    | migrate-<key>-e0 <time> ERROR component terminated with non-zero exit code: 1
    ::<hex>::
    <time> The deployment failed; waiting for the platform's rollback
    <time> The platform's rollback `<short>` waits to be built
    <time> The platform's rollback `<short>` is being rolled out
    … 1 min: The platform's rollback `<short>` is being rolled out
    <time> Somebody else's deployment `<short>` gave way to a newer one
    <time> The platform's rollback `<short>` is live
    ::endgroup::
    ::group::Put the app back
    <time> Job `migrate-<key>-e0` out of the app spec; deployment `<short>` takes it out of the app
    <time> The clean-up deployment `<short>` waits to be built
    <time> The job is out of the spec; waiting for the deployment without it
    <time> The clean-up deployment `<short>` is being rolled out
    … 1 min: The clean-up deployment `<short>` is being rolled out
    … 2 min: The clean-up deployment `<short>` is being rolled out
    … 3 min: The clean-up deployment `<short>` is being rolled out
    <time> The platform's rollback `<short>` gave way to a newer one
    <time> The clean-up deployment `<short>` is live
    ::endgroup::
    ::group::Look at the app's health and firewall
    <time> The app is proven put back: its spec is what it was
    <time> Asking the app's health address
    <time> The app is healthy: three good answers in a row
    <time> The database's firewall is as asked
    <time> Ended: rolled-back
    ::endgroup::
    ❌ Migration `ter-235` failed at step `backfill`; the platform rolled the app back

    Step `backfill` failed with exit code 1. Step `columns` is done and stays done.
    The platform rolled the app back, with deployment `<short>`. Live now: deployment `<short>`, commit `<short>`.

    The job's log ends with:
      | migrate-<key>-e0 <time> adding columns
      | migrate-<key>-e0 <time> ERROR component terminated with non-zero exit code: 1

    What to do now:
      - A rollback puts code back, not data: what `backfill` wrote before it failed is still in the database, unless its script undoes it.
      - Fix it in a pull request, put the label `needs-migration` on it and merge it. That run does `backfill`; `columns` is not run again.
      - If the fix is not in a pull request (data, a setting, a direct push), ask for a retry:
          gh workflow run migrate.yml --repo acme/shop --ref main -f mode=retry -f migration=ter-235

    Steps:
      columns   done, 0 s
      backfill  failed (exit 1), 0 s

    Where things stand:
      Job:        `migrate-<key>-e0`, started once
      Deployment: `<uuid>` failed and was rolled back; rollback `<uuid>`; live now `<uuid>` at commit `<short>`
      Clean-up:   proven: the job is out of the app spec and out of the newest good deployment (deployment `<uuid>`); the app spec is what it was before, fingerprint `<short>`
      Health:     three good answers in a row
      Firewall:   as asked: the app's own rule, and the rules to keep
      Log:        kept in `<temp>/harbor-pilot-logs/migrate-<key>-e0-<short>-a62d-…` (11 lines)

    Reason rolled-back, exit code 5.
    ::error title=Migration `ter-235` failed at step `backfill`; the platform rolled the app back::Step `backfill` failed with exit code 1. Step `columns` is done and stays done.%0AThe platform rolled the app back, with deployment `<short>`. Live now: deployment `<short>`, commit `<short>`.%0AA rollback puts code back, not data: what `backfill` wrote before it failed is still in the database, unless its script undoes it.%0AFix it in a pull request, put the label `needs-migration` on it and merge it. That run does `backfill`; `columns` is not run again.%0AIf the fix is not in a pull request (data, a setting, a direct push), ask for a retry:%0Agh workflow run migrate.yml --repo acme/shop --ref main -f mode=retry -f migration=ter-235
    "#);
}
