use super::*;
use crate::{MigrationId, Nonce, Step};
use proptest::prelude::*;

const NONCE: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "ffffffffffffffffffffffffffffffff";

const DONE: [&str; 8] = [
    "begin key=k3f9q2x7 epoch=0 steps=2 checks=1 commit=unknown at=1771376400",
    "check-started index=2 name=backfill at=1771376400",
    "check-ended index=2 name=backfill code=0 at=1771376401",
    "step-started index=1 name=columns at=1771376401",
    "step-ended index=1 name=columns code=0 at=1771376402",
    "step-started index=2 name=backfill at=1771376402",
    "step-ended index=2 name=backfill code=0 at=1771376403",
    "done code=0 ran=2/2 checks=1/1 at=1771376403",
];

const FAILED: [&str; 8] = [
    DONE[0],
    DONE[1],
    DONE[2],
    DONE[3],
    DONE[4],
    DONE[5],
    "step-ended index=2 name=backfill code=3 at=1771376403",
    "done code=3 ran=1/2 checks=1/1 at=1771376403",
];

const CHECK_FAILED: [&str; 4] = [
    DONE[0],
    DONE[1],
    "check-ended index=2 name=backfill code=4 at=1771376401",
    "done code=4 ran=0/2 checks=0/1 at=1771376403",
];

const DISARMED: [&str; 2] = [DONE[0], "disarmed why=lease"];
const REFUSED: [&str; 2] = [DONE[0], "refused variable=DATABASE_URL"];

fn nonce() -> Nonce {
    Nonce::parse(NONCE).unwrap()
}

fn expected() -> Vec<StepRef> {
    let step = |name| Step {
        name: StepName::parse(name).unwrap(),
        run: String::new(),
        check: None,
    };
    ["columns", "backfill"]
        .map(|name| step(name).reference())
        .to_vec()
}

fn name(text: &str) -> StepName {
    StepName::parse(text).unwrap()
}

/// The line as the platform shows it.
fn line(mark: &str) -> String {
    format!("migrate-k3f9q2x7-e0 2026-02-18T01:00:00.123456789Z harbor-pilot/1 {NONCE} {mark}")
}

fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Evidence {
    let mut reader = EvidenceReader::new(&nonce());
    lines.into_iter().for_each(|line| reader.line(line));
    reader.finish()
}

fn of_marks(marks: &[&str]) -> Evidence {
    let lines: Vec<_> = marks.iter().map(|mark| line(mark)).collect();
    read(lines.iter().map(String::as_str))
}

fn conclusion(marks: &[&str]) -> Conclusion {
    of_marks(marks).conclusion(&expected(), RunMode::Steps)
}

fn failed(step: &str, code: i32, check: bool) -> Conclusion {
    Conclusion::Failed {
        step: name(step),
        code,
        check,
    }
}

fn is_open(conclusion: &Conclusion) -> bool {
    matches!(conclusion, Conclusion::Cut { .. } | Conclusion::Silent)
}

/// Every log that proves an ending, with the ending.
fn endings() -> Vec<(Vec<&'static str>, Conclusion)> {
    let variable = "DATABASE_URL".to_owned();
    vec![
        (DONE.to_vec(), Conclusion::Done),
        (FAILED.to_vec(), failed("backfill", 3, false)),
        (CHECK_FAILED.to_vec(), failed("backfill", 4, true)),
        (DISARMED.to_vec(), Conclusion::Disarmed(Disarmed::Lease)),
        (REFUSED.to_vec(), Conclusion::Refused { variable }),
    ]
}

#[test]
fn whole_log_proves_its_ending() {
    for (marks, ending) in endings() {
        assert_eq!(conclusion(&marks), ending);
    }
}

#[test]
fn evidence_tells_what_ran_and_when() {
    let ran = |step: &str, started_at: i64, code, ended_at: i64| Ran {
        step: name(step),
        started_at: Some(1_771_376_400 + started_at),
        code: Some(code),
        ended_at: Some(1_771_376_400 + ended_at),
    };
    let wanted = Evidence {
        begins: 1,
        checks: vec![ran("backfill", 0, 0, 1)],
        steps: vec![ran("columns", 1, 0, 2), ran("backfill", 2, 3, 3)],
        done: Some(DoneMark {
            code: 3,
            ran: 1,
            of: 2,
        }),
        ..Evidence::default()
    };
    assert_eq!(of_marks(&FAILED), wanted);
}

