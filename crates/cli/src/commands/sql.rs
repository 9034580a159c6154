//! `sim sql FILE`: the `sql` command that the demo puts on its jobs' `PATH`.
//!
//! Runs the statements of a file on the database of `DATABASE_URL`: a SQLite file by itself, a MariaDB or MySQL server
//! through the `mariadb` client. Stops at the first statement that fails; what an open transaction did is taken back.
//! It is for the simulator's jobs only, and no general database client.

use crate::desk::Desk;
use crate::wiring::chain;
use clap::Args;
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection, OpenFlags};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use url::Url;

/// `sim sql`.
#[derive(Debug, Args)]
pub struct SqlArgs {
    /// The file with the statements.
    pub file: PathBuf,
}

/// Why statements could not be run to their end.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The address is none.
    #[error("cannot read the database's address")]
    Address(#[source] url::ParseError),
    /// Another kind of database, or an address without what it takes.
    #[error(
        "cannot use the database's address: it must be `sqlite:` and a file, or `mysql:` with user, password, host, \
         port and name, without percent escapes"
    )]
    Unusable,
    /// SQLite refused, in its own words.
    #[error("{0}")]
    Sqlite(String),
    /// The `mariadb` client refused, in its own words.
    #[error("{0}")]
    Client(String),
    /// The `mariadb` client could not be run, or its result not be written.
    #[error("cannot run the `mariadb` client")]
    Io(#[from] io::Error),
}

/// How long another connection's write is waited for. Nothing in the demo writes for longer than milliseconds.
const BUSY: Duration = Duration::from_secs(10);

/// Runs a file on the database of `DATABASE_URL`.
pub(crate) fn sql(desk: &Desk<'_>, args: &SqlArgs) -> u8 {
    let failed = |what: String| {
        desk.tell(&format!("sql: {what}"));
        1
    };
    let Some(url) = desk.host.var("DATABASE_URL") else {
        return failed("DATABASE_URL is not set".to_owned());
    };
    let statements = match std::fs::read_to_string(desk.host.path(&args.file)) {
        Ok(statements) => statements,
        Err(error) => return failed(format!("cannot read `{}`: {error}", args.file.display())),
    };
    match run(url, &statements, &mut desk.host.out.clone()) {
        Ok(()) => 0,
        Err(error) => failed(chain(&error)),
    }
}

/// Runs statements on the database at `url` and writes the rows of each, tabs between the columns.
///
/// # Errors
/// The first statement that fails ends it.
pub(super) fn run(url: &str, statements: &str, out: &mut dyn Write) -> Result<(), SqlError> {
    let url = Url::parse(url).map_err(SqlError::Address)?;
    match url.scheme() {
        "sqlite" => on_sqlite(url.path(), statements, out),
        "mysql" | "mariadb" => on_mariadb(&url, statements, out),
        _ => Err(SqlError::Unusable),
    }
}

fn on_sqlite(path: &str, statements: &str, out: &mut dyn Write) -> Result<(), SqlError> {
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    database.busy_timeout(BUSY)?;
    database.pragma_update(None, "foreign_keys", true)?;
    let mut batch = Batch::new(&database, statements);
    while let Some(mut statement) = batch.next()? {
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let values = (0..columns)
                .map(|at| row.get_ref(at).map(text))
                .collect::<Result<Vec<_>, _>>()?;
            writeln!(out, "{}", values.join("\t"))?;
        }
    }
    Ok(())
}

impl From<rusqlite::Error> for SqlError {
    /// Keeps what SQLite says, without the statements that the library repeats.
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(match error {
            rusqlite::Error::SqlInputError { msg, .. } => msg,
            rusqlite::Error::SqliteFailure(_, Some(message)) => message,
            other => other.to_string(),
        })
    }
}

/// Returns a value as the `mariadb` client shows it.
fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}

fn on_mariadb(url: &Url, statements: &str, out: &mut dyn Write) -> Result<(), SqlError> {
    let name = url.path().trim_start_matches('/');
    let password = url.password().unwrap_or_default();
    let Some(host) = url
        .host_str()
        .filter(|_| !name.is_empty() && !url.username().is_empty())
    else {
        return Err(SqlError::Unusable);
    };
    if [url.username(), password, name]
        .iter()
        .any(|part| part.contains('%'))
    {
        return Err(SqlError::Unusable);
    }
    let mut client = Command::new("mariadb");
    client
        // An option file of the machine's user has no say here.
        .args([
            "--no-defaults",
            "--batch",
            "--skip-column-names",
            "--protocol=tcp",
        ])
        .arg(format!("--user={}", url.username()))
        .arg(format!("--host={host}"))
        .arg(format!("--port={}", url.port().unwrap_or(3306)))
        .arg(name)
        // Not as an argument: those are visible to everybody on the machine.
        .env("MYSQL_PWD", password)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut client = client.spawn()?;
    if let Some(mut input) = client.stdin.take()
        // A client that cannot connect closes its input early; its own words follow.
        && let Err(error) = input.write_all(statements.as_bytes())
    {
        tracing::debug!(%error, "the client took only a part");
    }
    let ended = client.wait_with_output()?;
    out.write_all(&ended.stdout)?;
    if ended.status.success() {
        return Ok(());
    }
    Err(SqlError::Client(said(&String::from_utf8_lossy(
        &ended.stderr,
    ))))
}

/// Returns what the client says about the failure, without the statement that it repeats.
fn said(errors: &str) -> String {
    errors
        .lines()
        .rev()
        .find(|line| line.starts_with("ERROR"))
        .unwrap_or(errors)
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("terp.db");
        std::fs::File::create(&path).unwrap();
        let url = format!("sqlite://{}", path.display());
        (folder, url)
    }

    fn rows(url: &str, statements: &str) -> Result<String, String> {
        let mut out = Vec::new();
        run(url, statements, &mut out).map_err(|error| chain(&error))?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn rows_are_shown_with_tabs_and_missing_values_by_name() {
        let (_folder, url) = database();
        let shown = rows(
            &url,
            "CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, NULL); SELECT a, b, 'x' FROM t;",
        );
        assert_eq!(shown.unwrap(), "1\tNULL\tx\n");
    }

    #[test]
    fn a_failing_statement_takes_its_transaction_back() {
        let (_folder, url) = database();
        rows(&url, "CREATE TABLE t (a INTEGER);").unwrap();
        let refused = rows(&url, "BEGIN; INSERT INTO t VALUES (1); UPDATE t AS x SET a = 2 WHERE x.gone IS NULL; COMMIT;").unwrap_err();
        assert_eq!(refused, "no such column: x.gone");
        assert_eq!(rows(&url, "SELECT COUNT(*) FROM t;").unwrap(), "0\n");
    }

    #[test]
    fn a_database_that_lets_nobody_in_is_an_error() {
        assert!(
            rows(
                "sqlite:/nonexistent/refused-by-trusted-sources/db",
                "SELECT 1;"
            )
            .is_err()
        );
        assert!(
            rows("postgres://u:p@127.0.0.1/terp", "SELECT 1;")
                .unwrap_err()
                .contains("`sqlite:` and a file")
        );
    }

    #[test]
    fn the_clients_own_words_are_told_without_the_statement() {
        let errors = "--------------\nUPDATE t\n--------------\n\nERROR 1054 (42S22) at line 8: Unknown column 'poi.deletedAt' in 'WHERE'\n";
        assert_eq!(
            said(errors),
            "ERROR 1054 (42S22) at line 8: Unknown column 'poi.deletedAt' in 'WHERE'"
        );
    }
}
