//! What happened in a run, as two columns for people and as one number for comparing two runs.

use crate::scene::Played;
use jiff::Timestamp;
use migration::{Happening, Redactor, render};
use std::fmt::Write as _;

/// FNV-1a, 64 bits: small, and the same everywhere.
#[derive(Debug, Clone, Copy)]
struct Hash(u64);

impl Hash {
    fn add(&mut self, text: &str) {
        for byte in text.bytes().chain([b'\n']) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Returns a number that two runs share only when the same requests got the same answers at the same times, the same
/// deployments and processes came of it, and everything ended alike.
pub(crate) fn hash(played: &Played) -> u64 {
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    for sent in &played.journal.sent {
        let line = format!(
            "{} {} {} {} {:?} {}",
            sent.at,
            sent.process,
            sent.call,
            sent.nth,
            sent.reply,
            sent.body.len()
        );
        hash.add(&line);
    }
    for (at, what) in &played.journal.acts {
        hash.add(&format!("{at} {what}"));
    }
    for ran in &played.ran {
        hash.add(&format!("{ran:?}"));
    }
    for gone in &played.gone {
        let reason = gone.ended.as_ref().map(|ended| ended.reason.code());
        hash.add(&format!(
            "{} {} {:?} {:?}",
            gone.role, gone.at, gone.took, reason
        ));
    }
    hash.add(&format!("{:?}", played.state));
    hash.add(&format!("{:?}", played.ledger));
    hash.0
}

/// Returns the two columns: the world on the left, us on the right, in the order of time.
pub(crate) fn columns(played: &Played) -> String {
    let mut lines: Vec<(Timestamp, usize, bool, String)> = Vec::new();
    let mut push = |at: Timestamp, ours: bool, what: String| {
        let order = lines.len();
        lines.push((at, order, ours, what));
    };
    let state = played
        .late
        .as_ref()
        .map_or(&played.state, |(_, state)| state);
    for (at, what) in &played.journal.acts {
        push(*at, false, format!("somebody: {what}"));
    }
    for one in &state.deployments {
        let id: String = one.id.chars().take(8).collect();
        let jobs = crate::actor::ours(&one.spec).join(" ");
        let cause = &one.cause.0;
        push(
            one.created_at,
            false,
            format!("deployment {id} begins: {cause} {jobs}"),
        );
        push(
            one.phase_at,
            false,
            format!("deployment {id} is {}", one.phase),
        );
    }
    for ran in &played.ran {
        let commands: Vec<String> = ran
            .commands
            .iter()
            .map(|command| format!("{}={:?}", command.name, command.code))
            .collect();
        let why = ran.disarmed.as_deref().unwrap_or_default();
        push(
            ran.at,
            false,
            format!(
                "process of {} runs: {} {why}",
                ran.component,
                commands.join(" ")
            ),
        );
    }
    for sent in &played.journal.sent {
        let reads = matches!(
            sent.call,
            "apps.get" | "deployments.list" | "deployments.get" | "ledger.entries" | "live"
        );
        if reads && sent.fault.is_none() && sent.killed.is_none() {
            continue;
        }
        let mut what = format!(
            "{:?}#{} {} ({})",
            sent.who, sent.process, sent.call, sent.nth
        );
        match sent.reply {
            Some(status) => write!(what, " → {status}").unwrap_or_default(),
            None => what.push_str(" → nothing"),
        }
        if let Some(fault) = sent.fault {
            write!(what, " [{}]", crate::choice::word(&fault)).unwrap_or_default();
        }
        if let Some(at) = sent.killed {
            write!(what, " [killed {}]", crate::choice::word(&at)).unwrap_or_default();
        }
        push(sent.at, true, what);
    }
    for gone in &played.gone {
        push(
            gone.started,
            true,
            format!("#{} {} begins", gone.number, gone.role),
        );
        for event in &gone.events {
            if matches!(event.what, Happening::Phase { .. }) {
                continue;
            }
            if let Some(line) = render::terminal::line(event, &Redactor::default()) {
                push(event.at, true, format!("#{} {line}", gone.number));
            }
        }
        let end = match &gone.ended {
            Some(ended) => {
                let axes = ended.report.verdict.as_ref().map(|verdict| {
                    format!(
                        "{:?} {:?} {:?}",
                        verdict.job, verdict.deployment, verdict.clean_up
                    )
                });
                let refusal = ended.report.refusal.as_ref().map(ToString::to_string);
                format!(
                    "{} {}{}",
                    ended.reason.code(),
                    axes.unwrap_or_default(),
                    refusal.unwrap_or_default()
                )
            }
            None if gone.ran_away => "never ends".to_owned(),
            None => "dead".to_owned(),
        };
        push(
            gone.at,
            true,
            format!("#{} {}: {end}", gone.number, gone.role),
        );
    }
    lines.sort_by_key(|(at, order, _, _)| (at.as_second(), *order));
    let mut text = String::new();
    for (at, _, ours, what) in lines {
        let time = at.strftime("%d %H:%M:%S");
        let indent = if ours { " ".repeat(60) } else { String::new() };
        writeln!(text, "{time}  {indent}{what}").unwrap_or_default();
    }
    text
}
