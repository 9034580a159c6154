//! The one comment per subject.

use github::{CommentId, ErrorKind, PullNumber};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Wire, chain, fixture, world};

const MARKER: &str = "<!-- harbor-pilot v1 key=k3f9q2x7 -->";
const LIST: &str = "/issues/428/comments";
const PULL: PullNumber = PullNumber(428);

fn body(text: &str) -> String {
    format!("{MARKER}\n{text}\n")
}

fn comment(id: u64, login: &str, body: &str) -> Value {
    fixture(
        "comment",
        &json!({
            "id": id, "body": body, "user": {"login": login},
            "html_url": format!("https://github.test/acme/shop/pull/428#issuecomment-{id}"),
        }),
    )
}

fn ours(id: u64, text: &str) -> Value {
    comment(id, "github-actions[bot]", &body(text))
}

#[tokio::test]
async fn the_first_report_makes_a_comment() {
    let world = world().await;
    world
        .on("GET", LIST, 200, &json!([comment(1, "ana", "hello")]))
        .await;
    let sent = json!({"body": body("running")});
    world
        .expect_body("POST", LIST, &sent, 201, &ours(9, "running"))
        .await;
    let made = world
        .github
        .upsert(PULL, MARKER, &body("running"))
        .await
        .unwrap();
    assert_eq!(made.id, CommentId(9));
    assert_eq!(
        made.html_url,
        "https://github.test/acme/shop/pull/428#issuecomment-9"
    );
}

#[tokio::test]
async fn later_reports_edit_it_in_place() {
    let world = world().await;
    world
        .on("GET", LIST, 200, &json!([ours(9, "running")]))
        .await;
    let sent = json!({"body": body("done")});
    world
        .expect_body("PATCH", "/issues/comments/9", &sent, 200, &ours(9, "done"))
        .await;
    let edited = world
        .github
        .upsert(PULL, MARKER, &body("done"))
        .await
        .unwrap();
    assert_eq!(edited.id, CommentId(9));
    assert_eq!(world.count("POST", LIST), 0);
}

#[tokio::test]
async fn an_unchanged_report_sends_nothing() {
    let world = world().await;
    // GitHub may give line ends back as a browser wrote them.
    let stored = body("running").replace('\n', "\r\n");
    world
        .on(
            "GET",
            LIST,
            200,
            &json!([comment(9, "github-actions[bot]", &stored)]),
        )
        .await;
    world
        .github
        .upsert(PULL, MARKER, &body("running"))
        .await
        .unwrap();
    assert_eq!(world.count("PATCH", "/issues/comments/9"), 0);
}

#[tokio::test]
async fn a_marker_under_another_name_is_not_ours() {
    let world = world().await;
    let forged = json!([
        comment(1, "mallory", &body("all is well")),
        comment(2, "ana", MARKER)
    ]);
    world.on("GET", LIST, 200, &forged).await;
    assert_eq!(world.github.find(PULL, MARKER).await.unwrap(), None);
    world.on("POST", LIST, 201, &ours(9, "running")).await;
    world
        .github
        .upsert(PULL, MARKER, &body("running"))
        .await
        .unwrap();
    assert_eq!(world.count("POST", LIST), 1);
    assert_eq!(world.count("DELETE", "/issues/comments/1"), 0);
}

#[tokio::test]
async fn a_marker_within_a_log_does_not_make_our_comment_anothers() {
    let world = world().await;
    let other = format!("<!-- harbor-pilot v1 key=zzzzzzzz -->\n````\n{MARKER}\n````\n");
    world
        .on(
            "GET",
            LIST,
            200,
            &json!([comment(1, "github-actions[bot]", &other)]),
        )
        .await;
    assert_eq!(world.github.find(PULL, MARKER).await.unwrap(), None);
}

#[tokio::test]
async fn the_oldest_of_several_stays_and_our_others_go() {
    let world = world().await;
    let list = json!([
        ours(11, "running"),
        ours(9, "running"),
        comment(8, "mallory", &body("forged")),
    ]);
    world.on("GET", LIST, 200, &list).await;
    world
        .on_raw(
            "DELETE",
            "/issues/comments/11",
            wiremock::ResponseTemplate::new(204),
        )
        .await;
    world
        .on("PATCH", "/issues/comments/9", 200, &ours(9, "done"))
        .await;
    world
        .github
        .upsert(PULL, MARKER, &body("done"))
        .await
        .unwrap();
    assert_eq!(world.count("DELETE", "/issues/comments/11"), 1);
    assert_eq!(world.count("DELETE", "/issues/comments/8"), 0);
    assert_eq!(world.count("PATCH", "/issues/comments/9"), 1);
}

#[tokio::test]
async fn a_duplicate_that_cannot_be_deleted_does_not_stop_the_report() {
    let world = world().await;
    world
        .on("GET", LIST, 200, &json!([ours(9, "x"), ours(11, "x")]))
        .await;
    world
        .on(
            "DELETE",
            "/issues/comments/11",
            403,
            &json!({"message": "no"}),
        )
        .await;
    world
        .on("PATCH", "/issues/comments/9", 200, &ours(9, "done"))
        .await;
    world
        .github
        .upsert(PULL, MARKER, &body("done"))
        .await
        .unwrap();
}

