use super::*;
use migration::{Authority, Epoch, MigrationId, Nonce, RunMode, StepDigest, StepName, StepRef};
use runner::Pace;
use std::collections::BTreeSet;
use std::fs;

const APP: &str = "11111111-1111-4111-8111-111111111111";
const GOLDEN_V1: &str = include_str!("../../../tests/golden/ledger-v1.jsonl");

fn claim(epoch: u32, nonce: u8) -> Claim {
    let (app, migration) = (AppId::new(APP), MigrationId::parse("ter-235").unwrap());
    Claim {
        version: 1,
        key: Key::of(&app, &migration),
        epoch: Epoch(epoch),
        nonce: Nonce::from_bytes([nonce; 16]),
        migration,
        app,
        steps: vec![StepRef {
            name: StepName::parse("columns").unwrap(),
            digest: StepDigest("0011223344556677".to_owned()),
        }],
        mode: RunMode::Steps,
        authority: Authority::Cli("ff".to_owned()),
        pull_request: Some(428),
        sha: None,
        repository: None,
        reason: None,
    }
}

fn ledger(folder: &Path) -> FileLedger {
    let mut clock = PlatformClock::new(Pace::REAL);
    clock.set(Some("2026-02-18T00:35:00Z".parse().unwrap()));
    FileLedger::new(folder, &AppId::new(APP), clock).unwrap()
}

fn with_text(text: &str) -> (tempfile::TempDir, FileLedger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path());
    fs::write(ledger.path(), text).unwrap();
    (folder, ledger)
}

fn done_line(of: u64) -> String {
    format!(
        "{{\"version\":1,\"at\":\"2026-02-18T00:40:00Z\",\"of\":{of},\"outcome\":{{\"is\":\"done\"}}}}\n"
    )
}

#[tokio::test]
async fn claims_come_back_in_order_with_their_strongest_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("not/there/yet"));
    let key = claim(0, 0).key;
    assert_eq!(ledger.entries(&key).await.unwrap(), []);
    let first = ledger.append(&claim(0, 1)).await.unwrap();
    let second = ledger.append(&claim(1, 2)).await.unwrap();
    assert!(first < second);
    let unproven = LedgerOutcome::Unproven { done: 0 };
    ledger.record(first, &unproven).await.unwrap();
    ledger.record(first, &LedgerOutcome::Done).await.unwrap();
    // By another run, which could not read the log.
    ledger.record(first, &unproven).await.unwrap();
    let entries = ledger.entries(&key).await.unwrap();
    assert_eq!(
        entries.iter().map(|entry| entry.id).collect::<Vec<_>>(),
        [first, second]
    );
    assert_eq!(entries[0].outcome, Some(LedgerOutcome::Done));
    assert_eq!(
        (entries[1].outcome.clone(), &entries[1].claim),
        (None, &claim(1, 2))
    );
    assert!(entries[0].at >= "2026-02-18T00:35:00Z".parse().unwrap());
    let other = Key::of(&AppId::new(APP), &MigrationId::parse("other").unwrap());
    assert_eq!(ledger.entries(&other).await.unwrap(), []);
}

#[tokio::test]
async fn nobody_else_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(&folder.path().join("state"));
    ledger.append(&claim(0, 1)).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(ledger.path()), mode(&folder.path().join("state"))),
        (0o600, 0o700)
    );
}

/// Each append opens the file anew, as another process would; the lock belongs to the open file.
#[test]
fn racing_appends_get_distinct_ids_in_the_order_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let append = |nonce: u8| {
        let ledger = ledger(folder.path());
        let claim = claim(0, nonce);
        ledger
            .append_line(|entries| {
                let last = entries.last().map_or(0, |entry| entry.id.0);
                Line {
                    id: Some(EntryId(last + 1)),
                    claim: Some(claim),
                    ..Line::at(ledger.now())
                }
            })
            .unwrap()
    };
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let append = &append;
            scope.spawn(move || (0..8).for_each(|n| assert!(append(thread * 8 + n).is_some())));
        }
    });
    let entries = ledger(folder.path()).all().unwrap();
    let ids: Vec<u64> = entries.iter().map(|entry| entry.id.0).collect();
    assert_eq!(ids, (1..=64).collect::<Vec<_>>());
    let nonces: BTreeSet<_> = entries
        .iter()
        .map(|entry| entry.claim.nonce.clone())
        .collect();
    assert_eq!(nonces.len(), 64);
}

