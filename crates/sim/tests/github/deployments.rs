//! Deployments, their statuses, and dispatches.

use serde_json::{Value, json};
use sim::github::{Edits, NewRun};

use crate::client::{Answer, Client, REPO};

async fn create(client: &Client, extra: Value) -> Answer {
    let mut body = json!({"ref": "main", "auto_merge": false, "required_contexts": []});
    body.as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    client.post("deployments", body).await
}

#[tokio::test(start_paused = true)]
async fn a_deployment_keeps_what_was_sent() {
    let client = Client::new();
    let payload = json!({"v": 1, "steps": [{"name": "columns"}], "note": null});
    let made = create(
        &client,
        json!({"task": "app-platform-migration:k3f9q2x7", "payload": payload,
                                      "environment": "app-platform", "description": "claim"}),
    )
    .await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json["payload"], payload);
    assert_eq!(made.json["sha"], "1234567890abcdef1234567890abcdef12345678");
    assert_eq!(
        (&made.json["ref"], &made.json["production_environment"]),
        (&json!("main"), &json!(false))
    );
    assert_eq!(made.json["creator"]["login"], "github-actions[bot]");
    let text = create(&client, json!({"payload": "{\"v\": 1}"})).await.json;
    assert_eq!(
        (&text["payload"], &text["task"]),
        (&json!("{\"v\": 1}"), &json!("deploy"))
    );
    assert_eq!(
        (&text["environment"], &text["production_environment"]),
        (&json!("production"), &json!(true))
    );
    assert_eq!(create(&client, json!({})).await.json["payload"], json!({}));
    let unknown = create(&client, json!({"ref": "gone"})).await;
    assert_eq!(
        (unknown.status, &unknown.json["message"]),
        (422, &json!("No ref found for: gone"))
    );
    assert_eq!(client.get("deployments/5").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn deployments_are_listed_newest_first_and_filtered() {
    let client = Client::new();
    let mut ids = Vec::new();
    for number in 0..7 {
        let body = json!({"task": format!("migration:{}", number % 2), "environment": if number < 3 { "a" } else { "b" }});
        ids.push(create(&client, body).await.json["id"].as_u64().unwrap());
    }
    assert!(ids.is_sorted());
    let listed = async |query: &str| {
        let answer = client.get(&format!("deployments?{query}")).await;
        answer
            .each("id")
            .into_iter()
            .map(|id| id.as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    let pick = |places: &[usize]| places.iter().map(|place| ids[*place]).collect::<Vec<_>>();
    assert_eq!(listed("").await, pick(&[6, 5, 4, 3, 2, 1, 0]));
    assert_eq!(listed("task=migration%3A1").await, pick(&[5, 3, 1]));
    assert_eq!(
        listed("task=migration:0&environment=b").await,
        pick(&[6, 4])
    );
    assert_eq!(
        listed("task=none&sha=none").await.len(),
        7,
        "`none` is the default of a filter"
    );
    assert_eq!(listed("ref=move-ids").await, pick(&[]));
    assert_eq!(
        listed("sha=1234567890abcdef1234567890abcdef12345678")
            .await
            .len(),
        7
    );
    let page = client
        .get("deployments?task=migration%3A0&per_page=3")
        .await;
    assert_eq!(page.each("id"), [ids[6], ids[4], ids[2]]);
    let next = page.link("next").unwrap();
    assert!(
        next.ends_with("?task=migration%3A0&per_page=3&page=2"),
        "{next}"
    );
    assert_eq!(client.get(&next).await.each("id"), [ids[0]]);
}

#[tokio::test(start_paused = true)]
async fn statuses_are_listed_newest_first_and_checked() {
    let client = Client::new();
    let id = create(&client, json!({"environment": "app-platform"}))
        .await
        .json["id"]
        .clone();
    let path = format!("deployments/{id}/statuses");
    let first = client
        .post(
            &path,
            json!({"state": "in_progress", "description": "running"}),
        )
        .await;
    assert_eq!(
        (first.status, &first.json["environment"]),
        (201, &json!("app-platform"))
    );
    let log = "https://example.com/run/1";
    let second = client
        .post(&path, json!({"state": "failure", "log_url": log}))
        .await
        .json;
    assert_eq!(
        (&second["log_url"], &second["target_url"]),
        (&json!(log), &json!(log))
    );
    assert_eq!(
        client.get(&path).await.each("state"),
        ["failure", "in_progress"]
    );
    assert_eq!(
        client
            .get(&format!("{path}/{}", first.json["id"]))
            .await
            .json["description"],
        "running"
    );
    assert_eq!(
        client.post(&path, json!({"state": "done"})).await.status,
        422
    );
    assert_eq!(client.post(&path, json!({})).await.status, 422);
    let long = client
        .post(
            &path,
            json!({"state": "success", "description": "x".repeat(141)}),
        )
        .await;
    assert_eq!(long.status, 422);
    assert_eq!(
        client
            .post(
                &path,
                json!({"state": "success", "description": "x".repeat(140)})
            )
            .await
            .status,
        201
    );
    assert_eq!(
        client
            .post("deployments/5/statuses", json!({"state": "success"}))
            .await
            .status,
        404
    );
}

#[tokio::test(start_paused = true)]
async fn a_success_makes_older_successes_of_its_environment_inactive_unless_told_not_to() {
    let client = Client::new();
    let states = async |id: &Value| {
        let answer = client.get(&format!("deployments/{id}/statuses")).await;
        answer
            .each("state")
            .into_iter()
            .cloned()
            .collect::<Vec<_>>()
    };
    let succeed = async |id: &Value, auto_inactive: bool| {
        let body = json!({"state": "success", "auto_inactive": auto_inactive});
        client
            .post(&format!("deployments/{id}/statuses"), body)
            .await;
    };
    let one = create(&client, json!({"environment": "app-platform"}))
        .await
        .json["id"]
        .clone();
    let two = create(&client, json!({"environment": "app-platform"}))
        .await
        .json["id"]
        .clone();
    let three = create(&client, json!({"environment": "app-platform"}))
        .await
        .json["id"]
        .clone();
    let live = create(&client, json!({})).await.json["id"].clone();
    succeed(&live, true).await;
    succeed(&one, true).await;
    succeed(&two, false).await;
    assert_eq!(states(&one).await, ["success"]);
    succeed(&three, true).await;
    assert_eq!(states(&one).await, ["inactive", "success"]);
    assert_eq!(states(&two).await, ["inactive", "success"]);
    let newer = create(&client, json!({})).await.json["id"].clone();
    succeed(&newer, true).await;
    assert_eq!(states(&live).await, ["success"], "production is left alone");
}

#[tokio::test(start_paused = true)]
async fn a_deployment_behind_the_default_branch_is_not_made_unless_auto_merge_is_off() {
    let client = Client::new();
    client
        .as_mona(|github, act| github.reset_branch(REPO, "release", "main", act))
        .unwrap();
    let edits = Edits::new().write("x", "1");
    let pushed = client
        .as_mona(|github, act| github.push(REPO, "main", (&edits, "On"), act))
        .unwrap();
    let behind = client
        .post("deployments", json!({"ref": pushed.before}))
        .await;
    let message = format!("Conflict merging main into {}.", pushed.before);
    assert_eq!(
        (behind.status, &behind.json["message"]),
        (409, &json!(message))
    );
    let branch = client.post("deployments", json!({"ref": "release"})).await;
    assert_eq!(branch.status, 202);
    assert_eq!(
        branch.json["message"],
        "Auto-merged main into release on deployment."
    );
    assert_eq!(
        client.get("compare/main...release").await.json["behind_by"],
        0
    );
    assert_eq!(
        client
            .post(
                "deployments",
                json!({"ref": pushed.before, "auto_merge": false})
            )
            .await
            .status,
        201
    );
    let checks = create(&client, json!({"required_contexts": ["ci"]})).await;
    assert_eq!(checks.status, 409);
    assert_eq!(
        client
            .world
            .github(|github, _| github.deployments(REPO).len()),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_dispatch_is_recorded_and_makes_a_run() {
    let client = Client::new();
    let path = "actions/workflows/migrate.yml/dispatches";
    let answer = client
        .post(path, json!({"ref": "main", "inputs": {"mode": "retry"}}))
        .await;
    assert_eq!((answer.status, answer.bytes.len()), (204, 0));
    let (run, inputs) = client.world.github(|github, _| {
        let [dispatch] = github.dispatches(REPO) else {
            panic!("one dispatch")
        };
        assert_eq!(
            (dispatch.workflow.as_str(), dispatch.reference.as_str()),
            (".github/workflows/migrate.yml", "main")
        );
        (dispatch.run_id, dispatch.inputs.clone())
    });
    assert_eq!(inputs["mode"], "retry");
    let json = client.get(&format!("actions/runs/{run}")).await.json;
    assert_eq!(
        (&json["event"], &json["status"]),
        (&json!("workflow_dispatch"), &json!("in_progress"))
    );
    assert_eq!(
        client
            .post(
                "actions/workflows/none.yml/dispatches",
                json!({"ref": "main"})
            )
            .await
            .status,
        404
    );
    assert_eq!(client.post(path, json!({"ref": "gone"})).await.status, 422);
    let push_only = client
        .post(
            "actions/workflows/push.yml/dispatches",
            json!({"ref": "main"}),
        )
        .await;
    assert_eq!(
        push_only.json["message"],
        "Workflow does not have 'workflow_dispatch' trigger"
    );
    let inputs: serde_json::Map<String, Value> =
        (0..26).map(|n| (format!("i{n}"), json!("x"))).collect();
    assert_eq!(
        client
            .post(path, json!({"ref": "main", "inputs": inputs}))
            .await
            .status,
        422
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_with_a_conclusion() {
    let client = Client::new();
    let new = NewRun {
        workflow: ".github/workflows/migrate.yml",
        event: "push",
        branch: "main",
        actor: "mona",
    };
    let run = client
        .world
        .github(|github, at| github.start_run(REPO, &new, at))
        .unwrap();
    client
        .world
        .github(|github, at| github.end_run(REPO, run, "cancelled", at));
    let json = client.get(&format!("actions/runs/{run}")).await.json;
    assert_eq!(
        (&json["status"], &json["conclusion"]),
        (&json!("completed"), &json!("cancelled"))
    );
    assert_eq!(client.get("actions/runs/1").await.status, 404);
}
