//! The client: one call at a time through octocrab, with a deadline, a retry where it is safe,
//! and an error that says what was attempted.
//!
//! octocrab carries every request (API version, authorization, queueing), but its typed models
//! are not used: they are strict about fields that GitHub trims, and change with every minor
//! version. Each module here reads the few fields that it needs.
//!
//! Not here: what is asked (see the module of each call) and any decision over the answer.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use bytes::Bytes;
use http::header::{ACCEPT, LINK};
use http::{HeaderMap, Method, StatusCode, request};
use http_body_util::BodyExt as _;
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::error::{self, Effect, Error, ErrorKind, Permission};
use crate::id::RepoName;
use crate::token::{Token, TokenKind};
use crate::transport::{Adapter, BodyLimit, DEFAULT_BODY_BYTES, SetupError, Transport};
use crate::wire::Account;

/// Deadlines and waits of the client. A test shortens the waits; the deadlines are of real
/// sockets and stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Deadline of one attempt of a read. 20 s: GitHub itself gives up on a request after 10 s.
    pub read_deadline: Duration,
    /// Deadline of one attempt of a write. 30 s: a write cut short costs a look-up to find out
    /// whether it was applied, so it gets longer.
    pub write_deadline: Duration,
    /// Wait before the second attempt; doubled for each further one, with jitter.
    pub first_wait: Duration,
    /// Longest wait between two attempts, and the longest that GitHub may order. An order
    /// beyond it ends the call instead, for the hourly limit would hold a migration for an hour.
    pub longest_wait: Duration,
    /// Attempts in all, the first included.
    pub attempts: usize,
    /// How long a merge commit's pull requests are waited for; GitHub indexes them late.
    pub index_wait: Duration,
    /// Seed of the jitter, for a run that must be repeatable.
    pub jitter_seed: Option<u64>,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            read_deadline: Duration::from_secs(20),
            write_deadline: Duration::from_secs(30),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
            attempts: 4,
            index_wait: Duration::from_secs(60),
            jitter_seed: None,
        }
    }
}

impl Timing {
    /// Divides the waits by `pace`, for a simulated world that runs faster. Deadlines stay.
    #[must_use]
    pub fn paced(self, pace: u32) -> Self {
        let pace = pace.max(1);
        Self {
            first_wait: self.first_wait / pace,
            longest_wait: self.longest_wait / pace,
            index_wait: self.index_wait / pace,
            ..self
        }
    }
}

/// The author of comments made with a workflow's own `GITHUB_TOKEN`.
const WORKFLOW_LOGIN: &str = "github-actions[bot]";

/// GitHub's API for one repository. Cheap to clone.
#[derive(Clone)]
pub struct GitHub {
    octocrab: Octocrab,
    repo: RepoName,
    timing: Timing,
    token_kind: TokenKind,
    own_login: String,
    learned_login: Arc<OnceLock<String>>,
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHub")
            .field("repo", &self.repo)
            .field("timing", &self.timing)
            .field("own_login", &self.own_login)
            .finish_non_exhaustive()
    }
}

