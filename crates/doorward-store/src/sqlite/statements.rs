//! What must hold for every statement, whoever runs it: it fits the schema, its parameters are bound in
//! order, and nothing that a request runs walks through a whole table or is planned anew each time.

use doorward_core::identifier::Canonical;
use doorward_core::realm::RealmId;
use rusqlite::{Connection, StatementStatus, params_from_iter};

use super::{account, client, connection, forgotten, key, migrations, probe, realm, refresh, session, status_list};

/// The nouns' statements beside the sources they stand in.
const NOUNS: [(&str, &[&str], &str); 9] = [
    ("account", account::STATEMENTS, include_str!("account.rs")),
    ("client", client::STATEMENTS, include_str!("client.rs")),
    ("forgotten", forgotten::STATEMENTS, include_str!("forgotten.rs")),
    ("key", key::STATEMENTS, include_str!("key.rs")),
    ("probe", probe::STATEMENTS, include_str!("probe.rs")),
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
            .filter(|line| line.trim_start_matches("pub(super) ").starts_with("const ") && line.contains(": &str ="))
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

/// What a log-in takes would tell who has an account.
#[test]
fn whoever_is_not_there_is_as_much_work_as_who_is() {
    let database = database();
    for name in ["bert", "dora"] {
        let id = name.repeat(4);
        database
            .execute(
                "INSERT INTO accounts (id, realm, number, object_id, attributes, password_hash, created_at, updated_at) \
                 VALUES (CAST($1 AS BLOB), 1, length($2) + unicode($2), x'', '{}', '', 0, 0)",
                [&id, name],
            )
            .unwrap();
        database
            .execute("INSERT INTO identifiers VALUES (1, $1, CAST($2 AS BLOB))", [name, &id])
            .unwrap();
    }
    let work = |name: &str| {
        let mut statement = database.prepare(account::BY_IDENTIFIER).unwrap();
        let read = statement.query_row((1, name), |row| row.get::<_, String>(13)).unwrap();
        (read, statement.get_status(StatementStatus::VmStep))
    };
    let (bert, steps) = work("bert");
    assert_eq!(bert, "bert");
    for (name, nearest) in [("anna", "bert"), ("bertha", "dora"), ("dora", "dora")] {
        assert_eq!(work(name), (nearest.to_owned(), steps), "{name}");
    }
    let (first, more) = work("emil");
    assert!(
        first == "bert" && more > steps,
        "beyond the last it is one more look into an index"
    );
    // None of these accounts can be read, which is nobody else's trouble.
    let found = |name| account::find_by_identifier(&database, RealmId(1), &Canonical::of(name));
    assert!(matches!(found("anna"), Ok(None)) && matches!(found("emil"), Ok(None)));
    assert!(found("bert").is_err());
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
