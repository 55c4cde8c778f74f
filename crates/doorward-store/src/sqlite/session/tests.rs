//! The walks that look for what has expired.

use super::super::migrations;
use super::*;

fn id(number: usize) -> SessionId {
    SessionId(Uuid::from_u128(number as u128))
}

#[test]
fn the_walk_goes_on_where_it_ended() {
    let mut db = Connection::open_in_memory().unwrap();
    migrations::apply(&mut db, ":memory:".as_ref()).unwrap();
    db.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    // All but the last two live until 9.
    let count = LOOKED_AT + 3;
    for number in 1..=count {
        let until = if number > count - 2 { 5 } else { 9 };
        let insert = "INSERT INTO sessions (id, account, created_at, used_at, expires_at, user_agent) \
             VALUES ($1, x'aa', 1, 1, $2, '')";
        db.execute(insert, params![id(number).0.as_bytes(), until]).unwrap();
    }
    let at = |after, limit| expired(&db, after, Timestamp(5), limit).unwrap();
    assert_eq!(at(None, 10), (vec![], Some(id(LOOKED_AT))));
    assert_eq!(at(Some(id(LOOKED_AT)), 10), (vec![id(count - 1), id(count)], None));
    let (one, next) = at(Some(id(LOOKED_AT)), 1);
    assert_eq!((one, next), (vec![id(count - 1)], Some(id(count - 1))));
    assert_eq!(at(next, 10), (vec![id(count)], None));
    assert_eq!(expired(&db, None, Timestamp(4), 10).unwrap().0, []);
    assert_eq!(
        purge(&db, &[id(1), id(count)], Timestamp(5)),
        Ok(1),
        "the first was used since"
    );
}

#[test]
fn the_walk_through_endings_is_the_same() {
    let mut db = Connection::open_in_memory().unwrap();
    migrations::apply(&mut db, ":memory:".as_ref()).unwrap();
    for until in [5, 9, 5, 5] {
        let insert = "INSERT INTO ended_sessions (session, expires_at) VALUES (x'aa', $1)";
        db.execute(insert, [until]).unwrap();
    }
    let at = |after, limit| expired_endings(&db, after, Timestamp(5), limit).unwrap();
    assert_eq!(at(None, 2), (vec![1, 3], Some(3)));
    assert_eq!(at(Some(3), 2), (vec![4], None));
    assert_eq!(purge_ended(&db, &[1, 3, 4]), Ok(2), "the last one is kept");
    assert_eq!(at(None, 2), (vec![4], None));
}
