//! Labels of a repository; issues name them.

use serde_json::{Value, json};

use super::{GitHubState, Ids, Repository, encode_segment, node_id};

/// A label of a repository.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// Six hex digits, without `#`.
    pub(crate) color: String,
    pub(crate) description: Option<String>,
}

/// The colour of a label that came into being by being put on an issue.
pub(crate) const DEFAULT_COLOR: &str = "ededed";
/// The longest name of a label, in characters (published limit).
pub(crate) const NAME_LIMIT: usize = 50;

impl Repository {
    /// Returns a label by its name, in which GitHub ignores case.
    pub(crate) fn label(&self, name: &str) -> Option<&Label> {
        self.labels
            .iter()
            .find(|label| label.name.to_lowercase() == name.to_lowercase())
    }

    /// Returns the proper name of a label, which is made if nobody has made it yet.
    pub(crate) fn know_label(&mut self, ids: &mut Ids, name: &str) -> String {
        if let Some(label) = self.label(name) {
            return label.name.clone();
        }
        let (name, color) = (name.to_owned(), DEFAULT_COLOR.to_owned());
        self.labels.push(Label {
            id: ids.next(),
            name: name.clone(),
            color,
            description: None,
        });
        name
    }
}

impl GitHubState {
    /// Returns `label`.
    pub(crate) fn label_json(&self, repository: &Repository, label: &Label) -> Value {
        let url = self.urls.repo(&repository.full_name());
        json!({
            "id": label.id,
            "node_id": node_id("LA", label.id),
            "url": format!("{url}/labels/{}", encode_segment(&label.name)),
            "name": label.name,
            "color": label.color,
            "default": false,
            "description": label.description,
        })
    }

    /// Returns the labels that an issue names.
    pub(crate) fn labels_json(&self, repository: &Repository, names: &[String]) -> Vec<Value> {
        names
            .iter()
            .filter_map(|name| repository.label(name))
            .map(|label| self.label_json(repository, label))
            .collect()
    }
}
