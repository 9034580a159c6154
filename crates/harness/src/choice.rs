//! Everything that may differ between two runs, as a list that can be written down, cut and played again.
//!
//! The empty list is the calm run: an ordinary migration of two steps that succeeds, nothing goes wrong, nobody else
//! is about. Every choice makes one thing different, so that a list without it is still a whole run; that is what
//! makes shrinking a matter of leaving things out.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that is different from the calm run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Choice {
    /// An answer to a question that the platform's documentation leaves open; the knob's name and its value as JSON.
    Knob(String, String),
    /// What the migration's commands do.
    Steps(Steps),
    /// What was asked for.
    Setting(Setting),
    /// A request goes wrong.
    Fault {
        /// Whose request.
        of: Who,
        /// Which call, as [`crate::wire::name_of`] names it.
        call: String,
        /// The how-manieth of these calls of that process, from 1.
        nth: u32,
        /// How many in a row.
        times: u32,
        /// What goes wrong.
        fault: FaultName,
    },
    /// A process dies.
    Kill {
        /// Which process.
        of: Who,
        /// At which call.
        call: String,
        /// The how-manieth of these calls of that process, from 1.
        nth: u32,
        /// Where in the call.
        at: Position,
    },
    /// A process stands still once a call of its was answered: a stopped process, a paused container. What it had
    /// looked at before, that answer with it, is old when it goes on.
    Stall {
        /// Which process.
        of: Who,
        /// After which call.
        call: String,
        /// The how-manieth of these calls of that process, from 1.
        nth: u32,
        /// For how long.
        seconds: u64,
    },
    /// Somebody else does something.
    Act {
        /// When.
        when: When,
        /// What.
        act: Act,
    },
    /// Another runner on the same ledger; there may be several.
    Second {
        /// So many seconds after the first.
        after: u64,
        /// What it wants.
        wants: Wants,
    },
    /// Who looks after the first runner has ended or died, one after the other.
    Recover {
        /// Who.
        by: Recovery,
        /// So many seconds after the one before.
        after: u64,
    },
    /// Whoever comes after the first runner brings another manifest.
    Changed(Change),
    /// Whoever comes after the first runner has a config that differs in this from the first runner's: what that one set
    /// it does not, and the other way round.
    Reconfigured(Setting),
    /// Forty days later somebody rolls the app back to a deployment that carried the job.
    LateRollback,
    /// Our processes look so many times more rarely than usual, so that more happens between two looks.
    Rarely(u32),
    /// Every request of ours travels so many milliseconds, and its answer as many: no two things happen at the same
    /// instant, and none on the full second.
    Travel(u64),
    /// Each way takes up to so many milliseconds longer, each its own part of them: what two processes send arrives in
    /// another order.
    Spread(u64),
    /// The ledger's lists show what was written to it so many milliseconds later.
    LedgerLags(u64),
    /// The ledger's clock is so many seconds ahead of the platform's.
    LedgerAhead(i64),
    /// The clock that stamps the platform's answers is so many seconds ahead of the one in its documents.
    DateAhead(i64),
}

/// Whose request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Who {
    /// The first runner.
    Main,
    /// The second runner at the same time.
    Second,
    /// Whoever comes after.
    Later,
    /// The sweeps at the end, in which nothing goes wrong any more.
    Last,
}

/// What the migration's commands do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Steps {
    /// The first of the two fails.
    FirstFails,
    /// The second of the two fails.
    SecondFails,
    /// A check fails.
    CheckFails,
    /// A check passes, both steps do.
    Checked,
    /// The job's shell is killed in the second step.
    Killed,
    /// The first step prints secrets and forged marks.
    Hostile,
}

