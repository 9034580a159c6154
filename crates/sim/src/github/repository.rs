//! Repositories: who owns one, who may see it, and what hangs on it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Comment, Deployment, Dispatch, GitHubState, Issue, IssueState, Label, Run, Sha, node_id, stamp,
};

/// Who may see a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Visibility {
    #[default]
    Public,
    Private,
    /// Seen by the members of an enterprise; the API's `private` is true for it.
    Internal,
}

impl Visibility {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Internal => "internal",
        }
    }
}

/// What a collaborator may do, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Read,
    Triage,
    Write,
    Maintain,
    Admin,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }

    /// Returns the older name, which knows only read, write and admin.
    pub(crate) fn permission(self) -> &'static str {
        match self {
            Self::Read | Self::Triage => "read",
            Self::Write | Self::Maintain => "write",
            Self::Admin => "admin",
        }
    }
}

/// One repository.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) id: u64,
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) visibility: Visibility,
    pub(crate) default_branch: String,
    /// The lower-case name of the repository that the forks share their commits with.
    pub(crate) network: String,
    pub(crate) is_fork: bool,
    /// Without it the calls for plain issues answer 410; pull requests stay.
    pub(crate) has_issues: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) pushed_at: Timestamp,
    /// By lower-case login.
    pub(crate) collaborators: BTreeMap<String, Role>,
    pub(crate) branches: BTreeMap<String, Sha>,
    pub(crate) labels: Vec<Label>,
    /// Issues and pull requests, by number.
    pub(crate) issues: BTreeMap<u64, Issue>,
    /// By id, which is by age.
    pub(crate) comments: BTreeMap<u64, Comment>,
    /// By id, which is by age.
    pub(crate) deployments: BTreeMap<u64, Deployment>,
    pub(crate) dispatches: Vec<Dispatch>,
    pub(crate) runs: BTreeMap<u64, Run>,
}

impl Repository {
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Returns what a login may do here; `None` for somebody who is no collaborator.
    pub(crate) fn role(&self, login: &str) -> Option<Role> {
        if login.eq_ignore_ascii_case(&self.owner) {
            return Some(Role::Admin);
        }
        self.collaborators.get(&login.to_lowercase()).copied()
    }

    /// Returns the next free number of an issue or pull request.
    pub(crate) fn next_number(&self) -> u64 {
        self.issues
            .last_key_value()
            .map_or(1, |(number, _)| number + 1)
    }

    /// Returns an issue or pull request.
    pub(crate) fn issue(&self, number: u64) -> Option<&Issue> {
        self.issues.get(&number)
    }
}

/// The links of a repository that are its API address and an ending.
const LINKS: [(&str, &str); 38] = [
    ("forks_url", "/forks"),
    ("keys_url", "/keys{/key_id}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("teams_url", "/teams"),
    ("hooks_url", "/hooks"),
    ("issue_events_url", "/issues/events{/number}"),
    ("events_url", "/events"),
    ("assignees_url", "/assignees{/user}"),
    ("branches_url", "/branches{/branch}"),
    ("tags_url", "/tags"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("trees_url", "/git/trees{/sha}"),
    ("statuses_url", "/statuses/{sha}"),
    ("languages_url", "/languages"),
    ("stargazers_url", "/stargazers"),
    ("contributors_url", "/contributors"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("commits_url", "/commits{/sha}"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("comments_url", "/comments{/number}"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("contents_url", "/contents/{+path}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("merges_url", "/merges"),
    ("archive_url", "/{archive_format}{/ref}"),
    ("downloads_url", "/downloads"),
    ("issues_url", "/issues{/number}"),
    ("pulls_url", "/pulls{/number}"),
    ("milestones_url", "/milestones{/number}"),
    (
        "notifications_url",
        "/notifications{?since,all,participating}",
    ),
    ("labels_url", "/labels{/name}"),
    ("releases_url", "/releases{/id}"),
    ("deployments_url", "/deployments"),
    ("url", ""),
    ("svn_url", ""),
];

impl GitHubState {
    /// Returns a repository as it stands inside other objects and in events.
    pub(crate) fn repository_json(&self, repository: &Repository) -> Value {
        let name = repository.full_name();
        let (url, page) = (self.urls.repo(&name), self.urls.page(&name));
        let mut map = Map::new();
        map.insert("id".into(), json!(repository.id));
        map.insert("node_id".into(), json!(node_id("R", repository.id)));
        map.insert("name".into(), json!(repository.name));
        map.insert("full_name".into(), json!(name));
        map.insert(
            "private".into(),
            json!(repository.visibility != Visibility::Public),
        );
        map.insert("owner".into(), self.user_json(&repository.owner));
        map.insert("html_url".into(), json!(page));
        map.insert("description".into(), json!(repository.description));
        map.insert("fork".into(), json!(repository.is_fork));
        for (key, ending) in LINKS {
            map.insert(key.into(), json!(format!("{url}{ending}")));
        }
        let host = self
            .urls
            .html
            .split_once("://")
            .map_or("github.com", |(_, host)| host);
        map.insert("svn_url".into(), json!(page));
        map.insert("git_url".into(), json!(format!("git://{host}/{name}.git")));
        map.insert("ssh_url".into(), json!(format!("git@{host}:{name}.git")));
        map.insert("clone_url".into(), json!(format!("{page}.git")));
        map.insert("created_at".into(), json!(stamp(repository.created_at)));
        map.insert("updated_at".into(), json!(stamp(repository.pushed_at)));
        map.insert("pushed_at".into(), json!(stamp(repository.pushed_at)));
        map.extend(self.repository_facts(repository));
        Value::Object(map)
    }

    fn repository_facts(&self, repository: &Repository) -> Map<String, Value> {
        let open = repository
            .issues
            .values()
            .filter(|issue| issue.state == IssueState::Open)
            .count();
        let forks = self
            .repositories
            .values()
            .filter(|other| other.is_fork && other.network == repository.network)
            .count();
        let facts = [
            ("homepage", Value::Null),
            ("mirror_url", Value::Null),
            ("language", Value::Null),
            ("license", Value::Null),
            ("size", json!(1)),
            ("stargazers_count", json!(0)),
            ("watchers_count", json!(0)),
            ("watchers", json!(0)),
            ("forks_count", json!(forks)),
            ("forks", json!(forks)),
            ("open_issues_count", json!(open)),
            ("open_issues", json!(open)),
            ("has_issues", json!(repository.has_issues)),
            ("has_projects", json!(true)),
            ("has_downloads", json!(true)),
            ("has_wiki", json!(false)),
            ("has_pages", json!(false)),
            ("archived", json!(false)),
            ("disabled", json!(false)),
            ("default_branch", json!(repository.default_branch)),
            ("is_template", json!(false)),
            ("topics", json!([])),
            ("visibility", json!(repository.visibility.name())),
            ("web_commit_signoff_required", json!(false)),
            ("custom_properties", json!({})),
        ];
        facts
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    /// Returns `full-repository`, the answer to a call for the repository itself.
    pub(crate) fn full_repository_json(&self, repository: &Repository) -> Value {
        let mut json = self.repository_json(repository);
        json["has_discussions"] = json!(false);
        json["network_count"] = json["forks_count"].clone();
        json["subscribers_count"] = json!(1);
        for key in [
            "allow_merge_commit",
            "allow_squash_merge",
            "allow_rebase_merge",
        ] {
            json[key] = json!(true);
        }
        json
    }
}
