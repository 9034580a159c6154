//! C6: what a page says in words is what happened: its sentences that deny something, and those that claim something.
//!
//! A page is other people's only source, and a sentence can be wrong where every fact behind it is right.

use super::{Judge, applied, may_have_applied};
use crate::actor::ours;
use crate::job::Ran;
use crate::scene::Gone;
use jiff::Timestamp;
use migration::{JobAxis, Reason};

/// What a sentence claims of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// No step of a job that it put in or followed ran.
    NoStepRan,
    /// It sent nothing that changes the app.
    NothingSent,
    /// It put no job in.
    NothingPutIn,
    /// The platform did not roll its job's deployment back.
    NotRolledBack,
    /// The platform did.
    RolledBack,
    /// No job of ours is in the app.
    NothingLeft,
    /// An update of ours put a lost edit back.
    EditPutBack,
}

/// The sentences, as far as they stand in every page alike, and what each claims.
const SENTENCES: &[(&str, Claim)] = &[
    ("nothing ran", Claim::NoStepRan),
    ("Nothing ran", Claim::NoStepRan),
    ("nothing was run now", Claim::NoStepRan),
    ("no step ran", Claim::NoStepRan),
    ("No step was run", Claim::NoStepRan),
    ("no step changed anything", Claim::NoStepRan),
    ("Nothing was changed in the database", Claim::NoStepRan),
    ("a variable that it needs is missing", Claim::NoStepRan),
    ("nothing was sent to the app", Claim::NothingSent),
    ("nothing was inserted", Claim::NothingPutIn),
    ("No job was put in", Claim::NothingPutIn),
    ("it was not rolled back", Claim::NotRolledBack),
    ("no rollback was seen", Claim::NotRolledBack),
    ("rolled the app back", Claim::RolledBack),
    ("A rollback puts code back", Claim::RolledBack),
    ("Nothing of ours is in the app", Claim::NothingLeft),
    (", and is put back:", Claim::EditPutBack),
    ("it was put back", Claim::EditPutBack),
];

/// How a sentence begins that tells of the steps that were not begun, where others are done.
const OF_THE_REST: &str = "For the rest: ";

/// What must stand in a page where a job ran twice.
const RAN_TWICE: &str = "may run twice";

/// What somebody is told to do, who then comes, and what that may not be refused with.
const ADVICE: &[(&str, &str, &[Reason])] = &[
    (
        "rerun",
        "Once the cause is gone, re-run this workflow",
        &[Reason::NeverStarted],
    ),
    (
        "retry",
        "with mode `retry`",
        &[
            Reason::NeverStarted,
            Reason::AlreadyFailed,
            Reason::EarlierUnproven,
        ],
    ),
];

/// Returns the sentences that are judged and stand in a page.
pub(crate) fn judged(page: &str) -> impl Iterator<Item = &'static str> {
    sentences().filter(move |sentence| page.contains(sentence))
}

/// Returns every sentence that is judged.
pub(crate) fn sentences() -> impl Iterator<Item = &'static str> {
    let claims = SENTENCES.iter().map(|(sentence, _)| *sentence);
    let advice = ADVICE.iter().map(|(_, advice, _)| *advice);
    claims.chain([RAN_TWICE]).chain(advice)
}

impl<'a> Judge<'a> {
    /// What of the page that a run left is not so.
    pub(super) fn page(&mut self, gone: &Gone) {
        let mut wrong = Vec::new();
        for (sentence, claim) in SENTENCES {
            // What is said of the rest is not said of all.
            let mut lines = gone.page.lines();
            let says = lines.any(|line| line.contains(sentence) && !line.starts_with(OF_THE_REST));
            if says && !self.holds(gone, *claim) {
                wrong.push(format!("{sentence:?}, and that is not so"));
            }
        }
        wrong.extend(self.ran_twice(gone));
        wrong.extend(self.advice(gone));
        for what in wrong {
            self.broke("C6 page", format!("{} says {what}", gone.role));
        }
    }

