//! Looking at the world: the app, its deployments, the ledger, whose commit is live.
//!
//! Reads only; a dry run is made of this module and no writer.

use crate::driver::Harbor;
use crate::ledger::{Ledger, LedgerError, Lineage};
use crate::poll::{Pace, PlatformClock};
use app_spec::{App, AppId, Deployment, DeploymentId};
use digitalocean::{Client, Error, LOOK_BACK_PAGES, Page, Transport};
use jiff::Timestamp;
use migration::{
    AppView, Contains, Doings, EntryId, FirewallView, JobName, Key, LedgerEntry, LedgerOutcome,
    LedgerView, Mode, Observed, Request, RunRecord, bounds, carried, elapsed, live, live_commit,
    may_land,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where a deployment is among those of the same second.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Newer,
    Listed(usize),
    Older,
}

/// How many of the newest deployments are read at each look after the first; a busy app makes a few per run.
const NEWEST: u16 = 20;

/// How long after its deployment a job's claim is looked for by the sweeper: a run and its workflow are over long before.
const LOOKED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// How many deployments before the first of ours are looked at for what our update was made from: the newest of them may
/// be a rollback, which shows another spec.
const BEFORE_OURS: usize = 3;

/// How long the app itself is believed while its deployments show nothing new. Whatever is written to it makes a
/// deployment, so this is for what leaves none.
const APP_BELIEVED: Duration = Duration::from_secs(120);

/// How many rows that do not tell their jobs are read by id in one look.
const ROWS_BY_ID: usize = 40;

/// Reads the world. Holds no way to write to it.
pub(crate) struct Observer {
    pub(crate) client: Client,
    pub(crate) app: AppId,
    /// Reaches the app's own address, without a credential.
    pub(crate) transport: Transport,
    /// Where whole logs are kept; nothing keeps them from disk.
    pub(crate) log_folder: Option<PathBuf>,
    ledger: Option<Arc<dyn Ledger>>,
    lineage: Arc<dyn Lineage>,
    pub(crate) clock: PlatformClock,
    pub(crate) seen: Observed,
    /// Keys that the goal names; others are found in the app.
    keys: BTreeSet<Key>,
    /// The deployments of all lists that were taken in: without a gap, from the newest of the last list back.
    listed: BTreeSet<DeploymentId>,
    /// The deployments in the app's slots, when it was last read.
    slots: Vec<DeploymentId>,
    /// Since when the app is answered with 404, and not once with itself.
    missing_since: Option<Timestamp>,
    /// When the app itself was last read, by the platform's clock; nothing when it must be read at the next look.
    app_read: Option<Timestamp>,
    believing: bool,
    /// Whether the ledger must be read at the next look.
    pub(crate) ledger_due: bool,
    /// Whether the last look read it.
    ledger_read: bool,
    pub(crate) pace: Pace,
    /// The platform's clock at the last look.
    looked: Option<Timestamp>,
    /// The outcomes that this process has recorded.
    closed: BTreeMap<EntryId, LedgerOutcome>,
    /// Why the ledger gave no answer, for the message.
    pub(crate) ledger_error: Option<LedgerError>,
    /// Why the platform gave no answer, for the message.
    pub(crate) platform_error: Option<Error>,
}

impl Observer {
    pub(crate) fn new(harbor: &Harbor) -> Self {
        Self {
            client: harbor.client.clone(),
            app: harbor.app.clone(),
            transport: harbor.transport.clone(),
            log_folder: harbor.log_folder.clone(),
            ledger: harbor.ledger.clone(),
            lineage: Arc::clone(&harbor.lineage),
            clock: PlatformClock::new(harbor.pace),
            seen: Observed::nothing(Timestamp::UNIX_EPOCH, Mode::Main),
            keys: BTreeSet::new(),
            listed: BTreeSet::new(),
            slots: Vec::new(),
            missing_since: None,
            app_read: None,
            believing: false,
            ledger_due: true,
            ledger_read: false,
            pace: harbor.pace,
            looked: None,
            closed: BTreeMap::new(),
            ledger_error: None,
            platform_error: None,
        }
    }

    /// Begins a goal: what the last one did is forgotten, what the world showed is not.
    pub(crate) fn begin(&mut self, mode: Mode, keys: impl IntoIterator<Item = Key>) {
        self.seen.mode = mode;
        self.seen.doings = Doings::default();
        self.seen.health.clear();
        self.seen.firewall = FirewallView::Unread;
        self.keys.extend(keys);
        self.ledger_due = true;
        self.app_read = None;
    }

