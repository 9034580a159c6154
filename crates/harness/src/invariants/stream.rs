//! C6: what a run tells on its way is what happened: each event of the one stream that every reporter shows.

use super::{Judge, applied, json_of, may_have_applied};
use crate::actor::ours;
use crate::job::Ran;
use crate::scene::{APP, Gone};
use crate::shown::Row;
use crate::wire::{PILOT, Sent};
use app_spec::{AppId, DeploymentId, Phase};
use jiff::{SignedDuration, Timestamp};
use migration::{
    Disarmed, DoneStep, Ended, Epoch, Evidence, Happening, JobName, Key, LedgerOutcome, Role,
    StepName,
};

/// How late an update may arrive.
const LATE: SignedDuration = SignedDuration::from_mins(3);

/// What a run had planned when it told something, and when that was at the latest.
struct Told<'a> {
    gone: &'a Gone,
    planned: Vec<JobName>,
    at: Timestamp,
}

impl Told<'_> {
    fn sent(&self, sent: &Sent) -> bool {
        sent.process == self.gone.number
    }

    /// Whether the app carries a job that the run had planned.
    fn carries(&self, one: &Row) -> bool {
        let carried = ours(&one.spec);
        let mut planned = self.planned.iter();
        planned.any(|job| carried.contains(&job.to_string()))
    }

    /// The key of the migration that the run wanted.
    fn key(&self) -> Option<Key> {
        let id = self.gone.wanted.as_ref()?;
        Some(Key::of(&AppId::new(APP), id))
    }
}

impl<'a> Judge<'a> {
    /// What of each event of a run is not so.
    pub(super) fn stream(&mut self, gone: &Gone) {
        let mut told = Told {
            gone,
            planned: Vec::new(),
            at: gone.started,
        };
        let mut wrong = Vec::new();
        for event in &gone.events {
            // The platform's clock is told in whole seconds; who stood still since it was told tells what came later.
            let still = self.stood_still(gone.who).as_secs().cast_signed();
            told.at = event.at - self.date_ahead() + SignedDuration::from_secs(1 + still);
            if let Happening::Planned(plan) = &event.what {
                told.planned.push(plan.job());
            }
            wrong.extend(self.not_so(&told, &event.what));
        }
        for what in wrong {
            self.broke("C6 told", format!("{} tells that {what}", gone.role));
        }
    }

