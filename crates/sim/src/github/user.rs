//! Accounts: people, organisations and the bots that apps act as.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{GitHubState, Ids, Urls, encode_segment, node_id};

/// What an account is, as `type` in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub(crate) enum UserKind {
    User,
    Bot,
    Organization,
}

impl UserKind {
    fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Bot => "Bot",
            Self::Organization => "Organization",
        }
    }
}

/// One account.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) login: String,
    pub(crate) id: u64,
    pub(crate) kind: UserKind,
}

impl User {
    /// Returns the address that a commit made on the web carries.
    pub(crate) fn email(&self) -> String {
        format!("{}+{}@users.noreply.github.com", self.id, self.login)
    }
}

/// All accounts, by lower-case login.
#[derive(Debug, Clone, Default)]
pub(crate) struct Users {
    by_login: BTreeMap<String, User>,
}

impl Users {
    /// Adds an account, or returns the one that is there: its kind is then only set when given.
    pub(crate) fn add(&mut self, ids: &mut Ids, login: &str, kind: Option<UserKind>) {
        let key = login.to_lowercase();
        if let Some(user) = self.by_login.get_mut(&key) {
            user.kind = kind.unwrap_or(user.kind);
            return;
        }
        let bot = login.ends_with("[bot]");
        let kind = kind.unwrap_or(if bot { UserKind::Bot } else { UserKind::User });
        // The account behind `GITHUB_TOKEN` has this id everywhere on github.com.
        let id = if key == "github-actions[bot]" {
            41_898_282
        } else {
            ids.next()
        };
        self.by_login.insert(
            key,
            User {
                login: login.to_owned(),
                id,
                kind,
            },
        );
    }

    pub(crate) fn get(&self, login: &str) -> Option<&User> {
        self.by_login.get(&login.to_lowercase())
    }
}

impl GitHubState {
    /// Makes sure an account exists.
    pub(crate) fn know_user(&mut self, login: &str) {
        self.users.add(&mut self.ids, login, None);
    }

    /// Returns `simple-user` for a login, `null` for one that nobody has.
    pub(crate) fn user_json(&self, login: &str) -> Value {
        self.users.get(login).map_or(Value::Null, |user| {
            Value::Object(simple_user(&self.urls, user))
        })
    }
}

/// The links of an account that are its address and an ending.
const LINKS: [(&str, &str); 9] = [
    ("followers_url", "/followers"),
    ("following_url", "/following{/other_user}"),
    ("gists_url", "/gists{/gist_id}"),
    ("starred_url", "/starred{/owner}{/repo}"),
    ("subscriptions_url", "/subscriptions"),
    ("organizations_url", "/orgs"),
    ("repos_url", "/repos"),
    ("events_url", "/events{/privacy}"),
    ("received_events_url", "/received_events"),
];

fn simple_user(urls: &Urls, user: &User) -> Map<String, Value> {
    let url = format!("{}/users/{}", urls.api, encode_segment(&user.login));
    let page = match user.kind {
        UserKind::Bot => format!(
            "{}/apps/{}",
            urls.html,
            user.login.trim_end_matches("[bot]")
        ),
        UserKind::User | UserKind::Organization => format!("{}/{}", urls.html, user.login),
    };
    let mut map = Map::new();
    map.insert("login".into(), json!(user.login));
    map.insert("id".into(), json!(user.id));
    map.insert("node_id".into(), json!(node_id("U", user.id)));
    let avatar = format!("https://avatars.githubusercontent.com/u/{}?v=4", user.id);
    map.insert("avatar_url".into(), json!(avatar));
    map.insert("gravatar_id".into(), json!(""));
    map.insert("url".into(), json!(url));
    map.insert("html_url".into(), json!(page));
    for (key, ending) in LINKS {
        map.insert(key.into(), json!(format!("{url}{ending}")));
    }
    map.insert("type".into(), json!(user.kind.name()));
    map.insert("site_admin".into(), json!(false));
    map
}