impl GitHub {
    /// Builds a client for `repo`. Nothing is sent.
    ///
    /// `base_url` is the value of `GITHUB_API_URL`; its path is kept, as GitHub Enterprise
    /// Server needs (`https://HOST/api/v3`). Whether plain `http` is acceptable is the caller's
    /// decision.
    ///
    /// # Errors
    ///
    /// [`SetupError::BaseUrl`] and [`SetupError::Token`] for unusable values,
    /// [`SetupError::NoRuntime`] outside a tokio runtime.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the caller gives the secret away instead of keeping a second copy"
    )]
    pub fn new(
        transport: Transport,
        base_url: &Url,
        token: SecretString,
        repo: RepoName,
    ) -> Result<Self, SetupError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(SetupError::NoRuntime);
        }
        let token = Token::new(&token)?;
        let adapter = Adapter::new(transport, base_url)?;
        let built = OctocrabBuilder::new_empty()
            .with_service(adapter)
            .with_auth(AuthState::AccessToken {
                token: token.secret(),
            })
            .build();
        let octocrab = match built {
            Ok(octocrab) => octocrab,
            Err(never) => match never {},
        };
        Ok(Self {
            octocrab,
            repo,
            timing: Timing::default(),
            token_kind: token.kind(),
            own_login: WORKFLOW_LOGIN.to_owned(),
            learned_login: Arc::new(OnceLock::new()),
        })
    }

    /// Replaces the deadlines and waits.
    #[must_use]
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Sets the login under which this token writes; `github-actions[bot]` unless set.
    ///
    /// Only comments of this author (or of the author that GitHub names in the reply to our
    /// own creation) count as ours.
    #[must_use]
    pub fn with_own_login(mut self, login: impl Into<String>) -> Self {
        self.own_login = login.into();
        self
    }

    /// Returns the repository.
    #[must_use]
    pub fn repo_name(&self) -> &RepoName {
        &self.repo
    }

    /// Asks GitHub under which login the token acts, when it is a person's token by its prefix.
    /// Returns `None` for an App's token, for which GitHub has no such call.
    ///
    /// # Errors
    ///
    /// Those of a read; `NotFound` where the server has no `/user`.
    pub async fn login_of_token(&self) -> Result<Option<String>, Error> {
        if self.token_kind != TokenKind::User {
            return Ok(None);
        }
        let call = Call::get("/user", Permission::MetadataRead, "ask whose token this is");
        let account: Account = self.json(&call).await?;
        Ok(account.login)
    }

    /// Returns whether a comment of this author is ours.
    pub(crate) fn is_own_login(&self, login: &str) -> bool {
        login.eq_ignore_ascii_case(&self.own_login)
            || self
                .learned_login
                .get()
                .is_some_and(|learned| login.eq_ignore_ascii_case(learned))
    }

    /// Takes note of the author that GitHub named for something that we made.
    pub(crate) fn learn_login(&self, login: &str) {
        if !self.is_own_login(login) && self.learned_login.set(login.to_owned()).is_ok() {
            tracing::warn!(
                login,
                expected = self.own_login,
                "the token writes as `{login}`; set the login so that later runs find their comments"
            );
        }
    }

    pub(crate) fn timing(&self) -> &Timing {
        &self.timing
    }

    /// Returns `/repos/OWNER/NAME` followed by `rest`, which the caller has encoded.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{}{rest}", self.repo.owner(), self.repo.name())
    }

    /// Sends a call and reads the reply as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Error> {
        self.send(call).await?.json(call)
    }

    /// Sends a call, again where that is safe: a read or a setting after any passing failure,
    /// a creation only when GitHub said, or the connection shows, that nothing was applied.
    pub(crate) async fn send(&self, call: &Call) -> Result<Reply, Error> {
        let timing = self.timing;
        let mut backoff = ExponentialBuilder::new()
            .with_factor(2.0)
            .with_min_delay(timing.first_wait)
            .with_max_delay(timing.longest_wait)
            .with_max_times(timing.attempts.saturating_sub(1))
            .with_jitter();
        if let Some(seed) = timing.jitter_seed {
            backoff = backoff.with_jitter_seed(seed);
        }
        (|| self.send_once(call))
            .retry(backoff)
            .when(|error: &Error| {
                error.is_retryable() && (call.effect != Effect::Create || !error.may_have_applied())
            })
            .adjust(|error, wait| {
                let ordered = error.ordered_wait().unwrap_or_default();
                wait.filter(|_| ordered <= timing.longest_wait)
                    .map(|wait| wait.max(ordered))
            })
            .notify(|error, wait| {
                tracing::debug!(?wait, kind = %error.kind(), "{error}; trying again");
            })
            .await
    }

    /// Sends a call once.
    async fn send_once(&self, call: &Call) -> Result<Reply, Error> {
        let failed = |kind| call.failed(kind);
        let deadline = match call.effect {
            Effect::Read => self.timing.read_deadline,
            Effect::Idempotent | Effect::Create => self.timing.write_deadline,
        };
        let target = call.target();
        tracing::debug!(method = %call.method, target, "request");
        let mut builder = request::Builder::new()
            .method(call.method.clone())
            .uri(target.as_str())
            .extension(BodyLimit(call.body_limit));
        if let Some(accept) = call.accept {
            builder = builder.header(ACCEPT, accept);
        }
        let request = self
            .octocrab
            .build_request(builder, call.body.as_ref())
            .map_err(|error| failed(error::unsent(error)))?;
        let exchange = async {
            let response = self.octocrab.execute(request).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Reply {
                status: parts.status,
                headers: parts.headers,
                body,
            })
        };
        let reply = tokio::time::timeout(deadline, exchange)
            .await
            .map_err(|_elapsed| failed(ErrorKind::TimedOut { after: deadline }))?
            .map_err(|error| failed(error::unsent(error)))?;
        if reply.status.is_success() {
            Ok(reply)
        } else {
            Err(failed(error::classify(
                reply.status,
                &reply.headers,
                &reply.body,
                call.needs,
                call.limit_chars,
            )))
        }
    }

    /// Makes a new thing, and once only.
    ///
    /// When the outcome of `post` is in doubt, `look` is asked whether the thing is there, with
    /// growing waits because GitHub's lists may lag. Only when it is not there after that is
    /// `post` sent a second and last time. A first request that GitHub carries out later than
    /// all this still leaves two; readers of such lists must bear that.
    pub(crate) async fn create_once<T, Post, PostFuture, Look, LookFuture>(
        &self,
        post: Post,
        look: Look,
    ) -> Result<T, Error>
    where
        Post: Fn() -> PostFuture,
        PostFuture: Future<Output = Result<T, Error>>,
        Look: Fn() -> LookFuture,
        LookFuture: Future<Output = Result<Option<T>, Error>>,
    {
        let doubt = match post().await {
            Err(error) if error.may_have_applied() => error,
            settled => return settled,
        };
        tracing::warn!(kind = %doubt.kind(), "{doubt}: looking whether it was done");
        let mut wait = self.timing.first_wait;
        for _ in 0..LOOKS {
            tokio::time::sleep(wait).await;
            wait = wait.saturating_mul(2);
            match look().await {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                Err(_) => return Err(doubt),
            }
        }
        if let Ok(made) = post().await {
            return Ok(made);
        }
        tokio::time::sleep(wait).await;
        match look().await {
            Ok(Some(found)) => Ok(found),
            // The first doubt is the stronger statement: something of it may be there.
            Ok(None) | Err(_) => Err(doubt),
        }
    }

    /// Reads a list page by page.
    ///
    /// A page counts as followed by another when it is full or when GitHub links to a next one.
    pub(crate) async fn pages<T: DeserializeOwned>(
        &self,
        mut call: Call,
        most_pages: u32,
    ) -> Result<Pages<T>, Error> {
        call.query.push(("per_page", PER_PAGE.to_string()));
        let mut items = Vec::new();
        for page in 1..=most_pages {
            let mut call = call.clone();
            call.query.push(("page", page.to_string()));
            let reply = self.send(&call).await?;
            let batch: Vec<T> = reply.json(&call)?;
            let more = batch.len() >= PER_PAGE || reply.links_to_next();
            items.extend(batch);
            if !more {
                return Ok(Pages {
                    items,
                    end: PagesEnd::Complete,
                });
            }
        }
        Ok(Pages {
            items,
            end: PagesEnd::CutOff,
        })
    }
}