    /// Has the next look read everything anew: something was written, and what was seen is the past.
    pub(crate) fn look_afresh(&mut self) {
        self.app_read = None;
    }

    /// Looks at the world once more: at the deployments, which are the write log of the app, and where they show
    /// anything new, at the app and at them once more. Returns how long the process stood still since the last look.
    ///
    /// # Cancel safety
    /// Safe: a look that is cut off leaves older facts, and the next one renews them.
    pub(crate) async fn look(&mut self, request: Option<&Request>) -> Duration {
        let news = if self.app_is_believed() {
            self.deployments().await
        } else {
            Ok(News::Some)
        };
        self.believing = matches!(news, Ok(News::None));
        let looked = match news {
            Ok(News::None) => Ok(()),
            Ok(News::Some) => self.everything().await,
            Err(error) => Err(error),
        };
        if let Err(error) = looked {
            self.failed(error);
        }
        self.seen.now = self.clock.reckoned();
        self.read_ledger().await;
        if let Some(request) = request {
            self.read_lineage(request).await;
        }
        let still = self.stood_still();
        self.seen.stood_still += still;
        still
    }

    /// Returns what passed since the last look by the platform's clock beyond what anything of ours takes. (By this machine's
    /// clock nothing passes while it is suspended.)
    fn stood_still(&mut self) -> Duration {
        let now = self.clock.now();
        let (Some(looked), Some(now)) = (std::mem::replace(&mut self.looked, now), now) else {
            return Duration::ZERO;
        };
        let awake = self.pace.between_looks(bounds::POLL_MAX) + bounds::BETWEEN_LOOKS;
        elapsed(looked, now).saturating_sub(awake)
    }

    /// Whether the app was not read at the last look, because its deployments showed nothing new.
    pub(crate) fn is_believing(&self) -> bool {
        self.believing
    }

    /// Whether the last look read the ledger: another run may have recorded meanwhile what this one is about to.
    pub(crate) fn has_read_the_ledger(&self) -> bool {
        self.ledger_read
    }

    fn app_is_believed(&self) -> bool {
        let Some(now) = self.clock.now() else {
            return false;
        };
        self.app_read
            .is_some_and(|read| elapsed(read, now) < APP_BELIEVED)
    }

    /// The app first: a list that is read after it is the newer truth of the two.
    async fn everything(&mut self) -> Result<(), Error> {
        self.app_read = None;
        let read = self.client.app(&self.app).await?;
        let first = self.clock.now().is_none();
        self.clock.set(read.server_time);
        self.seen.now = self.clock.reckoned();
        if first {
            self.seen.since = self.seen.now;
        }
        self.missing_since = None;
        self.slots = slots(&read.value);
        self.deployments().await?;
        self.seen.app = AppView::Present(Box::new(read.value));
        self.app_read = Some(self.seen.now);
        Ok(())
    }

    fn failed(&mut self, error: Error) {
        self.app_read = None;
        self.seen.now = self.clock.reckoned();
        let since = match &self.seen.app {
            AppView::Unreachable(since) => *since,
            AppView::Present(_) | AppView::Gone | AppView::Denied => self.seen.now,
        };
        self.seen.app = match &error {
            Error::Unauthorized { .. } | Error::MissingScope { .. } => AppView::Denied,
            Error::NotFound { .. } => {
                let first = *self.missing_since.get_or_insert(self.seen.now);
                if elapsed(first, self.seen.now) >= bounds::GONE_AFTER {
                    AppView::Gone
                } else {
                    AppView::Unreachable(since)
                }
            }
            _ => AppView::Unreachable(since),
        };
        tracing::debug!(%error, "cannot look at app `{}`", self.app);
        self.platform_error = Some(error);
    }

