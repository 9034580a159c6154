//! Choices drawn at random: the platform's unknowns, other people, faults and deaths, all at once.

use crate::choice::{
    Act, Change, Choice, Edit, FaultName, KNOBS, Position, Recovery, Setting, Steps, Wants, When,
    Who,
};
use crate::matrix::Cell;
use crate::random::Random;
use crate::{scene, trace};

/// The calls that can go wrong, the writes more often than their number.
const CALLS: &[&str] = &[
    "apps.get",
    "apps.get",
    "apps.update",
    "apps.update",
    "apps.update",
    "apps.propose",
    "deployments.list",
    "deployments.list",
    "deployments.get",
    "deployments.cancel",
    "logs.get",
    "logs.fetch",
    "databases.list",
    "databases.firewall",
    "databases.put_firewall",
    "live",
    "ledger.append",
    "ledger.append",
    "ledger.entries",
    "ledger.record",
];

/// So many seeds come through every reason and every value of an axis that seeds can come through.
pub(crate) const FULL: usize = 20_000;

/// Plays each seed twice, on all cores, and returns those that did not repeat themselves.
pub(crate) fn differing(chosen: &[u64], deck: &Deck) -> Vec<u64> {
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let part = chosen.len().div_ceil(workers).max(1);
    let differs = |seed: &u64| {
        let list = deck.draw(*seed);
        trace::hash(&scene::play(&list)) != trace::hash(&scene::play(&list))
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = chosen
            .chunks(part)
            .map(|some| {
                scope.spawn(move || some.iter().copied().filter(differs).collect::<Vec<u64>>())
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a run does not panic"))
            .collect()
    })
}

const EDITS: &[Edit] = &[
    Edit::Count(2),
    Edit::Count(5),
    Edit::Variable,
    Edit::Domain,
    Edit::Worker,
    Edit::LessVariable,
    Edit::HealthCheck,
];

/// For how many seconds a process or its machine stands still.
const STILL: &[u64] = &[40, 150, 600, 3000, 30_000];

/// How often what meets in one run is drawn: so many times out of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Odds {
    /// A second runner.
    two: (u64, u64),
    /// A third beside it.
    three: (u64, u64),
    /// How many seconds after the first they begin, at most.
    within: u64,
    /// Requests that travel.
    travel: (u64, u64),
    /// A ledger that lists late.
    lag: (u64, u64),
}

impl Odds {
    /// A bit of everything.
    const USUAL: Self = Self {
        two: (1, 6),
        three: (1, 3),
        within: 300,
        travel: (1, 3),
        lag: (1, 8),
    };
    /// Several runs at once, which see each other late.
    const CROWDED: Self = Self {
        two: (5, 6),
        three: (1, 1),
        within: 60,
        travel: (3, 4),
        lag: (1, 2),
    };
}

/// What seeds are drawn from.
#[derive(Debug, Clone)]
pub(crate) struct Deck {
    odds: Odds,
    /// What is in each of them, whatever is drawn.
    pub(crate) with: Vec<Choice>,
}

impl Deck {
    pub(crate) const USUAL: Self = Self::of(Odds::USUAL);
    pub(crate) const CROWDED: Self = Self::of(Odds::CROWDED);

    const fn of(odds: Odds) -> Self {
        Self {
            odds,
            with: Vec::new(),
        }
    }

    /// Returns the choices of a seed.
    pub(crate) fn draw(&self, seed: u64) -> Vec<Choice> {
        let mut choices = draw(seed, self.odds);
        choices.extend(self.with.iter().cloned());
        choices.sort();
        choices.dedup();
        choices
    }
}

