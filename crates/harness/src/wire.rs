//! Between a process of ours and the world: every request passes here, is written down, and may go wrong.
//!
//! A fault is armed in the simulator just before the request that it is for, so that it strikes that one and no other.
//! A process dies by never getting an answer again: whoever runs it sees [`Process::dead`] and drops its future at that
//! very point, as a kill would.

use crate::actor;
use crate::choice::{Act, Choice, FaultName, Position, When, Who};
use crate::direct::{Base, Direct};
use crate::random::Random;
use app_spec::App;
use bytes::Bytes;
use digitalocean::{BoxError, NotSent, Transport};
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sim::{Applied, Fault, FaultKind, InProcess, World};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::ready;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tower::{Service as _, ServiceExt as _};

/// How late a request takes effect that arrives late.
const LATE: Duration = Duration::from_secs(100);
/// How many requests one process may make before it is taken for one that never ends. The longest run may take 110
/// minutes and looks every 4 seconds at the most, with some three requests a look.
const RUNAWAY: usize = 6_000;

/// The user whose token our processes carry.
pub(crate) const PILOT: &str = "pilot@example.com";
/// The token.
pub(crate) const TOKEN: &str =
    "dop_v1_b7f2c9d15e604a3a8d0c4fb2e1a7963058cdab41fe9d2a6c7b3850e4f1d2c6a9";

/// One request of ours, or one call of the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) at: Timestamp,
    /// The process, by its place among all.
    pub(crate) process: usize,
    pub(crate) who: Who,
    pub(crate) call: &'static str,
    /// The how-manieth of these calls of that process.
    pub(crate) nth: u32,
    pub(crate) path: String,
    pub(crate) body: Bytes,
    /// What the process last read of the app, where it writes the app.
    pub(crate) base: Option<Base>,
    /// What the process read of the app, where it read the app.
    pub(crate) read: Option<ReadApp>,
    /// The status of the answer, where one was given.
    pub(crate) answer: Option<u16>,
    /// The status of the answer, where it came.
    pub(crate) reply: Option<u16>,
    pub(crate) fault: Option<FaultName>,
    /// Whether the fault was everybody's at that time, and not chosen for this request.
    pub(crate) for_everybody: bool,
    pub(crate) killed: Option<Position>,
    /// How many writes (claims, records, updates, cancels) the process had sent before it.
    pub(crate) writes_before: u32,
}

/// What happened, as far as it passes through here.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) sent: Vec<Sent>,
    /// What others did.
    pub(crate) acts: Vec<(Timestamp, String)>,
    /// Their edits of the spec, by the deployment each made.
    pub(crate) edits: Vec<(String, actor::Wrote)>,
    /// Times at which somebody else wrote between a read of ours and the write that followed it.
    pub(crate) between: Vec<Timestamp>,
}

/// How plain reads are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// As JSON, like everything else.
    Wire,
    /// As documents.
    Direct,
}

/// What all processes of one run share.
pub(crate) struct Hall {
    pub(crate) world: World,
    /// The way into it; made once, for making it is dear.
    pub(crate) gate: InProcess,
    /// The spec at the beginning.
    pub(crate) at_start: Value,
    /// Answers plain reads without JSON.
    direct: Option<Direct>,
    /// How many times more rarely than usual our processes look.
    pub(crate) rarely: u32,
    /// How long a request travels, and how long its answer.
    travel: Duration,
    /// How many milliseconds longer one of them may take.
    spread: u64,
    /// How long the ledger's lists lack what was written to it.
    pub(crate) ledger_lags: SignedDuration,
    /// How far its clock is ahead.
    pub(crate) ledger_ahead: SignedDuration,
    /// How far the clock is ahead that stamps the platform's answers.
    date_ahead: SignedDuration,
    choices: Mutex<Vec<Choice>>,
    pub(crate) journal: Mutex<Journal>,
    totals: Mutex<BTreeMap<&'static str, u32>>,
    pub(crate) ledger_down_until: Mutex<Option<Timestamp>>,
    /// What the platform's API answers everybody, and until when.
    pub(crate) api_answers: Mutex<Option<(FaultName, Timestamp)>>,
    /// Stops the first runner.
    pub(crate) stop: Mutex<Option<runner::StopSwitch>>,
    /// How many acts are still to come by themselves.
    pub(crate) to_come: AtomicUsize,
}

