//! The arrows between the crates point down only (`ARCHITECTURE.md`, "The house"), seen over `cargo metadata`.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use std::collections::BTreeSet;

/// What each crate may depend on among ours, outside of its tests.
const ARROWS: [(&str, &[&str]); 8] = [
    ("app-spec", &[]),
    ("migration", &["app-spec"]),
    ("digitalocean", &["app-spec"]),
    ("github", &[]),
    ("runner", &["app-spec", "digitalocean", "migration"]),
    ("sim", &[]),
    (
        "cli",
        &[
            "app-spec",
            "digitalocean",
            "github",
            "migration",
            "runner",
            "sim",
        ],
    ),
    (
        "harness",
        &[
            "app-spec",
            "cli",
            "digitalocean",
            "github",
            "migration",
            "runner",
            "sim",
        ],
    ),
];

/// What the pure crates must not reach, however far away.
const NO_IO: [&str; 9] = [
    "tokio",
    "hyper",
    "reqwest",
    "octocrab",
    "axum",
    "mio",
    "getrandom",
    "rand",
    "tracing-subscriber",
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        // Not offline: this asks for crates of other platforms, too, which no build on this one has fetched so far.
        .other_options(["--locked".to_owned()])
        .exec()
        .unwrap()
}

fn ours(metadata: &Metadata) -> Vec<&Package> {
    metadata.workspace_packages()
}

#[test]
fn every_crate_depends_on_what_it_may_and_on_nothing_else_of_ours() {
    let metadata = metadata();
    let names: BTreeSet<&str> = ours(&metadata)
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    for package in ours(&metadata) {
        let (_, allowed) = ARROWS
            .iter()
            .find(|(name, _)| *name == package.name.as_str())
            .unwrap_or_else(|| {
                panic!(
                    "crate `{}` is new: say here what it may depend on, and why in docs/adr",
                    package.name
                )
            });
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let shipped = dependency.kind != DependencyKind::Development;
            assert!(
                !shipped || !names.contains(name) || allowed.contains(&name),
                "`{}` must not depend on `{name}`",
                package.name
            );
        }
    }
}

/// The simulator judges the clients, so it must not know them, not even in its tests.
#[test]
fn simulator_knows_none_of_ours() {
    let metadata = metadata();
    let names: BTreeSet<&str> = ours(&metadata)
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let sim = ours(&metadata)
        .into_iter()
        .find(|package| package.name.as_str() == "sim")
        .unwrap();
    for dependency in &sim.dependencies {
        assert!(
            !names.contains(dependency.name.as_str()),
            "`sim` knows `{}`",
            dependency.name
        );
    }
}

/// A test of a lower crate may use the simulator, and nothing else that it may not ship with.
#[test]
fn tests_reach_up_to_nothing_but_the_simulator() {
    let metadata = metadata();
    let names: BTreeSet<&str> = ours(&metadata)
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    for package in ours(&metadata) {
        let allowed = ARROWS
            .iter()
            .find(|(name, _)| *name == package.name.as_str())
            .map_or(&[] as &[&str], |(_, allowed)| allowed);
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            assert!(
                !names.contains(name) || name == "sim" || allowed.contains(&name),
                "the tests of `{}` must not use `{name}`",
                package.name
            );
        }
    }
}

#[test]
fn pure_crates_reach_no_socket_clock_or_randomness() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().unwrap();
    for pure in ["app-spec", "migration"] {
        let package = metadata
            .workspace_packages()
            .into_iter()
            .find(|package| package.name.as_str() == pure)
            .unwrap();
        let mut seen: BTreeSet<&PackageId> = BTreeSet::new();
        let mut waiting = vec![&package.id];
        while let Some(id) = waiting.pop() {
            let node = resolve.nodes.iter().find(|node| node.id == *id).unwrap();
            for dependency in &node.deps {
                let shipped = dependency
                    .dep_kinds
                    .iter()
                    .any(|kind| kind.kind == DependencyKind::Normal);
                if shipped && seen.insert(&dependency.pkg) {
                    waiting.push(&dependency.pkg);
                }
            }
        }
        for id in seen {
            let name = metadata[id].name.as_str();
            assert!(!NO_IO.contains(&name), "`{pure}` reaches `{name}`");
        }
    }
}
