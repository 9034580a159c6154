//! The hall's own promises: it repeats itself, the regressions stay mended, and a slice of everything is in order.
//!
//! What is found by the commands is not asserted here twice: the whole matrix and the seeds are theirs.

use crate::choice::{Act, Choice, FaultName, Position, When, Who};
use crate::coverage::Coverage;
use crate::seeds::Deck;
use crate::wire::Way;
use crate::{invariants, matrix, scene, seeds, shrink, trace};

/// Lists that once broke something, each with what it broke; the names of the files say what happens in them.
fn regressions() -> Vec<(String, Vec<Choice>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/regressions");
    let mut found: Vec<(String, Vec<Choice>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_str(&text).unwrap())
        })
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// Everything that these lists break.
fn broken_by(lists: Vec<(String, Vec<Choice>)>) -> Vec<String> {
    let broken = lists.into_iter().flat_map(|(name, list)| {
        let found = invariants::check(&scene::play(&list));
        found
            .into_iter()
            .map(move |violation| format!("{name}: {violation:?}"))
    });
    broken.collect()
}

#[test]
fn what_was_mended_stays_mended() {
    assert_eq!(broken_by(regressions()), Vec::<String>::new());
}

#[test]
fn what_was_mended_stays_mended_where_requests_travel() {
    let mut lists = regressions();
    for (_, list) in &mut lists {
        list.retain(|choice| !matches!(choice, Choice::Travel(_)));
        list.push(Choice::Travel(700));
    }
    assert_eq!(broken_by(lists), Vec::<String>::new());
}

#[test]
fn the_same_choices_give_the_same_trace() {
    for seed in 0..4 {
        let list = Deck::USUAL.draw(seed);
        let (one, other) = (scene::play(&list), scene::play(&list));
        assert_eq!(trace::hash(&one), trace::hash(&other), "seed {seed}");
    }
}

#[test]
fn documents_and_json_give_the_same_trace() {
    for seed in 0..24 {
        let list = Deck::USUAL.draw(seed);
        let one = trace::hash(&scene::play_by(&list, Way::Wire));
        let other = trace::hash(&scene::play_by(&list, Way::Direct));
        assert_eq!(one, other, "seed {seed}");
    }
}

#[test]
fn other_choices_give_another_trace() {
    let calm = trace::hash(&scene::play(&[]));
    let lost = trace::hash(&scene::play(&[fault(
        "apps.update",
        1,
        FaultName::ReplyLost,
    )]));
    assert_ne!(calm, lost);
}

fn fault(call: &str, nth: u32, fault: FaultName) -> Choice {
    Choice::Fault {
        of: Who::Main,
        call: call.to_owned(),
        nth,
        times: 1,
        fault,
    }
}

#[test]
fn a_calm_run_is_in_order() {
    let played = scene::play(&[]);
    assert_eq!(invariants::check(&played), []);
    let inserts = played
        .journal
        .sent
        .iter()
        .filter(|sent| sent.call == "apps.update")
        .count();
    assert_eq!(inserts, 2, "one insert, one removal");
    assert_eq!(played.ran.len(), 1);
}

#[test]
fn a_killed_run_without_anybody_after_it_is_swept_up() {
    for at in Position::ALL {
        let list = [Choice::Kill {
            of: Who::Main,
            call: "apps.update".to_owned(),
            nth: 1,
            at,
        }];
        let played = scene::play(&list);
        assert_eq!(invariants::check(&played), [], "{at:?}");
        assert!(played.gone[0].ended.is_none());
        assert!(played.state.is_clean());
    }
}

#[test]
fn what_fails_for_everybody_is_no_cell_of_the_table() {
    let down = Choice::Act {
        when: When::After("apps.update".to_owned(), 1, 5),
        act: Act::ApiDown(60),
    };
    let played = scene::play(&[down, fault("apps.get", 1, FaultName::Slow)]);
    let sent = played.journal.sent.iter();
    let failed: Vec<_> = sent.filter_map(|sent| sent.fault).collect();
    assert!(failed.contains(&FaultName::Http500), "{failed:?}");
    let mut coverage = Coverage::default();
    coverage.count(&played);
    let cells = coverage.seen.into_iter();
    let cells: Vec<_> = cells.filter(|((kind, _), _)| *kind == "fault").collect();
    assert_eq!(cells, [(("fault", "apps.get slow".to_owned()), 1)]);
}

#[test]
fn a_thinned_matrix_is_in_order() {
    // As many as the development profile has time for; `cargo run --profile harness -p harness -- matrix --every 149`
    // plays more, all outcomes of all calls among them.
    let mut place = 0;
    let mut cells = matrix::cells(997);
    cells.retain(|_| {
        place += 1;
        place % 6 == 0
    });
    in_order(&matrix::play_all(cells));
}

#[test]
fn a_few_seeds_of_a_crowd_are_in_order() {
    let seeds: Vec<u64> = (0..24).collect();
    in_order(&matrix::play_all(seeds::cells(&seeds, &Deck::CROWDED)));
}

fn in_order(played: &matrix::Result) {
    println!("{} runs", played.runs);
    let broken: Vec<String> = played
        .broken
        .iter()
        .map(|(cell, violation)| format!("{} | {} | {}", violation.rule, cell.name, violation.what))
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_list_is_cut_down_to_what_matters() {
    // Two choices that do nothing, and one under which an update is sent without an answer.
    let list = [
        Choice::LateRollback,
        fault("apps.update", 1, FaultName::ReplyLost),
        fault("live", 3, FaultName::Slow),
    ];
    let short = shrink::shrink_by(&list, |list| {
        let played = scene::play(list);
        played
            .journal
            .sent
            .iter()
            .any(|sent| sent.call == "apps.update" && sent.reply.is_none())
    });
    assert_eq!(short, [fault("apps.update", 1, FaultName::ReplyLost)]);
}
