//! Moving everything that is stored from one database to another, whatever engine either has.
//!
//! The surprise: there is no record of how far a move has come. A target is a move that was begun if the rows of
//! each of its tables are the first rows of the source's, by count and digest; it goes on after the last of them.
//! So whatever else is in a target is noticed before anything is written.

pub(crate) mod table;

use std::fmt;
use std::path::PathBuf;

use doorward_core::SetupError;

use self::table::{Digest, Row, TABLES, Table};
use crate::{PostgresUrl, postgres, sqlite};

/// How many rows are read, held in memory and written at once. A page is one transaction of the target: with
/// fewer rows the disk is waited for more often, with more nothing is gained.
pub(crate) const PAGE: usize = 500;

/// A database to move from or to. Prints without a password.
#[derive(Clone, Debug)]
pub enum Location {
    /// SQLite in this file.
    Sqlite(PathBuf),
    /// PostgreSQL.
    Postgres(PostgresUrl),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

/// What a move is doing with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Looking at what the target holds already.
    Checking,
    /// Copying rows.
    Copying,
    /// Reading both databases to compare them.
    Comparing,
}

/// How far a move has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub step: Step,
    /// The table.
    pub table: &'static str,
    /// The rows of the table that this is done with. Rows that are read from both databases are counted once.
    pub rows: u64,
    /// All of them: what the source holds, or, while checking, the target.
    pub of: u64,
}

/// A table that is the same in both databases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its name.
    pub table: &'static str,
    /// Its rows in either database.
    pub rows: u64,
    /// How many of them were there before, from a move that was interrupted.
    pub found: u64,
    /// SHA-256 over these rows, in the order of their key.
    pub sha256: [u8; 32],
}

/// Copies everything of one database into another and compares both. The target has to be new, empty, or what an
/// interrupted move of the same source has left behind, which is continued.
///
/// No server may run on either. A SQLite database is locked against everybody else meanwhile, a PostgreSQL
/// database that is moved from against whoever writes. `tell` hears of each page.
///
/// # Errors
/// When a database cannot be used or is in use, the target holds something else, or a table is not the same in
/// both at the end. What was copied until then stays there.
pub async fn transfer(
    from: &Location,
    to: &Location,
    tell: &mut dyn FnMut(Progress),
) -> Result<Vec<Moved>, SetupError> {
    let (source, target) = open(from, to).await?;
    let (from, to) = (from.to_string(), to.to_string());
    let foreign = |what: &str| {
        SetupError::new(
            format!("{to} already holds {what} that {from} does not begin with"),
            "nothing was written; name a database that is new or empty (no server may have been started on it), or \
             what an interrupted move of the same source has left behind",
        )
    };
    let mut found = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let mut meter = Meter::new(tell, Step::Checking, table, target.count(table).await?);
        let there = Extent::of(&target, table, u64::MAX, &mut meter).await?;
        if there.rows > 0 && !there.is_same(&Extent::of(&source, table, there.rows, &mut meter).await?) {
            return Err(foreign(&format!("rows of `{}`", table.name)));
        }
        found.push(there);
    }
    let sequence = source.last_sequence().await?;
    if target.last_sequence().await? > sequence {
        return Err(foreign("endings"));
    }
    for (table, there) in TABLES.iter().zip(&found) {
        let mut meter = Meter::new(tell, Step::Copying, table, source.count(table).await?);
        copy(&source, &target, table, there, &mut meter).await?;
    }
    target.finish(sequence).await?;

    let mut moved = Vec::with_capacity(TABLES.len());
    for (table, there) in TABLES.iter().zip(found) {
        let mut meter = Meter::new(tell, Step::Comparing, table, source.count(table).await?);
        let old = Extent::of(&source, table, u64::MAX, &mut meter).await?;
        let new = Extent::of(&target, table, u64::MAX, &mut meter).await?;
        if !old.is_same(&new) {
            return Err(different(table.name, &from, old.rows, &to, new.rows));
        }
        moved.push(Moved {
            table: table.name,
            rows: new.rows,
            found: there.rows,
            sha256: new.sha256,
        });
    }
    if target.last_sequence().await? != sequence {
        return Err(different("the count of endings", &from, 1, &to, 1));
    }
    Ok(moved)
}

/// Opens both sides, and changes nothing of the source, least of all its schema, before the target is known to be one.
///
/// A move gives both sides the schema of this program before it writes a row. So where one has another, rows in
/// the target are of no move; each database has realms before anything else.
async fn open(from: &Location, to: &Location) -> Result<(End, End), SetupError> {
    let mut source = End::take_source(from).await?;
    let mut target = End::take(to).await?;
    let is_begun = source.stage() == Stage::Current && target.stage() == Stage::Current;
    if let Some(realms) = TABLES.first()
        && !is_begun
        && target.stage() != Stage::Empty
        && target.count(realms).await? > 0
    {
        return Err(SetupError::new(
            format!(
                "{to} already holds rows of `{}`, and not both have the schema of this doorward",
                realms.name
            ),
            "nothing was changed; name a database that is new or empty; what an older doorward has begun to move is for \
             that one to end",
        ));
    }
    target.prepare().await?;
    source.prepare().await?;
    source.hold().await?;
    Ok((source, target))
}

/// Tells of one step with one table. Both databases are read to check and to compare, and each row counts half for
/// either.
struct Meter<'a> {
    tell: &'a mut dyn FnMut(Progress),
    progress: Progress,
    /// Rows read or written.
    handled: u64,
}