/// Whatever is lost of a log, the rest never proves an ending.
#[test]
fn no_part_of_a_log_proves_an_ending() {
    let mut parts = 0;
    for (marks, _) in endings() {
        for kept in 0u32..(1 << marks.len()) - 1 {
            let part: Vec<_> = (0..marks.len())
                .filter(|at| kept >> at & 1 == 1)
                .map(|at| marks[at])
                .collect();
            assert!(is_open(&conclusion(&part)), "{part:#?}");
            parts += 1;
        }
    }
    assert_eq!(parts, 255 + 255 + 15 + 3 + 3);
}

#[test]
fn doubled_or_moved_mark_proves_nothing() {
    for (marks, _) in endings() {
        for from in 0..marks.len() {
            for to in 0..=marks.len() {
                let mut doubled = marks.clone();
                doubled.insert(to, marks[from]);
                assert!(is_open(&conclusion(&doubled)), "{doubled:#?}");

                let mut moved = marks.clone();
                let mark = moved.remove(from);
                moved.insert(to.min(moved.len()), mark);
                assert!(moved == marks || is_open(&conclusion(&moved)), "{moved:#?}");
            }
        }
    }
}

/// Even two complete starts: their marks do not tell which start they belong to.
#[test]
fn second_start_makes_it_cut_and_is_counted() {
    for (first, _) in endings() {
        for (second, _) in endings() {
            let both = [first.as_slice(), second.as_slice()].concat();
            assert_eq!(of_marks(&both).begins, 2);
            assert!(
                matches!(conclusion(&both), Conclusion::Cut { .. }),
                "{both:#?}"
            );
        }
    }
}

#[test]
fn cut_names_the_step_that_was_running() {
    assert_eq!(
        conclusion(&DONE[..6]),
        Conclusion::Cut {
            during: Some(name("backfill"))
        }
    );
    assert_eq!(conclusion(&DONE[..5]), Conclusion::Cut { during: None });
    assert_eq!(
        conclusion(&DONE[..2]),
        Conclusion::Cut { during: None },
        "a check is no step"
    );
    assert_eq!(conclusion(&[]), Conclusion::Silent);
}

#[test]
fn term_is_cut_whatever_follows() {
    for (marks, _) in endings() {
        for at in 1..=marks.len() {
            let mut terminated = marks.clone();
            terminated.insert(at, "term at=1771376402");
            assert!(of_marks(&terminated).terminated);
            assert!(is_open(&conclusion(&terminated)), "{terminated:#?}");
        }
    }
}

#[test]
fn other_steps_than_expected_prove_nothing() {
    let two = expected();
    let done = of_marks(&DONE);
    let swapped = [two[1].clone(), two[0].clone()];
    for other in [
        &two[..1],
        &two[1..],
        &swapped,
        &[],
        &[&two[..], &two[..1]].concat(),
    ] {
        assert!(
            is_open(&done.conclusion(other, RunMode::Steps)),
            "{other:?}"
        );
    }
    assert!(
        is_open(&done.conclusion(&two, RunMode::ChecksOnly)),
        "steps ran where only checks should"
    );
}

#[test]
fn no_steps_are_never_done() {
    let marks = [
        "begin key=k3f9q2x7 epoch=0 steps=0 checks=0 commit=unknown at=1",
        "done code=0 ran=0/0 checks=0/0 at=1",
    ];
    assert!(is_open(&of_marks(&marks).conclusion(&[], RunMode::Steps)));
}

#[test]
fn checks_alone_are_done_only_where_all_passed() {
    let begin = "begin key=k3f9q2x7 epoch=0 steps=0 checks=1 commit=unknown at=1";
    let passed = [
        begin,
        DONE[1],
        DONE[2],
        "done code=0 ran=0/0 checks=1/1 at=1",
    ];
    let failing = [
        begin,
        CHECK_FAILED[1],
        CHECK_FAILED[2],
        "done code=4 ran=0/0 checks=0/1 at=1",
    ];
    let skipped = [begin, "done code=0 ran=0/0 checks=1/1 at=1"];
    let of = |marks: &[&str]| of_marks(marks).conclusion(&expected(), RunMode::ChecksOnly);
    assert_eq!(of(&passed), Conclusion::Done);
    assert_eq!(of(&failing), failed("backfill", 4, true));
    assert!(is_open(&of(&skipped)));
    assert!(is_open(&of(&DONE)));
}