impl Hall {
    pub(crate) fn new(world: World, at_start: Value, choices: Vec<Choice>, way: Way) -> Arc<Self> {
        // What a stale answer repeats must have been asked for over the wire.
        let over_the_wire = choices.iter().filter_map(|choice| match choice {
            Choice::Fault {
                call,
                fault: FaultName::Stale,
                ..
            } => Some(call.clone()),
            _ => None,
        });
        let over_the_wire = over_the_wire.collect();
        let (mut rarely, mut travel, mut spread) = (1, Duration::ZERO, 0);
        let [mut ledger_lags, mut ledger_ahead, mut date_ahead] = [SignedDuration::ZERO; 3];
        for choice in &choices {
            match choice {
                Choice::Rarely(times) => rarely = *times,
                Choice::Travel(millis) => travel = Duration::from_millis(*millis),
                Choice::Spread(millis) => spread = *millis,
                Choice::LedgerLags(millis) => {
                    ledger_lags = Duration::from_millis(*millis)
                        .try_into()
                        .unwrap_or_default();
                }
                Choice::LedgerAhead(seconds) => ledger_ahead = SignedDuration::from_secs(*seconds),
                Choice::DateAhead(seconds) => date_ahead = SignedDuration::from_secs(*seconds),
                _ => {}
            }
        }
        Arc::new(Self {
            gate: world.in_process(),
            world,
            at_start,
            rarely,
            travel,
            spread,
            ledger_lags,
            ledger_ahead,
            date_ahead,
            direct: (way == Way::Direct).then(|| Direct::beside(over_the_wire)),
            choices: Mutex::new(choices),
            journal: Mutex::default(),
            totals: Mutex::default(),
            ledger_down_until: Mutex::default(),
            api_answers: Mutex::default(),
            stop: Mutex::default(),
            to_come: AtomicUsize::new(0),
        })
    }

    /// From here on nothing goes wrong any more.
    pub(crate) fn calm_down(&self) {
        self.choices.lock().unwrap().clear();
        self.world.disarm();
        *self.ledger_down_until.lock().unwrap() = None;
        *self.api_answers.lock().unwrap() = None;
    }

    /// Lets others act whose moment is now, and tells when the ones after this call are due.
    fn others(self: &Arc<Self>, call: &'static str) {
        let total = {
            let mut totals = self.totals.lock().unwrap();
            let total = totals.entry(call).or_default();
            *total += 1;
            *total
        };
        let mut due = Vec::new();
        self.choices.lock().unwrap().retain(|choice| match choice {
            Choice::Act {
                when: When::Before(at, nth),
                act,
            } if at == call && *nth == total => {
                due.push((Duration::ZERO, *act));
                false
            }
            Choice::Act {
                when: When::After(at, nth, seconds),
                act,
            } if at == call && *nth == total => {
                due.push((Duration::from_secs(*seconds), *act));
                false
            }
            _ => true,
        });
        for (after, act) in due {
            if after.is_zero() {
                let between = actor::perform(self, act);
                if between {
                    let now = self.world.now();
                    self.journal.lock().unwrap().between.push(now);
                }
            } else {
                self.later(after, act);
            }
        }
    }

