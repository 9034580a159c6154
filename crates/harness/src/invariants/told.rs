//! C6: what a run says is what happened, and no secret is in it.

use super::{Judge, answers_for, inserted, may_have_applied};
use crate::actor::ours;
use crate::choice::{Choice, Setting};
use crate::scene::Gone;
use crate::wire::PILOT;
use jiff::{SignedDuration, Timestamp};
use migration::{
    CleanUpAxis, Epoch, FirewallAxis, Happening, HealthAxis, JobAxis, JobName, Reason, StepName,
};
use std::collections::BTreeMap;

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
        let put_in = self.went_in_by(gone.number);
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
        let Some(verdict) = gone.verdict() else {
            return;
        };
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
    fn undone_steps(&self, gone: &Gone, job: &JobName) -> Vec<StepName> {
        let planned = gone.plans().next();
        let steps = planned.map(|(_, plan)| plan.request.manifest.steps.iter());
        let steps = steps.into_iter().flatten().map(|step| step.name.clone());
        let is_done = |step: &StepName| self.ended_with(gone, job, None, step, (false, 0));
        steps.filter(|step| !is_done(step)).collect()
    }

    /// Whether a process of the job's migration, or of that epoch alone, ended a step (or its check) with this code before the
    /// run was gone.
    pub(super) fn ended_with(
        &self,
        gone: &Gone,
        job: &JobName,
        epoch: Option<Epoch>,
        step: &StepName,
        (check, code): (bool, i32),
    ) -> bool {
        let is_of = |of: JobName| of.key == job.key && epoch.is_none_or(|epoch| epoch == of.epoch);
        self.played.ran.iter().any(|ran| {
            let wanted = (check, step.as_str(), Some(code));
            let mut commands = ran.commands.iter();
            JobName::parse(&ran.component).is_some_and(is_of)
                && ran.at <= gone.at
                && commands.any(|one| (one.check, one.name.as_str(), one.code) == wanted)
        })
    }

    /// How far the clock is ahead by which our processes tell the time.
    pub(super) fn date_ahead(&self) -> SignedDuration {
        let ahead = self.played.choices.iter().find_map(|choice| match choice {
            Choice::DateAhead(seconds) => Some(SignedDuration::from_secs(*seconds)),
            _ => None,
        });
        ahead.unwrap_or_default()
    }

    /// How long a list of deployments lacks what was made.
    pub(super) fn list_lag(&self) -> SignedDuration {
        let lag = self.played.knob("list_lag_seconds");
        let lag = lag.and_then(|seconds| seconds.parse().ok());
        SignedDuration::from_secs(lag.unwrap_or_default())
    }
}
