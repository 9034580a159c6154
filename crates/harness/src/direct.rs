//! The three reads that are nearly all of a run's requests, answered without JSON.
//!
//! The documents come from the same simulator, part by part, and a part that has not changed is the one of the time
//! before. Whatever goes wrong with a request, and every write, takes the way over the wire; a test plays the same
//! choices both ways and compares all that happened.

use app_spec::{App, AppSpec, Deployment};
use bytes::Bytes;
use digitalocean::Document;
use http::{Response, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Map, Value};
use sim::{Glimpse, Mark, Peek, Specs, World};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What was made before, by what it was made from.
pub(crate) struct Direct {
    known: Mutex<Known>,
    /// Calls that take the way over the wire all the same.
    over_the_wire: Vec<String>,
}

#[derive(Default)]
struct Known {
    specs: Vec<(Arc<Value>, AppSpec)>,
    /// By the id, and whether it stands there with its spec.
    deployments: BTreeMap<(String, bool), (Mark, Arc<Deployment>)>,
    app: Option<(Mark, App)>,
}

/// What one read gave.
pub(crate) struct Read {
    pub(crate) answer: Response<digitalocean::Body>,
    pub(crate) app: Option<Arc<App>>,
}

impl Direct {
    /// Returns what answers all plain reads but those calls.
    pub(crate) fn beside(over_the_wire: Vec<String>) -> Self {
        Self {
            known: Mutex::default(),
            over_the_wire,
        }
    }

    /// Answers a read, where it is one of the three and there is something to see.
    pub(crate) fn read(&self, world: &World, call: &str, path: &str, query: &str) -> Option<Read> {
        if self.over_the_wire.iter().any(|over| over == call) {
            return None;
        }
        let mut parts = path.split('/').skip(3);
        let (app, deployment) = (parts.next()?, parts.nth(1));
        world.peek(app, |seen| {
            if seen.is_awaiting_a_request() || (call == "apps.get" && seen.is_changed_by_reading())
            {
                return None;
            }
            let mut known = self.known.lock().unwrap();
            let document = match (call, deployment) {
                ("apps.get", None) => Document::App(known.app(&seen)),
                ("deployments.list", None) => {
                    let shown = seen.listed_specs() == Specs::Shown;
                    let rows: Vec<_> = seen
                        .listed()
                        .map(|row| known.deployment(row, shown))
                        .collect();
                    if rows.len() > per_page(query) {
                        return None;
                    }
                    Document::Deployments(rows.into())
                }
                ("deployments.get", Some(id)) => {
                    Document::Deployment(known.deployment(seen.deployment(id)?, true))
                }
                _ => return None,
            };
            let app = match &document {
                Document::App(app) => Some(Arc::clone(app)),
                Document::Deployment(_) | Document::Deployments(_) => None,
            };
            let mut answer = Response::builder()
                .header(header::DATE, seen.date())
                .body(Full::new(Bytes::new()).map_err(Into::into).boxed_unsync())
                .ok()?;
            answer.extensions_mut().insert(document);
            Some(Read { answer, app })
        })?
    }
}

/// How many rows fit on the page that is asked for.
fn per_page(query: &str) -> usize {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("per_page="))
        .and_then(|size| size.parse().ok())
        .unwrap_or(20)
}

impl Known {
    fn spec(&mut self, raw: &Arc<Value>) -> AppSpec {
        if let Some((_, spec)) = self.specs.iter().find(|(known, _)| Arc::ptr_eq(known, raw)) {
            return spec.clone();
        }
        let spec = AppSpec::from_value(raw.as_ref().clone()).expect("a spec is an object");
        // Kept with what it was made from, so that no other can come to stand in the same place.
        self.specs.push((Arc::clone(raw), spec.clone()));
        spec
    }

    fn deployment(&mut self, seen: Glimpse<'_>, with_spec: bool) -> Arc<Deployment> {
        let (place, mark) = ((seen.id().to_owned(), with_spec), seen.mark());
        if let Some((known, deployment)) = self.deployments.get(&place)
            && *known == mark
        {
            return Arc::clone(deployment);
        }
        let mut deployment = Deployment::from_value(&seen.alone()).expect("as the API shows it");
        deployment.spec = with_spec.then(|| self.spec(seen.spec()));
        let deployment = Arc::new(deployment);
        self.deployments
            .insert(place, (mark, Arc::clone(&deployment)));
        deployment
    }

    fn app(&mut self, seen: &Peek<'_>) -> Arc<App> {
        let mark = seen.mark();
        let mut app = match self.app.take() {
            Some((known, app)) if known == mark => app,
            _ => {
                let mut alone = seen.alone();
                alone["spec"] = Value::Object(Map::new());
                let mut app = App::from_value(&alone).expect("as the API shows it");
                app.spec = self.spec(seen.spec());
                app
            }
        };
        let [active, in_progress, pending, pinned] = seen
            .slots()
            .map(|held| held.map(|held| self.deployment(held, true).as_ref().clone()));
        app.active = active;
        app.in_progress = in_progress;
        app.pending = pending;
        app.pinned = pinned;
        self.app = Some((mark, app.clone()));
        Arc::new(app)
    }
}

/// What a process last read of the app that it writes.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    pub(crate) spec: Value,
    /// Whether a rollback pinned it.
    pub(crate) pinned: bool,
    /// Whether a deployment was in flight in one of its slots.
    pub(crate) busy: bool,
}

impl Base {
    pub(crate) fn of(app: &App) -> Self {
        Self {
            spec: app.spec.to_value(),
            pinned: app.pinned.is_some(),
            busy: app.to_come().any(|slot| slot.phase.is_in_flight()),
        }
    }

    /// Reads an answer of the API.
    pub(crate) fn read(answer: &[u8]) -> Option<Self> {
        let answer: Value = serde_json::from_slice(answer).ok()?;
        App::from_value(&answer["app"])
            .ok()
            .map(|app| Self::of(&app))
    }
}
