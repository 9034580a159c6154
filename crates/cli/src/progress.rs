//! Progress while a run goes on: a living line on a terminal, plain lines elsewhere.
//!
//! One reporter of the event stream. It decides nothing and may fall behind; the finished report is handed out by
//! [`Desk`].

use crate::args::Output;
use crate::desk::{Desk, Form};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use migration::render::terminal;
use migration::{Event, Happening};
use runner::Pace;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How often the living line moves.
const TICK: Duration = Duration::from_millis(250);

/// Shows events until the stream ends, and `note` once there is a plan that is carried out.
///
/// # Cancel safety
/// Safe: what was shown stays.
pub async fn follow(
    mut events: mpsc::Receiver<Event>,
    desk: &Desk<'_>,
    pace: Pace,
    mut note: Option<String>,
) {
    let mut living = desk.host.interactive.then(|| Living::new(pace));
    loop {
        let next = match &living {
            Some(_) => match tokio::time::timeout(TICK, events.recv()).await {
                Ok(next) => next,
                Err(_elapsed) => {
                    living.iter_mut().for_each(Living::tick);
                    continue;
                }
            },
            None => events.recv().await,
        };
        let Some(event) = next else { break };
        let line = terminal::line(&event, &desk.redactor)
            .filter(|_| !is_told_at_the_end(&event.what, desk.global.output));
        match (&mut living, line) {
            (Some(living), line) => living.take(&event, line),
            (None, Some(line)) => desk.put(&desk.host.err, &line, Form::Text),
            (None, None) => {}
        }
        if let Happening::Planned(_) = &event.what
            && let Some(note) = note.take()
        {
            match &living {
                Some(living) => living.say(&note),
                None => desk.tell(&note),
            }
        }
    }
    living.iter().for_each(Living::end);
}

/// Whether the closing text says it; a document says it to no person.
fn is_told_at_the_end(what: &Happening, output: Output) -> bool {
    let last = matches!(
        what,
        Happening::Ended(_)
            | Happening::Refused(_)
            | Happening::AlreadyDone { .. }
            | Happening::AlreadyEnded(_)
    );
    last && output == Output::Text
}

/// The line at the bottom of a terminal: what goes on, for how long, of about how much.
struct Living {
    bar: ProgressBar,
    pace: Pace,
    doing: String,
    began: Option<Timestamp>,
    /// The newest event's time there, and when it was seen here.
    last: Option<(Timestamp, Instant)>,
    expected: Option<Duration>,
}

impl Living {
    fn new(pace: Pace) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        // A template of our own; indicatif's default is as good where it were not one.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        Self {
            bar,
            pace,
            doing: "looking at the app".to_owned(),
            began: None,
            last: None,
            expected: None,
        }
    }

    fn take(&mut self, event: &Event, line: Option<String>) {
        if let Happening::Planned(plan) = &event.what {
            let estimate = &plan.estimate;
            self.expected = Some(estimate.to_start + estimate.job + estimate.clean_up);
            self.began = Some(event.at);
        }
        self.began.get_or_insert(event.at);
        self.last = Some((event.at, Instant::now()));
        if let Some(line) = line {
            // Without the time, which the living line has of its own.
            self.doing = line
                .split_once(' ')
                .map_or(line.as_str(), |(_, rest)| rest)
                .to_owned();
            self.bar.println(line);
        }
        self.tick();
    }

    fn tick(&mut self) {
        let passed = self.began.zip(self.last).map(|(began, (last, seen))| {
            let there = Duration::try_from(last.duration_since(began)).unwrap_or_default();
            there + self.pace.platform(seen.elapsed())
        });
        let time = match (passed, self.expected) {
            (Some(passed), Some(expected)) => format!(
                "{} of about {} min  ",
                clock(passed),
                expected.as_secs().div_ceil(60)
            ),
            (Some(passed), None) => format!("{}  ", clock(passed)),
            (None, _) => String::new(),
        };
        self.bar.set_message(format!("{time}{}", self.doing));
        self.bar.tick();
    }

    fn say(&self, note: &str) {
        self.bar.println(note);
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}

fn clock(span: Duration) -> String {
    format!("{}:{:02}", span.as_secs() / 60, span.as_secs() % 60)
}