fn draw(seed: u64, odds: Odds) -> Vec<Choice> {
    // Neighbouring seeds must have nothing in common.
    let mut random = Random::new(seed.wrapping_mul(0x2545_F491_4F6C_DD1D).wrapping_add(1));
    let random = &mut random;
    let mut choices = Vec::new();
    for _ in 0..random.below(4) {
        let (name, answers) = random.pick(KNOBS);
        let answer = random.pick(answers);
        choices.push(Choice::Knob((*name).to_owned(), (*answer).to_owned()));
    }
    if random.happens(2, 5) {
        let steps = [
            Steps::FirstFails,
            Steps::SecondFails,
            Steps::SecondFails,
            Steps::CheckFails,
            Steps::Checked,
            Steps::Killed,
            Steps::Hostile,
        ];
        choices.push(Choice::Steps(*random.pick(&steps)));
    }
    for _ in 0..random.below(3) {
        let settings = [
            Setting::PreDeploy,
            Setting::Contain,
            Setting::PerStep,
            Setting::Restore,
            Setting::Merged,
            Setting::MergedInVain,
            Setting::NoHealth,
            Setting::AlsoStale,
            Setting::AcceptJob,
            Setting::RunbookTimes,
        ];
        choices.push(Choice::Setting(*random.pick(&settings)));
    }
    for _ in 0..random.below(4) {
        choices.push(fault(random));
    }
    if random.happens(2, 5) {
        choices.push(kill(random));
    }
    for _ in 0..random.below(3) {
        choices.push(act(random));
    }
    let pins = |choice: &Choice| {
        matches!(
            choice,
            Choice::Act {
                act: Act::RollbackPinned,
                ..
            }
        )
    };
    if choices.iter().any(pins) && random.happens(1, 2) {
        choices.push(Choice::Act {
            when: When::At(random.below(2400)),
            act: *random.pick(&[Act::KeepRollback, Act::RevertRollback]),
        });
    }
    if random.happens(1, 8) {
        choices.push(stall(random));
    }
    // Not between a read and the update that follows it at once: what then happens is known, and can't be helped.
    if random.happens(1, 12) {
        choices.push(Choice::Act {
            when: match random.below(2) {
                0 => When::At(random.below(900)),
                _ => When::After("apps.update".to_owned(), 1, random.below(400) + 1),
            },
            act: Act::Suspend(*random.pick(STILL)),
        });
    }
    // Long histories are dear to play.
    if random.happens(1, 200) {
        choices.push(Choice::Act {
            when: When::At(random.below(900)),
            act: Act::Busy(30),
        });
    }
    let two = random.happens(odds.two.0, odds.two.1);
    if two {
        choices.push(second(random, odds));
    }
    for _ in 0..random.below(3) {
        let by = [
            Recovery::Post,
            Recovery::Sweep,
            Recovery::Rerun,
            Recovery::Fresh,
            Recovery::Retry,
            Recovery::Check,
            Recovery::Again,
        ];
        choices.push(Choice::Recover {
            by: *random.pick(&by),
            after: *random.pick(&[0, 3, 30, 200, 900, 4000]),
        });
    }
    if random.happens(1, 6) {
        choices.push(Choice::Changed(*random.pick(&[
            Change::Appended,
            Change::Between,
            Change::SecondStep,
            Change::FirstStep,
            Change::Dropped,
            Change::Reused,
        ])));
    }
    if random.happens(1, 8) {
        choices.push(Choice::Reconfigured(*random.pick(&[
            Setting::PreDeploy,
            Setting::Contain,
            Setting::PerStep,
            Setting::NoHealth,
        ])));
    }
    if random.happens(1, 8) {
        choices.push(Choice::LateRollback);
    }
    // Most runs look rarely: as much goes wrong in them, and there are more of them in the same time.
    if random.happens(5, 6) {
        choices.push(Choice::Rarely(*random.pick(&[3, 6, 9])));
    }
    if random.happens(odds.travel.0, odds.travel.1) {
        choices.push(Choice::Travel(random.below(20) * 100 + 37));
        if random.happens(1, 2) {
            choices.push(Choice::Spread(random.below(20) * 100 + 113));
        }
    }
    if random.happens(odds.lag.0, odds.lag.1) {
        choices.push(Choice::LedgerLags(random.below(40) * 500));
    }
    if random.happens(1, 8) {
        choices.push(Choice::LedgerAhead(*random.pick(&[-15, -2, 2, 15])));
    }
    if random.happens(1, 8) {
        choices.push(Choice::DateAhead(*random.pick(&[-4, -1, 1, 4])));
    }
    if two && random.happens(odds.three.0, odds.three.1) {
        choices.push(second(random, odds));
    }
    choices
}

