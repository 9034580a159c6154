//! What a person reads in each state. Read each text aloud: would you trust it at 2 a.m.?

mod hostile;
mod page;
mod report;
mod told;
mod world;

use super::*;
use crate::*;
use app_spec::Phase;
use world::*;

#[test]
fn before_the_merge_the_plan_is_told() {
    let mut plan = ter235();
    plan.findings = vec![Finding {
        severity: Severity::Warning,
        code: "operator-and",
        message: "step `columns` joins commands with `&&`; they have one result".to_owned(),
        hint: Some("make each a step of its own".to_owned()),
    }];
    let mut story = story().planned(plan);
    story.report.purpose = Purpose::Preview;
    story.report.plan_diff =
        Some(Redactor::default().clean("+- name: migrate-k3f9q2x7-e0\n+  kind: POST_DEPLOY"));
    insta::assert_snapshot!(story.comment(), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### Plan for migration `ter-235` on `terp-app`

    Nothing has been sent yet. Merging this pull request runs steps `columns` and `backfill` in production.

    **What to do now**

    Read the commands below. Merge when they are right; take the label off when they must not run.

    | Step | State |
    | --- | --- |
    | `columns` | to run |
    | `backfill` | to run |

    **Worth knowing**

    - Warning: step `columns` joins commands with `&&`; they have one result. Make each a step of its own. (`operator-and`)

    Commands from `.harbor-pilot/ter-235.yml` at commit `0b2c4d6`; the job must be built from commit `0b2c4d6`.

    Check of `columns`, before any step:

    ```sh
    npx tsx scripts/apply-ter235-column-migrations.ts --dry-run
    ```

    Step `columns`:

    ```sh
    npx tsx scripts/apply-ter235-column-migrations.ts --confirm-production
    ```

    Step `backfill`:

    ```sh
    npx tsx scripts/backfill-ter235-supplier-client-ids.ts --confirm-production
    ```

    **What will happen**

    - After the merge it waits until the merge's own deployment is live. If that fails, nothing is run.
    - It puts job `migrate-k3f9q2x7-e0` into the app, with the source and build of `web` and the database `terp-mysql-db`, started after the services are healthy (`POST_DEPLOY`).
    - All checks run first. The steps run in order, each in its own shell, and the first that fails stops the rest; a failure fails the deployment, and the platform rolls the app back. The platform stops the job after 30 min.
    - It keeps the job's log, takes the job out again, and proves that the app spec is what it was (fingerprint `3fa2b1c03fa2`).
    - Each run redeploys `web` twice: once with the job, once without it.
    - Then `https://terp-app-b9s35.ondigitalocean.app/api/health` must answer well three times in a row; the database's firewall is read, and rules beside the app's own are reported.
    - About 14 min in all: 8 min 40 s to the job's start, 1 min 30 s for the job, 3 min 50 s to take it out (measured on this app's past deployments).

    [Workflow run](<https://github.com/acme/terp/actions/runs/77>) · [App in the control panel](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4>) · [Pull request](<https://github.com/acme/terp/pull/428>) · reason `planned`, exit code 0 · 2026-02-18 00:35:00 UTC

    <details><summary>Timeline (UTC)</summary>

    - `00:35:00` Planned steps `columns` and `backfill` as job `migrate-k3f9q2x7-e0`

    </details>

    <details><summary>The app spec, with and without the job</summary>

    ```diff
    +- name: migrate-k3f9q2x7-e0
    +  kind: POST_DEPLOY
    ```

    </details>
    "#);
    insta::assert_snapshot!(terminal::render_final(&story.report, &links()), @r#"
    Plan for migration `ter-235` on `terp-app`

    Nothing has been sent yet. Merging this pull request runs steps `columns` and `backfill` in production.

    What to do now:
      - Read the commands below. Merge when they are right; take the label off when they must not run.

    Steps:
      columns   to run
      backfill  to run

    Worth knowing:
      - Warning: step `columns` joins commands with `&&`; they have one result. Make each a step of its own. (`operator-and`)

    Commands from `.harbor-pilot/ter-235.yml` at commit `0b2c4d6`; the job must be built from commit `0b2c4d6`.
      check of columns:
        npx tsx scripts/apply-ter235-column-migrations.ts --dry-run
      step columns:
        npx tsx scripts/apply-ter235-column-migrations.ts --confirm-production
      step backfill:
        npx tsx scripts/backfill-ter235-supplier-client-ids.ts --confirm-production

    What will happen:
      - After the merge it waits until the merge's own deployment is live. If that fails, nothing is run.
      - It puts job `migrate-k3f9q2x7-e0` into the app, with the source and build of `web` and the database `terp-mysql-db`, started after the services are healthy (`POST_DEPLOY`).
      - All checks run first. The steps run in order, each in its own shell, and the first that fails stops the rest; a failure fails the deployment, and the platform rolls the app back. The platform stops the job after 30 min.
      - It keeps the job's log, takes the job out again, and proves that the app spec is what it was (fingerprint `3fa2b1c03fa2`).
      - Each run redeploys `web` twice: once with the job, once without it.
      - Then `https://terp-app-b9s35.ondigitalocean.app/api/health` must answer well three times in a row; the database's firewall is read, and rules beside the app's own are reported.
      - About 14 min in all: 8 min 40 s to the job's start, 1 min 30 s for the job, 3 min 50 s to take it out (measured on this app's past deployments).

    The app spec, with and without the job:
      +- name: migrate-k3f9q2x7-e0
      +  kind: POST_DEPLOY

    Reason planned, exit code 0.
    "#);
}

#[test]
fn waiting_is_told() {
    let redactor = Redactor::default();
    let waiting = redactor.text(format_args!(
        "waiting for deployment `d-123` (BUILDING), pushed by someone else"
    ));
    let story = story()
        .planned(ter235())
        .then(60, Happening::Waiting(waiting));
    insta::assert_snapshot!(story.comment(), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ⏳ Migration `ter-235` is under way on `terp-app`

    Now: waiting for deployment `d-123` (BUILDING), pushed by someone else.

    So far 1 min of about 14 min.

    | Step | State |
    | --- | --- |
    | `columns` | to run |
    | `backfill` | to run |

    [Workflow run](<https://github.com/acme/terp/actions/runs/77>) · [App in the control panel](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4>) · [Pull request](<https://github.com/acme/terp/pull/428>) · 2026-02-18 00:36:00 UTC

    <details><summary>Timeline (UTC)</summary>

    - `00:35:00` Planned steps `columns` and `backfill` as job `migrate-k3f9q2x7-e0`
    - `00:36:00` Waiting for deployment `d-123` (BUILDING), pushed by someone else

    </details>
    "#);
}

#[test]
fn a_run_under_way_tells_its_phase_and_time() {
    let story = story()
        .planned(ter235())
        .inserted()
        .phase(180, OURS, Role::Ours, Phase::Building);
    insta::assert_snapshot!(story.comment(), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ⏳ Migration `ter-235` is under way on `terp-app`

    Now: our deployment `aaaaaaaa` is being built.

    So far 3 min 5 s of about 14 min.

    | Step | State |
    | --- | --- |
    | `columns` | to run |
    | `backfill` | to run |

    [Workflow run](<https://github.com/acme/terp/actions/runs/77>) · [App in the control panel](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4>) · [Pull request](<https://github.com/acme/terp/pull/428>) · 2026-02-18 00:38:05 UTC

    <details><summary>Timeline (UTC)</summary>

    - `00:35:00` Planned steps `columns` and `backfill` as job `migrate-k3f9q2x7-e0`
    - `00:35:02` The claim is in the ledger; of several, the oldest may insert the job
    - `00:35:05` Job `migrate-k3f9q2x7-e0` is in the app spec; deployment `aaaaaaaa` carries it
    - `00:38:05` Our deployment `aaaaaaaa` is being built

    </details>
    "#);
}

#[test]
fn success_is_told() {
    let story = story()
        .planned(ter235())
        .inserted()
        .deployed()
        .log(
            evidence(vec![
                ran("columns", 12, Some(0)),
                ran("backfill", 65, Some(0)),
            ]),
            &["backfilled 0 rows"],
        )
        .phase(10, OURS, Role::Ours, Phase::Active)
        .removed()
        .then(9, Happening::Health { ok: true })
        .then(
            1,
            Happening::Firewall {
                restored: false,
                extra: Vec::new(),
            },
        )
        .ended(verdict(Reason::Done));
    insta::assert_snapshot!(story.comment(), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ✅ Migration `ter-235` is done

    Steps `columns` and `backfill` each ended with 0, by the marks in the job's own log.

    Live now: deployment `cccccccc`, commit `9f8e7d6`.

    | Step | State | Took |
    | --- | --- | --- |
    | `columns` | done | 12 s |
    | `backfill` | done | 1 min 5 s |

    **Where things stand**

    - **Job**: `migrate-k3f9q2x7-e0`, started once
    - **Deployment**: [`aaaaaaaa`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/aaaaaaaa-0000-4000-8000-000000000002>) became live; live now [`cccccccc`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/cccccccc-0000-4000-8000-000000000004>) at commit `9f8e7d6`
    - **Clean-up**: proven: the job is out of the app spec and out of the newest good deployment (deployment [`cccccccc`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/cccccccc-0000-4000-8000-000000000004>)); the app spec is what it was before, fingerprint `3fa2b1c03fa2`
    - **Health**: three good answers in a row
    - **Firewall**: as asked: the app's own rule, and the rules to keep
    - **Log**: kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log` (212 lines)

    [Workflow run](<https://github.com/acme/terp/actions/runs/77>) · [App in the control panel](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4>) · [Pull request](<https://github.com/acme/terp/pull/428>) · reason `done`, exit code 0 · 2026-02-18 00:49:25 UTC

    <details><summary>Timeline (UTC)</summary>

    - `00:35:00` Planned steps `columns` and `backfill` as job `migrate-k3f9q2x7-e0`
    - `00:35:02` The claim is in the ledger; of several, the oldest may insert the job
    - `00:35:05` Job `migrate-k3f9q2x7-e0` is in the app spec; deployment `aaaaaaaa` carries it
    - `00:35:10` Our deployment `aaaaaaaa` is being built
    - `00:39:40` Our deployment `aaaaaaaa` is being rolled out
    - `00:43:40` The job runs, in deployment `aaaaaaaa`
    - `00:45:10` Log of the job in deployment `aaaaaaaa` (212 lines, kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log`): `columns` ended with 0 and `backfill` ended with 0
    - `00:45:20` Our deployment `aaaaaaaa` is live
    - `00:45:40` Job `migrate-k3f9q2x7-e0` out of the app spec; deployment `cccccccc` takes it out of the app
    - `00:49:00` The clean-up deployment `cccccccc` is live
    - `00:49:05` The app is proven put back: its spec is what it was
    - `00:49:14` The app is healthy: three good answers in a row
    - `00:49:15` The database's firewall is as asked
    - `00:49:25` Ended: done

    </details>

    <details><summary>End of the job's log (212 lines in all)</summary>

    Job `migrate-k3f9q2x7-e0` in deployment `aaaaaaaa`:

    ```
    backfilled 0 rows
    ```

    </details>
    "#);
    insta::assert_snapshot!(terminal::render_final(&story.report, &links()), @r#"
    ✅ Migration `ter-235` is done

    Steps `columns` and `backfill` each ended with 0, by the marks in the job's own log.
    Live now: deployment `cccccccc`, commit `9f8e7d6`.

    Steps:
      columns   done, 12 s
      backfill  done, 1 min 5 s

    Where things stand:
      Job:        `migrate-k3f9q2x7-e0`, started once
      Deployment: `aaaaaaaa-0000-4000-8000-000000000002` became live; live now `cccccccc-0000-4000-8000-000000000004` at commit `9f8e7d6`
      Clean-up:   proven: the job is out of the app spec and out of the newest good deployment (deployment `cccccccc-0000-4000-8000-000000000004`); the app spec is what it was before, fingerprint `3fa2b1c03fa2`
      Health:     three good answers in a row
      Firewall:   as asked: the app's own rule, and the rules to keep
      Log:        kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log` (212 lines)

    Reason done, exit code 0.
    "#);
}

#[test]
fn success_with_something_to_look_at_is_told() {
    let mut verdict = verdict(Reason::Done);
    verdict.facts.job = Some(fix_plan().job());
    verdict.firewall = FirewallAxis::Drifted;
    verdict.facts.extra_rules = vec!["ip_addr 203.0.113.7".to_owned()];
    verdict.facts.healthy_before = Some(false);
    verdict.facts.executions = 2;
    verdict.facts.carried_by = vec![deployment(PUSHED)];
    verdict.facts.disarmed = vec![DisarmedCopy {
        deployment: deployment(PUSHED),
        why: Disarmed::Commit {
            built: "feedfacefeedfacefeedface".to_owned(),
        },
    }];
    let mut story = story()
        .planned(fix_plan())
        .inserted()
        .deployed()
        .phase(20, PUSHED, Role::CarriesOurs, Phase::Building)
        .log(
            evidence(vec![ran("backfill", 65, Some(0))]),
            &["backfilled 0 rows"],
        )
        .removed()
        .ended(verdict);
    story.report.epochs = vec![LedgerEntry {
        id: EntryId(1),
        at: "2026-02-18T00:35:02Z".parse().unwrap(),
        claim: claim(),
        outcome: Some(LedgerOutcome::Failed {
            step: step("backfill"),
            code: 1,
            check: false,
        }),
    }];
    insta::assert_snapshot!(story.comment(), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ✅ Migration `ter-235` is done, with something to look at

    Step `backfill` ended with 0, by the marks in the job's own log. Step `columns` was done before and was not run again.

    Live now: deployment `cccccccc`, commit `9f8e7d6`.

    The database's firewall also lets in `ip_addr 203.0.113.7`. It was left as it is; take the rule out when nobody needs it, or ask for `firewall: restore`.

    The app did not answer as healthy before this run began either.

    | Step | State | Took |
    | --- | --- | --- |
    | `columns` | done earlier (epoch 0, PR 428) |  |
    | `backfill` | done | 1 min 5 s |

    **Where things stand**

    - **Job**: `migrate-k3f9q2x7-e1`, started twice; its copy in deployment `dddddddd` ran nothing: it was built from another commit, `feedfacefeed`
    - **Deployment**: [`aaaaaaaa`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/aaaaaaaa-0000-4000-8000-000000000002>) became live; the job was also in [`dddddddd`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/dddddddd-0000-4000-8000-000000000005>); live now [`cccccccc`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/cccccccc-0000-4000-8000-000000000004>) at commit `9f8e7d6`
    - **Clean-up**: proven: the job is out of the app spec and out of the newest good deployment (deployment [`cccccccc`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/cccccccc-0000-4000-8000-000000000004>)); the app spec is what it was before, fingerprint `3fa2b1c03fa2`
    - **Health**: three good answers in a row
    - **Firewall**: other rules found, see above; nothing was changed
    - **Log**: kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log` (212 lines)

    **Epochs so far**

    - Epoch 0, 2026-02-18 00:35:02 UTC, PR 428, `merge:0b2c4d6`: `backfill` failed (exit 1)

    [Workflow run](<https://github.com/acme/terp/actions/runs/77>) · [App in the control panel](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4>) · [Pull request](<https://github.com/acme/terp/pull/428>) · reason `done`, exit code 0 · 2026-02-18 00:49:25 UTC

    <details><summary>Timeline (UTC)</summary>

    - `00:35:00` Planned step `backfill` as job `migrate-k3f9q2x7-e1`
    - `00:35:02` The claim is in the ledger; of several, the oldest may insert the job
    - `00:35:05` Job `migrate-k3f9q2x7-e1` is in the app spec; deployment `aaaaaaaa` carries it
    - `00:35:10` Our deployment `aaaaaaaa` is being built
    - `00:39:40` Our deployment `aaaaaaaa` is being rolled out
    - `00:43:40` The job runs, in deployment `aaaaaaaa`
    - `00:44:00` Another deployment with our job in it, `dddddddd` is being built
    - `00:45:30` Log of the job in deployment `aaaaaaaa` (212 lines, kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log`): `backfill` ended with 0
    - `00:45:50` Job `migrate-k3f9q2x7-e1` out of the app spec; deployment `cccccccc` takes it out of the app
    - `00:49:10` The clean-up deployment `cccccccc` is live
    - `00:49:15` The app is proven put back: its spec is what it was
    - `00:49:25` Ended: done

    </details>

    <details><summary>End of the job's log (212 lines in all)</summary>

    Job `migrate-k3f9q2x7-e1` in deployment `aaaaaaaa`:

    ```
    backfilled 0 rows
    ```

    </details>
    "#);
    let notices = notices::render(&story.report, &links());
    insta::assert_snapshot!(notices.notice.unwrap().message, @r#"
    Step `backfill` ended with 0, by the marks in the job's own log. Step `columns` was done before and was not run again.
    Live now: deployment `cccccccc`, commit `9f8e7d6`.
    The database's firewall also lets in `ip_addr 203.0.113.7`. It was left as it is; take the rule out when nobody needs it, or ask for `firewall: restore`.
    The app did not answer as healthy before this run began either.
    "#);
}

#[test]
fn a_failed_step_with_a_rollback_is_told() {
    let story = failed_backfill();
    insta::assert_snapshot!(story.comment(), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ❌ Migration `ter-235` failed at step `backfill`; the platform rolled the app back

    Step `backfill` failed with exit code 1. Step `columns` is done and stays done.

    The platform rolled the app back, with deployment `bbbbbbbb`. Live now: deployment `cccccccc`, commit `9f8e7d6`.

    The job's log ends with:

    ```
    columns: purchaseOrderItems.supplier_client_id exists
    backfill: reading supplier_profiles.legacy_vendor_id
    Error: Unknown column 'poi.deletedAt' in 'where clause'
        at PromisePool.query (/app/node_modules/mysql2/promise.js:356:22)
    ```

    **What to do now**

    A rollback puts code back, not data: what `backfill` wrote before it failed is still in the database, unless its script undoes it.

    Fix it in a pull request, put the label `needs-migration` on it and merge it. That run does `backfill`; `columns` is not run again.

    If the fix is not in a pull request (data, a setting, a direct push), ask for a retry:

    ```
    gh workflow run migrate.yml -f mode=retry -f migration=ter-235
    ```

    | Step | State | Took |
    | --- | --- | --- |
    | `columns` | done | 12 s |
    | `backfill` | failed (exit 1) | 3 s |

    **Where things stand**

    - **Job**: `migrate-k3f9q2x7-e0`, started once
    - **Deployment**: [`aaaaaaaa`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/aaaaaaaa-0000-4000-8000-000000000002>) failed and was rolled back; rollback [`bbbbbbbb`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/bbbbbbbb-0000-4000-8000-000000000003>); live now [`cccccccc`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/cccccccc-0000-4000-8000-000000000004>) at commit `9f8e7d6`
    - **Clean-up**: proven: the job is out of the app spec and out of the newest good deployment (deployment [`cccccccc`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/cccccccc-0000-4000-8000-000000000004>)); the app spec is what it was before, fingerprint `3fa2b1c03fa2`
    - **Health**: three good answers in a row
    - **Firewall**: as asked: the app's own rule, and the rules to keep
    - **Log**: kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log` (212 lines)

    [Workflow run](<https://github.com/acme/terp/actions/runs/77>) · [App in the control panel](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4>) · [Pull request](<https://github.com/acme/terp/pull/428>) · reason `rolled-back`, exit code 5 · 2026-02-18 00:50:03 UTC

    <details><summary>Timeline (UTC)</summary>

    - `00:35:00` Planned steps `columns` and `backfill` as job `migrate-k3f9q2x7-e0`
    - `00:35:02` The claim is in the ledger; of several, the oldest may insert the job
    - `00:35:05` Job `migrate-k3f9q2x7-e0` is in the app spec; deployment `aaaaaaaa` carries it
    - `00:35:10` Our deployment `aaaaaaaa` is being built
    - `00:39:40` Our deployment `aaaaaaaa` is being rolled out
    - `00:43:40` The job runs, in deployment `aaaaaaaa`
    - `00:45:10` Log of the job in deployment `aaaaaaaa` (212 lines, kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log`): `columns` ended with 0 and `backfill` ended with 1
    - `00:45:20` Our deployment `aaaaaaaa` failed
    - `00:46:00` The platform's rollback `bbbbbbbb` is live
    - `00:46:20` Job `migrate-k3f9q2x7-e0` out of the app spec; deployment `cccccccc` takes it out of the app
    - `00:49:40` The clean-up deployment `cccccccc` is live
    - `00:49:45` The app is proven put back: its spec is what it was
    - `00:49:53` The app is healthy: three good answers in a row
    - `00:50:03` Ended: rolled-back

    </details>

    <details><summary>End of the job's log (212 lines in all)</summary>

    Job `migrate-k3f9q2x7-e0` in deployment `aaaaaaaa`:

    ```
    columns: purchaseOrderItems.supplier_client_id exists
    backfill: reading supplier_profiles.legacy_vendor_id
    Error: Unknown column 'poi.deletedAt' in 'where clause'
        at PromisePool.query (/app/node_modules/mysql2/promise.js:356:22)
    ```

    </details>
    "#);
    insta::assert_snapshot!(terminal::render_final(&story.report, &links()), @r#"
    ❌ Migration `ter-235` failed at step `backfill`; the platform rolled the app back

    Step `backfill` failed with exit code 1. Step `columns` is done and stays done.
    The platform rolled the app back, with deployment `bbbbbbbb`. Live now: deployment `cccccccc`, commit `9f8e7d6`.

    The job's log ends with:
      | columns: purchaseOrderItems.supplier_client_id exists
      | backfill: reading supplier_profiles.legacy_vendor_id
      | Error: Unknown column 'poi.deletedAt' in 'where clause'
      |     at PromisePool.query (/app/node_modules/mysql2/promise.js:356:22)

    What to do now:
      - A rollback puts code back, not data: what `backfill` wrote before it failed is still in the database, unless its script undoes it.
      - Fix it in a pull request, put the label `needs-migration` on it and merge it. That run does `backfill`; `columns` is not run again.
      - If the fix is not in a pull request (data, a setting, a direct push), ask for a retry:
          gh workflow run migrate.yml -f mode=retry -f migration=ter-235

    Steps:
      columns   done, 12 s
      backfill  failed (exit 1), 3 s

    Where things stand:
      Job:        `migrate-k3f9q2x7-e0`, started once
      Deployment: `aaaaaaaa-0000-4000-8000-000000000002` failed and was rolled back; rollback `bbbbbbbb-0000-4000-8000-000000000003`; live now `cccccccc-0000-4000-8000-000000000004` at commit `9f8e7d6`
      Clean-up:   proven: the job is out of the app spec and out of the newest good deployment (deployment `cccccccc-0000-4000-8000-000000000004`); the app spec is what it was before, fingerprint `3fa2b1c03fa2`
      Health:     three good answers in a row
      Firewall:   as asked: the app's own rule, and the rules to keep
      Log:        kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log` (212 lines)

    Reason rolled-back, exit code 5.
    "#);
    let notices = notices::render(&story.report, &links());
    assert_eq!(notices.notice, None);
    let error = notices.error.unwrap();
    insta::assert_snapshot!(format!("{}\n---\n{}", error.title, error.message), @r#"
    Migration `ter-235` failed at step `backfill`; the platform rolled the app back
    ---
    Step `backfill` failed with exit code 1. Step `columns` is done and stays done.
    The platform rolled the app back, with deployment `bbbbbbbb`. Live now: deployment `cccccccc`, commit `9f8e7d6`.
    A rollback puts code back, not data: what `backfill` wrote before it failed is still in the database, unless its script undoes it.
    Fix it in a pull request, put the label `needs-migration` on it and merge it. That run does `backfill`; `columns` is not run again.
    If the fix is not in a pull request (data, a setting, a direct push), ask for a retry:
    gh workflow run migrate.yml -f mode=retry -f migration=ter-235
    "#);
}

#[test]
fn the_result_of_a_failed_run_is_codes_ids_and_numbers() {
    let story = failed_backfill();
    insta::assert_snapshot!(serde_json::to_string_pretty(&result::json(&story.report)).unwrap(), @r#"
    {
      "schema_version": 1,
      "status": "rolled-back",
      "reason_code": "rolled-back",
      "exit_code": 5,
      "migration": "ter-235",
      "key": "k3f9q2x7",
      "app_id": "1fd40be5-b9af-4e71-ab1d-3af0864a7da4",
      "epoch": 0,
      "job_name": "migrate-k3f9q2x7-e0",
      "axes": {
        "job": "failed",
        "deployment": "rolled-back",
        "cleanup": "done",
        "health": "ok",
        "firewall": "as-asked"
      },
      "steps": [
        {
          "name": "columns",
          "state": "done",
          "exit_code": 0,
          "duration_seconds": 12
        },
        {
          "name": "backfill",
          "state": "failed",
          "exit_code": 1,
          "duration_seconds": 3
        }
      ],
      "deployments": {
        "job": "aaaaaaaa-0000-4000-8000-000000000002",
        "rollback": "bbbbbbbb-0000-4000-8000-000000000003",
        "clean_up": "cccccccc-0000-4000-8000-000000000004",
        "live": "cccccccc-0000-4000-8000-000000000004",
        "live_commit": "9f8e7d6c5b4a39281706f5e4d3c2b1a098765432"
      },
      "executions": 1,
      "disarmed": 0,
      "unproven": 0,
      "changed_by_others": 0,
      "extra_rules": 0,
      "recorded": true,
      "started_at": "2026-02-18T00:35:00Z",
      "ended_at": "2026-02-18T00:50:03Z",
      "duration_seconds": 903
    }
    "#);
    let outputs: Vec<String> = result::outputs(&story.report)
        .into_iter()
        .filter(|(name, _)| *name != "result")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    insta::assert_snapshot!(outputs.join("\n"), @r#"
    status=rolled-back
    reason-code=rolled-back
    job-name=migrate-k3f9q2x7-e0
    deployment-id=aaaaaaaa-0000-4000-8000-000000000002
    rollback-deployment-id=bbbbbbbb-0000-4000-8000-000000000003
    log-path=harbor-pilot-logs/migrate-k3f9q2x7-e0.log
    cleanup=done
    health=ok
    firewall=as-asked
    duration-seconds=903
    "#);
}

#[test]
fn a_contained_failure_is_told() {
    let mut plan = ter235();
    plan.request.settings.on_failure = OnFailure::Contain;
    let mut verdict = rolled_back();
    verdict.reason = Reason::MigrationFailed;
    verdict.deployment = DeploymentAxis::Active;
    verdict.facts.rollback = None;
    let story = story()
        .planned(plan)
        .inserted()
        .deployed()
        .log(
            evidence(vec![
                ran("columns", 12, Some(0)),
                ran("backfill", 3, Some(1)),
            ]),
            LOG,
        )
        .removed()
        .ended(verdict);
    insta::assert_snapshot!(story.comment(), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ❌ Migration `ter-235` failed at step `backfill`; the app runs on, it was not rolled back

    Step `backfill` failed with exit code 1. Step `columns` is done and stays done.

    Live now: deployment `cccccccc`, commit `9f8e7d6`.

    The job's log ends with:

    ```
    columns: purchaseOrderItems.supplier_client_id exists
    backfill: reading supplier_profiles.legacy_vendor_id
    Error: Unknown column 'poi.deletedAt' in 'where clause'
        at PromisePool.query (/app/node_modules/mysql2/promise.js:356:22)
    ```

    **What to do now**

    What `backfill` wrote before it failed is still in the database, unless its script undoes it.

    Fix it in a pull request, put the label `needs-migration` on it and merge it. That run does `backfill`; `columns` is not run again.

    If the fix is not in a pull request (data, a setting, a direct push), ask for a retry:

    ```
    gh workflow run migrate.yml -f mode=retry -f migration=ter-235
    ```

    | Step | State | Took |
    | --- | --- | --- |
    | `columns` | done | 12 s |
    | `backfill` | failed (exit 1) | 3 s |

    **Where things stand**

    - **Job**: `migrate-k3f9q2x7-e0`, started once
    - **Deployment**: [`aaaaaaaa`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/aaaaaaaa-0000-4000-8000-000000000002>) became live; live now [`cccccccc`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/cccccccc-0000-4000-8000-000000000004>) at commit `9f8e7d6`
    - **Clean-up**: proven: the job is out of the app spec and out of the newest good deployment (deployment [`cccccccc`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/cccccccc-0000-4000-8000-000000000004>)); the app spec is what it was before, fingerprint `3fa2b1c03fa2`
    - **Health**: three good answers in a row
    - **Firewall**: as asked: the app's own rule, and the rules to keep
    - **Log**: kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log` (212 lines)

    [Workflow run](<https://github.com/acme/terp/actions/runs/77>) · [App in the control panel](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4>) · [Pull request](<https://github.com/acme/terp/pull/428>) · reason `migration-failed`, exit code 1 · 2026-02-18 00:49:05 UTC

    <details><summary>Timeline (UTC)</summary>

    - `00:35:00` Planned steps `columns` and `backfill` as job `migrate-k3f9q2x7-e0`
    - `00:35:02` The claim is in the ledger; of several, the oldest may insert the job
    - `00:35:05` Job `migrate-k3f9q2x7-e0` is in the app spec; deployment `aaaaaaaa` carries it
    - `00:35:10` Our deployment `aaaaaaaa` is being built
    - `00:39:40` Our deployment `aaaaaaaa` is being rolled out
    - `00:43:40` The job runs, in deployment `aaaaaaaa`
    - `00:45:10` Log of the job in deployment `aaaaaaaa` (212 lines, kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log`): `columns` ended with 0 and `backfill` ended with 1
    - `00:45:30` Job `migrate-k3f9q2x7-e0` out of the app spec; deployment `cccccccc` takes it out of the app
    - `00:48:50` The clean-up deployment `cccccccc` is live
    - `00:48:55` The app is proven put back: its spec is what it was
    - `00:49:05` Ended: migration-failed

    </details>

    <details><summary>End of the job's log (212 lines in all)</summary>

    Job `migrate-k3f9q2x7-e0` in deployment `aaaaaaaa`:

    ```
    columns: purchaseOrderItems.supplier_client_id exists
    backfill: reading supplier_profiles.legacy_vendor_id
    Error: Unknown column 'poi.deletedAt' in 'where clause'
        at PromisePool.query (/app/node_modules/mysql2/promise.js:356:22)
    ```

    </details>
    "#);
}

#[test]
fn a_failed_check_is_told() {
    let mut verdict = rolled_back();
    verdict.job = JobAxis::Failed {
        step: step("columns"),
        code: 2,
        check: true,
    };
    let mut evidence = evidence(Vec::new());
    evidence.checks = vec![ran("columns", 1, Some(2))];
    let story = story()
        .planned(ter235())
        .inserted()
        .deployed()
        .log(evidence, &["access denied"])
        .removed()
        .ended(verdict);
    insta::assert_snapshot!(story.comment(), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ❌ Migration `ter-235`: the check of step `columns` failed, no step ran; the platform rolled the app back

    The check of step `columns` failed with exit code 2. Checks come before all steps, so no step changed anything.

    The platform rolled the app back, with deployment `bbbbbbbb`. Live now: deployment `cccccccc`, commit `9f8e7d6`.

    The job's log ends with:

    ```
    access denied
    ```

    **What to do now**

    Fix it in a pull request, put the label `needs-migration` on it and merge it. That run does `columns` and `backfill`.

    If the fix is not in a pull request (data, a setting, a direct push), ask for a retry:

    ```
    gh workflow run migrate.yml -f mode=retry -f migration=ter-235
    ```

    | Step | State |
    | --- | --- |
    | `columns` | check failed (exit 2) |
    | `backfill` | not run |

    **Where things stand**

    - **Job**: `migrate-k3f9q2x7-e0`, started once
    - **Deployment**: [`aaaaaaaa`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/aaaaaaaa-0000-4000-8000-000000000002>) failed and was rolled back; rollback [`bbbbbbbb`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/bbbbbbbb-0000-4000-8000-000000000003>); live now [`cccccccc`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/cccccccc-0000-4000-8000-000000000004>) at commit `9f8e7d6`
    - **Clean-up**: proven: the job is out of the app spec and out of the newest good deployment (deployment [`cccccccc`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/cccccccc-0000-4000-8000-000000000004>)); the app spec is what it was before, fingerprint `3fa2b1c03fa2`
    - **Health**: three good answers in a row
    - **Firewall**: as asked: the app's own rule, and the rules to keep
    - **Log**: kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log` (212 lines)

    [Workflow run](<https://github.com/acme/terp/actions/runs/77>) · [App in the control panel](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4>) · [Pull request](<https://github.com/acme/terp/pull/428>) · reason `rolled-back`, exit code 5 · 2026-02-18 00:49:05 UTC

    <details><summary>Timeline (UTC)</summary>

    - `00:35:00` Planned steps `columns` and `backfill` as job `migrate-k3f9q2x7-e0`
    - `00:35:02` The claim is in the ledger; of several, the oldest may insert the job
    - `00:35:05` Job `migrate-k3f9q2x7-e0` is in the app spec; deployment `aaaaaaaa` carries it
    - `00:35:10` Our deployment `aaaaaaaa` is being built
    - `00:39:40` Our deployment `aaaaaaaa` is being rolled out
    - `00:43:40` The job runs, in deployment `aaaaaaaa`
    - `00:45:10` Log of the job in deployment `aaaaaaaa` (212 lines, kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log`): the check of `columns` ended with 2
    - `00:45:30` Job `migrate-k3f9q2x7-e0` out of the app spec; deployment `cccccccc` takes it out of the app
    - `00:48:50` The clean-up deployment `cccccccc` is live
    - `00:48:55` The app is proven put back: its spec is what it was
    - `00:49:05` Ended: rolled-back

    </details>

    <details><summary>End of the job's log (212 lines in all)</summary>

    Job `migrate-k3f9q2x7-e0` in deployment `aaaaaaaa`:

    ```
    access denied
    ```

    </details>
    "#);
}

#[test]
fn a_missing_variable_is_told() {
    let mut verdict = rolled_back();
    verdict.reason = Reason::VariableMissing;
    verdict.job = JobAxis::Refused {
        variable: "DATABASE_URL".to_owned(),
    };
    let mut evidence = evidence(Vec::new());
    evidence.refused = Some("DATABASE_URL".to_owned());
    let story = story()
        .planned(ter235())
        .inserted()
        .deployed()
        .log(evidence, &[])
        .removed()
        .ended(verdict);
    insta::assert_snapshot!(head(&story.comment()), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ❌ Migration `ter-235` ran nothing: a variable that it needs is missing; the platform rolled the app back

    Variable `DATABASE_URL` is empty or still encrypted inside the job, so the job stopped before any check or step.

    The platform rolled the app back, with deployment `bbbbbbbb`. Live now: deployment `cccccccc`, commit `9f8e7d6`.

    **What to do now**

    Give the variable a value in the app's settings, or take it out of `env` in the manifest. Nothing was changed in the database.

    To run it again:

    ```
    gh workflow run migrate.yml -f mode=retry -f migration=ter-235
    ```
    "#);
}

#[test]
fn an_unproven_run_is_told() {
    let mut verdict = verdict(Reason::Unproven);
    verdict.job = JobAxis::Unproven {
        during: Some(step("backfill")),
    };
    verdict.deployment = DeploymentAxis::Cancelled;
    let story = story()
        .planned(ter235())
        .inserted()
        .deployed()
        .log(
            evidence(vec![ran("columns", 12, Some(0)), ran("backfill", 0, None)]),
            &LOG[..2],
        )
        .removed()
        .ended(verdict);
    insta::assert_snapshot!(story.comment(), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ⚠️ Migration `ter-235` may have run; its log does not prove how it ended

    > [!CAUTION]
    > Look at the database before anything else: find out how much of what `backfill` should have changed is there. Nothing runs it again by itself.

    Step `backfill` began, and no mark says how it ended. It may have run in part or in whole.

    The job's deployment was cancelled or superseded. Live now: deployment `cccccccc`, commit `9f8e7d6`.

    The job's log ends with:

    ```
    columns: purchaseOrderItems.supplier_client_id exists
    backfill: reading supplier_profiles.legacy_vendor_id
    ```

    **What to do now**

    When it is safe to run once more (the script can meet its own half-done work):

    ```
    gh workflow run migrate.yml -f mode=retry -f migration=ter-235
    ```

    | Step | State | Took |
    | --- | --- | --- |
    | `columns` | done | 12 s |
    | `backfill` | unproven |  |

    **Where things stand**

    - **Job**: `migrate-k3f9q2x7-e0`, started once
    - **Deployment**: [`aaaaaaaa`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/aaaaaaaa-0000-4000-8000-000000000002>) was cancelled or superseded; live now [`cccccccc`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/cccccccc-0000-4000-8000-000000000004>) at commit `9f8e7d6`
    - **Clean-up**: proven: the job is out of the app spec and out of the newest good deployment (deployment [`cccccccc`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/cccccccc-0000-4000-8000-000000000004>)); the app spec is what it was before, fingerprint `3fa2b1c03fa2`
    - **Health**: three good answers in a row
    - **Firewall**: as asked: the app's own rule, and the rules to keep
    - **Log**: kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log` (212 lines)

    [Workflow run](<https://github.com/acme/terp/actions/runs/77>) · [App in the control panel](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4>) · [Pull request](<https://github.com/acme/terp/pull/428>) · reason `unproven`, exit code 10 · 2026-02-18 00:49:05 UTC

    <details><summary>Timeline (UTC)</summary>

    - `00:35:00` Planned steps `columns` and `backfill` as job `migrate-k3f9q2x7-e0`
    - `00:35:02` The claim is in the ledger; of several, the oldest may insert the job
    - `00:35:05` Job `migrate-k3f9q2x7-e0` is in the app spec; deployment `aaaaaaaa` carries it
    - `00:35:10` Our deployment `aaaaaaaa` is being built
    - `00:39:40` Our deployment `aaaaaaaa` is being rolled out
    - `00:43:40` The job runs, in deployment `aaaaaaaa`
    - `00:45:10` Log of the job in deployment `aaaaaaaa` (212 lines, kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log`): `columns` ended with 0 and `backfill` began
    - `00:45:30` Job `migrate-k3f9q2x7-e0` out of the app spec; deployment `cccccccc` takes it out of the app
    - `00:48:50` The clean-up deployment `cccccccc` is live
    - `00:48:55` The app is proven put back: its spec is what it was
    - `00:49:05` Ended: unproven

    </details>

    <details><summary>End of the job's log (212 lines in all)</summary>

    Job `migrate-k3f9q2x7-e0` in deployment `aaaaaaaa`:

    ```
    columns: purchaseOrderItems.supplier_client_id exists
    backfill: reading supplier_profiles.legacy_vendor_id
    ```

    </details>
    "#);
}

#[test]
fn a_run_that_never_started_is_told() {
    let mut verdict = verdict(Reason::NeverStarted);
    verdict.job = JobAxis::NeverStarted;
    verdict.deployment = DeploymentAxis::Failed;
    verdict.facts.executions = 0;
    let story = story()
        .planned(ter235())
        .inserted()
        .phase(9, OURS, Role::Ours, Phase::Error)
        .removed()
        .ended(verdict);
    insta::assert_snapshot!(story.comment(), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ⚠️ Migration `ter-235` never started; nothing ran

    The job's process never started, so no check and no step of it ran.

    The deployment failed and no rollback was seen; the app stays on what was live before. Live now: deployment `cccccccc`, commit `9f8e7d6`.

    **What to do now**

    Nothing ran and nothing is used up. Once the cause is gone, re-run this workflow; where that says that it is not tried again by itself, ask for a retry:

    ```
    gh workflow run migrate.yml -f mode=retry -f migration=ter-235
    ```

    | Step | State |
    | --- | --- |
    | `columns` | not run |
    | `backfill` | not run |

    **Where things stand**

    - **Job**: `migrate-k3f9q2x7-e0`, no start seen in its logs
    - **Deployment**: [`aaaaaaaa`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/aaaaaaaa-0000-4000-8000-000000000002>) failed, no rollback seen; live now [`cccccccc`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/cccccccc-0000-4000-8000-000000000004>) at commit `9f8e7d6`
    - **Clean-up**: proven: the job is out of the app spec and out of the newest good deployment (deployment [`cccccccc`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/cccccccc-0000-4000-8000-000000000004>)); the app spec is what it was before, fingerprint `3fa2b1c03fa2`
    - **Health**: three good answers in a row
    - **Firewall**: as asked: the app's own rule, and the rules to keep

    [Workflow run](<https://github.com/acme/terp/actions/runs/77>) · [App in the control panel](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4>) · [Pull request](<https://github.com/acme/terp/pull/428>) · reason `never-started`, exit code 1 · 2026-02-18 00:39:09 UTC

    <details><summary>Timeline (UTC)</summary>

    - `00:35:00` Planned steps `columns` and `backfill` as job `migrate-k3f9q2x7-e0`
    - `00:35:02` The claim is in the ledger; of several, the oldest may insert the job
    - `00:35:05` Job `migrate-k3f9q2x7-e0` is in the app spec; deployment `aaaaaaaa` carries it
    - `00:35:14` Our deployment `aaaaaaaa` failed
    - `00:35:34` Job `migrate-k3f9q2x7-e0` out of the app spec; deployment `cccccccc` takes it out of the app
    - `00:38:54` The clean-up deployment `cccccccc` is live
    - `00:38:59` The app is proven put back: its spec is what it was
    - `00:39:09` Ended: never-started

    </details>
    "#);
}

#[test]
fn who_leaves_a_job_in_the_app_says_how_to_take_it_out_in_one_line() {
    for (reason, job, says) in [
        (Reason::Detached, JobAxis::Running, "The job may still run."),
        (
            Reason::AccessLost,
            JobAxis::Unproven { during: None },
            "give the run a new one with `app:read` and `app:update` first",
        ),
    ] {
        let mut verdict = verdict(reason);
        verdict.job = job;
        verdict.clean_up = CleanUpAxis::Blocked;
        let story = story().planned(ter235()).inserted().ended(verdict);
        let comment = story.comment();
        assert!(
            comment.contains("\n```\nharbor-pilot reap --app terp-app\n```\n"),
            "{comment}"
        );
        assert!(comment.contains(says), "{comment}");
    }
}

#[test]
fn a_firewall_that_was_put_back_takes_minutes_to_have_effect() {
    let mut verdict = verdict(Reason::Done);
    verdict.firewall = FirewallAxis::Restored;
    let comment = story()
        .planned(ter235())
        .inserted()
        .ended(verdict)
        .comment();
    assert!(
        comment.contains("read back; it takes effect within about five minutes"),
        "{comment}"
    );
}

#[test]
fn a_clean_up_that_is_not_proven_is_told_loudly() {
    let mut verdict = rolled_back();
    verdict.reason = Reason::CleanUpNotProven;
    verdict.clean_up = CleanUpAxis::Blocked;
    verdict.facts.clean_up = None;
    verdict.health = HealthAxis::NotChecked;
    verdict.firewall = FirewallAxis::NotChecked;
    let story = story()
        .planned(ter235())
        .inserted()
        .deployed()
        .log(
            evidence(vec![
                ran("columns", 12, Some(0)),
                ran("backfill", 3, Some(1)),
            ]),
            LOG,
        )
        .then(
            300,
            Happening::Warned(Clean::own(
                "the platform answers every change of the spec with 503",
            )),
        )
        .ended(verdict);
    insta::assert_snapshot!(story.comment(), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ⚠️ A person must act: job `migrate-k3f9q2x7-e0` is not proven to be out of `terp-app`

    > [!CAUTION]
    > Take job `migrate-k3f9q2x7-e0` out of `terp-app` now. Until then every deployment starts it again; such a copy runs nothing after its lease, but it belongs out of there:

    ```
    harbor-pilot reap --app terp-app
    ```

    Or by hand, at once and in one go, so that nobody's change in between is lost:

    ```
    doctl apps spec get 1fd40be5-b9af-4e71-ab1d-3af0864a7da4 > app.yaml
    # delete the job named migrate-k3f9q2x7-e0 under jobs: in app.yaml, nothing else
    doctl apps update 1fd40be5-b9af-4e71-ab1d-3af0864a7da4 --spec app.yaml
    ```

    Step `backfill` failed with exit code 1. Step `columns` is done and stays done.

    The platform rolled the app back, with deployment `bbbbbbbb`. Live now: deployment `cccccccc`, commit `9f8e7d6`.

    The platform answers every change of the spec with 503.

    The job's log ends with:

    ```
    columns: purchaseOrderItems.supplier_client_id exists
    backfill: reading supplier_profiles.legacy_vendor_id
    Error: Unknown column 'poi.deletedAt' in 'where clause'
        at PromisePool.query (/app/node_modules/mysql2/promise.js:356:22)
    ```

    **What to do now**

    A rollback puts code back, not data: what `backfill` wrote before it failed is still in the database, unless its script undoes it.

    Fix it in a pull request, put the label `needs-migration` on it and merge it. That run does `backfill`; `columns` is not run again.

    If the fix is not in a pull request (data, a setting, a direct push), ask for a retry:

    ```
    gh workflow run migrate.yml -f mode=retry -f migration=ter-235
    ```

    | Step | State | Took |
    | --- | --- | --- |
    | `columns` | done | 12 s |
    | `backfill` | failed (exit 1) | 3 s |

    **Where things stand**

    - **Job**: `migrate-k3f9q2x7-e0`, started once
    - **Deployment**: [`aaaaaaaa`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/aaaaaaaa-0000-4000-8000-000000000002>) failed and was rolled back; rollback [`bbbbbbbb`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/bbbbbbbb-0000-4000-8000-000000000003>); live now [`cccccccc`](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4/deployments/cccccccc-0000-4000-8000-000000000004>) at commit `9f8e7d6`
    - **Clean-up**: NOT PROVEN: the job could not be taken out
    - **Health**: not checked
    - **Firewall**: not looked at
    - **Log**: kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log` (212 lines)

    [Workflow run](<https://github.com/acme/terp/actions/runs/77>) · [App in the control panel](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4>) · [Pull request](<https://github.com/acme/terp/pull/428>) · reason `clean-up-not-proven`, exit code 7 · 2026-02-18 00:50:20 UTC

    <details><summary>Timeline (UTC)</summary>

    - `00:35:00` Planned steps `columns` and `backfill` as job `migrate-k3f9q2x7-e0`
    - `00:35:02` The claim is in the ledger; of several, the oldest may insert the job
    - `00:35:05` Job `migrate-k3f9q2x7-e0` is in the app spec; deployment `aaaaaaaa` carries it
    - `00:35:10` Our deployment `aaaaaaaa` is being built
    - `00:39:40` Our deployment `aaaaaaaa` is being rolled out
    - `00:43:40` The job runs, in deployment `aaaaaaaa`
    - `00:45:10` Log of the job in deployment `aaaaaaaa` (212 lines, kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log`): `columns` ended with 0 and `backfill` ended with 1
    - `00:50:10` Note: the platform answers every change of the spec with 503
    - `00:50:20` Ended: clean-up-not-proven

    </details>

    <details><summary>End of the job's log (212 lines in all)</summary>

    Job `migrate-k3f9q2x7-e0` in deployment `aaaaaaaa`:

    ```
    columns: purchaseOrderItems.supplier_client_id exists
    backfill: reading supplier_profiles.legacy_vendor_id
    Error: Unknown column 'poi.deletedAt' in 'where clause'
        at PromisePool.query (/app/node_modules/mysql2/promise.js:356:22)
    ```

    </details>
    "#);
    insta::assert_snapshot!(terminal::render_final(&story.report, &links()), @r#"
    ⚠️ A person must act: job `migrate-k3f9q2x7-e0` is not proven to be out of `terp-app`

      - Take job `migrate-k3f9q2x7-e0` out of `terp-app` now. Until then every deployment starts it again; such a copy runs nothing after its lease, but it belongs out of there:
          harbor-pilot reap --app terp-app
      - Or by hand, at once and in one go, so that nobody's change in between is lost:
          doctl apps spec get 1fd40be5-b9af-4e71-ab1d-3af0864a7da4 > app.yaml
          # delete the job named migrate-k3f9q2x7-e0 under jobs: in app.yaml, nothing else
          doctl apps update 1fd40be5-b9af-4e71-ab1d-3af0864a7da4 --spec app.yaml

    Step `backfill` failed with exit code 1. Step `columns` is done and stays done.
    The platform rolled the app back, with deployment `bbbbbbbb`. Live now: deployment `cccccccc`, commit `9f8e7d6`.
    The platform answers every change of the spec with 503.

    The job's log ends with:
      | columns: purchaseOrderItems.supplier_client_id exists
      | backfill: reading supplier_profiles.legacy_vendor_id
      | Error: Unknown column 'poi.deletedAt' in 'where clause'
      |     at PromisePool.query (/app/node_modules/mysql2/promise.js:356:22)

    What to do now:
      - A rollback puts code back, not data: what `backfill` wrote before it failed is still in the database, unless its script undoes it.
      - Fix it in a pull request, put the label `needs-migration` on it and merge it. That run does `backfill`; `columns` is not run again.
      - If the fix is not in a pull request (data, a setting, a direct push), ask for a retry:
          gh workflow run migrate.yml -f mode=retry -f migration=ter-235

    Steps:
      columns   done, 12 s
      backfill  failed (exit 1), 3 s

    Where things stand:
      Job:        `migrate-k3f9q2x7-e0`, started once
      Deployment: `aaaaaaaa-0000-4000-8000-000000000002` failed and was rolled back; rollback `bbbbbbbb-0000-4000-8000-000000000003`; live now `cccccccc-0000-4000-8000-000000000004` at commit `9f8e7d6`
      Clean-up:   NOT PROVEN: the job could not be taken out
      Health:     not checked
      Firewall:   not looked at
      Log:        kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log` (212 lines)

    Reason clean-up-not-proven, exit code 7.
    "#);
}

#[test]
fn a_refusal_is_told() {
    let refusal = Refusal::new(
        Reason::UndeclaredJob,
        "app `terp-app` has the job `migration-job`, which every deployment runs again",
        "say in `.github/harbor-pilot.yml` what it is, one of:\n  also-stale: [migration-job]   # left by hand, removed with ours\n  accept-jobs: [migration-job]  # it belongs there",
    );
    let story = story().then(0, Happening::Refused(refusal));
    insta::assert_snapshot!(story.comment(), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ❌ Migration `ter-235` was not started; nothing was inserted

    App `terp-app` has the job `migration-job`, which every deployment runs again.

    **What to do now**

    Say in `.github/harbor-pilot.yml` what it is, one of:

    ```
    also-stale: [migration-job]   # left by hand, removed with ours
    accept-jobs: [migration-job]  # it belongs there
    ```

    [Workflow run](<https://github.com/acme/terp/actions/runs/77>) · [App in the control panel](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4>) · [Pull request](<https://github.com/acme/terp/pull/428>) · reason `undeclared-job`, exit code 11 · 2026-02-18 00:35:00 UTC

    <details><summary>Timeline (UTC)</summary>

    - `00:35:00` Refused: app `terp-app` has the job `migration-job`, which every deployment runs again

    </details>
    "#);
    insta::assert_snapshot!(terminal::render_final(&story.report, &links()), @r#"
    ❌ Migration `ter-235` was not started; nothing was inserted

    App `terp-app` has the job `migration-job`, which every deployment runs again.

    What to do now:
      - Say in `.github/harbor-pilot.yml` what it is, one of:
          also-stale: [migration-job]   # left by hand, removed with ours
          accept-jobs: [migration-job]  # it belongs there

    Reason undeclared-job, exit code 11.
    "#);
    assert_eq!(result::Status::of(&story.report).code(), "refused");
}

#[test]
fn a_refusal_after_a_job_ran_does_not_hide_what_it_did() {
    let mut story = failed_backfill();
    story.report.refusal = Some(Refusal::new(Reason::Pinned, "the app is pinned", ""));
    let comment = story.comment();
    assert!(comment.contains("`backfill`"), "{comment}");
    assert!(!comment.contains("app is pinned"), "{comment}");
    story.report.verdict = Some(Verdict {
        job: JobAxis::NotAttempted,
        clean_up: CleanUpAxis::NotNeeded,
        ..verdict(Reason::Pinned)
    });
    let comment = story.comment();
    assert!(comment.contains("app is pinned"), "{comment}");
}

#[test]
fn success_is_told_without_the_names_of_the_steps_too() {
    let mut story = failed_backfill();
    story.report.plan = None;
    story.report.verdict = Some(Verdict {
        job: JobAxis::Done,
        ..verdict(Reason::Done)
    });
    let comment = story.comment();
    assert!(
        comment.contains("Every step ended with 0, by the marks"),
        "{comment}"
    );
}

#[test]
fn a_refusal_before_the_app_is_known_has_a_marker_too() {
    let report = Report {
        refusal: Some(Refusal::new(
            Reason::AppNotFound,
            "no app is named `trep-app`",
            "",
        )),
        ..Report::default()
    };
    insta::assert_snapshot!(comment::render(&report, &Links::default(), comment::BUDGET), @r#"
    <!-- harbor-pilot v1 key=none -->
    ### ❌ The migration was not started; nothing was inserted

    No app is named `trep-app`.

    reason `app-not-found`, exit code 2
    "#);
}

#[test]
fn a_migration_that_is_done_already_is_told() {
    let mut plan = fix_plan();
    let story = story().then(
        0,
        Happening::AlreadyDone {
            steps: std::mem::take(&mut plan.already_done),
            cleaned_up: false,
        },
    );
    insta::assert_snapshot!(story.comment(), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ✅ Migration `ter-235` is done already; nothing was run

    Done by earlier runs: `columns`. What is done is not run again; nothing was sent to the app.

    | Step | State |
    | --- | --- |
    | `columns` | done earlier (epoch 0, PR 428) |

    [Workflow run](<https://github.com/acme/terp/actions/runs/77>) · [App in the control panel](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4>) · [Pull request](<https://github.com/acme/terp/pull/428>) · reason `already-done`, exit code 0 · 2026-02-18 00:35:00 UTC

    <details><summary>Timeline (UTC)</summary>

    - `00:35:00` Every step is done already; nothing is run

    </details>
    "#);
    assert_eq!(result::Status::of(&story.report).code(), "already-ran");
}

#[test]
fn a_rerun_of_an_ended_run_only_reports() {
    let ended = Ended {
        epoch: Epoch(0),
        outcome: LedgerOutcome::Failed {
            step: step("backfill"),
            code: 1,
            check: false,
        },
        hint: Clean::own("merge a fix, or ask for a retry"),
    };
    let story = story().then(0, Happening::AlreadyEnded(ended));
    insta::assert_snapshot!(story.comment(), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ❌ Migration `ter-235` failed in an earlier run; nothing was run now

    Epoch 0 ended earlier: step `backfill` ended with 1. Re-running a workflow only reports this; it never runs a step twice.

    Merge a fix, or ask for a retry.

    **What to do now**

    To run it again:

    ```
    gh workflow run migrate.yml -f mode=retry -f migration=ter-235
    ```

    [Workflow run](<https://github.com/acme/terp/actions/runs/77>) · [App in the control panel](<https://cloud.digitalocean.com/apps/1fd40be5-b9af-4e71-ab1d-3af0864a7da4>) · [Pull request](<https://github.com/acme/terp/pull/428>) · reason `already-failed`, exit code 1 · 2026-02-18 00:35:00 UTC

    <details><summary>Timeline (UTC)</summary>

    - `00:35:00` Epoch 0 ended earlier; nothing is run

    </details>
    "#);
}

#[test]
fn an_unhealthy_app_and_an_open_firewall_are_told() {
    let mut unhealthy = verdict(Reason::Unhealthy);
    unhealthy.health = HealthAxis::Bad;
    unhealthy.firewall = FirewallAxis::Failed;
    unhealthy.facts.extra_rules = vec!["ip_addr 203.0.113.7".to_owned()];
    let story = story()
        .planned(ter235())
        .inserted()
        .removed()
        .ended(unhealthy);
    insta::assert_snapshot!(head(&story.comment()), @r#"
    <!-- harbor-pilot v1 key=k3f9q2x7 -->
    ### ⚠️ Migration `ter-235` is done, but the app does not answer as healthy

    Steps `columns` and `backfill` each ended with 0, by the marks in the job's own log.

    Live now: deployment `cccccccc`, commit `9f8e7d6`.

    **What to do now**

    The migration itself is done and is not run again. Look at the app's own runtime log; rolling the app back does not undo the migration.

    The database's firewall may still let in `ip_addr 203.0.113.7`. Look at its trusted sources in the control panel and take them out.
    "#);
    assert_eq!(result::Status::of(&story.report).code(), "failed");
}

#[test]
fn each_event_has_a_line() {
    let story = failed_backfill();
    let extra = [
        Happening::Doubtful(Clean::own("connection reset after 12 s")),
        Happening::Inserted {
            job: ter235().job(),
            deployment: None,
        },
        Happening::Cancelled(deployment(OURS)),
        Happening::Restored {
            changed_by_others: vec!["/services/0/instance_count".to_owned()],
        },
        Happening::Health { ok: false },
        Happening::Firewall {
            restored: true,
            extra: vec![Clean::own("ip_addr 203.0.113.7")],
        },
        Happening::Phase {
            deployment: deployment("d-1"),
            role: Role::Other,
            phase: Phase::Other("NEW_PHASE".to_owned()),
        },
    ];
    let told: Vec<String> = story
        .report
        .timeline
        .iter()
        .map(|moment| format!("{} {}", words::clock(moment.at), moment.text))
        .chain(extra.into_iter().filter_map(|what| {
            let at = "2026-02-18T23:59:59Z".parse().unwrap();
            terminal::line(&Event { at, what }, &Redactor::default())
        }))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    00:35:00 Planned steps `columns` and `backfill` as job `migrate-k3f9q2x7-e0`
    00:35:02 The claim is in the ledger; of several, the oldest may insert the job
    00:35:05 Job `migrate-k3f9q2x7-e0` is in the app spec; deployment `aaaaaaaa` carries it
    00:35:10 Our deployment `aaaaaaaa` is being built
    00:39:40 Our deployment `aaaaaaaa` is being rolled out
    00:43:40 The job runs, in deployment `aaaaaaaa`
    00:45:10 Log of the job in deployment `aaaaaaaa` (212 lines, kept in `harbor-pilot-logs/migrate-k3f9q2x7-e0.log`): `columns` ended with 0 and `backfill` ended with 1
    00:45:20 Our deployment `aaaaaaaa` failed
    00:46:00 The platform's rollback `bbbbbbbb` is live
    00:46:20 Job `migrate-k3f9q2x7-e0` out of the app spec; deployment `cccccccc` takes it out of the app
    00:49:40 The clean-up deployment `cccccccc` is live
    00:49:45 The app is proven put back: its spec is what it was
    00:49:53 The app is healthy: three good answers in a row
    00:50:03 Ended: rolled-back
    23:59:59 A change of the app spec got no clear reply (connection reset after 12 s); it is not sent again, the app is read first
    23:59:59 Job `migrate-k3f9q2x7-e0` is in the app spec; the reply named no deployment, it is found by the job's name
    23:59:59 Our deployment `aaaaaaaa` was asked to cancel
    23:59:59 The app is proven put back; others changed `/services/0/instance_count` meanwhile, which stays
    23:59:59 The app does not answer as healthy yet
    23:59:59 The database's firewall was put back; taken out: `ip_addr 203.0.113.7`
    23:59:59 Another deployment `d-1` is in phase `NEW_PHASE`
    "#);
}

#[test]
fn the_summary_is_the_page_without_the_marker() {
    let story = failed_backfill();
    let summary = summary::render(&story.report, &links(), summary::BUDGET);
    let comment = story.comment();
    let (marker, page) = comment.split_at(comment.len() - summary.len());
    assert_eq!(page, summary);
    assert!(marker.trim_end().ends_with("-->"), "{marker}");
    assert!(!summary.contains("<!--"));
}

#[test]
fn a_log_that_is_off_is_shown_nowhere() {
    let mut story = failed_backfill();
    story.report.plan.as_mut().unwrap().request.settings.log = LogPolicy::Off;
    for text in everything(&story.report) {
        assert!(!text.contains("deletedAt"), "{text}");
    }
}

#[test]
fn the_log_gives_way_before_the_timeline_and_the_verdict_never() {
    let lines: Vec<String> = (0..5000)
        .map(|line| format!("line {line} {}", "x".repeat(100)))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut story = failed_backfill().log(
        evidence(vec![
            ran("columns", 1, Some(0)),
            ran("backfill", 1, Some(1)),
        ]),
        &lines,
    );
    let comment = story.comment();
    assert!(comment.len() <= comment::BUDGET && comment.len() > comment::BUDGET / 2);
    assert!(comment.contains("line 4999 ") && !comment.contains("line 0 "));
    for second in 0..900 {
        let cause = Redactor::default().text(format_args!(
            "waiting for the {second}th time, {}",
            "y".repeat(60)
        ));
        story = story.then(1, Happening::Waiting(cause));
    }
    let comment = story.comment();
    assert!(comment.len() <= comment::BUDGET);
    assert!(comment.contains("Waiting for the 899th time") && !comment.contains("End of the job"));
    assert!(comment.contains("failed at step `backfill`") && comment.contains("mode=retry"));
    // Ever smaller, and never without the verdict.
    for budget in [20_000, 8_000, 4_000] {
        let comment = comment::render(&story.report, &links(), budget);
        assert!(comment.len() <= budget, "{budget}");
        assert!(
            comment.contains("failed at step `backfill`") && comment.contains("mode=retry"),
            "{budget}"
        );
    }
}

/// What stands before the step table.
fn head(comment: &str) -> &str {
    comment.split("\n| Step").next().unwrap_or_default()
}

/// Every text that any reporter makes of a report.
fn everything(report: &Report) -> Vec<String> {
    let notices = notices::render(report, &links());
    let mut texts = vec![
        comment::render(report, &links(), comment::BUDGET),
        summary::render(report, &links(), summary::BUDGET),
        terminal::render_final(report, &links()),
        result::json(report).to_string(),
        report.headline().to_string(),
    ];
    texts.extend(result::outputs(report).into_iter().map(|(_, value)| value));
    texts.extend(
        [notices.error, notices.notice]
            .into_iter()
            .flatten()
            .flat_map(|notice| [notice.title, notice.message])
            .map(|text| text.to_string()),
    );
    texts.extend(report.timeline.iter().map(|moment| moment.text.to_string()));
    texts
}
