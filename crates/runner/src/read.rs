//! The reads that `next` asks for one by one: a log, the app's health, the firewall.

use crate::act::said;
use crate::event::Teller;
use crate::log::{self, LogOf};
use crate::observe::Observer;
use crate::probe::probe;
use app_spec::{ClusterId, DeploymentId};
use migration::{
    AppView, FirewallView, Happening, HealthSample, JobName, LogView, Plan, RunRecord, extra_rules,
    is_healthy,
};

impl Observer {
    /// Reads the log of `job` on `deployment` once more.
    pub(crate) async fn fetch_log(
        &mut self,
        job: &JobName,
        deployment: &DeploymentId,
        tell: &mut Teller,
    ) {
        let now = self.clock.reckoned();
        let nonce = self.record_of(job).map(|record| record.nonce);
        let of = LogOf {
            app: &self.app,
            deployment,
            job,
            nonce: nonce.as_ref(),
            folder: self.log_folder.as_deref(),
        };
        let read = log::read(&self.client, of, &tell.redactor).await;
        let key = (job.clone(), deployment.clone());
        let known = self.seen.logs.get(&key);
        let view = LogView {
            evidence: read.evidence.clone(),
            tries: known.map_or(0, |known| known.tries).saturating_add(1),
            first_asked: known.map_or(now, |known| known.first_asked),
            read: read.read,
        };
        let path = read.path.map(|path| path.display().to_string());
        if let Some(path) = &path {
            self.seen.doings.log_paths.insert(key.clone(), path.clone());
        }
        self.seen.logs.insert(key, view);
        if read.lines > 0 {
            let log = Happening::Log {
                job: job.clone(),
                deployment: deployment.clone(),
                evidence: read.evidence,
                tail: read.tail,
                lines: read.lines,
                path,
            };
            tell.tell(now, log);
        }
    }

    /// Asks the app's health address once.
    pub(crate) async fn probe(&mut self, plan: &Plan, tell: &mut Teller) {
        let Some(url) = &plan.health_url else { return };
        let sample = self.ask_health(url).await;
        let first = self.seen.health.is_empty();
        self.seen.health.push(sample);
        let good = is_healthy(&self.seen.health);
        if good || (first && !sample.ok()) {
            tell.tell(sample.at, Happening::Health { ok: good });
        }
    }

    pub(crate) async fn ask_health(&self, url: &str) -> HealthSample {
        probe((&self.transport, &self.client), url, self.clock.reckoned()).await
    }

    /// Reads the firewall.
    pub(crate) async fn read_firewall(&mut self, plan: &Plan, tell: &mut Teller) {
        let Some(cluster) = &plan.cluster else { return };
        self.look_at_firewall(cluster, tell).await;
        if let FirewallView::Rules(rules) = &self.seen.firewall {
            let extra = extra_rules(rules, &plan.app, &plan.request.settings.keep_rules);
            let extra = extra
                .iter()
                .map(|rule| tell.redactor.clean_line(rule))
                .collect();
            tell.tell(
                self.clock.reckoned(),
                Happening::Firewall {
                    restored: false,
                    extra,
                },
            );
        }
    }

    pub(crate) async fn look_at_firewall(&mut self, cluster: &ClusterId, tell: &mut Teller) {
        self.seen.firewall = match self.client.firewall(cluster).await {
            Ok(rules) => FirewallView::Rules(rules),
            Err(error) => {
                tell.warn(
                    &self.clock,
                    format_args!("the firewall could not be read: {}", said(&error)),
                );
                FirewallView::Failed
            }
        };
    }

    /// Returns what `job` says of itself, wherever it is seen.
    fn record_of(&self, job: &JobName) -> Option<RunRecord> {
        let live = match &self.seen.app {
            AppView::Present(app) => RunRecord::all(&app.spec),
            AppView::Gone | AppView::Unreachable(_) | AppView::Denied => Vec::new(),
        };
        let past = self
            .seen
            .deployments
            .iter()
            .filter_map(|one| one.spec.as_ref())
            .flat_map(RunRecord::all);
        live.into_iter()
            .chain(past)
            .find(|record| record.job() == *job)
    }
}