    fn not_so(&self, told: &Told<'_>, what: &Happening) -> Vec<String> {
        let mut sent = self.played.journal.sent.iter();
        let (holds, what) = match what {
            Happening::Inserted { job, deployment } => {
                let name = job.to_string();
                let carries = |one: &Row| ours(&one.spec).contains(&name);
                let holds = self.went_in_by(told.gone.number).contains(&name)
                    && deployment
                        .as_ref()
                        .is_none_or(|id| self.is_own(id, carries));
                (holds, format!("it put `{name}` in, with {deployment:?}"))
            }
            Happening::Phase {
                deployment,
                role,
                phase,
            } => {
                let holds = self.is_in_phase(deployment, phase, told.at)
                    && self.has_role(told, deployment, *role);
                let one = self.row(deployment);
                let is = one.map(|one| (one.phase, one.phase_at, &one.cause, &one.user));
                let what = format!("{deployment} is {phase:?}, as {role:?}; it is {is:?}");
                (holds, what)
            }
            Happening::JobRunning { deployment } => {
                // The platform shows it as running before its process is there.
                let holds = self.row(deployment).is_some_and(|one| told.carries(one));
                (holds, format!("its job runs in {deployment}"))
            }
            Happening::Log {
                job,
                deployment,
                evidence,
                ..
            } => return self.log(job, deployment, told.at, evidence),
            Happening::Removed { jobs, deployment } => {
                let is_out = |one: &Row| {
                    let list = one.spec["jobs"].as_array();
                    let mut names = list.into_iter().flatten().map(|job| &job["name"]);
                    !names.any(|name| jobs.iter().any(|job| *name == **job))
                };
                let holds = deployment.as_ref().is_none_or(|id| self.is_own(id, is_out));
                (holds, format!("{deployment:?} takes {jobs:?} out"))
            }
            Happening::Cancelled(id) => {
                let holds = sent.any(|sent| {
                    told.sent(sent)
                        && sent.call == "deployments.cancel"
                        && sent.path.contains(id.as_str())
                        && sent.answer == Some(200)
                });
                (holds, format!("it cancelled {id}"))
            }
            Happening::PartDone { steps, .. } => {
                let Some(job) = told.planned.last() else {
                    return vec!["a part is done, and it planned nothing".to_owned()];
                };
                let is_done = |step| self.ended_with(told.gone, job, None, step, (false, 0));
                (steps.iter().all(is_done), format!("{steps:?} are done"))
            }
            Happening::AlreadyDone { steps, cleaned_up } => {
                let done =
                    |done: &DoneStep| self.ended_in(told, done.epoch, &done.step.name, (false, 0));
                let wrote = sent.any(|sent| {
                    told.sent(sent) && sent.call == "apps.update" && may_have_applied(sent)
                });
                let holds = steps.iter().all(done) && wrote == *cleaned_up;
                let steps: Vec<_> = steps
                    .iter()
                    .map(|done| (&done.step.name, done.epoch))
                    .collect();
                (
                    holds,
                    format!("{steps:?} were done, cleaned up {cleaned_up}"),
                )
            }
            Happening::AlreadyEnded(ended) => (self.has_ended(told, ended), format!("{ended:?}")),
            Happening::Claimed => {
                let holds = sent.any(|sent| told.sent(sent) && sent.call == "ledger.append");
                (holds, "it claimed".to_owned())
            }
            Happening::Health { ok } => {
                let probes = sent.filter(|sent| told.sent(sent) && sent.call == "live");
                let mut good = probes.map(|sent| sent.reply == Some(200));
                let holds = if *ok {
                    good.filter(|good| *good).count() >= 3
                } else {
                    good.any(|good| !good)
                };
                (holds, format!("the app's answers are good: {ok}"))
            }
            Happening::Firewall { .. }
            | Happening::Overwritten(_)
            | Happening::Warned(_)
            | Happening::Waiting(_)
            | Happening::Doubtful(_)
            | Happening::Refused(_)
            | Happening::Restored { .. }
            | Happening::Planned(_)
            | Happening::Ended(_) => return Vec::new(),
        };
        if holds { Vec::new() } else { vec![what] }
    }

    /// Whose a deployment is.
    fn has_role(&self, told: &Told<'_>, id: &DeploymentId, role: Role) -> bool {
        let Some(one) = self.row(id) else {
            return false;
        };
        match role {
            Role::Ours => {
                let key = told.planned.last().map(|job| &job.key);
                let carried = ours(&one.spec);
                let mut carried = carried.iter().filter_map(|name| JobName::parse(name));
                one.user.as_deref() == Some(PILOT) && carried.any(|job| Some(&job.key) == key)
            }
            Role::CarriesOurs => told.carries(one),
            Role::Rollback => {
                let mut rows = self.all_deployments();
                let failed = rows.find(|row| Some(&row.id) == one.previous.as_ref());
                one.cause.1 == "AUTO_ROLLBACK" && failed.is_some_and(|failed| told.carries(failed))
            }
            Role::CleanUp => {
                let mut made = self.may_have_made(one).into_iter();
                made.any(|sent| told.sent(sent)) && !told.carries(one)
            }
            Role::Merge => {
                let plan = told.gone.plans().next();
                let commit = plan.and_then(|(_, plan)| plan.request.commit.as_ref());
                one.commit.as_deref() == commit.map(|commit| commit.as_str())
            }
            // Unless a clear reply to an update of its own named it.
            Role::Other => match self.may_have_made(one)[..] {
                [sent] if self.played.knob("put_reply").is_none() => {
                    !told.sent(sent) || sent.fault.is_some() || sent.reply != Some(200)
                }
                _ => true,
            },
        }
    }