    /// Lets somebody act after a while.
    pub(crate) fn later(self: &Arc<Self>, after: Duration, act: Act) {
        let hall = Arc::clone(self);
        hall.to_come.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            actor::perform(&hall, act);
            hall.to_come.fetch_sub(1, Ordering::SeqCst);
        });
    }

    /// Lets a request that arrives late arrive when it is due: by itself the world notices it at the next request only.
    fn arrives_late(self: &Arc<Self>) {
        let hall = Arc::clone(self);
        hall.to_come.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            tokio::time::sleep(LATE).await;
            hall.let_in().await;
            hall.to_come.fetch_sub(1, Ordering::SeqCst);
        });
    }

    /// Any request lets in what was to arrive by now.
    pub(crate) async fn let_in(&self) {
        let request = Request::get("/_sim/").body(Bytes::new());
        let request = request.expect("a constant");
        assert!(self.gate.clone().oneshot(request).await.is_ok());
    }

    /// Returns an answer with the date that the other clock gives it.
    fn stamped<T>(&self, mut answer: Response<T>) -> Response<T> {
        let dates = DateTimeParser::new();
        if !self.date_ahead.is_zero()
            && let Some(date) = answer.headers_mut().get_mut(header::DATE)
            && let Some(at) = date
                .to_str()
                .ok()
                .and_then(|text| dates.parse_timestamp(text).ok())
        {
            let ahead = DateTimePrinter::new().timestamp_to_rfc9110_string(&(at + self.date_ahead));
            *date =
                HeaderValue::try_from(ahead.expect("years of four digits")).expect("plain text");
        }
        answer
    }

    /// What one of the choices says.
    fn chosen<T>(&self, says: impl FnMut(&Choice) -> Option<T>) -> Option<T> {
        self.choices.lock().unwrap().iter().find_map(says)
    }

    fn fault(&self, of: Who, call: &str, at: u32) -> Option<FaultName> {
        self.chosen(|choice| match choice {
            Choice::Fault {
                of: who,
                call: on,
                nth,
                times,
                fault,
            } if *who == of && on == call && (*nth..nth.saturating_add(*times)).contains(&at) => {
                Some(*fault)
            }
            _ => None,
        })
    }

    /// What goes wrong with everybody's requests to the platform's API now.
    fn of_everybody(&self, path: &str) -> Option<FaultName> {
        let answers = *self.api_answers.lock().unwrap();
        let (fault, until) = answers.filter(|_| path.starts_with("/v2/"))?;
        (self.world.now() < until).then_some(fault)
    }

    fn stall(&self, of: Who, call: &str, at: u32) -> Option<Duration> {
        self.chosen(|choice| match choice {
            Choice::Stall {
                of: who,
                call: on,
                nth,
                seconds,
            } if *who == of && on == call && *nth == at => Some(Duration::from_secs(*seconds)),
            _ => None,
        })
    }

    fn kill(&self, of: Who, call: &str, at: u32) -> Option<Position> {
        self.chosen(|choice| match choice {
            Choice::Kill {
                of: who,
                call: on,
                nth,
                at: position,
            } if *who == of && on == call && *nth == at => Some(*position),
            _ => None,
        })
    }
}

/// What a process read of the app.
#[derive(Debug, Clone)]
pub(crate) enum ReadApp {
    Answer(Bytes),
    Document(Arc<App>),
}

impl ReadApp {
    /// Returns what is judged of it.
    pub(crate) fn base(&self) -> Option<Base> {
        match self {
            Self::Answer(bytes) => Base::read(bytes),
            Self::Document(app) => Some(Base::of(app)),
        }
    }
}

/// One process of ours, as the world sees it.
pub(crate) struct Process {
    pub(crate) hall: Arc<Hall>,
    pub(crate) who: Who,
    pub(crate) number: usize,
    counts: Mutex<BTreeMap<&'static str, u32>>,
    writes: Mutex<u32>,
    last_app: Mutex<Option<ReadApp>>,
    /// How much longer each way takes than the shortest.
    ways: Mutex<Random>,
    dead: AtomicBool,
    doomed: AtomicBool,
    still_until: Mutex<Option<Instant>>,
    runaway: AtomicBool,
    death: Notify,
}