#[test]
fn done_mark_that_disagrees_proves_nothing() {
    for done in [
        "done code=1 ran=2/2 checks=1/1 at=1",
        "done code=0 ran=1/2 checks=1/1 at=1",
        "done code=0 ran=2/3 checks=1/1 at=1",
        "done code=0 ran=2/2 checks=0/1 at=1",
        "done code=0 ran=2/2 checks=1/2 at=1",
    ] {
        let marks = [&DONE[..7], &[done]].concat();
        assert!(is_open(&conclusion(&marks)), "{done}");
    }
    let early = [&DONE[..5], &["done code=0 ran=1/2 checks=1/1 at=1"]].concat();
    assert!(is_open(&conclusion(&early)), "a step has not run");
    assert!(of_marks(&early).contradictory);
    for done in [
        "done code=4 ran=1/2 checks=1/1 at=1",
        "done code=3 ran=0/2 checks=1/1 at=1",
        "done code=3 ran=1/2 checks=0/1 at=1",
    ] {
        let marks = [&FAILED[..7], &[done]].concat();
        assert!(is_open(&conclusion(&marks)), "{done}");
    }
}

#[test]
fn platform_exit_counts_only_behind_the_marks() {
    let said = "migrate-k3f9q2x7-e0 2026-02-18T01:00:00Z ERROR component terminated with non-zero exit code: 137";
    let mut lines: Vec<_> = DONE.iter().map(|mark| line(mark)).collect();
    lines.insert(4, said.to_owned());
    let printed_by_a_step = read(lines.iter().map(String::as_str));
    assert_eq!(printed_by_a_step.platform_exit, None);
    assert_eq!(
        printed_by_a_step.conclusion(&expected(), RunMode::Steps),
        Conclusion::Done
    );

    lines.push(said.to_owned());
    let contradicted = read(lines.iter().map(String::as_str));
    assert_eq!(contradicted.platform_exit, Some(137));
    assert!(is_open(
        &contradicted.conclusion(&expected(), RunMode::Steps)
    ));

    let alone = read([said]);
    assert_eq!(alone.platform_exit, Some(137));
    assert_eq!(
        alone.conclusion(&expected(), RunMode::Steps),
        Conclusion::Silent
    );
}

/// The reader calls such marks contradictory already; what is concluded does not rest on that alone.
#[test]
fn marks_that_do_not_fit_together_prove_nothing_whoever_gathered_them() {
    let refused = of_marks(&REFUSED);
    let disarmed = of_marks(&DISARMED);
    let done = of_marks(&DONE);
    let other_check = Ran {
        step: name("indexes"),
        ..done.checks[0].clone()
    };
    let unfit = [
        Evidence {
            checks: done.checks.clone(),
            ..disarmed.clone()
        },
        Evidence {
            steps: done.steps.clone(),
            ..disarmed
        },
        Evidence {
            checks: done.checks.clone(),
            ..refused.clone()
        },
        Evidence {
            steps: done.steps.clone(),
            ..refused
        },
        Evidence {
            checks: vec![other_check.clone()],
            ..done.clone()
        },
        Evidence {
            checks: vec![done.checks[0].clone(), done.checks[0].clone()],
            ..done.clone()
        },
        Evidence {
            steps: vec![done.steps[0].clone(), other_check],
            ..done.clone()
        },
        Evidence {
            done: done.done.map(|mark| DoneMark { ran: 1, ..mark }),
            ..done.clone()
        },
        Evidence {
            done: done.done.map(|mark| DoneMark { of: 3, ..mark }),
            ..done.clone()
        },
        Evidence {
            done: done.done.map(|mark| DoneMark { code: 1, ..mark }),
            ..done
        },
    ];
    for evidence in unfit {
        let concluded = evidence.conclusion(&expected(), RunMode::Steps);
        assert!(is_open(&concluded), "{concluded:?} of {evidence:?}");
    }
}