    fn holds(&self, gone: &Gone, claim: Claim) -> bool {
        match claim {
            Claim::NoStepRan => {
                let mut ran = self.ran_for(gone).into_iter();
                !ran.any(|ran| ran.steps().next().is_some())
            }
            Claim::NothingSent => !self.played.journal.sent.iter().any(|sent| {
                let changes = matches!(sent.call, "apps.update" | "deployments.cancel");
                sent.process == gone.number && changes && may_have_applied(sent)
            }),
            Claim::NothingPutIn => self.went_in_by(gone.number).is_empty(),
            Claim::RolledBack => self.was_rolled_back(gone, gone.at),
            Claim::NotRolledBack => {
                // What the last look could not show was not seen.
                let looks = self.last_looks(gone.number, Timestamp::MAX);
                let look = looks.first();
                let seen = look.map_or(gone.started, |look| look.at - self.list_lag());
                !self.was_rolled_back(gone, seen)
            }
            Claim::NothingLeft => gone.left.is_empty(),
            // By another run, perhaps.
            Claim::EditPutBack => self.puts().iter().any(|(sent, body)| {
                let had = sent.base.as_ref().map(|base| ours(&base.spec));
                sent.at <= gone.at && applied(sent) && had == Some(ours(&body["spec"]))
            }),
        }
    }

    /// Whether the platform had rolled the deployment back by then that a run calls its job's.
    fn was_rolled_back(&self, gone: &Gone, by: Timestamp) -> bool {
        let own = gone
            .verdict()
            .and_then(|verdict| verdict.facts.deployment.as_ref());
        own.is_some_and(|own| {
            self.all_deployments().any(|one| {
                one.cause.1 == "AUTO_ROLLBACK"
                    && one.created_at <= by
                    && one.previous.as_deref() == Some(own.as_str())
            })
        })
    }

    /// A job that ran twice, and nobody who reads the page would know.
    fn ran_twice(&self, gone: &Gone) -> Option<String> {
        // All of what it says then is that nobody knows.
        let open = |job: &JobAxis| matches!(job, JobAxis::Unproven { .. } | JobAxis::Running);
        let open = gone.verdict().is_some_and(|verdict| open(&verdict.job));
        if gone.page.is_empty() || open || gone.page.contains(RAN_TWICE) {
            return None;
        }
        let looks = self.last_looks(gone.number, Timestamp::MAX);
        let look = looks.first()?;
        let mut ran = self.ran_for(gone);
        ran.retain(|ran| ran.disarmed.is_none() && ran.at <= look.at);
        let twice = ran.iter().enumerate().find(|(place, one)| {
            let mut before = ran.iter().take(*place);
            before.any(|before| before.component == one.component)
        });
        twice.map(|(_, one)| format!("nothing of `{}`, which ran twice", one.component))
    }

    /// What the run before told its reader to do, and what came of it.
    fn advice(&self, gone: &Gone) -> Option<String> {
        let reason = gone.ended.as_ref().map(|ended| ended.reason)?;
        let mut before = self.played.gone.iter();
        let before = before.rfind(|one| one.at < gone.started && one.wanted == gone.wanted)?;
        // A second runner may have had an authority of its own.
        let heard = |advice: &str| before.role != "second" && before.page.contains(advice);
        let refused = gone.verdict().is_none();
        let mut advice = ADVICE.iter();
        let (_, advice, _) = advice.find(|(role, advice, never)| {
            *role == gone.role && heard(advice) && refused && never.contains(&reason)
        })?;
        Some(format!("{reason:?}, and {} said {advice:?}", before.role))
    }

    /// The processes of the jobs that a run put in or followed, until it was gone.
    fn ran_for(&self, gone: &Gone) -> Vec<&'a Ran> {
        let verdict = gone.verdict();
        let followed = verdict.and_then(|verdict| verdict.facts.job.as_ref());
        let mut jobs = self.put_in_by(gone.number);
        jobs.extend(followed.map(ToString::to_string));
        let ran = self.played.ran.iter();
        ran.filter(|ran| jobs.contains(&ran.component) && ran.at <= gone.at)
            .collect()
    }
}