    /// Whether a deployment had come to an end by then as it is said.
    fn is_in_phase(&self, id: &DeploymentId, phase: &Phase, at: Timestamp) -> bool {
        let Some(one) = self.row(id) else {
            return false;
        };
        // One that is active before its job has run may give way to the one before it again.
        let comes_back = self.played.knob("post_job_phase").is_some();
        let (exactly, since_then): (&str, &[&str]) = match phase {
            Phase::Active | Phase::Superseded if comes_back => return true,
            Phase::Active => ("ACTIVE", &["SUPERSEDED", "ERROR"]),
            // One that gives way twice is dated by the last time.
            Phase::Superseded => return one.phase == "SUPERSEDED",
            Phase::Error => ("ERROR", &[]),
            Phase::Canceled => ("CANCELED", &[]),
            _ => return true,
        };
        since_then.contains(&one.phase) || one.phase == exactly && one.phase_at <= at
    }

    /// The updates of ours that may have made a deployment; some may arrive late.
    fn may_have_made(&self, one: &Row) -> Vec<&'a Sent> {
        if one.user.as_deref() != Some(PILOT) {
            return Vec::new();
        }
        let sent = self.played.journal.sent.iter();
        sent.filter(|sent| sent.call == "apps.update" && applied(sent))
            .filter(|sent| (sent.at..sent.at + LATE).contains(&one.created_at))
            .filter(|sent| ours(&json_of(sent)["spec"]) == ours(&one.spec))
            .collect()
    }

    /// What of a log is not so.
    fn log(&self, job: &JobName, id: &DeploymentId, at: Timestamp, log: &Evidence) -> Vec<String> {
        let name = job.to_string();
        let all = self.played.ran.iter();
        let ran: Vec<&Ran> = all
            .filter(|ran| ran.deployment == id.as_str() && ran.component == name && ran.at <= at)
            .collect();
        let mut wrong = Vec::new();
        if log.begins as usize > ran.len() {
            wrong.push(format!(
                "`{name}` began {} times in {id}, and it began {} times",
                log.begins,
                ran.len()
            ));
        }
        let why = log.disarmed.as_ref().map(|why| match why {
            Disarmed::Lease => "lease",
            Disarmed::Commit { .. } => "commit",
            Disarmed::NoClock => "clock",
        });
        let causes: Vec<&str> = ran
            .iter()
            .filter_map(|ran| ran.disarmed.as_deref())
            .collect();
        if why.is_some_and(|why| !causes.iter().any(|cause| cause.contains(why))) {
            wrong.push(format!(
                "`{name}` ran nothing in {id} for its {why:?}, and it is {causes:?}"
            ));
        }
        let checks = log.checks.iter().map(|one| (true, one));
        for (check, one) in checks.chain(log.steps.iter().map(|one| (false, one))) {
            let mut commands = ran.iter().flat_map(|ran| &ran.commands);
            let found = commands.any(|command| {
                (command.check, command.name.as_str()) == (check, one.step.as_str())
                    && (one.code.is_none() || one.code == command.code)
            });
            if !found {
                wrong.push(format!(
                    "`{}` ended with {:?} in {id}, and it did not",
                    one.step, one.code
                ));
            }
        }
        wrong
    }

    /// Whether a process of that epoch of the migration that a run wanted ended a step with this code.
    fn ended_in(&self, told: &Told<'_>, epoch: Epoch, step: &StepName, what: (bool, i32)) -> bool {
        let Some(key) = told.key() else { return false };
        let job = JobName { key, epoch };
        self.ended_with(told.gone, &job, Some(epoch), step, what)
    }

    /// Whether an epoch of the migration that a run wanted had ended as is said.
    fn has_ended(&self, told: &Told<'_>, ended: &Ended) -> bool {
        let job = told.key().map(|key| JobName {
            key,
            epoch: ended.epoch,
        });
        let all = self.played.ran.iter();
        let mut ran = all.filter(|ran| JobName::parse(&ran.component) == job);
        match &ended.outcome {
            LedgerOutcome::Done => ran.any(|ran| {
                let mut codes = ran.commands.iter().map(|command| command.code);
                !ran.commands.is_empty() && codes.all(|code| code == Some(0))
            }),
            LedgerOutcome::Failed { step, code, check } => {
                self.ended_in(told, ended.epoch, step, (*check, *code))
            }
            LedgerOutcome::NeverStarted | LedgerOutcome::Withdrawn => {
                !ran.any(|ran| ran.at <= told.at && !ran.commands.is_empty())
            }
            LedgerOutcome::Unproven { .. } => true,
        }
    }
}