/// What is to happen to one call.
pub(crate) struct Fate {
    /// The call's place in the journal.
    pub(crate) place: usize,
    pub(crate) fault: Option<FaultName>,
    pub(crate) kill: Option<Position>,
}

impl Process {
    pub(crate) fn new(hall: &Arc<Hall>, who: Who, number: usize) -> Arc<Self> {
        Arc::new(Self {
            hall: Arc::clone(hall),
            who,
            number,
            counts: Mutex::default(),
            writes: Mutex::default(),
            last_app: Mutex::default(),
            ways: Mutex::new(Random::new(number as u64)),
            dead: AtomicBool::new(false),
            doomed: AtomicBool::new(false),
            still_until: Mutex::default(),
            runaway: AtomicBool::new(false),
            death: Notify::new(),
        })
    }

    /// Waits until the process is dead.
    pub(crate) async fn dead(&self) {
        while !self.dead.load(Ordering::SeqCst) {
            self.death.notified().await;
        }
    }

    /// Tells whether it made more requests than any run may.
    pub(crate) fn ran_away(&self) -> bool {
        self.runaway.load(Ordering::SeqCst)
    }

    /// Never returns: the process is gone.
    pub(crate) async fn die<T>(&self) -> T {
        self.dead.store(true, Ordering::SeqCst);
        self.death.notify_one();
        std::future::pending().await
    }

    /// After this nothing is sent any more.
    pub(crate) fn doom(&self) {
        self.doomed.store(true, Ordering::SeqCst);
    }

    /// Lets a request travel to where `arrived` begins, and its answer back.
    pub(crate) async fn travelling<T>(&self, call: &str, arrived: impl Future<Output = T>) -> T {
        let travel = async || {
            let longer = self.ways.lock().unwrap().below(self.hall.spread + 1);
            let takes = self.hall.travel + Duration::from_millis(longer);
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
        };
        travel().await;
        let answer = arrived.await;
        travel().await;
        self.stand_still(call).await;
        answer
    }

    /// Stands still after a call, where that was chosen: nothing of the process goes on, its timers neither.
    async fn stand_still(&self, call: &str) {
        let nth = self.counts.lock().unwrap().get(call).copied();
        if let Some(still) = self.hall.stall(self.who, call, nth.unwrap_or_default()) {
            *self.still_until.lock().unwrap() = Some(Instant::now() + still);
            tokio::task::yield_now().await;
        }
    }

    /// Does the work of the process, but while it stands still.
    pub(crate) async fn working<T>(&self, work: impl Future<Output = T>) -> T {
        let (mut work, mut still) = (pin!(work), None);
        poll_fn(|context| {
            if let Some(until) = self.still_until.lock().unwrap().take() {
                still = Some(Box::pin(tokio::time::sleep_until(until)));
            }
            if let Some(sleep) = &mut still {
                ready!(sleep.as_mut().poll(context));
                still = None;
            }
            work.as_mut().poll(context)
        })
        .await
    }

    /// Begins a call: lets others act, writes it down and says what is to happen to it.
    pub(crate) async fn begin(&self, call: &'static str, path: &str, body: Bytes) -> Fate {
        if self.doomed.load(Ordering::SeqCst) || self.dead.load(Ordering::SeqCst) {
            return self.die().await;
        }
        let nth = {
            let mut counts = self.counts.lock().unwrap();
            let nth = counts.entry(call).or_default();
            *nth += 1;
            *nth
        };
        let kill = self.hall.kill(self.who, call, nth);
        let chosen = self.hall.fault(self.who, call, nth);
        self.hall.others(call);
        let fault = chosen.or_else(|| self.hall.of_everybody(path));
        let writes_before = {
            let mut writes = self.writes.lock().unwrap();
            let before = *writes;
            *writes += u32::from(is_write(call));
            before
        };
        let base = if call == "apps.update" {
            let last = self.last_app.lock().unwrap();
            last.as_ref().and_then(ReadApp::base)
        } else {
            None
        };
        let at = self.hall.world.now();
        let place = {
            let mut journal = self.hall.journal.lock().unwrap();
            journal.sent.push(Sent {
                at,
                process: self.number,
                who: self.who,
                call,
                nth,
                path: path.to_owned(),
                body,
                base,
                read: None,
                answer: None,
                reply: None,
                fault,
                for_everybody: chosen.is_none() && fault.is_some(),
                killed: kill,
                writes_before,
            });
            journal.sent.len() - 1
        };
        let mine = self.counts.lock().unwrap().values().sum::<u32>() as usize;
        if mine > RUNAWAY {
            self.runaway.store(true, Ordering::SeqCst);
            return self.die().await;
        }
        if kill == Some(Position::BeforeSend) {
            return self.die().await;
        }
        Fate { place, fault, kill }
    }

