//! The TER-235 world: what there is at midnight, and the edits that its people make later.

use anyhow::{Context as _, Result};
use sim::{Edits, WorldConfig};

/// The world file that `harbor-pilot sim` begins with.
pub(crate) const WORLD: &str = include_str!("../../../../../examples/ter235/world.json");

/// The backfill without `poi.deletedAt`.
const FIXED_BACKFILL: &str =
    include_str!("../../../../../examples/ter235/repository/scripts/ter235-backfill.sql");
/// The config before the hand-left job is declared.
const CONFIG: &str =
    include_str!("../../../../../examples/ter235/repository/.github/harbor-pilot.yml");

/// The repository.
pub(super) const REPO: &str = "acme/terp";
/// The app's name.
pub(super) const APP: &str = "terp-app";
/// The cluster behind `terp-mysql-db`.
pub(super) const CLUSTER: &str = "terp-mysql";
/// The pull request with the migration.
pub(super) const PULL: u64 = 428;
/// The pull request with the fix.
pub(super) const FIX: u64 = 431;
/// Who writes code.
pub(super) const DEVELOPER: &str = "mona";
/// Who works in the control panel.
pub(super) const OPERATOR: &str = "operator@terp.example";
/// The job that somebody left in the spec by hand.
pub(super) const HAND_LEFT: &str = "migration-job";
/// The address that somebody let into the database to look around. From a range that documentation may use (RFC 5737).
pub(super) const DEBUG_ADDRESS: &str = "203.0.113.7";

/// Returns the world at midnight.
pub(super) fn config() -> Result<WorldConfig> {
    WorldConfig::read(WORLD).context("the built-in world is broken")
}

/// Returns the edit that declares the hand-left job.
pub(super) fn declared() -> Edits {
    Edits::new().write(
        ".github/harbor-pilot.yml",
        format!("{CONFIG}also-stale: [{HAND_LEFT}]\n"),
    )
}

/// Returns the fix: only the script.
pub(super) fn fix() -> Edits {
    Edits::new().write("scripts/ter235-backfill.sql", FIXED_BACKFILL)
}

/// Returns a change that has nothing to do with any migration.
pub(super) fn unrelated() -> Edits {
    Edits::new().write("CHANGELOG.md", "The order list loads twice as fast.\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::Path;

    fn files(root: &Path, below: &Path, into: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(root, &path, into);
            } else {
                let name = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                into.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn the_world_file_holds_the_example_repository() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/ter235");
        let mut merged = BTreeMap::new();
        files(
            &example.join("repository"),
            &example.join("repository"),
            &mut merged,
        );
        let mut before = BTreeMap::new();
        files(
            &example.join("before-the-fix"),
            &example.join("before-the-fix"),
            &mut before,
        );

        let repository = &config().unwrap().github["repositories"][0];
        let pull = &repository["pull_requests"][0];
        assert_eq!(pull["number"], PULL);
        let mut told: BTreeMap<String, String> =
            serde_json::from_value(repository["files"].clone()).unwrap();
        let added: BTreeMap<String, String> =
            serde_json::from_value(pull["files"].clone()).unwrap();
        for (path, text) in &before {
            assert_eq!(added[path], *text, "{path} as the pull request has it");
            assert!(text.contains("poi.deletedAt") && !merged[path].contains("deletedAt"));
        }
        told.extend(added);
        told.extend(
            before
                .keys()
                .map(|path| (path.clone(), merged[path].clone())),
        );
        assert_eq!(told, merged);
    }
}
