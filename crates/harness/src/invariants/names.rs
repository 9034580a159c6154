//! C6: what a report names is what it says it is: deployments, a commit, places of the spec, steps.

use super::{Judge, applied};
use crate::actor::ours;
use crate::choice::FaultName;
use crate::scene::Gone;
use crate::shown::Row;
use crate::wire::Sent;
use jiff::{SignedDuration, Timestamp};
use migration::{CleanUpAxis, DeploymentAxis, JobAxis, JobName, StepState, Verdict};
use serde_json::Value;

/// How long a list of deployments may lack the newest ones.
const LISTED_LATE: SignedDuration = SignedDuration::from_mins(2);

/// Whether a read came through.
fn is_read(sent: &Sent) -> bool {
    sent.reply == Some(200) && sent.fault != Some(FaultName::Truncated)
}

impl<'a> Judge<'a> {
    /// What the deployments, the commit and the places that a report names really are.
    pub(super) fn facts(&mut self, gone: &Gone) {
        let Some(verdict) = gone.verdict() else {
            return;
        };
        let mut wrong = Vec::new();
        self.what_it_took_out(gone, verdict, &mut wrong);
        let looks = self.last_looks(gone.number, Timestamp::MAX);
        if let (Some(job), Some(look)) = (&verdict.facts.job, looks.first()) {
            self.deployments_it_names(gone, verdict, job, look, &mut wrong);
            self.what_is_live(gone, verdict, &looks, &mut wrong);
            self.what_others_changed(gone, verdict, &looks, &mut wrong);
            self.what_became_of_the_steps(gone, verdict, job, look, &mut wrong);
            let facts = &verdict.facts;
            let told = self
                .played
                .ledger
                .iter()
                .any(|entry| entry.claim.job() == *job && entry.outcome.is_some());
            if facts.recorded && verdict.job != JobAxis::NotAttempted && !told {
                wrong.push(format!("the ledger took how `{job}` ended, and it did not"));
            }
        }
        for what in wrong {
            self.broke("C6 facts", format!("{} says that {what}", gone.role));
        }
    }

    fn what_it_took_out(&self, gone: &Gone, verdict: &Verdict, wrong: &mut Vec<String>) {
        let puts = self.puts();
        for name in &verdict.facts.removed {
            let takes_out = puts.iter().any(|(sent, body)| {
                let jobs = body["spec"]["jobs"].as_array();
                let holds = jobs.is_some_and(|jobs| jobs.iter().any(|job| job["name"] == **name));
                sent.process == gone.number && applied(sent) && !holds
            });
            if !takes_out {
                wrong.push(format!("it took out `{name}`, and no update of its did"));
            }
        }
    }

    fn deployments_it_names(
        &self,
        gone: &Gone,
        verdict: &Verdict,
        job: &JobName,
        look: &Sent,
        wrong: &mut Vec<String>,
    ) {
        let facts = &verdict.facts;
        let name = job.to_string();
        let carries = |one: &Row| ours(&one.spec).contains(&name);
        let own = facts.deployment.as_ref().and_then(|id| self.row(id));
        // Our updates alone have our user, and of ours an insert alone brings the job in. (One may be applied twice.)
        if let Some(id) = &facts.deployment
            && !self.is_own(id, carries)
        {
            wrong.push(format!("{id} is the deployment of `{name}`, and it is not"));
        }
        if let Some(id) = &facts.rollback
            && !self.row(id).is_some_and(|one| {
                one.cause.1 == "AUTO_ROLLBACK" && one.previous.as_ref() == own.map(|own| &own.id)
            })
        {
            wrong.push(format!("{id} rolled `{name}` back, and it did not"));
        }
        if let Some(id) = &facts.clean_up
            && !self.is_own(id, |one| {
                !carries(one) && own.is_none_or(|own| one.created_at >= own.created_at)
            })
        {
            wrong.push(format!("{id} took `{name}` out, and it did not"));
        }
        for id in &facts.carried_by {
            if !self.row(id).is_some_and(carries) || Some(id) == facts.deployment.as_ref() {
                wrong.push(format!("{id} carried `{name}`, too, and it did not"));
            }
        }
        let unnamed = self.all_deployments().find(|one| {
            let named = facts.carried_by.iter().chain(&facts.deployment);
            carries(one)
                && one.created_at + LISTED_LATE < look.at
                && !named.into_iter().any(|id| id.as_str() == one.id)
        });
        if let (Some(one), true) = (unnamed, verdict.job != JobAxis::NotAttempted) {
            wrong.push(format!("{} did not carry `{name}`, and it did", one.id));
        }
        for copy in &facts.disarmed {
            let ran = self.played.ran.iter().any(|ran| {
                ran.deployment == copy.deployment.as_str()
                    && ran.component == name
                    && !ran.commands.is_empty()
            });
            if ran {
                wrong.push(format!(
                    "the copy of `{name}` in {} ran nothing, and it ran",
                    copy.deployment
                ));
            }
        }
        let Some(own) = own else { return };
        let fits = match verdict.deployment {
            DeploymentAxis::Active => own.was_good() || self.was_active_before_its_job(own, look),
            DeploymentAxis::RolledBack | DeploymentAxis::Failed => own.phase == "ERROR",
            DeploymentAxis::Cancelled => ["CANCELED", "SUPERSEDED"].contains(&own.phase),
            DeploymentAxis::InFlight => own.phase_at >= look.at || own.is_in_flight(),
            DeploymentAxis::None => false,
            DeploymentAxis::Unknown => true,
        };
        if !fits {
            wrong.push(format!(
                "{} is {:?}, and it is {} since {}, {} looked at {}",
                own.id, verdict.deployment, own.phase, own.phase_at, gone.role, look.at
            ));
        }
    }