/// How the manifest has changed since the first runner read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Change {
    /// A third step stands at its end.
    Appended,
    /// A third step stands between the two.
    Between,
    /// The second step is another.
    SecondStep,
    /// The first step is another.
    FirstStep,
    /// The second step is gone.
    Dropped,
    /// All steps are others: the id is used once more.
    Reused,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Setting {
    /// `kind: PRE_DEPLOY`.
    PreDeploy,
    /// `on-failure: contain`.
    Contain,
    /// `strategy: one-job-per-step`.
    PerStep,
    /// `firewall: restore`, with a rule too many in it.
    Restore,
    /// A merge that deploys began the run; its commit must be live first.
    Merged,
    /// The same, and the merge's own build fails.
    MergedInVain,
    /// Without a look at the app's health.
    NoHealth,
    /// A job left by hand is in the spec, and declared stale.
    AlsoStale,
    /// The app's own deploy-time job is in the spec, and declared.
    AcceptJob,
    /// Builds and deploys take the runbook's time, and not a quarter of it.
    RunbookTimes,
}

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FaultName {
    /// No connection is made.
    Refuse,
    /// No answer ever comes; it had no effect.
    Timeout,
    /// The connection is closed; it had no effect.
    Reset,
    /// No answer ever comes; it had its effect.
    ReplyLost,
    /// No answer ever comes; it has its effect 100 s later.
    AppliedLate,
    /// It has its effect twice.
    AppliedTwice,
    /// 500 without effect.
    Http500,
    /// 502 with effect.
    Http502Applied,
    /// 429 with `retry-after`.
    Http429,
    /// 429 without any hint.
    Http429Bare,
    /// 401.
    Http401,
    /// 403.
    Http403,
    /// 404.
    Http404,
    /// The body ends half-way.
    Truncated,
    /// A read tells what it told the last time.
    Stale,
    /// The answer takes 59 s.
    Slow,
    /// The answer claims to be HTML.
    WrongType,
}

impl FaultName {
    pub(crate) const ALL: [Self; 17] = [
        Self::Refuse,
        Self::Timeout,
        Self::Reset,
        Self::ReplyLost,
        Self::AppliedLate,
        Self::AppliedTwice,
        Self::Http500,
        Self::Http502Applied,
        Self::Http429,
        Self::Http429Bare,
        Self::Http401,
        Self::Http403,
        Self::Http404,
        Self::Truncated,
        Self::Stale,
        Self::Slow,
        Self::WrongType,
    ];
}

/// Where in a call a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Position {
    /// Nothing left the machine.
    BeforeSend,
    /// It was on its way and has its effect 20 s later.
    InFlight,
    /// It had its effect, and nobody was there for the answer.
    AppliedBeforeReply,
    /// The answer came, and nothing was sent after it.
    AfterReply,
}

impl Position {
    pub(crate) const ALL: [Self; 4] = [
        Self::BeforeSend,
        Self::InFlight,
        Self::AppliedBeforeReply,
        Self::AfterReply,
    ];
}

/// When somebody else acts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum When {
    /// So many seconds after the beginning.
    At(u64),
    /// Between the last read and this call: just before the nth of it, whoever makes it.
    Before(String, u32),
    /// So many seconds after the nth of this call was sent.
    After(String, u32, u64),
}

/// What somebody else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Act {
    /// Pushes a commit to the branch.
    Push,
    /// Edits the spec in the control panel, from what it shows now.
    Edit(Edit),
    /// Puts a spec that was read at the beginning, edited (a stale tab, terraform).
    StaleEdit(Edit),
    /// Puts the newest spec that carries our job, edited: the job comes back.
    ReAdd(Edit),
    /// Deploys the app as it is once more.
    Redeploy,
    /// Pushes a commit each minute, so many times.
    Busy(u32),
    /// Rolls back to the good deployment before the live one; the app stays pinned.
    RollbackPinned,
    /// The same, committed at once.
    Rollback,
    /// Keeps the rollback that pinned the app.
    KeepRollback,
    /// Takes that rollback back.
    RevertRollback,
    /// Takes our job out of the spec by hand.
    TakeOut,
    /// Gives our job in the spec another size.
    Resize,
    /// Cancels the deployment that is in flight.
    Cancel,
    /// Adds an address to the database's firewall.
    FirewallRule,
    /// The next deployment's build fails.
    BuildFails,
    /// The next deployment's service never gets healthy.
    RolloutFails,
    /// The app answers 503 from now on.
    HealthDown,
    /// Jobs of ours hang from now on.
    JobHangs,
    /// The ledger gives no answer for so many seconds.
    LedgerDown(u64),
    /// The platform's API answers everybody with 500 for so many seconds, and takes no request.
    ApiDown(u64),
    /// It answers everybody with 429 for so many seconds.
    ApiBusy(u64),
    /// The first runner gets SIGINT.
    Interrupt,
    /// The machine that our processes run on is suspended for so many seconds, a closed laptop: by its own monotonic clock
    /// nothing of that passes.
    Suspend(u64),
}

