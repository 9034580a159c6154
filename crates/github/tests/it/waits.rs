//! Waits, on a virtual clock and at their real length.

use std::time::Duration;

use github::{Patience, Timing};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{Step, scripted, sha};

const REPO: fn() -> Step = || Step::Reply(200, &[], json!({"default_branch": "main"}));

#[tokio::test(start_paused = true)]
async fn githubs_order_to_wait_is_obeyed() {
    let mut asked = 0;
    let (github, _) = scripted(move |_| {
        asked += 1;
        match asked {
            1 => Step::Reply(429, &[("retry-after", "37")], json!({})),
            _ => REPO(),
        }
    });
    let start = Instant::now();
    github.repo().await.unwrap();
    let waited = start.elapsed();
    assert!(
        waited >= Duration::from_secs(37) && waited < Duration::from_secs(40),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_reset_time_is_counted_by_githubs_clock() {
    let mut asked = 0;
    let (github, _) = scripted(move |_| {
        asked += 1;
        match asked {
            1 => Step::Reply(
                403,
                &[
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "946684850"),
                    ("date", "Sat, 01 Jan 2000 00:00:00 GMT"),
                ],
                json!({"message": "API rate limit exceeded"}),
            ),
            _ => REPO(),
        }
    });
    let start = Instant::now();
    github.repo().await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(50));
    assert!(start.elapsed() < Duration::from_secs(53));
}

#[tokio::test(start_paused = true)]
async fn an_order_to_wait_for_an_hour_ends_the_call_instead() {
    let (github, requests) = scripted(|_| Step::Reply(429, &[("retry-after", "3600")], json!({})));
    let start = Instant::now();
    github.repo().await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(requests.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_github_refused_for_its_rate_is_sent_again_after_the_wait() {
    let mut asked = 0;
    let (github, requests) = scripted(move |_| {
        asked += 1;
        match asked {
            1 => Step::Reply(429, &[("retry-after", "5")], json!({})),
            _ => Step::Reply(200, &[], json!([])),
        }
    });
    github
        .add_labels(github::PullNumber(1), &["x"])
        .await
        .unwrap();
    assert_eq!(requests.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failing_read_is_tried_four_times_with_growing_waits() {
    let (github, requests) = scripted(|_| Step::Reply(503, &[], json!({})));
    let start = Instant::now();
    github.repo().await.unwrap_err();
    assert_eq!(requests.lock().unwrap().len(), 4);
    let waited = start.elapsed();
    assert!(
        waited >= Duration::from_secs(1 + 2 + 4) && waited <= Duration::from_secs(2 * 7),
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_waits_the_same_time() {
    let waited = async |seed| {
        let (github, _) = scripted(|_| Step::Reply(503, &[], json!({})));
        let timing = Timing {
            jitter_seed: Some(seed),
            ..Timing::default()
        };
        let start = Instant::now();
        github.with_timing(timing).repo().await.unwrap_err();
        start.elapsed()
    };
    assert_eq!(waited(7).await, waited(7).await);
    assert_ne!(waited(7).await, waited(8).await);
}

#[tokio::test(start_paused = true)]
async fn a_fresh_merge_is_waited_for_a_minute() {
    let (github, requests) = scripted(|request| {
        if request.uri().path().ends_with("/pulls") {
            Step::Reply(200, &[], json!([]))
        } else {
            Step::Reply(404, &[], json!({}))
        }
    });
    let start = Instant::now();
    let pulls = github
        .pulls_of_commit(&sha('c'), Patience::UntilIndexed)
        .await
        .unwrap();
    assert!(pulls.is_empty());
    assert_eq!(start.elapsed(), Duration::from_secs(60));
    // 0, 1, 3, 7, 15, 31 and 60 s, then the subject.
    assert_eq!(requests.lock().unwrap().len(), 8);
}

#[test]
fn a_pace_shortens_waits_and_never_deadlines() {
    let paced = Timing::default().paced(60);
    assert_eq!(paced.index_wait, Duration::from_secs(1));
    assert_eq!(paced.read_deadline, Timing::default().read_deadline);
    assert_eq!(paced.write_deadline, Timing::default().write_deadline);
    assert_eq!(Timing::default().paced(0), Timing::default());
}