/// How often a doubtful creation is looked for before it is sent again: after one, three and
/// seven seconds at the usual waits.
const LOOKS: usize = 3;

/// GitHub's largest page.
pub(crate) const PER_PAGE: usize = 100;

/// The items of several pages.
pub(crate) struct Pages<T> {
    pub(crate) items: Vec<T>,
    pub(crate) end: PagesEnd,
}

/// Whether a list was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PagesEnd {
    Complete,
    CutOff,
}

/// One request, ready to be sent any number of times.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) accept: Option<&'static str>,
    pub(crate) needs: Permission,
    pub(crate) effect: Effect,
    /// What is attempted, to follow "cannot ".
    pub(crate) attempted: String,
    /// The limit to report when GitHub finds a text too long.
    pub(crate) limit_chars: usize,
    pub(crate) body_limit: usize,
}

impl Call {
    pub(crate) fn get(
        path: impl Into<String>,
        needs: Permission,
        attempted: impl Into<String>,
    ) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            query: Vec::new(),
            body: None,
            accept: None,
            needs,
            effect: Effect::Read,
            attempted: attempted.into(),
            limit_chars: 0,
            body_limit: DEFAULT_BODY_BYTES,
        }
    }

    /// A call that makes a new thing: never sent again after a doubtful outcome.
    pub(crate) fn create(
        path: impl Into<String>,
        body: Value,
        needs: Permission,
        attempted: impl Into<String>,
    ) -> Self {
        Self {
            method: Method::POST,
            body: Some(body),
            effect: Effect::Create,
            ..Self::get(path, needs, attempted)
        }
    }

    /// A call that leaves the same state however often it is carried out.
    pub(crate) fn set(
        method: Method,
        path: impl Into<String>,
        body: Option<Value>,
        needs: Permission,
        attempted: impl Into<String>,
    ) -> Self {
        Self {
            method,
            body,
            effect: Effect::Idempotent,
            ..Self::get(path, needs, attempted)
        }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(crate) fn failed(&self, kind: ErrorKind) -> Error {
        Error::new(self.attempted.clone(), self.effect, kind)
    }

    fn target(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.query {
            query.append_pair(name, value);
        }
        format!("{}?{}", self.path, query.finish())
    }
}

/// A successful response, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// Reads the body as JSON.
    pub(crate) fn json<'de, T: Deserialize<'de>>(&'de self, call: &Call) -> Result<T, Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(&self.body);
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            call.failed(ErrorKind::Decode {
                path: error.path().to_string(),
                source: error.into_inner(),
            })
        })
    }

    fn links_to_next(&self) -> bool {
        self.headers
            .get_all(LINK)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.contains("rel=\"next\""))
    }
}