fn second(random: &mut Random, odds: Odds) -> Choice {
    Choice::Second {
        after: random.below(odds.within),
        wants: *random.pick(&[
            Wants::Same,
            Wants::SameAgain,
            Wants::Retry,
            Wants::Check,
            Wants::Again,
            Wants::Other,
            Wants::Stop,
        ]),
    }
}

fn whose(random: &mut Random) -> Who {
    *random.pick(&[Who::Main, Who::Main, Who::Main, Who::Second, Who::Later])
}

/// The first calls are where plans are made; the later ones where it is waited.
fn nth(random: &mut Random, call: &str) -> u32 {
    let limit = match call {
        "apps.get" | "deployments.list" => *random.pick(&[6, 40, 160]),
        "ledger.entries" | "live" => 8,
        "apps.update" | "ledger.append" | "ledger.record" => 3,
        _ => 4,
    };
    u32::try_from(random.below(limit)).unwrap_or_default() + 1
}

fn fault(random: &mut Random) -> Choice {
    let call = *random.pick(CALLS);
    let fault = *random.pick(&FaultName::ALL);
    let times = *random.pick(&[1, 1, 1, 2, 5, 30]);
    Choice::Fault {
        of: whose(random),
        call: call.to_owned(),
        nth: nth(random, call),
        // The platform's lists were seen to lag by half a minute; nothing reads the past for ever.
        times: if fault == FaultName::Stale {
            times.min(2)
        } else {
            times
        },
        fault,
    }
}

fn kill(random: &mut Random) -> Choice {
    let call = *random.pick(CALLS);
    Choice::Kill {
        of: whose(random),
        call: call.to_owned(),
        nth: nth(random, call),
        at: *random.pick(&Position::ALL),
    }
}

fn stall(random: &mut Random) -> Choice {
    let call = *random.pick(CALLS);
    Choice::Stall {
        of: whose(random),
        call: call.to_owned(),
        nth: nth(random, call),
        seconds: *random.pick(STILL),
    }
}

fn act(random: &mut Random) -> Choice {
    let edit = *random.pick(EDITS);
    let acts = [
        Act::Push,
        Act::Push,
        Act::Edit(edit),
        Act::Edit(edit),
        Act::StaleEdit(edit),
        Act::ReAdd(edit),
        Act::Redeploy,
        Act::RollbackPinned,
        Act::Rollback,
        Act::TakeOut,
        Act::Resize,
        Act::Cancel,
        Act::FirewallRule,
        Act::BuildFails,
        Act::RolloutFails,
        Act::HealthDown,
        Act::JobHangs,
        Act::LedgerDown(*random.pick(&[10, 200, 7200])),
        Act::ApiDown(*random.pick(&[30, 300, 2400])),
        Act::ApiBusy(*random.pick(&[30, 300, 2400])),
        Act::Interrupt,
    ];
    let when = match random.below(4) {
        0 => When::At(random.below(900)),
        1 => When::Before(
            "apps.update".to_owned(),
            u32::try_from(random.below(3)).unwrap_or_default() + 1,
        ),
        2 => {
            let call = *random.pick(CALLS);
            When::Before(call.to_owned(), nth(random, call))
        }
        _ => When::After(
            "apps.update".to_owned(),
            u32::try_from(random.below(2)).unwrap_or_default() + 1,
            random.below(400) + 1,
        ),
    };
    Choice::Act {
        when,
        act: *random.pick(&acts),
    }
}

/// Returns the cells of seeds.
pub(crate) fn cells(seeds: &[u64], deck: &Deck) -> Vec<Cell> {
    let seeds = seeds.iter().copied();
    seeds
        .map(|seed| Cell {
            name: format!("seed {seed}"),
            choices: deck.draw(seed),
        })
        .collect()
}