/// What the script never prints: such a log is cut, mixed or forged, and no step in it counts as done.
#[test]
fn order_that_no_script_keeps_is_a_contradiction() {
    let begin = DONE[0];
    let check = |index: u32| format!("check-started index={index} name=backfill at=1");
    let checked = |index: u32| format!("check-ended index={index} name=backfill code=0 at=1");
    let (columns, ended) = (DONE[3].to_owned(), DONE[4].to_owned());
    let three = "step-started index=3 name=indexes at=1".to_owned();
    let whole_check = [check(2), checked(2)];
    let cases = [
        ("no begin", vec![DONE[1].to_owned()]),
        ("no begin of a copy", vec![DISARMED[1].to_owned()]),
        ("check 0", vec![begin.to_owned(), check(0)]),
        (
            "a check twice",
            [&[begin.to_owned()], &whole_check[..], &[check(2)]].concat(),
        ),
        (
            "a check before one that passed",
            [&[begin.to_owned()], &whole_check[..], &[check(1)]].concat(),
        ),
        (
            "two checks at once",
            vec![begin.to_owned(), check(1), check(2)],
        ),
        (
            "a step before the checks have passed",
            vec![begin.to_owned(), columns.clone()],
        ),
        (
            "a step while a check runs",
            vec![begin.to_owned(), check(2), columns.clone()],
        ),
        (
            "the second step first",
            [&[begin.to_owned()], &whole_check[..], &[DONE[5].to_owned()]].concat(),
        ),
        (
            "a step twice",
            [
                &[begin.to_owned()],
                &whole_check[..],
                &[columns.clone(), ended.clone(), columns.clone()],
            ]
            .concat(),
        ),
        (
            "a check behind a step",
            [
                &[begin.to_owned()],
                &whole_check[..],
                &[columns.clone(), ended.clone(), check(3)],
            ]
            .concat(),
        ),
        (
            "two steps at once",
            [
                &[begin.to_owned()],
                &whole_check[..],
                &[columns.clone(), DONE[5].to_owned()],
            ]
            .concat(),
        ),
        (
            "more steps than announced",
            DONE[..7]
                .iter()
                .map(|mark| (*mark).to_owned())
                .chain([three])
                .collect(),
        ),
        (
            "a step behind a failure",
            [
                &[begin.to_owned()],
                &whole_check[..],
                &[
                    columns.clone(),
                    ended.replace("code=0", "code=1"),
                    DONE[5].to_owned(),
                ],
            ]
            .concat(),
        ),
        (
            "the end of another step",
            [
                &[begin.to_owned()],
                &whole_check[..],
                &[columns, ended.replace("columns", "backfill")],
            ]
            .concat(),
        ),
    ];
    for (what, marks) in cases {
        let marks: Vec<&str> = marks.iter().map(String::as_str).collect();
        assert!(of_marks(&marks).contradictory, "{what}");
        let all_but_last = &marks[..marks.len() - 1];
        assert!(!of_marks(all_but_last).contradictory, "before {what}");
    }
}

#[test]
fn contained_failure_is_still_a_failure() {
    // The job exits with 0, so that the platform says nothing.
    assert_eq!(of_marks(&FAILED).platform_exit, None);
    assert_eq!(conclusion(&FAILED), failed("backfill", 3, false));
}

#[test]
fn mark_stands_anywhere_in_its_line() {
    let nonce = nonce();
    let mark = format!("harbor-pilot/1 {NONCE} {}", DONE[0]);
    for line in [
        mark.clone(),
        format!("{mark}\r"),
        format!("{mark}  "),
        format!("half a line{mark}"),
        format!("harbor-pilot/1 {NONCE} {mark}"),
        format!("harbor-pilot/1 {OTHER} begin {mark}"),
    ] {
        assert!(is_mark(&line, &nonce), "{line}");
        assert_eq!(read([line.as_str()]).begins, 1, "{line}");
    }
}

