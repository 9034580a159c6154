//! The protocol as a small model, checked exhaustively within bounds: two runners, a sweeper, the platform, other people.
//!
//! `pilot` says what we do, as `migration::next` and `runner` do it; `repair` what `migration::repair` finds; `world` what
//! the platform does; `check` who may do what when, and what must hold. `variants` is the fixed list: the protocol under
//! several bounds and both readings of what the platform leaves open, and the protocol with one rule taken away, which must
//! break. Time is not modelled, but for what ends: a lease, a settle time. Nothing here runs code of the product: that is
//! what the rest of the hall does.

mod check;
mod pilot;
mod repair;
mod rules;
mod variants;
mod words;
mod world;

use check::{ALL, Variant};
use stateright::{Checker as _, HasDiscoveries, Model as _, Path};
use std::process::ExitCode;
use variants::{Case, Expected};
use world::State;

/// `harness model [--show VARIANT]`.
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    match arguments {
        [] => table(),
        [flag, name] if flag == "--show" => show(name),
        _ => {
            println!("harness model [--show VARIANT]");
            ExitCode::from(2)
        }
    }
}

/// What a search through a variant came to.
struct Found {
    states: usize,
    depth: usize,
    /// The properties that do not hold.
    broken: Vec<&'static str>,
}

/// Goes through a case: all of it where something must hold, else until what must break has broken.
fn search(case: &Case) -> Found {
    let finish = if case.holds.is_empty() {
        HasDiscoveries::AllOf(case.breaks.iter().copied().collect())
    } else {
        HasDiscoveries::All
    };
    let checker = case.variant.checker().finish_when(finish);
    // One thread, breadth first: the same figures on every machine, and the shortest way to what broke.
    let checker = checker.threads(1).spawn_bfs().join();
    let found = checker.discoveries();
    Found {
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        broken: ALL
            .into_iter()
            .filter(|name| found.contains_key(name))
            .collect(),
    }
}

fn is_as_expected(case: &Case, found: &Found) -> bool {
    let broken = |name: &&str| found.broken.contains(name);
    case.breaks.iter().all(broken) && !case.holds.iter().any(broken)
}

fn table() -> ExitCode {
    let mut failed = 0;
    println!(
        "{:<22} {:<60} {:>8} {:>5}  {:<18} expected",
        "variant", "bounds", "states", "depth", "broken"
    );
    for case in variants::all() {
        let found = search(&case);
        let broken = if found.broken.is_empty() {
            "nothing".to_owned()
        } else {
            found.broken.join(", ")
        };
        let bounds = words::bounds(&case.variant);
        let expected = match (is_as_expected(&case, &found), case.expected) {
            (true, Expected::Holds) => "yes: holds",
            (true, Expected::Allowed) => "yes: allowed",
            (true, Expected::Breaks) => "yes: must break",
            (false, _) => "NO",
        };
        failed += usize::from(!is_as_expected(&case, &found));
        println!(
            "{:<22} {bounds:<60} {:>8} {:>5}  {broken:<18} {expected}",
            case.name, found.states, found.depth
        );
    }
    println!(
        "{failed} of {} variants not as expected",
        variants::all().len()
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints the shortest way to what breaks in a variant, first what it is there for.
fn show(name: &str) -> ExitCode {
    let Some(case) = variants::all().into_iter().find(|case| case.name == name) else {
        println!("no variant {name}");
        return ExitCode::from(2);
    };
    println!("{name}: {}; {}", case.what, words::bounds(&case.variant));
    for property in ALL {
        let Some(path) = way_to(&case.variant, property) else {
            continue;
        };
        println!("{property} breaks:");
        let steps = path.into_vec();
        for (number, pair) in steps.windows(2).enumerate() {
            if let [(before, Some(action)), (after, _)] = pair {
                println!("{:>3}  {}", number + 1, words::step(before, *action, after));
            }
        }
    }
    ExitCode::SUCCESS
}

fn way_to(variant: &Variant, property: &'static str) -> Option<Path<State, check::Action>> {
    let finish = HasDiscoveries::AnyOf([property].into());
    let checker = variant
        .checker()
        .finish_when(finish)
        .threads(1)
        .spawn_bfs()
        .join();
    checker.discovery(property)
}

#[cfg(test)]
mod tests;
