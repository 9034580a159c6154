//! C6: what a run says is what happened, and no secret is in it.

use super::{Judge, answers_for, applied, inserted, may_have_applied};
use crate::actor::ours;
use crate::choice::{Choice, FaultName, Setting};
use crate::scene::Gone;
use crate::shown::Row;
use crate::wire::{PILOT, Sent};
use jiff::{SignedDuration, Timestamp};
use migration::{
    CleanUpAxis, DeploymentAxis, Epoch, FirewallAxis, Happening, HealthAxis, JobAxis, JobName,
    Reason, StepState, Verdict,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// How long a list of deployments may lack the newest ones.
const LISTED_LATE: SignedDuration = SignedDuration::from_mins(2);

/// Whether a read came through.
fn is_read(sent: &Sent) -> bool {
    sent.reply == Some(200) && sent.fault != Some(FaultName::Truncated)
}

impl<'a> Judge<'a> {
    /// C6: when a run says that the app is put back, its last look could not have shown a job of its own in it.
    pub(super) fn put_back(&mut self, gone: &Gone) {
        let mut job = None;
        for event in &gone.events {
            match &event.what {
                Happening::Planned(plan) => job = Some(plan.job()),
                Happening::Restored { .. } => {}
                _ => continue,
            }
            let (Happening::Restored { .. }, Some(job)) = (&event.what, &job) else {
                continue;
            };
            let at = event.at - self.date_ahead();
            let mut looks = self.played.journal.sent.iter().rev();
            let Some(looked) = looks.find(|sent| {
                // The platform's clock is told in whole seconds.
                let before = sent.at < at + SignedDuration::from_secs(1);
                let looks = matches!(sent.call, "apps.get" | "deployments.list");
                sent.process == gone.number && looks && before
            }) else {
                continue;
            };
            let shown = looked.at.min(at) - self.list_lag();
            let mut before = self.all_deployments();
            let Some(newest) = before.find(|one| one.created_at < shown) else {
                continue;
            };
            let mut carried = ours(&newest.spec).into_iter();
            let (good, id) = (newest.was_good(), &newest.id);
            if good && carried.any(|name| answers_for(job, &name)) {
                let what = format!("{} said so after {job}, and {id} carries it", gone.role);
                drop(before);
                self.broke("C6 put back", what);
            }
        }
    }

    /// C6: what a run says at its end is what happened.
    pub(super) fn truth(&mut self, gone: &Gone) {
        for (sink, secret) in &gone.leaks {
            self.broke(
                "C8 secret",
                format!("`{secret}` in the {sink} of {}", gone.role),
            );
        }
        let Some(ended) = &gone.ended else { return };
        // Everybody who reads the report must read of the end that the exit code tells.
        if ended.report.reason() != Some(ended.reason) {
            self.broke(
                "C6 reason",
                format!(
                    "{} ends with {:?}, and its report says {:?}",
                    gone.role,
                    ended.reason,
                    ended.report.reason()
                ),
            );
        }
        // One that was refused may have been sent twice on the way, and counts as applied.
        let mut put_in = self.put_in_by(gone.number);
        put_in.retain(|name| {
            self.all_deployments()
                .any(|one| ours(&one.spec).contains(name))
        });
        let headline = ended.report.headline();
        let ran_any = self.played.ran.iter().any(|ran| {
            put_in.contains(&ran.component) && ran.at <= gone.at && !ran.commands.is_empty()
        });
        let denies = |what: &str| headline.as_str().contains(what);
        if !put_in.is_empty() && denies("nothing was inserted")
            || ran_any
                && (denies("nothing ran") || denies("ran nothing") || denies("nothing was run"))
        {
            self.broke(
                "C6 headline",
                format!("{} put in {put_in:?} and says: {headline}", gone.role),
            );
        }
        let Some(verdict) = &ended.report.verdict else {
            return;
        };
        let ran: Vec<_> = self
            .played
            .ran
            .iter()
            .filter(|ran| ran.at <= gone.at)
            .collect();
        let mut left = gone.left.clone();
        if let Some(job) = &verdict.facts.job {
            // Another run's job is that run's to answer for; that of an earlier epoch of the same migration is its own.
            left.retain(|name| answers_for(job, name));
        }
        // Nor is what somebody, or another run, brings in when it has looked for the last time.
        let mut looks = self.played.journal.sent.iter().rev();
        let looked = looks.find(|sent| {
            (sent.process, sent.call) == (gone.number, "apps.get") && sent.reply == Some(200)
        });
        let since = looked.map_or(gone.at, |sent| sent.at);
        let brought_in = |name: &String| {
            let by_others = self.all_deployments().any(|one| {
                one.user.as_deref() != Some(PILOT)
                    && one.created_at >= since
                    && ours(&one.spec).contains(name)
            });
            by_others || self.inserted_by_another(name, gone.number, since)
        };
        left.retain(|name| !brought_in(name));
        if verdict.clean_up == CleanUpAxis::Verified && !left.is_empty() {
            self.broke(
                "C6 clean-up",
                format!("{} says verified, and {left:?} is there", gone.role),
            );
        }
        let mut probes = self.played.journal.sent.iter().filter(|sent| {
            (sent.process, sent.call) == (gone.number, "live") && sent.at > gone.started
        });
        if verdict.health == HealthAxis::Bad && probes.all(|sent| sent.reply == Some(200)) {
            self.broke(
                "C6 health",
                format!("{} says unhealthy, and got good answers only", gone.role),
            );
        }
        let Some(job) = &verdict.facts.job else {
            return;
        };
        let name = job.to_string();
        let of_job: Vec<_> = ran
            .iter()
            .filter(|ran| ran.component == name && ran.ours)
            .collect();
        match &verdict.job {
            JobAxis::Done => {
                let whole = of_job.iter().any(|ran| {
                    ran.disarmed.is_none()
                        && !ran.commands.is_empty()
                        && ran.commands.iter().all(|command| command.code == Some(0))
                });
                if !whole {
                    self.broke(
                        "C6 done",
                        format!(
                            "{} says `{name}` is done, and no process did it all",
                            gone.role
                        ),
                    );
                }
            }
            JobAxis::Failed { step, code, .. } => {
                let failed = of_job.iter().any(|ran| {
                    ran.commands
                        .iter()
                        .any(|command| command.name == step.as_str() && command.code == Some(*code))
                });
                if !failed {
                    self.broke(
                        "C6 failed",
                        format!(
                            "{} says `{step}` ended with {code}, and it did not",
                            gone.role
                        ),
                    );
                }
            }
            JobAxis::NeverStarted => {
                // Nor will it, unless another of ours inserts it anew, or somebody puts a copy of it back: whoever reads this
                // may run it again. Who stood still since the last look can't know of that.
                let anew = self.inserted_by_another(&name, gone.number, since);
                let ran = of_job
                    .iter()
                    .any(|ran| !ran.commands.is_empty() && (ran.at <= since || !anew));
                if ran {
                    self.broke(
                        "C6 never",
                        format!("{} says `{name}` never started, and it ran", gone.role),
                    );
                }
                let later = !anew
                    && !self.put_back_by_others(&name, since)
                    && self.played.ran.iter().any(|ran| {
                        ran.at > gone.at && ran.component == name && !ran.commands.is_empty()
                    });
                if later {
                    self.broke(
                        "C6 never",
                        format!(
                            "{} says `{name}` never started, and it ran later",
                            gone.role
                        ),
                    );
                }
            }
            JobAxis::NotAttempted | JobAxis::Refused { .. } => {
                let by_it = self.puts().iter().any(|(sent, body)| {
                    sent.process == gone.number
                        && may_have_applied(sent)
                        && inserted(sent, body).contains(&name)
                });
                if by_it {
                    self.broke(
                        "C6 job",
                        format!("{} says {:?}, and it sent `{name}`", gone.role, verdict.job),
                    );
                }
            }
            JobAxis::Unproven { .. } | JobAxis::Running => {}
        }
        if verdict.reason == Reason::Done {
            for step in self.undone_steps(gone, job) {
                self.broke(
                    "C6 success",
                    format!("{} says done, and `{step}` was not", gone.role),
                );
            }
            if verdict.job != JobAxis::Done {
                self.broke(
                    "C6 success",
                    format!("{} says done with {:?}", gone.role, verdict.job),
                );
            }
            let id = verdict.facts.deployment.as_ref().map(ToString::to_string);
            let carries = self
                .all_deployments()
                .any(|one| Some(&one.id) == id.as_ref() && ours(&one.spec).contains(&name));
            if !carries {
                self.broke(
                    "C6 success",
                    format!("{} names {id:?}, which does not carry `{name}`", gone.role),
                );
            }
        }
        let begun = u32::try_from(of_job.len()).unwrap_or(u32::MAX);
        if verdict.facts.executions > begun {
            self.broke(
                "C6 count",
                format!(
                    "{} counts {} executions of `{name}`, and there were {begun}",
                    gone.role, verdict.facts.executions
                ),
            );
        }
    }

    /// C6: what a run says about the firewall is what its last read of it showed.
    pub(super) fn what_it_says_of_the_firewall(&mut self, gone: &Gone) {
        let verdict = gone
            .ended
            .as_ref()
            .and_then(|ended| ended.report.verdict.as_ref());
        let Some(verdict) = verdict else { return };
        let sent = &self.played.journal.sent;
        let calls = |call: &'static str| sent.iter().filter(move |sent| sent.call == call);
        let mut reads = calls("databases.firewall").filter(|sent| sent.process == gone.number);
        let Some(read) = reads.rfind(|sent| sent.reply == Some(200)) else {
            return;
        };
        let mut writes = calls("databases.put_firewall").chain([read]);
        if writes.any(|sent| sent.fault.is_some() || sent.killed.is_some()) {
            return;
        }
        let added = self.played.journal.acts.iter();
        let added = added
            .filter(|(_, what)| what == "firewall-rule")
            .map(|(at, _)| *at);
        let restored = calls("databases.put_firewall").filter(|sent| sent.answer == Some(204));
        let changes = added
            .map(|at| (at, true))
            .chain(restored.map(|sent| (sent.at, false)));
        let (mut extra, mut last) = (self.played.has(Setting::Restore), None);
        for (at, adds) in changes.collect::<BTreeMap<Timestamp, bool>>() {
            if at > read.at {
                break;
            }
            (extra, last) = (adds, Some(at));
        }
        let says = verdict.firewall;
        let holds = match says {
            FirewallAxis::AsAsked | FirewallAxis::Restored => !extra,
            FirewallAxis::Drifted => extra,
            FirewallAxis::Failed | FirewallAxis::NotChecked => true,
        };
        // Within one instant either may have come first.
        if !holds && last != Some(read.at) {
            self.broke(
                "C6 firewall",
                format!(
                    "{} says {says:?}, and another rule {}",
                    gone.role,
                    if extra { "was there" } else { "was not" }
                ),
            );
        }
    }

    /// The steps of the migration that a run carried out which no process ended with 0.
    fn undone_steps(&self, gone: &Gone, job: &JobName) -> Vec<String> {
        let mut events = gone.events.iter().rev();
        let planned = events.find_map(|event| match &event.what {
            Happening::Planned(plan) => Some(&plan.request.manifest.steps),
            _ => None,
        });
        let is_done = |step: &str| {
            self.played.ran.iter().any(|ran| {
                let of_key = JobName::parse(&ran.component).is_some_and(|of| of.key == job.key);
                let mut steps = ran.steps();
                of_key && steps.any(|ended| (ended.name.as_str(), ended.code) == (step, Some(0)))
            })
        };
        let steps = planned
            .into_iter()
            .flatten()
            .map(|step| step.name.to_string());
        steps.filter(|step| !is_done(step)).collect()
    }

    /// What the deployments, the commit and the places that a report names really are.
    pub(super) fn facts(&mut self, gone: &Gone) {
        let verdict = gone
            .ended
            .as_ref()
            .and_then(|ended| ended.report.verdict.as_ref());
        let Some(verdict) = verdict else { return };
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
        for name in &verdict.facts.removed {
            let takes_out = self.puts().iter().any(|(sent, body)| {
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
        let rows: Vec<&Row> = self.all_deployments().collect();
        let row = |id: &app_spec::DeploymentId| rows.iter().find(|one| one.id == id.as_str());
        let carries = |one: &Row| ours(&one.spec).contains(&name);
        let own = facts.deployment.as_ref().and_then(row);
        // Our updates alone have our user, and of ours an insert alone brings the job in. (One may be applied twice.)
        let made_by_us = own.is_some_and(|own| carries(own) && own.user.as_deref() == Some(PILOT));
        if let Some(id) = &facts.deployment
            && !made_by_us
        {
            wrong.push(format!("{id} is the deployment of `{name}`, and it is not"));
        }
        if let Some(id) = &facts.rollback
            && !row(id).is_some_and(|one| {
                one.cause.1 == "AUTO_ROLLBACK" && one.previous.as_ref() == own.map(|own| &own.id)
            })
        {
            wrong.push(format!("{id} rolled `{name}` back, and it did not"));
        }
        if let Some(id) = &facts.clean_up
            && !row(id).is_some_and(|one| {
                let later = own.is_none_or(|own| one.created_at >= own.created_at);
                one.user.as_deref() == Some(PILOT) && !carries(one) && later
            })
        {
            wrong.push(format!("{id} took `{name}` out, and it did not"));
        }
        for id in &facts.carried_by {
            if !row(id).is_some_and(|one| carries(one)) || Some(id) == facts.deployment.as_ref() {
                wrong.push(format!("{id} carried `{name}`, too, and it did not"));
            }
        }
        let unnamed = rows.iter().find(|one| {
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
        let was_live = |one: &&Row| match one.phase {
            "ERROR" => self.was_active_before_its_job(one, look),
            "ACTIVE" => one.phase_at <= gone.at,
            "SUPERSEDED" => one.created_at <= gone.at && one.phase_at >= look.at,
            _ => false,
        };
        let mut rows = self.all_deployments();
        match rows.find(|one| one.id == id.as_str()) {
            Some(one) if was_live(&one) => {
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
        let early =
            |choice: &Choice| matches!(choice, Choice::Knob(name, _) if name == "post_job_phase");
        self.played.choices.iter().any(early) && one.phase_at >= look.at
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
        let mut events = gone.events.iter().rev();
        let planned = events.find(|event| {
            let of = match &event.what {
                Happening::Planned(plan) => Some(plan.job()),
                _ => None,
            };
            of.is_some() && of == verdict.facts.job
        });
        let Some(planned) = planned else { return };
        let planned = planned.at - self.date_ahead() + SignedDuration::from_secs(1);
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
            let ended_with = |epoch: Option<Epoch>, check: bool, code: i32| {
                let mut ran = self.played.ran.iter();
                ran.any(|ran| {
                    let of = JobName::parse(&ran.component);
                    of.is_some_and(|of| {
                        of.key == job.key && epoch.is_none_or(|one| one == of.epoch)
                    }) && ran.at <= gone.at
                        && ran.commands.iter().any(|command| {
                            (command.check, command.name.as_str(), command.code)
                                == (check, step.name.as_str(), Some(code))
                        })
                })
            };
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

    /// How far the clock is ahead by which our processes tell the time.
    fn date_ahead(&self) -> SignedDuration {
        let ahead = self.played.choices.iter().find_map(|choice| match choice {
            Choice::DateAhead(seconds) => Some(SignedDuration::from_secs(*seconds)),
            _ => None,
        });
        ahead.unwrap_or_default()
    }

    /// How long a list of deployments lacks what was made.
    fn list_lag(&self) -> SignedDuration {
        let lag = self.played.choices.iter().find_map(|choice| match choice {
            Choice::Knob(name, seconds) if name == "list_lag_seconds" => seconds.parse().ok(),
            _ => None,
        });
        SignedDuration::from_secs(lag.unwrap_or_default())
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
    fn last_looks(&self, process: usize, before: Timestamp) -> Vec<&'a Sent> {
        let looks = self.looks(process).rev();
        let mut last: Vec<&Sent> = looks.filter(|look| look.at < before).take(2).collect();
        last.reverse();
        last
    }
}