    /// Notes that a call was answered.
    fn answered(&self, place: usize, status: u16) {
        self.note(place, |sent| sent.answer = Some(status));
    }

    /// Notes that an answer came.
    pub(crate) fn replied(&self, place: usize, status: u16) {
        self.answered(place, status);
        self.note(place, |sent| sent.reply = Some(status));
    }

    /// Notes what was read of the app.
    fn has_read(&self, place: usize, app: ReadApp) {
        *self.last_app.lock().unwrap() = Some(app.clone());
        self.note(place, |sent| sent.read = Some(app));
    }

    fn note(&self, place: usize, write: impl FnOnce(&mut Sent)) {
        if let Some(sent) = self.hall.journal.lock().unwrap().sent.get_mut(place) {
            write(sent);
        }
    }

    async fn send(
        self: Arc<Self>,
        mut inner: InProcess,
        request: Request<Bytes>,
    ) -> Result<Response<digitalocean::Body>, BoxError> {
        let call = name_of(request.method(), request.uri().path());
        let path = request.uri().path().to_owned();
        let body = request.body().clone();
        let fate = self.begin(call, &path, body).await;
        if fate.fault.is_none()
            && fate.kill.is_none()
            && let Some(direct) = &self.hall.direct
            && let Some(read) = direct.read(
                &self.hall.world,
                call,
                &path,
                request.uri().query().unwrap_or_default(),
            )
        {
            self.replied(fate.place, 200);
            if let Some(app) = read.app {
                self.has_read(fate.place, ReadApp::Document(app));
            }
            return Ok(read.answer);
        }
        if fate.kill == Some(Position::InFlight) {
            if request.method() != Method::GET {
                let process = Arc::clone(&self);
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(20)).await;
                    let ready = inner.ready().await;
                    if let Ok(inner) = ready
                        && let Ok(late) = inner.call(request).await
                    {
                        process.answered(fate.place, late.status().as_u16());
                    }
                });
            }
            return self.die().await;
        }
        if let Some(fault) = fate.fault {
            // The one that it is for is the next to come: nothing else runs between here and the gate.
            self.hall
                .world
                .arm(Fault::next(&path, kind(fault)).method(request.method().as_str()));
            if fault == FaultName::AppliedLate && request.method() != Method::GET {
                self.hall.arrives_late();
            }
        }
        let answer = inner.ready().await?.call(request).await;
        if fate.kill == Some(Position::AppliedBeforeReply) {
            if let Ok(answer) = &answer {
                self.answered(fate.place, answer.status().as_u16());
            }
            return self.die().await;
        }
        let answer = match answer {
            Ok(answer) => answer,
            Err(closed) if fate.fault == Some(FaultName::Refuse) => {
                return Err(Box::new(NotSent::NoConnection(Box::new(closed))));
            }
            Err(closed) => return Err(Box::new(closed)),
        };
        self.replied(fate.place, answer.status().as_u16());
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await?.to_bytes();
        if call == "apps.get" && parts.status.is_success() {
            self.has_read(fate.place, ReadApp::Answer(bytes.clone()));
        }
        if fate.kill == Some(Position::AfterReply) {
            self.doom();
        }
        let body = Full::new(bytes).map_err(Into::into).boxed_unsync();
        Ok(Response::from_parts(parts, body))
    }

    pub(crate) fn transport(self: &Arc<Self>) -> Transport {
        let inner = self.hall.gate.clone();
        let process = Arc::clone(self);
        Transport::new(tower::service_fn(move |request: Request<Bytes>| {
            let process = Arc::clone(&process);
            let inner = inner.clone();
            async move {
                let call = name_of(request.method(), request.uri().path());
                let sent = Arc::clone(&process).send(inner, request);
                let answer = process.travelling(call, sent).await;
                answer.map(|answer| process.hall.stamped(answer))
            }
        }))
    }
}

