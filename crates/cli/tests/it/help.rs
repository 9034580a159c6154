//! What `--help` and wrong arguments say.

use crate::bench::{bare, finish};

#[tokio::test]
async fn help_names_the_commands_and_the_exit_codes() {
    let ended = finish(bare(&["--help"])).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    insta::assert_snapshot!(ended.out, @r"
    Runs one-off production migrations on a DigitalOcean App Platform app, and proves what happened

    Usage: harbor-pilot [OPTIONS] <COMMAND>

    Commands:
      plan      Show what a run would do; nothing is written
      check     Run only the checks of the steps, contained: a failed check does not roll the app back
      run       Run a migration: put its job into the app, see it through, take it out, prove it
      stop      Stop a migration: cancel its deployment, take its job out
      status    Show temporary jobs, past migrations, deployments in flight and whatever would refuse a
                run
      reap      Take out temporary jobs that an ended run left behind; live runs are left alone
      logs      Print the log of a migration's job from the platform, secrets replaced
      firewall  Look at the database's firewall, or put it back to the app alone
      schema    Print the JSON Schema of a manifest or of the config
      action    Run as the GitHub Action: by the event and the inputs of the workflow
      sim       Serve the built-in simulator of App Platform and GitHub
      demo      Replay the TER-235 incident on the built-in simulator
      help      Print this message or the help of the given subcommand(s)

    Options:
          --output <FORM>
              How the result is written to standard output; progress goes to standard error

              Possible values:
              - text: For people
              - json: One JSON document
              
              [default: text]

      -v, --verbose...
              Log more to standard error (twice: every request); HARBOR_PILOT_LOG_LEVEL does the same in
              words

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    The DigitalOcean token comes from DIGITALOCEAN_ACCESS_TOKEN. A run needs the scopes app:read,
    app:update, regions:read, sizes:read and actions:read, and database:read for the firewall
    (database:update to restore it).

    Every flag under `Choices` can be an environment variable too: HARBOR_PILOT_ and its name, such as
    HARBOR_PILOT_HEALTH_URL; for --api-url it is DIGITALOCEAN_API_URL. A flag outranks the variable,
    which outranks the manifest, which outranks the config.

    Exit codes:
      0  done, skipped, planned or already ran
      1  the migration failed
      2  usage or config
      3  authentication or scope
      4  timed out
      5  failed, and the platform rolled the app back
      6  superseded or cancelled from outside
      7  clean-up not proven: a person must act
      8  another migration owns the app
      9  migration done, app unhealthy
      10 unproven: it may have run
      11 refused by the app's state
      12 platform or ledger unreachable, nothing inserted
      13 firewall not as asked
      130, 143 ended by SIGINT, SIGTERM
    ");
}

#[tokio::test]
async fn help_of_run_names_every_input() {
    let ended = finish(bare(&["run", "--help"])).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    insta::assert_snapshot!(ended.out, @r"
    Run a migration: put its job into the app, see it through, take it out, prove it

    Usage: harbor-pilot run [OPTIONS]

    Options:
          --migration-id <ID>
              The migration's id; without it the manifest's file name

          --output <FORM>
              How the result is written to standard output; progress goes to standard error

              Possible values:
              - text: For people
              - json: One JSON document
              
              [default: text]

          --manifest <FILE>
              The manifest; without it and --step, ID.yml in the config's folder (.harbor-pilot)

      -v, --verbose...
              Log more to standard error (twice: every request); HARBOR_PILOT_LOG_LEVEL does the same in
              words

          --step <NAME=COMMAND>
              A step in place of a manifest (repeatable, in order); reports call it unreviewed

          --sha <SHA>
              The commit that must be live, or contained in what is live, before the job goes in

          --repository <OWNER/NAME>
              The repository that asks, as owner/name; told in records and reports

          --pr <NUMBER>
              The pull request that asks; told in records and reports

          --state-dir <FOLDER>
              Folder of the record of claims and verdicts [default: $XDG_STATE_HOME/harbor-pilot or
              ~/.local/state/harbor-pilot]

          --result-file <FILE>
              Write the JSON result to this file too

          --retry
              Run failed steps again, and unproven ones, which you have looked at

          --again
              Run a migration once more that is done

          --reason <TEXT>
              Why it runs again; goes into the record

          --dry-run
              Show the plan and end; nothing is written

      -y, --yes
              Go on without asking

      -h, --help
              Print help (see a summary with '-h')

    Choices:
          --app <ID|NAME>
              The app, by id or name

          --component <NAME>
              The service whose source, build and environment the job copies [default: the app's only
              service]

          --database <NAME>
              The database component that DATABASE_URL is bound to [default: the app's only database]

          --config <FILE>
              The config file [default: .github/harbor-pilot.yml]

          --kind <KIND>
              When the platform starts the job: POST_DEPLOY or PRE_DEPLOY

          --instance-size <SLUG>
              Instance size slug of the job [default: the component's]

          --job-timeout <SPAN>
              How long the platform lets the job run (30m, 1h30m)

          --deadline <SPAN>
              How long the whole run may take (110m)

          --strategy <STRATEGY>
              One job for all steps (single-job) or a job for each (one-job-per-step)

          --on-failure <WHAT>
              What a failing step does to the app: fail (the platform may roll back) or contain (the app
              stays)

          --wait-for-deploy <WHAT>
              Whether the merge's own deployment must be live first: live or off

          --health-url <URL|off>
              Where the app's health is probed: an address on one of the app's own hosts, or off
              [default: the component's own health check]

          --firewall <WHAT>
              What is done about the database's firewall: check, restore or off

          --database-cluster <ID>
              The database cluster's id [default: found by the component's cluster name]

          --keep-rule <TYPE:VALUE>
              A rule that stays when the firewall is restored, as TYPE:VALUE (repeatable; commas
              separate several)

          --also-stale <JOB>
              A job left in the spec by hand, removed with ours (repeatable; commas separate several)

          --accept-jobs <JOB>
              Another deploy-time job that belongs in the spec (repeatable; commas separate several)

          --secret-env <NAME>
              The name of an environment variable that is passed to the job as a secret (repeatable;
              commas separate several)

          --shell <SHELL>
              Whether the commands run in a shell: sh or none

          --log <HOW>
              How much of the job's log is shown: tail, full or off

          --log-dir <FOLDER>
              Folder for whole job logs

          --api-url <URL>
              Address of the DigitalOcean API [default: the public one]
    ");
}

#[tokio::test]
async fn wrong_arguments_are_usage_errors_on_standard_error() {
    for (args, words) in [
        (
            &["run", "--frobnicate"] as &[&str],
            "unexpected argument '--frobnicate'",
        ),
        (&["rum"], "unrecognized subcommand 'rum'"),
        (
            &[
                "run",
                "--manifest",
                "a.yml",
                "--step",
                "a=b",
                "--migration-id",
                "x",
            ],
            "cannot be used with",
        ),
        (&["run", "--step", "nothing"], "NAME=COMMAND"),
        (&["run", "--again"], "--reason"),
        (
            &["run", "--retry", "--again", "--reason", "x"],
            "cannot be used with",
        ),
        (&["schema"], "<OF>"),
        (&[], "Usage: harbor-pilot"),
    ] {
        let ended = finish(bare(args)).await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(ended.err.contains(words), "{args:?}: {}", ended.err);
    }
}

#[tokio::test]
async fn a_token_in_the_wrong_place_is_not_repeated() {
    let mut command = bare(&[
        "run",
        "--token",
        "dop_v1_0123456789012345678901234567890123456789012345678901234567890123",
    ]);
    command.env("DIGITALOCEAN_ACCESS_TOKEN", "a-token-canary");
    let ended = finish(command).await;
    assert_eq!(ended.code, Some(2));
    assert!(
        !ended.err.contains("0123456789") && !ended.err.contains("canary"),
        "{}",
        ended.err
    );
}
