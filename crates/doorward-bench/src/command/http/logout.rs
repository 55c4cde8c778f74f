//! Durable logouts: 128 clients at once against one commit for each.
//!
//! The surprise: the sessions come from a server with cheap hashes, since each can be ended only once and nobody wants
//! to hash for an hour. Nothing else about that server is cheap: a logout is answered after its commit is on the disk.

use std::time::Duration;

use rusqlite::{Connection, params};

use crate::clock;
use crate::dice::Dice;
use crate::error::Result;
use crate::folder::Folder;
use crate::load::{Crowd, each};
use crate::people::{self, grants, log_out};
use crate::record::{Draft, Goal};
use crate::server::{CHEAP, QUIET, Server};
use crate::statistics::{median, number};
use crate::table::Table;
use crate::{Options, histogram::Histogram};

const CLIENTS: usize = 128;
const ACCOUNTS: u64 = 256;
/// Commits of `rusqlite` alone: as many before the others of a round as after them, since the disk may write on after those.
const ALONE: u64 = 1000;
const PATIENCE: Duration = Duration::from_secs(60);

/// What a logout writes, in a file of its own: both tables as doorward has them, with none of their further indexes.
const TABLES: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;
    CREATE TABLE sessions (id BLOB NOT NULL PRIMARY KEY, account BLOB NOT NULL, expires_at INTEGER NOT NULL) \
    STRICT, WITHOUT ROWID;
    CREATE TABLE ended (sequence INTEGER PRIMARY KEY AUTOINCREMENT, session BLOB NOT NULL, \
    expires_at INTEGER NOT NULL) STRICT;";

pub(super) struct Logouts {
    server: Server,
    raw: Connection,
    dice: Dice,
    /// Sessions that end at once in a round, and one after the other.
    many: u64,
    few: u64,
    /// The same by `rusqlite` alone.
    alone: u64,
    rates: [Vec<f64>; 3],
    latencies: Histogram,
    _folder: Folder,
}

impl Logouts {
    pub(super) fn new(options: &Options) -> Result<Self> {
        let folder = Folder::new()?;
        let [memory, passes] = CHEAP;
        let server = Server::doorward(&folder, &[QUIET, memory, passes])?;
        people::settle(server.address, 0..ACCOUNTS)?;
        let raw = Connection::open(folder.join("raw.db"))?;
        raw.execute_batch(TABLES)?;
        let (many, few, alone) = options.pick((25_600, 300, ALONE), (1280, 20, 20));
        Ok(Self {
            server,
            raw,
            dice: Dice::new(5),
            many,
            few,
            alone,
            rates: [Vec::new(), Vec::new(), Vec::new()],
            latencies: Histogram::default(),
            _folder: folder,
        })
    }

    pub(super) fn round(&mut self) -> Result<()> {
        let address = self.server.address;
        let numbers = (0..self.many + self.few).map(|n| n % ACCOUNTS);
        let grants = grants(address, numbers)?;
        let requests: Vec<Vec<u8>> = grants.iter().map(|grant| log_out(&grant.access)).collect();
        let (few, many) = requests.split_at(usize::try_from(self.few)?);
        let before = self.raw_rate()?;
        let shares = many
            .chunks(many.len().div_ceil(CLIENTS))
            .map(|share| (address, each(share.to_vec())));
        let at_once = Crowd::new(shares)?.run(PATIENCE)?.only("logout", 204)?;
        let in_turn = Crowd::new([(address, each(few.to_vec()))])?
            .run(PATIENCE)?
            .only("logout", 204)?;
        let raw = f64::midpoint(before, self.raw_rate()?);
        let [all, one, alone] = &mut self.rates;
        all.push(at_once.rate());
        one.push(in_turn.rate());
        alone.push(raw);
        self.latencies.add(&at_once.latencies);
        Ok(())
    }

    /// Sessions ended in a second by `rusqlite` alone, each in a transaction of its own.
    fn raw_rate(&mut self) -> Result<f64> {
        let ids: Vec<[u8; 16]> = (0..self.alone).map(|_| self.dice.id()).collect();
        let filling = self.raw.transaction()?;
        for id in &ids {
            filling.execute("INSERT INTO sessions VALUES (?1, ?1, 1)", [id])?;
        }
        filling.commit()?;
        let began = clock::now();
        for id in &ids {
            let transaction = self.raw.transaction()?;
            transaction
                .prepare_cached("DELETE FROM sessions WHERE id = ?1")?
                .execute([id])?;
            let mut remember = transaction.prepare_cached("INSERT INTO ended (session, expires_at) VALUES (?1, ?2)")?;
            remember.execute(params![id, 1])?;
            drop(remember);
            transaction.commit()?;
        }
        Ok(number(self.alone) / (clock::now() - began).as_secs_f64())
    }

    pub(super) fn tell(self, draft: &mut Draft) {
        let [all, one, alone] = &self.rates;
        let mut table = Table::new(
            "Logouts that are on the disk when they are answered",
            ["", "a second", "to one commit each"],
        );
        let ratio = |rates: &[f64]| {
            median(
                &rates
                    .iter()
                    .zip(alone)
                    .map(|(is, alone)| is / alone)
                    .collect::<Vec<_>>(),
            )
        };
        table.row([
            "`rusqlite` alone, one commit each".into(),
            median(alone).into(),
            1.0.into(),
        ]);
        table.row([
            "1 client, one commit each".into(),
            median(one).into(),
            ratio(one).into(),
        ]);
        table.row([
            "128 clients, commits shared".into(),
            median(all).into(),
            ratio(all).into(),
        ]);
        draft.table(table);
        let (p50, p99) = (self.latencies.ms(0.5), self.latencies.ms(0.99));
        draft.about(format!(
            "Logouts of 128 clients are answered after {p50:.1} ms (p50) and {p99:.1} ms (p99). `rusqlite` alone writes \
             the same two rows to a file in the same folder, with `synchronous=FULL` and no server at all; it is the \
             harder of the two to beat."
        ));
        let what = "durable logouts/s at 128 clients against one commit each (`rusqlite` alone)";
        draft.figure(what, ratio(all), "×", Goal::AtLeast(5.0));
    }
}