    /// Reads the deployments: the newest, farther back where those do not reach what is known, and by id what the list
    /// leaves out.
    async fn deployments(&mut self) -> Result<News, Error> {
        let mut rows = self.newest().await?;
        if !rows.iter().any(|row| self.listed.contains(&row.id)) {
            // The first look, or more was deployed since the last one than the newest tell.
            let back = self.client.deployments_back(&self.app, LOOK_BACK_PAGES);
            rows = back.collect().await?.deployments;
        }
        let listed: Vec<DeploymentId> = rows.iter().map(|row| row.id.clone()).collect();
        for id in self.known_ids() {
            let listed = rows.iter().any(|row| row.id == id);
            let settled = self
                .seen
                .deployments
                .iter()
                .any(|one| one.id == id && one.phase.is_terminal());
            if !listed && !settled {
                match self.client.deployment(&self.app, &id).await {
                    Ok(read) => rows.push(read.value),
                    // A list or a read that lags behind its own write; the next look sees it.
                    Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.complete(&mut rows).await?;
        let news = self.merge(rows, &listed);
        self.listed.extend(listed);
        Ok(news)
    }

    /// Reads the newest deployments, where older ones are known.
    async fn newest(&mut self) -> Result<Vec<Deployment>, Error> {
        if self.listed.is_empty() {
            return Ok(Vec::new());
        }
        let page = Page {
            number: 1,
            per_page: NEWEST,
        };
        let read = self.client.deployments(&self.app, page).await?;
        self.clock.set(read.server_time);
        Ok(read.value.items)
    }

    /// Deployments that are known to exist whether or not the list shows them: those that updates of this process made, and
    /// those in the app's slots.
    fn known_ids(&self) -> Vec<DeploymentId> {
        let made = self.seen.wrote.iter();
        made.filter_map(|wrote| wrote.put.deployment())
            .chain(&self.slots)
            .cloned()
            .collect()
    }

    /// Reads by id the rows that do not say which jobs they carry, how far a job of ours in them is, or what the spec
    /// was around the time that a job of ours was in it.
    async fn complete(&self, rows: &mut [Deployment]) -> Result<(), Error> {
        let mut budget = ROWS_BY_ID;
        let written_about_from = self.written_about_from();
        for row in rows {
            let known = self.seen.deployments.iter().find(|one| one.id == row.id);
            if row.spec.is_none() {
                row.spec = known.and_then(|one| one.spec.clone());
            }
            let silent = !row.knows_jobs() && row.spec.is_none();
            let blind = row.progress.is_none() && !carried(row).is_empty();
            let unwritten = row.spec.is_none()
                && written_about_from.is_some_and(|from| Some(from) <= row.created_at);
            if (silent || blind || unwritten) && budget > 0 {
                budget -= 1;
                match self.client.deployment(&self.app, &row.id).await {
                    Ok(read) => *row = read.value,
                    Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// When the deployments begin whose specs tell what an update of ours overwrote: some before the first of late that
    /// carried a job of ours or that an update of this process may have made. (No reply may have named that one.)
    fn written_about_from(&self) -> Option<Timestamp> {
        let known = &self.seen.deployments;
        let may_be_made = |at| self.seen.wrote.iter().any(|wrote| may_land(&wrote.put, at));
        let first = known.iter().rposition(|one| {
            let ours = !carried(one).is_empty() || one.created_at.is_some_and(may_be_made);
            self.is_of_late(one) && ours
        })?;
        let start = known.len().min(first + 1 + BEFORE_OURS);
        known.get(start - 1)?.created_at
    }

    fn is_of_late(&self, deployment: &Deployment) -> bool {
        deployment
            .created_at
            .is_some_and(|created| elapsed(created, self.seen.now) < LOOKED_AFTER)
    }

    /// Takes in what was read; `listed` is the order of the list, newest first.
    fn merge(&mut self, rows: Vec<Deployment>, listed: &[DeploymentId]) -> News {
        let mut news = News::None;
        for row in rows {
            match self
                .seen
                .deployments
                .iter_mut()
                .find(|one| one.id == row.id)
            {
                Some(known) => {
                    // A stale list must not take back what is known to have ended.
                    if !known.phase.is_terminal() || row.phase.is_terminal() {
                        if known.phase != row.phase {
                            news = News::Some;
                        }
                        let spec = known.spec.take();
                        *known = row;
                        if known.spec.is_none() {
                            known.spec = spec;
                        }
                    }
                }
                None => {
                    news = News::Some;
                    self.seen.deployments.push(row);
                }
            }
        }
        let unlisted = |one: &&Deployment| one.phase.is_in_flight() && !listed.contains(&one.id);
        let unlisted = self.seen.deployments.iter().filter(unlisted);
        self.seen.unlisted = unlisted.map(|one| one.id.clone()).collect();
        // Times are cut to the second, and the order of writes matters within one, too: the list knows it. What it does
        // not show yet is newer than what it does, and what it does not reach any more is older.
        let made = |id: &DeploymentId| self.seen.deployments.iter().find(|one| one.id == *id);
        let reaches = listed.last().and_then(made).map(|last| last.created_at);
        let known = &self.listed;
        let place = |one: &Deployment| match listed.iter().position(|id| *id == one.id) {
            Some(place) => Place::Listed(place),
            None if known.contains(&one.id) && Some(one.created_at) <= reaches => Place::Older,
            None => Place::Newer,
        };
        let deployments = &mut self.seen.deployments;
        deployments.sort_by_cached_key(|one| (std::cmp::Reverse(one.created_at), place(one)));
        news
    }

    async fn read_ledger(&mut self) {
        let Some(ledger) = self.ledger.clone() else {
            self.seen.ledger = LedgerView::Entries(Vec::new());
            return;
        };
        let keys = self.keys();
        self.ledger_read = self.ledger_due;
        if !self.ledger_due {
            return;
        }
        let mut entries = Vec::new();
        for key in keys {
            match self.claims(ledger.as_ref(), &key).await {
                Ok(found) => entries.extend(found),
                Err(error) => {
                    tracing::debug!(%error, "cannot read the ledger");
                    self.ledger_error = Some(error);
                    self.seen.ledger = LedgerView::Unreachable;
                    return;
                }
            }
        }
        entries.sort_by_key(|entry| entry.id);
        self.seen.ledger = LedgerView::Entries(entries);
        self.ledger_due = false;
    }

    /// Reads the claims on `key`. A list that lags must not take back what this process has recorded: it would take a
    /// closed claim of its own for the one that it is about to use.
    pub(crate) async fn claims(
        &self,
        ledger: &dyn Ledger,
        key: &Key,
    ) -> Result<Vec<LedgerEntry>, LedgerError> {
        let mut entries = ledger.entries(key).await?;
        for entry in &mut entries {
            if let Some(recorded) = self.closed.get(&entry.id) {
                entry.take(recorded.clone());
            }
        }
        Ok(entries)
    }

    /// Keeps what this process has recorded.
    pub(crate) fn has_recorded(&mut self, entry: EntryId, outcome: LedgerOutcome) {
        self.seen.doings.recorded.push(entry);
        self.closed.insert(entry, outcome);
    }

    /// The goal's keys and those of every job of ours that the app shows.
    fn keys(&self) -> BTreeSet<Key> {
        let mut keys = self.keys.clone();
        if let AppView::Present(app) = &self.seen.app {
            keys.extend(
                RunRecord::all(&app.spec)
                    .into_iter()
                    .map(|record| record.key),
            );
            keys.extend(
                live(app, &self.seen)
                    .map(carried)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|name| name.key),
            );
        }
        if self.seen.mode == Mode::Sweep {
            keys.extend(self.lately().map(|name| name.key));
        }
        keys
    }

    /// Our jobs that were in the app lately: a run that died may have left their claims open, and what it owed undone.
    fn lately(&self) -> impl Iterator<Item = JobName> + use<'_> {
        let deployments = self.seen.deployments.iter();
        deployments
            .filter(|one| self.is_of_late(one))
            .flat_map(carried)
    }

    /// Whether the live commit contains the merged one. Asked once for each live commit.
    async fn read_lineage(&mut self, request: &Request) {
        let AppView::Present(app) = &self.seen.app else {
            return;
        };
        let (Some(wanted), Some(live)) = (
            &request.commit,
            live_commit(app, &self.seen, &request.settings.reference),
        ) else {
            return;
        };
        if live == *wanted
            || self
                .seen
                .lineage
                .get(&live)
                .is_some_and(|known| *known != Contains::Unknown)
        {
            return;
        }
        let contains = self.lineage.contains(live.as_str(), wanted.as_str()).await;
        self.seen.lineage.insert(live, contains);
    }
}

/// Whether a look at the deployments showed one that is new, or in another phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    Some,
    None,
}

fn slots(app: &App) -> Vec<DeploymentId> {
    let slots = app.active.iter().chain(app.to_come());
    slots.map(|one| one.id.clone()).collect()
}
