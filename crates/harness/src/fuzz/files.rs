//! The two YAML files that people write: the manifest and the config.

use migration::{Config, FileError, HealthCheck, MAX_STEPS, Manifest, MigrationId};
use std::collections::BTreeSet;
use std::time::Duration;

/// The longest message of an error, in characters: some quote what stands in the file, and what is quoted is cut.
const MESSAGE_CHARS: usize = 2_000;

/// A file is read or refused with a short message and a place in it, and what is read keeps its own rules.
pub fn files(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let id = MigrationId::parse("ter-235").unwrap();
    match Manifest::parse(id.clone(), "manifest.yml", text) {
        Ok(manifest) => {
            is_sound(&manifest);
            let again = Manifest::parse(id, "manifest.yml", text).unwrap();
            assert_eq!(again, manifest);
        }
        Err(error) => is_told(&error, text),
    }
    match Config::parse("config.yml", text) {
        Ok(config) => {
            is_settled(&config);
            assert_eq!(Config::parse("config.yml", text).unwrap(), config);
        }
        Err(error) => is_told(&error, text),
    }
}

fn is_sound(manifest: &Manifest) {
    assert!((1..=MAX_STEPS).contains(&manifest.steps.len()));
    let names: BTreeSet<_> = manifest.steps.iter().map(|step| &step.name).collect();
    assert_eq!(names.len(), manifest.steps.len(), "two steps of one name");
    for step in &manifest.steps {
        for command in std::iter::once(&step.run).chain(&step.check) {
            assert!(!command.trim().is_empty() && !command.contains('\0'));
        }
    }
    if let Some(timeout) = manifest.job_timeout {
        let day = Duration::from_secs(24 * 60 * 60);
        assert!((Duration::from_secs(60)..=day).contains(&timeout));
    }
    manifest.env.iter().for_each(is_variable);
}

fn is_settled(config: &Config) {
    let inside = !config.manifests.starts_with('/')
        && config
            .manifests
            .split('/')
            .all(|part| !matches!(part, "" | ".."));
    assert!(inside, "{:?}", config.manifests);
    let labels = &config.labels;
    for label in [&config.label, &labels.running, &labels.done, &labels.failed] {
        assert!(!label.trim().is_empty() && label.chars().count() <= 50);
    }
    if let Some(HealthCheck::Url(url)) = &config.health {
        assert!(url.starts_with("http://") || url.starts_with("https://"));
    }
    config.defaults.env.iter().for_each(is_variable);
}

fn is_variable(name: &String) {
    let mut bytes = name.bytes();
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let plain =
        bytes.next().is_some_and(letter) && bytes.all(|byte| letter(byte) || byte.is_ascii_digit());
    assert!(plain && !name.starts_with("HARBOR_PILOT_"), "{name:?}");
}

fn is_told(error: &FileError, text: &str) {
    let message = format!("{error}\n{}", error.hint().unwrap_or_default());
    assert!(
        message.chars().count() <= MESSAGE_CHARS,
        "{} characters: {message}",
        message.chars().count()
    );
    if let Some(place) = error.place {
        // A file that ends too early is at fault behind its last line.
        let lines = text.chars().filter(|c| matches!(c, '\n' | '\r')).count() as u64 + 2;
        assert!(place.line >= 1 && place.line <= lines, "{place:?}");
    }
}
