//! Comments and labels.

use serde_json::json;

use crate::client::{Client, REPO};

#[tokio::test(start_paused = true)]
async fn a_comment_can_be_made_read_edited_and_deleted() {
    let client = Client::new();
    let made = client
        .post("issues/428/comments", json!({"body": "one"}))
        .await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json["user"]["login"], "github-actions[bot]");
    assert_eq!(made.json["user"]["type"], "Bot");
    let page = format!(
        "https://github.com/{REPO}/pull/428#issuecomment-{}",
        made.json["id"]
    );
    assert_eq!(made.json["html_url"], page);
    let path = format!("issues/comments/{}", made.json["id"]);
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    let edited = client.patch(&path, json!({"body": "two"})).await;
    assert_eq!((edited.status, &edited.json["body"]), (200, &json!("two")));
    assert_eq!(edited.json["created_at"], "2026-02-18T00:35:00Z");
    assert_eq!(edited.json["updated_at"], "2026-02-18T00:36:01Z");
    assert_eq!(client.delete(&path).await.status, 204);
    assert_eq!(client.get(&path).await.status, 404);
    assert_eq!(
        client.patch(&path, json!({"body": "three"})).await.status,
        404
    );
}

#[tokio::test(start_paused = true)]
async fn a_person_can_edit_and_delete_what_the_bot_wrote() {
    let client = Client::new();
    let id = client
        .post("issues/428/comments", json!({"body": "one"}))
        .await
        .json["id"]
        .as_u64()
        .unwrap();
    client
        .as_mona(|github, act| github.edit_comment(REPO, id, "mine now", act))
        .unwrap();
    let comment = client.get(&format!("issues/comments/{id}")).await.json;
    assert_eq!(
        (&comment["body"], &comment["user"]["type"]),
        (&json!("mine now"), &json!("Bot"))
    );
    client
        .as_mona(|github, _| github.delete_comment(REPO, id))
        .unwrap();
    assert!(
        client
            .world
            .github(|github, _| github.comments(REPO, 428).is_empty())
    );
    let person = client
        .as_mona(|github, act| github.comment(REPO, 428, "hello", act))
        .unwrap();
    let comment = client.get(&format!("issues/comments/{person}")).await.json;
    assert_eq!(comment["author_association"], "MEMBER");
}

#[tokio::test(start_paused = true)]
async fn comments_come_in_pages_oldest_first_with_links() {
    let client = Client::new();
    for number in 0..65 {
        client
            .as_mona(|github, act| github.comment(REPO, 428, &format!("c{number}"), act))
            .unwrap();
    }
    let first = client.get("issues/428/comments").await;
    assert_eq!(
        (first.each("body").len(), first.each("body")[0]),
        (30, &json!("c0"))
    );
    assert!(first.link("prev").is_none());
    let second = client.get(&first.link("next").unwrap()).await;
    assert_eq!(
        (second.each("body").len(), second.each("body")[0]),
        (30, &json!("c30"))
    );
    let third = client.get(&second.link("last").unwrap()).await;
    assert_eq!((third.each("body").len(), third.link("next")), (5, None));
    assert_eq!(
        client.get(&third.link("first").unwrap()).await.each("body")[0],
        &json!("c0")
    );
    let large = client.get("issues/428/comments?per_page=500").await;
    assert_eq!(large.each("body").len(), 65);
    let small = client.get("issues/428/comments?per_page=2&page=33").await;
    assert_eq!(small.each("body"), ["c64"]);
    let beyond = client.get("issues/428/comments?page=9").await;
    assert_eq!(
        (beyond.json.clone(), beyond.link("next")),
        (json!([]), None)
    );
    let link = client
        .get("issues/428/comments?per_page=40")
        .await
        .link("next")
        .unwrap();
    assert!(link.starts_with("/repositories/"), "{link}");
    assert!(link.ends_with("per_page=40&page=2"), "{link}");
}

