//! Labels of a repository, and which of them an issue has.

use http::StatusCode;
use serde_json::Value;

use super::call::Call;
use super::reply::{Refusal, Reply};
use crate::github::{Access, Act, DEFAULT_COLOR, Label, NAME_LIMIT, Permission};

/// Labels belong to issues and to pull requests; either permission will do.
const EITHER: [Permission; 2] = [Permission::Issues, Permission::PullRequests];

/// Answers `GET labels`.
pub(super) fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    call.require(&EITHER, Access::Read)?;
    let repository = call.repository()?;
    call.page(&repository.labels, |label| {
        call.state.label_json(repository, label)
    })
}

/// Answers `GET labels/{name}`.
pub(super) fn get(call: &mut Call<'_>, name: &str) -> Result<Reply, Refusal> {
    call.require(&EITHER, Access::Read)?;
    let repository = call.repository()?;
    let label = repository.label(name).ok_or_else(Refusal::not_found)?;
    Ok(Reply::ok(&call.state.label_json(repository, label)))
}

/// Answers `POST labels`.
pub(super) fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    call.require(&EITHER, Access::Write)?;
    let request = call.json()?;
    let text = |key: &str| request[key].as_str().map(str::to_owned);
    let name =
        text("name").ok_or_else(|| Refusal::invalid("Label", "name", "missing_field", None))?;
    check_name(&name)?;
    let color = text("color").unwrap_or_else(|| DEFAULT_COLOR.to_owned());
    if color.len() != 6 || !color.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Refusal::invalid("Label", "color", "invalid", None));
    }
    if call.repository()?.label(&name).is_some() {
        return Err(Refusal::invalid("Label", "name", "already_exists", None));
    }
    let label = Label {
        id: call.state.ids.next(),
        name,
        color,
        description: text("description"),
    };
    let repo = call.repo.clone();
    let repository = call
        .state
        .repository_mut(&repo)
        .ok_or_else(Refusal::not_found)?;
    repository.labels.push(label.clone());
    let json = call.state.label_json(call.repository()?, &label);
    Ok(Reply::json(StatusCode::CREATED, &json))
}

/// Answers `GET issues/{number}/labels`.
pub(super) fn of_issue(call: &mut Call<'_>, number: u64) -> Result<Reply, Refusal> {
    let issue = call.issue(number, Access::Read)?;
    let labels = call.state.labels_json(call.repository()?, &issue.labels);
    call.page(&labels, Value::clone)
}

/// Answers `POST issues/{number}/labels`; labels that nobody has made yet are made.
pub(super) fn add(call: &mut Call<'_>, number: u64) -> Result<Reply, Refusal> {
    call.issue(number, Access::Write)?;
    let names = names(&call.json()?)?;
    put_on(call, number, &names)
}

/// Answers `PUT issues/{number}/labels`.
pub(super) fn replace(call: &mut Call<'_>, number: u64) -> Result<Reply, Refusal> {
    call.issue(number, Access::Write)?;
    let names = names(&call.json()?)?;
    take_off(call, number, |_name| true)?;
    put_on(call, number, &names)
}

/// Answers `DELETE issues/{number}/labels`.
pub(super) fn clear(call: &mut Call<'_>, number: u64) -> Result<Reply, Refusal> {
    call.issue(number, Access::Write)?;
    take_off(call, number, |_name| true)?;
    Ok(Reply::empty())
}

/// Answers `DELETE issues/{number}/labels/{name}`.
pub(super) fn remove(call: &mut Call<'_>, number: u64, name: &str) -> Result<Reply, Refusal> {
    let issue = call.issue(number, Access::Write)?;
    let same = |other: &str| other.to_lowercase() == name.to_lowercase();
    if !issue.labels.iter().any(|other| same(other)) {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "Label does not exist"));
    }
    take_off(call, number, same)?;
    all(call, number)
}

fn put_on(call: &mut Call<'_>, number: u64, names: &[String]) -> Result<Reply, Refusal> {
    let (repo, login) = (call.repo.clone(), call.login());
    for name in names {
        let act = Act {
            login: &login,
            at: call.now,
        };
        call.state
            .add_label(&repo, number, name, act)
            .map_err(|_gone| Refusal::not_found())?;
    }
    all(call, number)
}

fn take_off(call: &mut Call<'_>, number: u64, which: impl Fn(&str) -> bool) -> Result<(), Refusal> {
    let (repo, login, now) = (call.repo.clone(), call.login(), call.now);
    let labels = call.issue(number, Access::Write)?.labels.clone();
    for label in labels.iter().filter(|label| which(label)) {
        let act = Act {
            login: &login,
            at: now,
        };
        call.state
            .remove_label(&repo, number, label, act)
            .map_err(|_gone| Refusal::not_found())?;
    }
    Ok(())
}

/// Writing answers with all labels, not with a page of them.
fn all(call: &Call<'_>, number: u64) -> Result<Reply, Refusal> {
    let issue = call.issue(number, Access::Read)?;
    let labels = call.state.labels_json(call.repository()?, &issue.labels);
    Ok(Reply::ok(&Value::Array(labels)))
}

/// Reads `{"labels": [..]}` or a bare list, of names or of objects with a `name`.
fn names(request: &Value) -> Result<Vec<String>, Refusal> {
    let list = request.as_array().or_else(|| request["labels"].as_array());
    let list = list
        .ok_or_else(|| Refusal::unprocessable("Invalid request.\n\n\"labels\" wasn't supplied."))?;
    let mut names = Vec::new();
    for entry in list {
        let name = entry
            .as_str()
            .or_else(|| entry["name"].as_str())
            .unwrap_or_default();
        check_name(name)?;
        names.push(name.to_owned());
    }
    Ok(names)
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::invalid("Label", "name", "missing_field", None));
    }
    if name.chars().count() > NAME_LIMIT {
        let message = format!("name is too long (maximum is {NAME_LIMIT} characters)");
        return Err(Refusal::invalid("Label", "name", "custom", Some(&message)));
    }
    Ok(())
}