#[tokio::test]
async fn comments_are_searched_over_ten_pages_and_no_further() {
    let world = world().await;
    let page: Vec<Value> = (0..100).map(|id| comment(id, "ana", "chat")).collect();
    world.on("GET", LIST, 200, &json!(page)).await;
    world.on_page(LIST, 3, &json!([ours(900, "running")])).await;
    let found = world.github.find(PULL, MARKER).await.unwrap().unwrap();
    assert_eq!(found.comment.id, CommentId(900));
    assert_eq!(world.count("GET", LIST), 3);

    let world = self::world().await;
    world.on("GET", LIST, 200, &json!(page)).await;
    assert_eq!(world.github.find(PULL, MARKER).await.unwrap(), None);
    assert_eq!(world.count("GET", LIST), 10);
}

#[tokio::test]
async fn a_comment_with_a_lost_reply_is_found_and_not_posted_again() {
    let world = world().await;
    world.on_next(1, "GET", LIST, 200, &json!([])).await;
    world.on("POST", LIST, 201, &ours(9, "running")).await;
    world.next(Method::POST, LIST, Wire::LosesReply);
    world
        .on("GET", LIST, 200, &json!([ours(9, "running")]))
        .await;
    let made = world
        .github
        .upsert(PULL, MARKER, &body("running"))
        .await
        .unwrap();
    assert_eq!(made.id, CommentId(9));
    assert_eq!(world.count("POST", LIST), 1);
}

#[tokio::test]
async fn a_comment_deleted_under_our_hands_is_made_anew() {
    let world = world().await;
    world
        .on("GET", LIST, 200, &json!([ours(9, "running")]))
        .await;
    let gone = json!({"message": "Not Found"});
    world.on("PATCH", "/issues/comments/9", 404, &gone).await;
    world.on("POST", LIST, 201, &ours(10, "done")).await;
    let made = world
        .github
        .upsert(PULL, MARKER, &body("done"))
        .await
        .unwrap();
    assert_eq!(made.id, CommentId(10));
}

#[tokio::test]
async fn a_comment_whose_marker_a_person_edited_away_is_left_and_another_is_made() {
    let world = world().await;
    let edited = comment(9, "github-actions[bot]", "all is well, trust me");
    world.on("GET", LIST, 200, &json!([edited])).await;
    world.on("POST", LIST, 201, &ours(10, "done")).await;
    let made = world
        .github
        .upsert(PULL, MARKER, &body("done"))
        .await
        .unwrap();
    assert_eq!(made.id, CommentId(10));
    assert_eq!(world.count("PATCH", "/issues/comments/9"), 0);
    assert_eq!(world.count("DELETE", "/issues/comments/9"), 0);
}

#[tokio::test]
async fn the_author_that_github_names_for_our_own_comment_is_remembered() {
    let world = world().await;
    world.on_next(1, "GET", LIST, 200, &json!([])).await;
    let made = comment(9, "acme-bot[bot]", &body("running"));
    world.on("POST", LIST, 201, &made).await;
    world
        .github
        .upsert(PULL, MARKER, &body("running"))
        .await
        .unwrap();
    world.on("GET", LIST, 200, &json!([made])).await;
    world.on("PATCH", "/issues/comments/9", 200, &made).await;
    world
        .github
        .upsert(PULL, MARKER, &body("done"))
        .await
        .unwrap();
    assert_eq!(world.count("POST", LIST), 1);
    assert_eq!(world.count("PATCH", "/issues/comments/9"), 1);
}

#[tokio::test]
async fn the_login_can_be_set_for_a_token_of_another_app() {
    let world = world().await;
    let stored = comment(9, "Acme-Bot[bot]", &body("running"));
    world.on("GET", LIST, 200, &json!([stored])).await;
    let github = world.github.clone().with_own_login("acme-bot[bot]");
    assert!(github.find(PULL, MARKER).await.unwrap().is_some());
    assert!(world.github.find(PULL, MARKER).await.unwrap().is_none());
}

#[tokio::test]
async fn a_text_beyond_githubs_limit_is_refused_unsent() {
    let world = world().await;
    let long = "ü".repeat(github::COMMENT_CHARS + 1);
    let error = world.github.upsert(PULL, MARKER, &long).await.unwrap_err();
    insta::assert_snapshot!(chain(&error), @"cannot comment on #428 of `acme/shop`: the text is longer than the 65536 characters that GitHub takes");
    assert_eq!(world.count("GET", LIST), 0);
}

type Expected = fn(&ErrorKind) -> bool;

#[tokio::test]
async fn a_closed_door_is_told_by_its_kind() {
    let locked = "Unable to create comment because issue is locked.";
    let long = "Body is too long (maximum is 65536 characters)";
    let cases: [(u16, &str, Expected); 5] = [
        (403, locked, |kind| matches!(kind, ErrorKind::Locked)),
        (403, "Resource not accessible by integration", |kind| {
            matches!(kind, ErrorKind::MissingPermission { .. })
        }),
        (404, "Not Found", |kind| matches!(kind, ErrorKind::NotFound)),
        (410, "This issue was deleted", |kind| {
            matches!(kind, ErrorKind::Gone)
        }),
        (422, long, |kind| {
            matches!(
                kind,
                ErrorKind::TooLong {
                    limit_chars: 65_536
                }
            )
        }),
    ];
    for (status, message, expected) in cases {
        let world = world().await;
        world.on("GET", LIST, 200, &json!([])).await;
        let refusal = json!({"message": message, "documentation_url": "https://x.test"});
        world.on("POST", LIST, status, &refusal).await;
        let error = world
            .github
            .upsert(PULL, MARKER, &body("x"))
            .await
            .unwrap_err();
        assert!(expected(error.kind()), "{status}: {error:?}");
        assert!(!error.may_have_applied());
        assert_eq!(world.count("POST", LIST), 1);
    }
}