#[test]
fn what_is_almost_a_mark_is_none() {
    let nonce = nonce();
    let good = format!("harbor-pilot/1 {NONCE} {}", DONE[0]);
    let ended = format!("harbor-pilot/1 {NONCE} {}", DONE[4]);
    let done = format!("harbor-pilot/1 {NONCE} {}", DONE[7]);
    for almost in [
        good.replace(NONCE, OTHER),
        good.replace(NONCE, &NONCE.to_uppercase()),
        good.replace("/1", "/2"),
        good.replace("harbor", "harbour"),
        good.replace(" epoch", "  epoch"),
        good.replace("epoch=0", "epoch=-1"),
        good.replace("epoch=0", "epoch=+0"),
        good.replace("steps=2", "steps=99999999999"),
        good.replace("steps=2", "steps="),
        good.replace("steps=2 checks=1", "checks=1 steps=2"),
        good.replace("k3f9q2x7", "K3F9Q2X7"),
        good.replace("unknown", "main"),
        good.replace("unknown", "0123abc"),
        good.replace("unknown", &"g".repeat(40)),
        format!("{good}'"),
        format!("{good} more=1"),
        good.replace(" at=1771376400", ""),
        good.replace("begin", "began"),
        ended.replace("code=0", "code=256"),
        ended.replace("code=0", "code=-1"),
        ended.replace("columns", "Columns"),
        done.replace("2/2", "2"),
        done.replace("2/2", "2/2/2"),
        format!("harbor-pilot/1 {NONCE} disarmed why=commit"),
        format!(
            "harbor-pilot/1 {NONCE} disarmed why=lease built={}",
            "a".repeat(40)
        ),
        format!("harbor-pilot/1 {NONCE} disarmed why=mood"),
        format!("harbor-pilot/1 {NONCE} refused variable="),
        format!("harbor-pilot/1 {NONCE} refused variable=A;B"),
        format!("harbor-pilot/1 {NONCE} "),
        format!("harbor-pilot/1 {NONCE}"),
        String::new(),
    ] {
        assert!(!is_mark(&almost, &nonce), "{almost}");
        assert_eq!(read([almost.as_str()]), Evidence::default(), "{almost}");
    }
}

#[test]
fn disarm_reasons_and_commit_are_read() {
    let sha = "0123456789abcdef0123456789abcdef01234567";
    let begin = DONE[0].replace("unknown", sha);
    assert_eq!(of_marks(&[&begin]).commit.as_deref(), Some(sha));
    let why = |mark: &str| {
        let Conclusion::Disarmed(why) = conclusion(&[DONE[0], mark]) else {
            panic!("{mark}");
        };
        why
    };
    assert_eq!(why("disarmed why=no-clock"), Disarmed::NoClock);
    let built = Disarmed::Commit {
        built: sha.to_owned(),
    };
    assert_eq!(why(&format!("disarmed why=commit built={sha}")), built);
}

#[test]
fn memory_is_bounded_whatever_the_log_is() {
    let begin = DONE[0].replace("steps=2", "steps=4294967295");
    let mut reader = EvidenceReader::new(&nonce());
    reader.line(&line(&begin));
    for _ in 0..20_000 {
        reader.line(&line(DONE[3]));
    }
    let evidence = reader.finish();
    assert_eq!(evidence.steps.len(), 4096);
    assert!(is_open(&evidence.conclusion(&expected(), RunMode::Steps)));
}

#[test]
fn mark_far_behind_in_a_line_is_not_looked_for() {
    let near = format!("{} {}", "x".repeat(60_000), line(DONE[0]));
    assert_eq!(read([near.as_str()]).begins, 1);
    let far = format!("{} {}", "x".repeat(70_000), line(DONE[0]));
    assert_eq!(read([far.as_str()]), Evidence::default());
}

proptest! {
    #[test]
    fn foreign_text_is_nothing(text in any::<String>()) {
        prop_assert_eq!(read(text.lines()).begins, 0);
    }

    /// Marks of one start, in any order and number, with any ending spliced in, prove only what a whole log proves.
    #[test]
    fn shuffled_marks_prove_only_what_a_whole_log_proves(
        picks in proptest::collection::vec(proptest::sample::select([&DONE[..], &FAILED[5..], &CHECK_FAILED[2..], &DISARMED[1..], &REFUSED[1..]].concat()), 0..12)
    ) {
        let concluded = conclusion(&picks);
        let whole = endings().into_iter().find(|(marks, _)| *marks == picks);
        match whole {
            Some((_, ending)) => prop_assert_eq!(concluded, ending),
            None => prop_assert!(is_open(&concluded), "{:?} of {:#?}", concluded, picks),
        }
    }

    #[test]
    fn step_names_read_back(text in "[a-z0-9][a-z0-9._-]{0,20}") {
        prop_assume!(MigrationId::parse(&text).is_ok());
        let started = format!("step-started index=1 name={text} at=unknown");
        let evidence = of_marks(&[DONE[0].replace("checks=1", "checks=0").as_str(), &started]);
        prop_assert_eq!(evidence.steps[0].step.as_str(), text);
    }
}
