//! Where accounts stand in the file: the rowids of those that were asked for last.
//!
//! The surprise: one may be wrong, and nothing depends on it. SQLite may number rows anew (`VACUUM`) and gives the number
//! of a row that is gone to another one; so a row is taken by its rowid only if it has the id as well, and otherwise looked
//! up by that.

use doorward_core::account::AccountId;
use quick_cache::sync::Cache;

/// How many are remembered, at about 90 bytes each: as many as tokens, since whose token is asked about is looked up.
const REMEMBERED: usize = 100_000;

/// The rowids of accounts. To find a row by its id, SQLite walks down the index of ids first, which is as deep as the table.
pub(super) struct Rowids(Cache<AccountId, i64>);

impl Rowids {
    pub(super) fn new() -> Self {
        Self(Cache::new(REMEMBERED))
    }

    /// Where the account stood when it was read last.
    pub(super) fn of(&self, id: AccountId) -> Option<i64> {
        self.0.get(&id)
    }

    pub(super) fn remember(&self, id: AccountId, rowid: i64) {
        self.0.insert(id, rowid);
    }
}

#[cfg(test)]
mod tests {
    use doorward_core::account::Account;
    use rusqlite::{Connection, params};
    use uuid::Uuid;

    use super::super::{account, migrations};
    use super::*;

    fn id(number: u128) -> AccountId {
        AccountId(Uuid::from_u128(number))
    }

    fn insert(database: &Connection, number: u128) {
        let row = "INSERT INTO accounts (id, realm, number, object_id, attributes, password_hash, created_at, updated_at) \
                   VALUES ($1, 1, $2, zeroblob(12), '{}', '', 1, 1)";
        let (id, number) = (id(number), i64::try_from(number).unwrap());
        database.execute(row, params![id.0.as_bytes(), number]).unwrap();
    }

    fn number(found: Option<Account>) -> Option<i64> {
        found.map(|account| account.number)
    }

    /// As after a deletion, or a `VACUUM` by hand.
    #[test]
    fn a_row_that_belongs_to_another_account_now_is_not_taken() {
        let mut database = Connection::open_in_memory().unwrap();
        migrations::apply(&mut database, ":memory:".as_ref()).unwrap();
        database
            .execute_batch("INSERT INTO realms VALUES (1, 'main', 1)")
            .unwrap();
        let rowids = Rowids::new();
        let find = |number| account::find(&database, &rowids, id(number)).unwrap();
        insert(&database, 1);
        insert(&database, 2);
        for _ in 0..2 {
            assert_eq!((number(find(1)), number(find(2))), (Some(1), Some(2)));
        }
        let remembered = rowids.of(id(2)).unwrap();
        database.execute_batch("DELETE FROM accounts WHERE number = 2").unwrap();
        insert(&database, 3);
        assert_eq!(number(find(3)), Some(3));
        assert_eq!(rowids.of(id(3)), Some(remembered), "SQLite gives the number out again");
        assert_eq!(number(find(2)), None);
        // The first account moves to where nobody was.
        database
            .execute_batch("UPDATE accounts SET rowid = 9 WHERE number = 1")
            .unwrap();
        assert_eq!(number(find(1)), Some(1));
        assert_eq!(rowids.of(id(1)), Some(9));
    }
}