#[tokio::test]
async fn a_line_that_a_crash_cut_off_is_left_out_and_overwritten() {
    let whole = GOLDEN_V1.lines().next().unwrap();
    for cut in [1, 20, whole.len() / 2, whole.len() - 1] {
        let (_folder, ledger) = with_text(&format!("{whole}\n{}", &whole[..cut]));
        assert_eq!(ledger.all().unwrap().len(), 1, "{cut}");
        let id = ledger.append(&claim(1, 9)).await.unwrap();
        assert_eq!(id, EntryId(2));
        let entries = ledger.all().unwrap();
        assert_eq!((entries.len(), &entries[1].claim), (2, &claim(1, 9)));
        assert_eq!(
            fs::read_to_string(ledger.path()).unwrap().lines().count(),
            2
        );
    }
}

#[tokio::test]
async fn a_whole_line_without_its_end_counts() {
    let whole = GOLDEN_V1.lines().next().unwrap();
    let (_folder, ledger) = with_text(whole);
    assert_eq!(ledger.append(&claim(1, 9)).await.unwrap(), EntryId(2));
    assert_eq!(ledger.all().unwrap().len(), 2);
}

#[tokio::test]
async fn damage_in_the_middle_stops_everything() {
    let whole = GOLDEN_V1.lines().next().unwrap();
    let (_folder, ledger) = with_text(&format!("{}\n{whole}\n", &whole[..40]));
    let before = fs::read(ledger.path()).unwrap();
    let error = ledger.append(&claim(1, 9)).await.unwrap_err();
    assert!(matches!(error, LedgerError::Refused(_)), "{error:?}");
    assert_eq!(fs::read(ledger.path()).unwrap(), before);
    let (_folder, ledger) =
        with_text("{\"version\":7,\"at\":\"2026-02-18T00:35:00Z\",\"granted\":true}\n");
    let error = ledger.all().unwrap_err().to_string();
    assert!(
        error.contains("(version 7) is neither a claim nor an outcome"),
        "{error}"
    );
}

/// Written by version 1, with fields that this version does not know. It must be read for ever.
#[tokio::test]
async fn version_1_is_read_and_its_unknown_fields_survive() {
    let (_folder, ledger) = with_text(GOLDEN_V1);
    let entries = ledger.all().unwrap();
    insta::assert_json_snapshot!(entries, @r#"
    [
      {
        "id": 1,
        "at": "2026-02-18T00:35:00Z",
        "claim": {
          "version": 1,
          "key": "00000000",
          "epoch": 0,
          "nonce": "01010101010101010101010101010101",
          "migration": "ter-235",
          "app": "11111111-1111-4111-8111-111111111111",
          "steps": [
            {
              "name": "columns",
              "digest": "0011223344556677"
            },
            {
              "name": "backfill",
              "digest": "8899aabbccddeeff"
            }
          ],
          "mode": "steps",
          "authority": "merge:0123456789abcdef0123456789abcdef01234567",
          "pull_request": 428,
          "sha": "0123456789abcdef0123456789abcdef01234567",
          "repository": "acme/shop"
        },
        "outcome": {
          "is": "failed",
          "step": "backfill",
          "code": 1,
          "check": false
        }
      },
      {
        "id": 2,
        "at": "2026-02-18T01:05:00Z",
        "claim": {
          "version": 1,
          "key": "00000000",
          "epoch": 1,
          "nonce": "02020202020202020202020202020202",
          "migration": "ter-235",
          "app": "11111111-1111-4111-8111-111111111111",
          "steps": [
            {
              "name": "backfill",
              "digest": "ffeeddccbbaa9988"
            }
          ],
          "mode": "steps",
          "authority": "cli:02020202020202020202020202020202"
        },
        "outcome": null
      }
    ]
    "#);
    ledger.append(&claim(2, 9)).await.unwrap();
    ledger
        .record(EntryId(2), &LedgerOutcome::Done)
        .await
        .unwrap();
    let text = fs::read_to_string(ledger.path()).unwrap();
    assert!(text.starts_with(GOLDEN_V1), "{text}");
    assert_eq!(ledger.all().unwrap()[1].outcome, Some(LedgerOutcome::Done));
}

#[test]
fn an_outcome_of_a_claim_that_is_not_there_is_passed_over() {
    let (_folder, ledger) = with_text(&done_line(7));
    assert_eq!(ledger.all().unwrap(), []);
}

#[test]
fn an_id_that_leads_elsewhere_names_no_file() {
    for id in ["../../etc/passwd", "", "a/b", ".", "a.b"] {
        assert!(
            FileLedger::new(
                Path::new("x"),
                &AppId::new(id),
                PlatformClock::new(Pace::REAL)
            )
            .is_err(),
            "{id}"
        );
    }
}
