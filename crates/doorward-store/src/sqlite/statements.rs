//! What must hold for every statement, whoever runs it: it fits the schema, its parameters are bound in
//! order, and nothing that a request runs walks through a whole table or is planned anew each time.

use rusqlite::{Connection, StatementStatus, params_from_iter};

use super::{account, client, connection, key, migrations, realm, refresh, session, status_list};

/// The nouns' statements beside the sources they stand in.
const NOUNS: [(&str, &[&str], &str); 7] = [
    ("account", account::STATEMENTS, include_str!("account.rs")),
    ("client", client::STATEMENTS, include_str!("client.rs")),
    ("key", key::STATEMENTS, include_str!("key.rs")),
    ("realm", realm::STATEMENTS, include_str!("realm.rs")),
    ("refresh", refresh::STATEMENTS, include_str!("refresh.rs")),
    ("session", session::STATEMENTS, include_str!("session.rs")),
    ("status_list", status_list::STATEMENTS, include_str!("status_list.rs")),
];

fn database() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    connection::keep_statements(&connection).unwrap();
    migrations::apply(&mut connection, ":memory:".as_ref()).unwrap();
    connection
}

#[test]
fn every_statement_is_listed() {
    for (noun, statements, source) in NOUNS {
        let written = source
            .lines()
            .filter(|line| line.starts_with("const ") && line.contains(": &str ="))
            .count();
        assert_eq!(
            statements.len(),
            written,
            "STATEMENTS of {noun} and the constants above it"
        );
    }
}

/// SQLite gives `$n` the position of its first mention, PostgreSQL the position n. They must agree.
#[test]
fn parameters_are_first_mentioned_in_order() {
    let database = database();
    for sql in NOUNS.iter().flat_map(|(_, statements, _)| *statements) {
        let statement = database.prepare(sql).unwrap();
        for position in 1..=statement.parameter_count() {
            assert_eq!(
                statement.parameter_name(position),
                Some(format!("${position}").as_str()),
                "{sql}"
            );
        }
    }
}

#[test]
fn no_statement_of_a_request_walks_through_a_table() {
    let database = database();
    for (noun, statements, _) in NOUNS {
        for sql in statements {
            let mut explained = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let nulls = vec![None::<i64>; explained.parameter_count()];
            let steps: Vec<String> = explained
                .query_map(params_from_iter(nulls), |row| row.get("detail"))
                .and_then(Iterator::collect)
                .unwrap();
            // Keys are read at a start and at a rotation, and there are a handful.
            let walks = steps.iter().any(|step| step.starts_with("SCAN ")) && noun != "key";
            assert!(!walks, "{sql}\n{steps:#?}");
        }
    }
}

#[test]
fn no_look_up_is_planned_twice() {
    let database = database();
    for sql in NOUNS.iter().flat_map(|(_, statements, _)| *statements) {
        let mut statement = database.prepare(sql).unwrap();
        if !statement.readonly() {
            continue;
        }
        for value in 0..3 {
            let values = vec![value; statement.parameter_count()];
            statement
                .query(params_from_iter(values))
                .and_then(|mut rows| rows.next().map(drop))
                .unwrap();
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
    }
}