/// An edit that somebody else makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Edit {
    /// The service gets another instance count.
    Count(u64),
    /// The service gets another variable.
    Variable,
    /// A domain more.
    Domain,
    /// A worker more.
    Worker,
    /// The service loses a variable.
    LessVariable,
    /// The service gets another health check, and other places, too.
    HealthCheck,
}

/// What a second runner wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Wants {
    /// The same migration, by the same authority: a re-run.
    Same,
    /// The same migration, by an authority of its own.
    SameAgain,
    /// A person names it, `retry`, while the first may still be under way.
    Retry,
    /// Its checks alone.
    Check,
    /// A person asks for it once more, `again`.
    Again,
    /// Another migration.
    Other,
    /// That the migration stops: `harbor-pilot stop`.
    Stop,
}

/// Who looks after the first runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Recovery {
    /// The Action's post step.
    Post,
    /// The sweeper.
    Sweep,
    /// The job is run again by the same authority.
    Rerun,
    /// A person runs it again, by another authority.
    Fresh,
    /// A person names it: `retry`.
    Retry,
    /// A person has its checks run.
    Check,
    /// A person asks for it once more: `again`.
    Again,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match serde_json::to_string(self) {
            Ok(text) => f.write_str(&text),
            Err(_) => write!(f, "{self:?}"),
        }
    }
}

/// Returns the word that a choice, or a part of one, is written as.
pub(crate) fn word(of: &impl Serialize) -> String {
    match serde_json::to_value(of) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// The platform's open questions with their other answers, as [`Choice::Knob`] writes them.
pub(crate) const KNOBS: &[(&str, &[&str])] = &[
    ("post_deploy_failure", &["\"stays_live\"", "\"error\""]),
    ("pre_deploy_failure", &["\"rollback\""]),
    ("spec_after_rollback", &["\"reverted\""]),
    ("rollback_jobs", &["\"rerun\""]),
    ("overlap", &["\"queue\"", "\"supersede\""]),
    ("list_spec", &["\"omitted\""]),
    ("list_lag_seconds", &["10", "30"]),
    ("failed_slot", &["\"lingers\""]),
    ("put_reply", &["\"bare\""]),
    ("log_archive", &["\"while_running\""]),
    ("log_delay_seconds", &["20", "90", "600"]),
    ("log_answer", &["\"empty\"", "\"bad_request\""]),
    ("log_parts", &["3"]),
    ("log_encoding", &["\"gzip\""]),
    ("run_command", &["\"shell\""]),
    ("firewall_put", &["\"deploys\""]),
    ("read_back", &["\"verbatim\""]),
    ("job_invocations", &["\"hidden\""]),
    ("job_timeout", &["\"ignored\""]),
    ("cause_details", &["\"omitted\""]),
    ("unset_times", &["\"zero\""]),
    ("self_commit_hash", &["\"literal\"", "\"empty\""]),
    ("component_commit_hash", &["\"literal\"", "\"empty\""]),
    ("push_refreshes", &["\"tracking\""]),
    ("post_job_phase", &["\"active\""]),
    ("ev_on_read", &["\"changing\""]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_choices_is_read_back_as_it_was_written() {
        let list = vec![
            Choice::Knob("overlap".to_owned(), "\"queue\"".to_owned()),
            Choice::Fault {
                of: Who::Main,
                call: "apps.update".to_owned(),
                nth: 1,
                times: 1,
                fault: FaultName::ReplyLost,
            },
            Choice::Act {
                when: When::After("apps.update".to_owned(), 1, 30),
                act: Act::Edit(Edit::Count(2)),
            },
            Choice::LateRollback,
        ];
        let text = serde_json::to_string(&list).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Choice>>(&text).unwrap(), list);
    }
}