    fn what_is_live(
        &self,
        gone: &Gone,
        verdict: &Verdict,
        looks: &[&Sent],
        wrong: &mut Vec<String>,
    ) {
        let facts = &verdict.facts;
        let (Some((id, commit)), Some(look)) = (&facts.live, looks.first()) else {
            return;
        };
        let was_live = |one: &Row| match one.phase {
            "ERROR" => self.was_active_before_its_job(one, look),
            "ACTIVE" => one.phase_at <= gone.at,
            "SUPERSEDED" => one.created_at <= gone.at && one.phase_at >= look.at,
            _ => false,
        };
        match self.row(id) {
            Some(one) if was_live(one) => {
                if let Some(commit) = commit
                    && one.commit.as_deref() != Some(commit.as_str())
                {
                    wrong.push(format!(
                        "commit {commit} is live, and it is {:?}",
                        one.commit
                    ));
                }
            }
            other => wrong.push(format!(
                "{id} is live, and it is {:?}",
                other.map(|one| (one.phase, one.phase_at))
            )),
        }
        let mut read = looks.iter().filter_map(|look| look.read.as_ref()?.base());
        if !read.any(|base| base.pinned == facts.pinned) {
            wrong.push(format!("pinned is {}, and it read the other", facts.pinned));
        }
    }

    /// Whether a deployment that has failed since a look may have been active then, before its job had run.
    fn was_active_before_its_job(&self, one: &Row, look: &Sent) -> bool {
        self.played.knob("post_job_phase").is_some() && one.phase_at >= look.at
    }

    /// Whether the spec is what it was when the plan was made, as it was read then and last.
    fn what_others_changed(
        &self,
        gone: &Gone,
        verdict: &Verdict,
        looks: &[&Sent],
        wrong: &mut Vec<String>,
    ) {
        let out = matches!(verdict.clean_up, CleanUpAxis::Verified | CleanUpAxis::Sent);
        if !out || verdict.job == JobAxis::NotAttempted {
            return;
        }
        let planned = gone
            .plans()
            .find(|(_, plan)| Some(plan.job()) == verdict.facts.job);
        let Some((planned, _)) = planned else { return };
        let planned = planned - self.date_ahead() + SignedDuration::from_secs(1);
        let read = |look: &&Sent| Some(self.plain(look.read.as_ref()?.base()?.spec));
        let then = self.last_looks(gone.number, planned);
        let then: Vec<Value> = then.iter().filter_map(read).collect();
        let now: Vec<Value> = looks.iter().filter_map(read).collect();
        let same = then.iter().any(|then| now.contains(then));
        let changed = then.iter().any(|then| now.iter().any(|now| now != then));
        let says = !verdict.facts.changed_by_others.is_empty();
        if says && !changed || !says && !same {
            wrong.push(format!(
                "others changed {:?}, and the spec is {} as it was",
                verdict.facts.changed_by_others,
                if same { "still" } else { "not" }
            ));
        }
    }

    fn what_became_of_the_steps(
        &self,
        gone: &Gone,
        verdict: &Verdict,
        job: &JobName,
        look: &Sent,
        wrong: &mut Vec<String>,
    ) {
        let Some(ended) = &gone.ended else { return };
        for step in ended.report.step_rows() {
            let ended_with =
                |epoch, check, code| self.ended_with(gone, job, epoch, &step.name, (check, code));
            let begun = || {
                let name = job.to_string();
                let mut ran = self.played.ran.iter();
                ran.any(|ran| {
                    ran.component == name
                        && ran.at < look.at
                        && ran
                            .steps()
                            .any(|command| command.name == step.name.as_str())
                })
            };
            let holds = match step.state {
                // A later epoch of another run may have done it.
                StepState::Done => ended_with(None, false, 0),
                StepState::Failed(code) => ended_with(Some(job.epoch), false, code),
                StepState::CheckPassed => ended_with(Some(job.epoch), true, 0),
                StepState::CheckFailed(code) => ended_with(Some(job.epoch), true, code),
                StepState::DoneEarlier(epoch, _) => ended_with(Some(epoch), false, 0),
                StepState::NotRun => verdict.job == JobAxis::NotAttempted || !begun(),
                StepState::ToRun | StepState::Running => verdict.job == JobAxis::Running,
                StepState::Unproven => true,
            };
            if !holds {
                wrong.push(format!(
                    "step `{}` of `{job}` is {:?}, and it is not",
                    step.name, step.state
                ));
            }
        }
    }

    /// The looks of a process at all of the app: its reads of it that a list of its deployments followed.
    fn looks(&self, process: usize) -> impl DoubleEndedIterator<Item = &'a Sent> + use<'a> {
        let (mut looks, mut read) = (Vec::new(), None);
        let sent = self.played.journal.sent.iter();
        for sent in sent.filter(|sent| sent.process == process) {
            match (sent.call, is_read(sent)) {
                // One that fails may be asked for again.
                ("deployments.list", false) => {}
                ("deployments.list", true) => looks.extend(read.take()),
                (call, came) => read = (call == "apps.get" && came).then_some(sent),
            }
        }
        looks.into_iter()
    }

    /// The last looks of a process before a time: the last one, and the one before it, for the last may have failed where
    /// deployments are read one by one. Older first.
    pub(super) fn last_looks(&self, process: usize, before: Timestamp) -> Vec<&'a Sent> {
        let looks = self.looks(process).rev();
        let mut last: Vec<&Sent> = looks.filter(|look| look.at < before).take(2).collect();
        last.reverse();
        last
    }
}