#[tokio::test(start_paused = true)]
async fn a_body_above_the_limit_is_refused_and_one_at_the_limit_is_taken() {
    let client = Client::new();
    let at = client
        .post("issues/428/comments", json!({"body": "ß".repeat(65_536)}))
        .await;
    assert_eq!(at.status, 201);
    let above = client
        .post("issues/428/comments", json!({"body": "x".repeat(65_537)}))
        .await;
    assert_eq!(above.status, 422);
    insta::assert_snapshot!(above.json, @r#"{"message":"Validation Failed","errors":[{"resource":"IssueComment","code":"unprocessable","field":"data","message":"Body is too long (maximum is 65536 characters)"}],"documentation_url":"https://docs.github.com/rest","status":"422"}"#);
    let path = format!("issues/comments/{}", at.json["id"]);
    assert_eq!(
        client
            .patch(&path, json!({"body": "x".repeat(65_537)}))
            .await
            .status,
        422
    );
    assert_eq!(
        client
            .post("issues/428/comments", json!({"body": " "}))
            .await
            .status,
        422
    );
    assert_eq!(
        client.post("issues/428/comments", json!({})).await.status,
        422
    );
    assert_eq!(
        client
            .world
            .github(|github, _| github.comments(REPO, 428).len()),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_locked_conversation_takes_no_comment_and_a_deleted_one_is_gone() {
    let client = Client::new();
    client
        .world
        .github(|github, _| github.lock(REPO, 428))
        .unwrap();
    let locked = client
        .post("issues/428/comments", json!({"body": "hi"}))
        .await;
    assert_eq!(locked.status, 403);
    assert_eq!(
        locked.json["message"],
        "Unable to create comment because issue is locked."
    );
    client
        .world
        .github(|github, _| github.delete_issue(REPO, 7))
        .unwrap();
    assert_eq!(
        client
            .post("issues/7/comments", json!({"body": "hi"}))
            .await
            .status,
        410
    );
    assert_eq!(
        client
            .get("/repos/acme/open/issues/1/comments")
            .await
            .status,
        410,
        "issues switched off"
    );
    assert_eq!(client.get("issues/99/comments").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_label_that_nobody_made_is_made_when_it_is_put_on() {
    let client = Client::new();
    let labels = client
        .post(
            "issues/428/labels",
            json!({"labels": ["migration-running", "BUG"]}),
        )
        .await;
    assert_eq!(
        labels.each("name"),
        ["needs-migration", "migration-running", "bug"]
    );
    let made = client.get("labels/migration-running").await.json;
    assert_eq!(
        (&made["color"], &made["description"]),
        (&json!("ededed"), &json!(null))
    );
    let again = client
        .post("issues/428/labels", json!({"labels": ["bug"]}))
        .await;
    assert_eq!(again.each("name").len(), 3, "twice is once");
    let left = client.delete("issues/428/labels/migration-running").await;
    assert_eq!(left.each("name"), ["needs-migration", "bug"]);
    let missing = client.delete("issues/428/labels/migration-running").await;
    assert_eq!(
        (missing.status, &missing.json["message"]),
        (404, &json!("Label does not exist"))
    );
    let set = client
        .put(
            "issues/428/labels",
            json!({"labels": [{"name": "migration-done"}]}),
        )
        .await;
    assert_eq!(set.each("name"), ["migration-done"]);
    assert_eq!(
        client
            .world
            .github(|github, _| github.labels(REPO, 428).join(",")),
        "migration-done"
    );
}

#[tokio::test(start_paused = true)]
async fn a_label_is_made_once_and_its_name_and_colour_are_checked() {
    let client = Client::new();
    let made = client
        .post(
            "labels",
            json!({"name": "two words", "color": "0e8a16", "description": "d"}),
        )
        .await;
    assert_eq!((made.status, &made.json["description"]), (201, &json!("d")));
    assert_eq!(
        client.get("labels/two%20words").await.json["name"],
        "two words"
    );
    let again = client.post("labels", json!({"name": "Two Words"})).await;
    assert_eq!(
        (again.status, &again.json["errors"][0]["code"]),
        (422, &json!("already_exists"))
    );
    assert_eq!(
        client
            .post("labels", json!({"name": "x", "color": "#0e8a16"}))
            .await
            .status,
        422
    );
    assert_eq!(
        client
            .post("labels", json!({"name": "x".repeat(51)}))
            .await
            .status,
        422
    );
    assert_eq!(
        client.post("labels", json!({})).await.json["errors"][0]["code"],
        "missing_field"
    );
    assert_eq!(client.get("labels/none").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn people_label_too() {
    let client = Client::new();
    client
        .as_mona(|github, act| github.add_label(REPO, 428, "urgent", act))
        .unwrap();
    client
        .as_mona(|github, act| github.remove_label(REPO, 428, "Needs-Migration", act))
        .unwrap();
    assert_eq!(
        client.get("issues/428/labels").await.each("name"),
        ["urgent"]
    );
    assert_eq!(
        client.get("pulls/428").await.json["labels"][0]["name"],
        "urgent"
    );
}
