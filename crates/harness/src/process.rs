//! Real processes: the program against the simulator over HTTP, killed or sent a signal at every request of a run, and
//! what comes after it; judged from the simulator's record.
//!
//! | module | for |
//! |---|---|
//! | `child` | the program as a process |
//! | `stage` | a world behind a socket, and the two ways in which the program is used on it |
//! | `call` | the names of requests |
//! | `cells` | which runs are played |
//! | `play` | one run |
//! | `judge` | what must hold of it |
//! | `table` | what the runs came through |
//!
//! Unlike everywhere else in the hall time is real here: simulated time is [`PACE`] times as fast, on both sides, and
//! no two runs are the same. HTTP deadlines are not divided, so nobody may wait for one: a request that is never
//! answered ends with its process.
//!
//! What is started is this executable itself, asked to be the program (`process child`), or with `--binary` a built one.
//! The test builds nothing by itself then, and can't meet a binary that is older than the code.

mod call;
mod cells;
mod child;
mod judge;
mod play;
mod stage;
mod table;

use child::Program;
use play::Cell;
use stage::Way;
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use table::{Outcome, Table};
use tokio::time::Instant;

/// How many simulated seconds pass in one.
const PACE: f64 = 240.0;
/// How many runs are played side by side.
const WORKERS: usize = 8;

/// How the runs are played.
struct Setting {
    program: Program,
    pace: f64,
    workers: usize,
}

/// Carries out `process`.
pub(crate) fn command(arguments: &[String]) -> ExitCode {
    if let Some((first, rest)) = arguments.split_first()
        && first == child::CHILD
    {
        return child::be(rest);
    }
    let option = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).map(String::as_str)
    };
    let program = match option("--binary") {
        Some(path) => std::fs::canonicalize(path).map(Program::Binary),
        None => std::env::current_exe().map(Program::Itself),
    };
    let program = match program {
        Ok(program) => program,
        Err(error) => {
            println!("there is no such program: {error}");
            return ExitCode::from(2);
        }
    };
    let number = |name: &str| option(name).and_then(|text| text.parse::<usize>().ok());
    let setting = Setting {
        program,
        pace: option("--pace")
            .and_then(|text| text.parse().ok())
            .unwrap_or(PACE),
        workers: number("--side-by-side").unwrap_or(WORKERS).max(1),
    };
    told(&setting, number("--every").unwrap_or(1).max(1))
}

fn told(setting: &Setting, every: usize) -> ExitCode {
    println!(
        "{:?}, pace {}, {} side by side\n",
        setting.program, setting.pace, setting.workers
    );
    let table = play(setting, every);
    print!("{}{}", table.text(), table.broken());
    let holes = table.holes(every);
    println!(
        "{} calls at which nobody was killed, or not both before and after its effect {holes:?}",
        holes.len()
    );
    if table.violations() == 0 && holes.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Plays calm runs, which tell how many requests there are to die at, and then the others.
fn play(setting: &Setting, every: usize) -> Table {
    let since = Instant::now();
    let ways = [Way::CommandLine, Way::Action];
    // As many as will be played side by side: where these are not calm, this machine is too slow for the pace.
    let calm = ways.into_iter().cycle().take(setting.workers.max(2));
    let mut outcomes = play_all(setting, calm.map(cells::calm).collect());
    let mut cells = Vec::new();
    for way in ways {
        let of_way = || outcomes.iter().filter(|one| one.way == way);
        let most = of_way()
            .map(|one| one.calls.len())
            .max()
            .unwrap_or_default();
        let calls: BTreeSet<String> = of_way().flat_map(|one| one.calls.clone()).collect();
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        cells.extend(cells::of(way, (most, &calls), every));
    }
    if outcomes.iter().all(|one| one.broken.is_empty()) {
        outcomes.extend(play_all(setting, cells));
    }
    Table {
        outcomes,
        took: since.elapsed(),
    }
}

fn play_all(setting: &Setting, cells: Vec<Cell>) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..setting.workers {
            scope.spawn(|| {
                // One thread for each run: a job of the simulator holds up its own world alone.
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime of this machine");
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let played =
                        runtime.block_on(play::play(&setting.program, setting.pace, cell.clone()));
                    outcomes.lock().unwrap().push(Outcome::of(&played));
                }
                runtime.shutdown_timeout(Duration::ZERO);
            });
        }
    });
    outcomes.into_inner().unwrap()
}
