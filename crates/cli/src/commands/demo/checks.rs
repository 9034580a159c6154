//! What has to hold on the way and at the end, as a list with what was found.

use super::look::inserts;
use super::stage::Stage;
use super::tell::comment;
use super::workflow::Ran;
use super::world::{FIX, PULL};
use anyhow::Result;
use migration::Disarmed;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// Something that has to hold.
#[derive(Debug, Clone)]
pub struct Check {
    /// What.
    pub what: String,
    /// What was found instead; nothing where it holds.
    pub found: Option<String>,
}

/// Everything that was looked at, in order.
#[derive(Debug, Clone, Default)]
pub struct Checks(pub Vec<Check>);

impl Checks {
    /// Returns the checks that do not hold.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.0.iter().filter(|check| check.found.is_some())
    }

    pub(super) fn holds(&mut self, what: impl Into<String>, holds: bool, found: &str) {
        let found = (!holds).then(|| found.to_owned());
        self.0.push(Check {
            what: what.into(),
            found,
        });
    }

    pub(super) fn equal<T: PartialEq + fmt::Debug>(
        &mut self,
        what: impl Into<String>,
        found: &T,
        wanted: &T,
    ) {
        let what = what.into();
        self.holds(
            format!("{what}: as it has to be"),
            found == wanted,
            &format!("{found:#?}\n    in place of\n{wanted:#?}"),
        );
    }

    pub(super) fn exit(&mut self, what: &str, ran: &Ran, wanted: u8) {
        self.holds(
            format!("{what}: exit code {wanted}"),
            ran.exit == wanted,
            &format!("exit code {}:\n{}", ran.exit, ran.log),
        );
    }

    pub(super) fn output(&mut self, what: &str, ran: &Ran, name: &str, wanted: &str) {
        let found = ran.outputs.get(name).map_or("", String::as_str);
        self.holds(
            format!("{what}: `{wanted}`"),
            found == wanted,
            &format!("`{found}`:\n{}", ran.log),
        );
    }

    /// Looks at everything once more when all is over: rows, executions, spec, firewall, labels, comments, requests.
    pub(super) fn of_the_end(&mut self, stage: &Stage, spec_before: &Value) -> Result<()> {
        self.of_rows(stage)?;
        self.of_executions(stage);
        self.of_app(stage, spec_before);
        self.of_github(stage);
        self.of_requests(stage);
        Ok(())
    }

    fn of_rows(&mut self, stage: &Stage) -> Result<()> {
        let database = &stage.database;
        let mut rows = |what: &str, statement: &str, wanted: &[&[&str]]| {
            let wanted: Vec<Vec<String>> = wanted
                .iter()
                .map(|row| row.iter().map(|text| (*text).to_owned()).collect())
                .collect();
            let found = database.rows(statement)?;
            self.equal(what, &found, &wanted);
            Ok::<_, anyhow::Error>(())
        };
        rows(
            "the client of each purchase order item",
            "SELECT id, supplier_client_id FROM purchaseOrderItems ORDER BY id;",
            &[
                &["1", "1"],
                &["2", "1"],
                &["3", "2"],
                &["4", "1"],
                &["5", "3"],
                &["6", "3"],
                &["7", "NULL"],
            ],
        )?;
        rows(
            "the client of each vendor note",
            "SELECT id, client_id FROM vendorNotes ORDER BY id;",
            &[&["1", "1"], &["2", "2"], &["3", "NULL"]],
        )?;
        rows(
            "how often each script ran to its end",
            "SELECT step, COUNT(*), SUM(affected) FROM migrationAudit GROUP BY step ORDER BY step;",
            &[
                &["backfill", "1", "7"],
                &["columns", "1", "2"],
                &["ter-228", "1", "1"],
            ],
        )?;
        for (table, column) in [
            ("purchaseOrderItems", "supplier_client_id"),
            ("vendorNotes", "client_id"),
        ] {
            let stray = database.rows(&format!(
                "UPDATE {table} SET {column} = 999 WHERE {column} IS NULL;"
            ));
            self.holds(
                format!("`{table}.{column}` takes known clients only"),
                stray.is_err(),
                "an unknown client was taken",
            );
        }
        for (table, index) in [
            ("purchaseOrderItems", "idx_po_items_supplier_client_id"),
            ("vendorNotes", "idx_vendor_notes_client_id"),
        ] {
            let twice = database.rows(&format!("CREATE INDEX {index} ON {table} (id);"));
            self.holds(
                format!("the index `{index}` is there"),
                twice.is_err(),
                "it was not, and could be made",
            );
        }
        Ok(())
    }

    /// Counted from the begin marks of the jobs' own logs.
    fn of_executions(&mut self, stage: &Stage) {
        let jobs = stage.jobs();
        let mut started: BTreeMap<String, Vec<Option<i32>>> = BTreeMap::new();
        let mut disarmed = 0;
        for evidence in jobs.iter().filter_map(|job| job.evidence.as_ref()) {
            for ran in &evidence.steps {
                started
                    .entry(ran.step.to_string())
                    .or_default()
                    .push(ran.code);
            }
            match &evidence.disarmed {
                Some(Disarmed::Commit { .. }) => disarmed += 1,
                Some(Disarmed::Lease | Disarmed::NoClock) | None => {}
            }
        }
        let wanted = [
            ("backfill", vec![Some(1), Some(0)]),
            ("columns", vec![Some(0)]),
            ("index", vec![Some(0)]),
        ];
        let wanted = wanted.map(|(step, codes)| (step.to_owned(), codes)).into();
        self.equal(
            "how often each step was started, with its exit codes",
            &started,
            &wanted,
        );
        self.equal(
            "copies that a push built and that ran nothing",
            &disarmed,
            &1,
        );
    }

    fn of_app(&mut self, stage: &Stage, spec_before: &Value) {
        let app = stage.app();
        self.equal("the app's spec at the end", &app["spec"], spec_before);
        self.equal("whether the app is pinned", &app["pinned"], &Value::Null);
        let state = stage.world.state();
        let rules = state["databases"][0]["rules"]
            .as_array()
            .into_iter()
            .flatten();
        let rules: Vec<Value> = rules
            .map(|rule| json!([rule["type"], rule["value"]]))
            .collect();
        self.equal(
            "the database's firewall at the end",
            &rules,
            &vec![json!(["app", app["id"]])],
        );
    }

    fn of_github(&mut self, stage: &Stage) {
        let state = stage.world.state();
        let issues = state["github"][0]["issues"]
            .as_array()
            .into_iter()
            .flatten();
        let labels: BTreeMap<u64, Value> = issues
            .map(|issue| {
                (
                    issue["number"].as_u64().unwrap_or_default(),
                    issue["labels"].clone(),
                )
            })
            .collect();
        let wanted = [
            (PULL, json!(["needs-migration", "migration-failed"])),
            (FIX, json!(["migration-done"])),
        ]
        .into();
        self.equal("the labels of both pull requests", &labels, &wanted);
        let older = comment(&stage.world, PULL).unwrap_or_default();
        self.holds(
            "the older comment leads on",
            older.contains(&format!("Continued in #{FIX}")),
            &older,
        );
        let comments = state["github"][0]["comments"]
            .as_array()
            .into_iter()
            .flatten();
        let on: Vec<u64> = comments
            .filter_map(|comment| comment["number"].as_u64())
            .collect();
        self.equal(
            "how many comments each pull request has",
            &on,
            &vec![PULL, FIX],
        );
    }

    fn of_requests(&mut self, stage: &Stage) {
        let requests = stage.world.requests();
        let calls = |name: &str| {
            requests
                .iter()
                .filter(|request| request.call == Some(name))
                .collect::<Vec<_>>()
        };
        let updates = calls("apps.update");
        self.equal(
            "updates that put a job in (`ter-228`, epoch 0, epoch 1)",
            &inserts(stage),
            &3,
        );
        let all: Vec<_> = updates
            .iter()
            .filter(|request| request.body["update_all_source_versions"] == true)
            .collect();
        self.equal("updates that refresh all sources", &all.len(), &0);
        self.equal(
            "deployments that were cancelled by us",
            &calls("deployments.cancel").len(),
            &0,
        );
        let bad: Vec<_> = requests
            .iter()
            .filter(|request| request.status.is_none_or(|status| status >= 500))
            .collect();
        self.equal("requests that went wrong", &bad.len(), &0);
    }
}
