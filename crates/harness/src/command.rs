//! The command line of the hall.

use crate::choice::Choice;
use crate::coverage::Coverage;
use crate::matrix::{self, Result as Played};
use crate::seeds::Deck;
use crate::wire::Way;
use crate::{invariants, model, process, scene, seeds, shrink, trace};
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
harness matrix [--every N]            all cells of the matrix, or one in N
harness seeds [--count N] [--from S]  random runs
              [--until-broken] [--but S,…]
                                      up to the first that breaks a rule; without these seeds
              [--crowded]             several runs at once, which see each other late (also for repeat and replay)
              [--with JSON]           these choices in each of them, too (also for repeat and replay)
harness repeat [--count N] [--from S] each seed twice: both times the same trace?
harness process [--every N] [--binary PATH]
                                      the program as a real process, killed at every request, or at one in N
harness replay --seed S | --list JSON [--whole] [--wire]
                                      one run, cut down to what matters, as two columns
harness model [--show VARIANT]        the protocol as a small model, or the shortest ways to what breaks in a variant
";

/// Carries a command line out.
#[must_use]
pub fn run(arguments: Vec<String>) -> ExitCode {
    let option = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).map(String::as_str)
    };
    let number = |name: &str, otherwise: u64| {
        option(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(otherwise)
    };
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    let mut deck = if flag("--crowded") {
        Deck::CROWDED
    } else {
        Deck::USUAL
    };
    if let Some(with) = option("--with") {
        let Ok(with) = serde_json::from_str(with) else {
            return usage();
        };
        deck.with = with;
    }
    match arguments.first().map(String::as_str) {
        Some("matrix") => {
            let every = usize::try_from(number("--every", 1)).unwrap_or(1).max(1);
            let cells = matrix::cells(every);
            println!("{} cells", cells.len());
            if flag("--count-only") {
                return ExitCode::SUCCESS;
            }
            let played = timed(|| matrix::play_all(cells));
            println!("{}", matrix::table(&played.coverage));
            let holes = matrix::holes(&played.coverage);
            println!(
                "{} cells of the table that nothing reached {holes:?}",
                holes.len()
            );
            match told(&played) {
                code if holes.is_empty() => code,
                _ => ExitCode::FAILURE,
            }
        }
        Some("seeds") => {
            let (from, count) = (number("--from", 0), number("--count", 1000));
            let but: BTreeSet<u64> = option("--but")
                .into_iter()
                .flat_map(|seeds| seeds.split(','))
                .filter_map(|seed| seed.parse().ok())
                .collect();
            let chosen = from..from.saturating_add(count);
            let chosen: Vec<u64> = chosen.filter(|seed| !but.contains(seed)).collect();
            if flag("--until-broken") {
                return until_broken(&chosen, &deck);
            }
            let cells = seeds::cells(&chosen, &deck);
            let played = timed(|| matrix::play_all(cells));
            print!("{}", Coverage::out_of_reach());
            let holes = played.coverage.holes();
            println!("{} cells that nothing reached {holes:?}", holes.len());
            match told(&played) {
                // Fewer seeds than these need not come through everything.
                code if holes.is_empty() || played.runs < seeds::FULL => code,
                _ => ExitCode::FAILURE,
            }
        }
        Some("repeat") => {
            let from = number("--from", 0);
            let chosen: Vec<u64> = (from..from.saturating_add(number("--count", 1000))).collect();
            let differing = seeds::differing(&chosen, &deck);
            println!(
                "{} seeds played twice, {} with another trace the second time {differing:?}",
                chosen.len(),
                differing.len()
            );
            if differing.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Some("replay") => {
            let list = match (option("--seed"), option("--list")) {
                (Some(seed), _) => seed.parse().ok().map(|seed| deck.draw(seed)),
                (None, Some(list)) => serde_json::from_str(list).ok(),
                (None, None) => None,
            };
            match list {
                Some(list) => {
                    let way = if flag("--wire") {
                        Way::Wire
                    } else {
                        Way::Direct
                    };
                    replay(list, flag("--whole"), way)
                }
                None => usage(),
            }
        }
        Some("process") => process::command(&arguments[1..]),
        Some("model") => model::run(&arguments[1..]),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    println!("{USAGE}");
    ExitCode::from(2)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the speed of the hall itself is measured, at its edge"
)]
fn timed(work: impl FnOnce() -> Played) -> Played {
    let from = std::time::Instant::now();
    let played = work();
    let took = from.elapsed().max(Duration::from_millis(1));
    let rate = played.runs as f64 / took.as_secs_f64();
    println!(
        "{} runs in {:.1} s, {rate:.0} a second; {} of them compared with JSON for every answer",
        played.runs,
        took.as_secs_f64(),
        played.compared
    );
    played
}

/// How many seeds are played before it is looked whether one of them broke a rule.
const AT_A_TIME: usize = 100;

/// Plays seeds up to the first that breaks a rule, and prints what it breaks.
fn until_broken(chosen: &[u64], deck: &Deck) -> ExitCode {
    for some in chosen.chunks(AT_A_TIME) {
        let broken = matrix::play_all(seeds::cells(some, deck)).broken;
        let first = broken.first().map(|(cell, _)| cell.name.as_str());
        for (cell, violation) in &broken {
            if Some(cell.name.as_str()) == first {
                println!(
                    "{} breaks {}: {}",
                    cell.name, violation.rule, violation.what
                );
            }
        }
        if !broken.is_empty() {
            return ExitCode::FAILURE;
        }
    }
    println!("{} seeds break nothing", chosen.len());
    ExitCode::SUCCESS
}

/// Prints what broke, each rule with its first few runs, and what the runs came through.
fn told(played: &Played) -> ExitCode {
    print!("{}", played.coverage.summary());
    let mut rules: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (cell, violation) in &played.broken {
        rules
            .entry(violation.rule)
            .or_default()
            .push(format!("{}: {}", cell.name, violation.what));
    }
    for (rule, all) in &rules {
        println!("{rule}: {} times", all.len());
        for one in all.iter().take(6) {
            println!("    {one}");
        }
    }
    println!("{} violations", played.broken.len());
    if played.broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn replay(list: Vec<Choice>, whole: bool, way: Way) -> ExitCode {
    let found = invariants::check(&scene::play_by(&list, way));
    let list = match found.first() {
        Some(first) if !whole => shrink::shrink(&list, first.rule),
        _ => list,
    };
    let played = scene::play_by(&list, way);
    print!("{}", trace::columns(&played));
    println!("{}", serde_json::to_string(&list).unwrap_or_default());
    for choice in &list {
        println!("    {choice}");
    }
    for violation in invariants::check(&played) {
        println!("{}: {}", violation.rule, violation.what);
    }
    for gone in &played.gone {
        let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
        for sent in played
            .journal
            .sent
            .iter()
            .filter(|sent| sent.process == gone.number)
        {
            *calls.entry(sent.call).or_default() += 1;
        }
        println!(
            "#{} {}, {} s: {calls:?}",
            gone.number,
            gone.role,
            gone.took.as_secs()
        );
    }
    println!("trace {:016x}", trace::hash(&played));
    if found.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
