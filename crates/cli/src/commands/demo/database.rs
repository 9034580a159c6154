//! The database of the story: a SQLite file of its own, or a MariaDB that was named.

use crate::commands::sql;
use crate::wiring::chain;
use anyhow::{Context as _, Result, anyhow};
use std::fs::File;
use std::path::Path;

/// The schema of that night.
const SCHEMA: &str = include_str!("../../../../../examples/ter235/database/schema.sql");
/// A few rows.
const ROWS: &str = include_str!("../../../../../examples/ter235/database/rows.sql");

/// A database that the story's jobs write to.
#[derive(Debug)]
pub struct Database {
    /// As the jobs get it.
    pub(super) url: String,
}

impl Database {
    /// Sets up the schema and the rows: at `url`, which must hold none of these tables yet, or in a file in `folder`.
    pub(super) fn prepare(url: Option<&str>, folder: &Path) -> Result<Self> {
        let url = match url {
            Some(url) => url.to_owned(),
            None => {
                let path = folder.join("terp.db");
                File::create(&path)
                    .with_context(|| format!("cannot make the database `{}`", path.display()))?;
                format!("sqlite://{}", path.display())
            }
        };
        let database = Self { url };
        database
            .rows(SCHEMA)
            .context("cannot set up the tables; the database must be an empty one")?;
        database.rows(ROWS).context("cannot fill the tables")?;
        Ok(database)
    }

    /// Returns what kind it is.
    pub(super) fn kind(&self) -> &'static str {
        if self.url.starts_with("sqlite:") {
            "SQLite"
        } else {
            "MariaDB"
        }
    }

    /// Runs statements and returns their rows.
    pub(super) fn rows(&self, statements: &str) -> Result<Vec<Vec<String>>> {
        let mut out = Vec::new();
        sql::run(&self.url, statements, &mut out).map_err(|error| anyhow!(chain(&error)))?;
        let text = String::from_utf8_lossy(&out);
        Ok(text
            .lines()
            .map(|line| line.split('\t').map(str::to_owned).collect())
            .collect())
    }
}
