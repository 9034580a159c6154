//! One effect at a time. Every PUT is built from a read made just before it, and sent once.

use crate::event::Teller;
use crate::ledger::{Ledger, LedgerError};
use crate::observe::Observer;
use app_spec::{App, AppId, AppSpec, ComponentName, Deployment, Fingerprint};
use digitalocean::{Client, Error, PutOutcome, WriteOutcome};
use jiff::Timestamp;
use migration::{
    Action, Claim, FirewallPolicy, FirewallView, Happening, JobName, LedgerOutcome, MadeClaim,
    Plan, Put, PutRefused, PutResult, RECORD_VERSION, RunRecord, WrittenFor, Wrote, after,
    baseline, bounds, extra_rules, insertion, lost_edits, removal, without_ours,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What may write to the world. A dry run has none.
pub(crate) struct Writer {
    pub(crate) client: Client,
    pub(crate) app: AppId,
    pub(crate) ledger: Option<Arc<dyn Ledger>>,
    pub(crate) also_stale: Vec<ComponentName>,
}

impl Writer {
    /// Carries out `action` and notes what came of it.
    ///
    /// # Cancel safety
    /// Not safe for the report: a PUT that is cut off may be applied. Safe for the app: whoever looks next finds it.
    pub(crate) async fn act(
        &self,
        action: Action,
        plan: Option<&Plan>,
        world: &mut Observer,
        tell: &mut Teller,
    ) {
        match (action, plan) {
            (Action::Claim, Some(plan)) => self.claim(plan, world, tell).await,
            (Action::ClaimRemoval(claim), _) => self.claim_removal(&claim, world, tell).await,
            (Action::Insert, Some(plan)) => self.insert(plan, world, tell).await,
            (Action::Probe, Some(plan)) => world.probe(plan, tell).await,
            (Action::ReadFirewall, Some(plan)) => world.read_firewall(plan, tell).await,
            (Action::RestoreFirewall, Some(plan)) => self.restore_firewall(plan, world, tell).await,
            (Action::FetchLog { job, deployment }, _) => {
                world.fetch_log(&job, &deployment, tell).await
            }
            (Action::Cancel(deployment), _) => {
                world.look_afresh();
                world.seen.doings.cancelled.push(deployment.clone());
                match self.client.cancel_deployment(&self.app, &deployment).await {
                    WriteOutcome::Applied(_) => {
                        tell.tell(world.clock.reckoned(), Happening::Cancelled(deployment))
                    }
                    WriteOutcome::NotApplied(error) | WriteOutcome::Ambiguous(error) => {
                        tell.warn(
                            &world.clock,
                            format_args!(
                                "deployment `{deployment}` could not be cancelled: {error}"
                            ),
                        );
                    }
                }
            }
            (Action::Remove(jobs), _) => self.remove(&jobs, world, tell).await,
            (Action::Repair(jobs), _) => self.repair(&jobs, world, tell).await,
            (Action::Record { entry, outcome }, _) => {
                self.record(entry, &outcome, world, tell).await
            }
            (
                Action::Claim
                | Action::Insert
                | Action::Probe
                | Action::ReadFirewall
                | Action::RestoreFirewall,
                None,
            ) => tracing::error!("a clean-up asked for something that only a migration does"),
        }
    }

    async fn claim(&self, plan: &Plan, world: &mut Observer, tell: &mut Teller) {
        let Some(ledger) = &self.ledger else {
            world.seen.doings.claim_failures = u32::MAX;
            return;
        };
        let claim = claim_of(plan);
        let before = world.clock.reckoned();
        match ledger.append(&claim).await {
            Ok(id) => {
                world.seen.doings.claim = Some(MadeClaim { id, at: before });
                world.ledger_due = true;
                tell.tell(before, Happening::Claimed);
            }
            Err(error) => {
                let doings = &mut world.seen.doings;
                doings.claim_failures = match &error {
                    LedgerError::Refused(_) => u32::MAX,
                    LedgerError::Unreachable(_) => doings.claim_failures.saturating_add(1),
                };
                tell.warn(
                    &world.clock,
                    format_args!("the claim could not be made: {}", chain(&error)),
                );
                world.ledger_error = Some(error);
                world.ledger_due = true;
                self.find_own_claim(ledger.as_ref(), &claim, before, world)
                    .await;
            }
        }
    }

    /// Says in the ledger that a job is being taken out. DigitalOcean comes first: it goes on without the ledger.
    async fn claim_removal(&self, claim: &Claim, world: &mut Observer, tell: &mut Teller) {
        world.seen.doings.claimed_removals.push(claim.job());
        let Some(ledger) = &self.ledger else { return };
        if let Err(error) = ledger.append(claim).await {
            tell.warn(
                &world.clock,
                format_args!(
                    "no claim could be made for the removal of job `{}`, which goes on without it: {}",
                    claim.job(),
                    chain(&error)
                ),
            );
        }
        world.ledger_due = true;
    }

    /// A claim whose reply was lost may stand in the ledger: it is found by its epoch and nonce. (The epochs of one run
    /// share a nonce.)
    async fn find_own_claim(
        &self,
        ledger: &dyn Ledger,
        claim: &Claim,
        sent: Timestamp,
        world: &mut Observer,
    ) {
        let Ok(entries) = world.claims(ledger, &claim.key).await else {
            return;
        };
        let mine = |entry: &&migration::LedgerEntry| {
            let found = &entry.claim;
            (found.epoch, &found.nonce) == (claim.epoch, &claim.nonce) && entry.outcome.is_none()
        };
        if let Some(entry) = entries.iter().find(mine) {
            world.seen.doings.claim = Some(MadeClaim {
                id: entry.id,
                at: sent,
            });
        }
    }

    /// Reads the app, edits its spec, PUTs it at once.
    async fn insert(&self, plan: &Plan, world: &mut Observer, tell: &mut Teller) {
        let Some((app, lay)) = self.fresh(world, tell).await else {
            return;
        };
        if !is_free(&app) || baseline(&app.spec, &self.also_stale) != plan.baseline {
            // Somebody wrote between the look and this read, or deploys what the list does not show yet: looked at
            // again, nothing sent.
            tracing::debug!("the app changed just before the insert; looking again");
            world.look_afresh();
            return;
        }
        let now = world.clock.reckoned();
        // The answer says when it was given, and may have lain here unread since.
        let latest = after(now, lay);
        let claim = world.seen.doings.claim.as_ref();
        if !claim.is_some_and(|claim| claim.is_usable(latest)) {
            // This process stood still since the look, and by now another one may have taken its claim for abandoned.
            tracing::debug!("the claim is too old by the platform's clock; looking again");
            world.look_afresh();
            return;
        }
        let spec = match insertion(plan, &app.spec, now) {
            Ok(spec) => spec,
            Err(refusal) => {
                let words = tell.redactor.text(format_args!("{refusal}"));
                world.seen.doings.insert_refused = Some(PutRefused::Spec(words));
                return;
            }
        };
        // Should this be cut off while it is under way, nobody knows what came of it.
        world.seen.doings.insert = Some(in_doubt(&spec, now));
        let outcome = self.put(&spec, WrittenFor::Job, now, world, tell).await;
        match &outcome {
            Sent::Ok(put) => {
                if let PutResult::Applied(deployment) = &put.outcome {
                    let deployment = deployment.clone();
                    tell.tell(
                        now,
                        Happening::Inserted {
                            job: plan.job(),
                            deployment,
                        },
                    );
                }
                world.seen.doings.insert_refused = None;
                world.seen.doings.insert = Some(put.clone());
            }
            Sent::Refused(put, refused) => {
                world.seen.doings.insert = Some(put.clone());
                world.seen.doings.insert_refused = Some(refused.clone());
            }
        }
    }

    /// Reads the app, drops exactly `jobs`, PUTs it at once. Repeating a removal is harmless, so a doubtful one is
    /// simply looked at.
    async fn remove(&self, jobs: &[ComponentName], world: &mut Observer, tell: &mut Teller) {
        let Some((app, _)) = self.fresh(world, tell).await else {
            return;
        };
        if app.pinned.is_some() || deploys_unseen(&app, world) {
            // Somebody rolled back just now, and the platform takes no update; or somebody deploys what the list does
            // not show yet, perhaps with a copy of the job, which this would cut short. Looked at again, nothing sent.
            world.look_afresh();
            return;
        }
        let now = world.clock.reckoned();
        let before = spec_before(jobs, world);
        let spec = removal(&app.spec, jobs, before.as_ref());
        world.seen.doings.removals.push(in_doubt(&spec, now));
        let (Sent::Ok(put) | Sent::Refused(put, _)) =
            self.put(&spec, WrittenFor::Job, now, world, tell).await;
        world.seen.doings.removals.pop();
        if let PutResult::Applied(deployment) = &put.outcome {
            let jobs: Vec<String> = jobs.iter().map(ToString::to_string).collect();
            let new = jobs
                .iter()
                .filter(|job| !world.seen.doings.removed.contains(job))
                .cloned();
            let new: Vec<String> = new.collect();
            world.seen.doings.removed.extend(new);
            let deployment = deployment.clone();
            tell.tell(now, Happening::Removed { jobs, deployment });
        }
        world.seen.doings.removals.push(put);
    }

    /// Reads the app, puts back what updates of ours had overwritten, PUTs it at once.
    async fn repair(&self, jobs: &[JobName], world: &mut Observer, tell: &mut Teller) {
        let Some((app, _)) = self.fresh(world, tell).await else {
            return;
        };
        if !is_free(&app) {
            // Another run's job is in by now, or somebody deploys: looked at again, nothing sent.
            tracing::debug!("the app changed just before the repair; looking again");
            return;
        }
        let now = world.clock.reckoned();
        let lost = lost_edits(jobs, &self.also_stale, &app, &world.seen);
        let Some(spec) = lost.spec else { return };
        let read = without_ours(&app.spec, &self.also_stale);
        let what_for = WrittenFor::Repair(Fingerprint::without_secrets(&read));
        let (Sent::Ok(put) | Sent::Refused(put, _)) =
            self.put(&spec, what_for, now, world, tell).await;
        let done = match put.outcome {
            PutResult::NotApplied => None,
            PutResult::Ambiguous => Some("was sent to be put back"),
            PutResult::Applied(_) => Some("is put back"),
        };
        if let Some(done) = done {
            let paths = lost.paths.join(", ");
            tell.warn(
                &world.clock,
                format_args!(
                    "somebody's edit of the app spec was lost to an update of ours or to its rollback, and {done}: {paths}"
                ),
            );
            world.seen.doings.repaired.extend(lost.paths);
        }
        world.seen.doings.repairs.push(put);
    }

    /// Reads the app for the update that follows it at once; nothing where that can't be, or where the answer lay here unread
    /// for longer than any request takes. With it, how long that may have been at most.
    async fn fresh(&self, world: &mut Observer, tell: &mut Teller) -> Option<(App, Duration)> {
        let asked = Instant::now();
        let read = self.client.app(&self.app).await;
        let lay = world.pace.platform(asked.elapsed());
        match read {
            Ok(_) if lay > bounds::BETWEEN_LOOKS => {
                tracing::debug!("stood still since the app was read; looking again");
                world.look_afresh();
                None
            }
            Ok(read) => {
                world.clock.set(read.server_time);
                Some((read.value, lay))
            }
            Err(error) => {
                tell.warn(
                    &world.clock,
                    format_args!("the app could not be read just before an update: {error}"),
                );
                world.platform_error = Some(error);
                None
            }
        }
    }

    /// Sends an update once, and remembers it where it may have been applied.
    async fn put(
        &self,
        spec: &AppSpec,
        what_for: WrittenFor,
        now: Timestamp,
        world: &mut Observer,
        tell: &mut Teller,
    ) -> Sent {
        world.look_afresh();
        // Should this be cut off while it is under way, nobody knows what came of it.
        let mut put = in_doubt(spec, now);
        world.seen.wrote.push(Wrote {
            put: put.clone(),
            what_for,
        });
        let sent = match self.client.update_app(&self.app, spec).await {
            PutOutcome::Applied { app, deployment } => {
                world.clock.set(app.server_time);
                put.outcome = PutResult::Applied(deployment);
                Sent::Ok(put)
            }
            PutOutcome::Ambiguous(error) => {
                let words = tell
                    .redactor
                    .text(format_args!("{error}; whether it was applied is looked up"));
                tell.tell(now, Happening::Doubtful(words));
                world.platform_error = Some(error);
                Sent::Ok(put)
            }
            PutOutcome::NotApplied(error) => {
                let refused = match &error {
                    Error::Unauthorized { .. } | Error::MissingScope { .. } => PutRefused::Access,
                    Error::RateLimited { .. } | Error::NotConnected { .. } => PutRefused::Busy,
                    _ => PutRefused::Spec(tell.redactor.text(format_args!("{}", said(&error)))),
                };
                tell.warn(&world.clock, format_args!("{}", said(&error)));
                put.outcome = PutResult::NotApplied;
                put.retry_after = error.retry_after();
                world.platform_error = Some(error);
                Sent::Refused(put, refused)
            }
        };
        let noted = world.seen.wrote.pop();
        if let (Sent::Ok(put), Some(noted)) = (&sent, noted) {
            let put = put.clone();
            world.seen.wrote.push(Wrote { put, ..noted });
        }
        sent
    }

    /// Reads the rules, puts back app-only and the kept ones, reads them again.
    async fn restore_firewall(&self, plan: &Plan, world: &mut Observer, tell: &mut Teller) {
        let settings = &plan.request.settings;
        let (Some(cluster), FirewallPolicy::Restore) = (&plan.cluster, settings.firewall) else {
            return;
        };
        world.seen.doings.firewall_writes += 1;
        let Ok(rules) = self.client.firewall(cluster).await else {
            return;
        };
        let wanted = rules.app_only(&plan.app, &settings.keep_rules);
        if let WriteOutcome::NotApplied(error) | WriteOutcome::Ambiguous(error) =
            self.client.put_firewall(cluster, &wanted).await
        {
            tell.warn(
                &world.clock,
                format_args!("the firewall could not be restored: {}", said(&error)),
            );
        }
        if let Ok(read_back) = self.client.firewall(cluster).await {
            let gone = extra_rules(&rules, &plan.app, &settings.keep_rules);
            let restored = extra_rules(&read_back, &plan.app, &settings.keep_rules).is_empty();
            let extra = gone
                .iter()
                .map(|rule| tell.redactor.clean_line(rule))
                .collect();
            tell.tell(
                world.clock.reckoned(),
                Happening::Firewall { restored, extra },
            );
            world.seen.firewall = FirewallView::Rules(read_back);
        }
    }

    pub(crate) async fn record(
        &self,
        entry: migration::EntryId,
        outcome: &LedgerOutcome,
        world: &mut Observer,
        tell: &mut Teller,
    ) {
        let Some(ledger) = &self.ledger else { return };
        match ledger.record(entry, outcome).await {
            Ok(()) => {
                world.has_recorded(entry, outcome.clone());
                let doings = &mut world.seen.doings;
                let inserted = doings
                    .insert
                    .as_ref()
                    .is_some_and(|put| put.outcome != PutResult::NotApplied);
                if !inserted && doings.claim.as_ref().is_some_and(|made| made.id == entry) {
                    doings.claim = None;
                }
            }
            Err(error) => {
                world.seen.doings.record_failures += 1;
                tell.warn(
                    &world.clock,
                    format_args!("the outcome could not be recorded: {}", chain(&error)),
                );
            }
        }
        world.ledger_due = true;
    }
}

/// Whether no temporary job of ours is in the app, nothing is in flight and nobody has pinned it.
fn is_free(app: &App) -> bool {
    let flying = app.to_come().any(|other| !other.phase.is_terminal());
    RunRecord::all(&app.spec).is_empty() && app.pinned.is_none() && !flying
}

/// Whether a deployment is in flight that the last look did not show.
fn deploys_unseen(app: &App, world: &Observer) -> bool {
    let shown = |slot: &Deployment| world.seen.deployments.iter().any(|one| one.id == slot.id);
    app.to_come()
        .any(|slot| slot.phase.is_in_flight() && !shown(slot))
}

/// A PUT that is under way.
fn in_doubt(spec: &AppSpec, now: Timestamp) -> Put {
    Put {
        at: now,
        outcome: PutResult::Ambiguous,
        sent: Fingerprint::without_secrets(spec),
        retry_after: None,
    }
}

/// What came of one PUT.
enum Sent {
    Ok(Put),
    Refused(Put, PutRefused),
}

/// Returns the claim that `plan` makes.
fn claim_of(plan: &Plan) -> Claim {
    let request = &plan.request;
    Claim {
        version: RECORD_VERSION,
        key: plan.key.clone(),
        epoch: plan.epoch,
        nonce: plan.nonce.clone(),
        migration: request.manifest.id.clone(),
        app: plan.app.clone(),
        steps: plan.step_refs(),
        mode: plan.mode(),
        authority: plan.authority.clone(),
        pull_request: request.origin.pull_request,
        sha: request.commit.as_ref().map(ToString::to_string),
        repository: request.origin.repository.clone(),
        reason: match &request.intent {
            migration::Intent::Again { reason } => Some(reason.clone()),
            migration::Intent::Run | migration::Intent::Check | migration::Intent::Retry => None,
        },
    }
}

/// Returns the newest known spec without any of `jobs`: the app as it was without us.
fn spec_before(jobs: &[ComponentName], world: &Observer) -> Option<AppSpec> {
    let specs = world
        .seen
        .deployments
        .iter()
        .filter_map(|one| one.spec.as_ref());
    let mut without = specs.filter(|spec| jobs.iter().all(|job| spec.job(job.as_str()).is_none()));
    without.next().cloned()
}

/// Returns an error with the platform's own words, where it gave any.
pub(crate) fn said(error: &Error) -> String {
    match error.platform_text() {
        Some(words) => format!("{error}: {}", words.as_str()),
        None => error.to_string(),
    }
}

/// Returns an error with its sources, outermost first.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