fn is_write(call: &str) -> bool {
    matches!(
        call,
        "apps.update"
            | "deployments.cancel"
            | "databases.put_firewall"
            | "ledger.append"
            | "ledger.record"
    )
}

/// Returns the name of a call, as choices write it.
pub(crate) fn name_of(method: &Method, path: &str) -> &'static str {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method.as_str(), &parts[..]) {
        ("GET", ["_live", ..]) => "live",
        ("GET", ["_logs", ..]) => "logs.fetch",
        ("GET", ["v2", "apps", _]) => "apps.get",
        ("PUT", ["v2", "apps", _]) => "apps.update",
        ("POST", ["v2", "apps", "propose"]) => "apps.propose",
        ("POST", ["v2", "apps", _, "rollback", "validate"]) => "rollback.validate",
        ("GET", ["v2", "apps", _, "deployments"]) => "deployments.list",
        ("GET", ["v2", "apps", _, "deployments", _]) => "deployments.get",
        ("POST", ["v2", "apps", _, "deployments", _, "cancel"]) => "deployments.cancel",
        ("GET", ["v2", "apps", _, "deployments", _, "components", _, "logs"]) => "logs.get",
        ("GET", ["v2", "apps", _, "job-invocations", ..]) => "invocations.list",
        ("POST", ["v2", "apps", _, "job-invocations", _, "cancel"]) => "invocations.cancel",
        ("GET", ["v2", "databases"]) => "databases.list",
        ("GET", ["v2", "databases", _, "firewall"]) => "databases.firewall",
        ("PUT", ["v2", "databases", _, "firewall"]) => "databases.put_firewall",
        _ => "other",
    }
}

fn kind(fault: FaultName) -> FaultKind {
    let respond = |status, applied, retry: Option<&str>| FaultKind::Respond {
        status,
        headers: retry
            .map(|after| ("retry-after".to_owned(), after.to_owned()))
            .into_iter()
            .collect(),
        body: None,
        applied,
    };
    match fault {
        FaultName::Refuse => FaultKind::Refuse,
        FaultName::Timeout => FaultKind::Timeout {
            applied: Applied::No,
        },
        FaultName::Reset => FaultKind::Reset {
            applied: Applied::No,
        },
        FaultName::ReplyLost => FaultKind::Timeout {
            applied: Applied::Yes,
        },
        FaultName::AppliedLate => FaultKind::AppliedLate {
            seconds: LATE.as_secs(),
        },
        FaultName::AppliedTwice => FaultKind::AppliedTwice,
        FaultName::Http500 => respond(500, Applied::No, None),
        FaultName::Http502Applied => respond(502, Applied::Yes, None),
        FaultName::Http429 => respond(429, Applied::No, Some("5")),
        FaultName::Http429Bare => respond(429, Applied::No, None),
        FaultName::Http401 => respond(401, Applied::No, None),
        FaultName::Http403 => respond(403, Applied::No, None),
        FaultName::Http404 => respond(404, Applied::No, None),
        FaultName::Truncated => FaultKind::Truncated,
        FaultName::Stale => FaultKind::Stale,
        FaultName::Slow => FaultKind::Slow { seconds: 59 },
        FaultName::WrongType => FaultKind::ContentType {
            value: "text/html".to_owned(),
        },
    }
}