impl<'a> Meter<'a> {
    fn new(tell: &'a mut dyn FnMut(Progress), step: Step, table: &'static Table, of: u64) -> Self {
        let (table, rows) = (table.name, 0);
        Self {
            tell,
            progress: Progress { step, table, rows, of },
            handled: 0,
        }
    }

    fn add(&mut self, rows: u64) {
        self.handled += rows;
        self.progress.rows = match self.progress.step {
            Step::Copying => self.handled,
            Step::Checking | Step::Comparing => self.handled / 2,
        };
        (self.tell)(self.progress);
    }
}

fn different(what: &str, from: &str, old: u64, to: &str, new: u64) -> SetupError {
    SetupError::new(
        format!("`{what}` is not the same in both databases: {from} has {old} rows, {to} has {new}, and they differ"),
        "start no server on the target; see that nothing else writes to it, empty it, and move again",
    )
}

/// Copies what is missing of a table.
async fn copy(
    source: &End,
    target: &End,
    table: &'static Table,
    there: &Extent,
    meter: &mut Meter<'_>,
) -> Result<(), SetupError> {
    let mut last = there.last.clone();
    meter.add(there.rows);
    loop {
        let page = source.page(table, last.as_ref()).await?;
        if !page.is_empty() {
            target.write(table, &page).await?;
        }
        meter.add(page.len() as u64);
        match page.last() {
            Some(row) if page.len() == PAGE => last = Some(table.key_of(row)),
            _ => return Ok(()),
        }
    }
}

/// The first rows of a table, or all.
struct Extent {
    rows: u64,
    sha256: [u8; 32],
    /// The key of the last of them.
    last: Option<Row>,
}

impl Extent {
    /// Reads the first `most` rows.
    async fn of(end: &End, table: &Table, most: u64, meter: &mut Meter<'_>) -> Result<Self, SetupError> {
        let (mut rows, mut last, mut digest) = (0, None, Digest::new());
        loop {
            let page = end.page(table, last.as_ref()).await?;
            let wanted = usize::try_from(most - rows).unwrap_or(usize::MAX).min(page.len());
            for row in page.iter().take(wanted) {
                digest.add(row);
                last = Some(table.key_of(row));
            }
            rows += wanted as u64;
            meter.add(wanted as u64);
            if page.len() < PAGE || rows == most {
                let sha256 = digest.finish();
                return Ok(Self { rows, sha256, last });
            }
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.rows == other.rows && self.sha256 == other.sha256
    }
}

/// How far the schema of one side is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// There is none.
    Empty,
    /// An older doorward has made it.
    Older,
    /// It is that of this program.
    Current,
}

/// One side of a move.
enum End {
    Sqlite(sqlite::TransferEnd),
    Postgres(postgres::TransferEnd),
}

impl End {
    /// The database to move from, which has to be there.
    async fn take_source(location: &Location) -> Result<Self, SetupError> {
        match location {
            Location::Sqlite(path) => sqlite::TransferEnd::take_source(path).map(Self::Sqlite),
            Location::Postgres(_) => Self::take(location).await,
        }
    }

    /// A database that nobody else uses from here on. It stays as it is, and a file is made if there is none.
    async fn take(location: &Location) -> Result<Self, SetupError> {
        match location {
            Location::Sqlite(path) => sqlite::TransferEnd::take(path).map(Self::Sqlite),
            Location::Postgres(url) => postgres::TransferEnd::take(url).await.map(Self::Postgres),
        }
    }

    fn stage(&self) -> Stage {
        match self {
            Self::Sqlite(end) => end.stage(),
            Self::Postgres(end) => end.stage(),
        }
    }

    /// Makes the schema, or brings it up to date.
    async fn prepare(&mut self) -> Result<(), SetupError> {
        match self {
            Self::Sqlite(end) => end.prepare(),
            Self::Postgres(end) => end.prepare().await,
        }
    }

    /// Keeps what is in it as it is now until this is dropped. A file is, since it was taken.
    async fn hold(&self) -> Result<(), SetupError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(end) => end.hold().await,
        }
    }

    /// Up to [`PAGE`] rows, those that follow a key or the first.
    async fn page(&self, table: &Table, after: Option<&Row>) -> Result<Vec<Row>, SetupError> {
        match self {
            Self::Sqlite(end) => end.page(table, after),
            Self::Postgres(end) => end.page(table, after).await,
        }
    }

    /// Writes rows, all or none. Those that are there already stay as they are.
    async fn write(&self, table: &Table, rows: &[Row]) -> Result<(), SetupError> {
        match self {
            Self::Sqlite(end) => end.write(table, rows),
            Self::Postgres(end) => end.write(table, rows).await,
        }
    }

    /// How many rows a table has.
    async fn count(&self, table: &Table) -> Result<u64, SetupError> {
        match self {
            Self::Sqlite(end) => end.count(table),
            Self::Postgres(end) => end.count(table).await,
        }
    }

    /// The highest sequence that an ending was ever given.
    async fn last_sequence(&self) -> Result<i64, SetupError> {
        match self {
            Self::Sqlite(end) => end.last_sequence(),
            Self::Postgres(end) => end.last_sequence().await,
        }
    }

    /// Lets the target count on where the source has stopped.
    async fn finish(&self, last_sequence: i64) -> Result<(), SetupError> {
        match self {
            Self::Sqlite(end) => end.finish(last_sequence),
            Self::Postgres(end) => end.finish(last_sequence).await,
        }
    }
}
