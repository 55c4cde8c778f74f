//! No statement of a request walks through a whole table.
//!
//! The surprise: the statements are not listed here. They are read from the sources, where each is a constant, and
//! another test sees that there are no others; so a new one is looked at by being written.

use super::engine::{Database, Fresh, fresh, fresh_in};
use super::statements::{constants, sources};

/// What a statement that reads or writes rows begins with.
const BEGINNINGS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];

/// How statements are run: with text in place, or with a constant.
const RUN: [&str; 5] = [".rows(", ".maybe(", ".one(", ".execute(", ".batch("];

/// Tables that have a handful of rows, or one.
const SMALL: [&str; 4] = ["signing_keys", "secrets", "endings", "status_indices"];

/// Fills the tables, so that walking through them would be the wrong plan.
const FILL: &str = "\
    INSERT INTO realms (name, next_number) SELECT 'realm' || n, 1 FROM generate_series(1, 5000) n; \
    INSERT INTO accounts SELECT gen_random_uuid(), 1, n + 100, '\\x000000000000000000000000', 'a' || n, NULL, NULL, \
    NULL, '{}', 'x', 0, 0, NULL FROM generate_series(1, 20000) n; \
    INSERT INTO identifiers SELECT realm, email, id FROM accounts WHERE email LIKE 'a%' AND number > 100; \
    INSERT INTO sessions SELECT gen_random_uuid(), id, 0, 0, 1900000000000 + number, NULL, '' FROM accounts; \
    INSERT INTO ended_sessions SELECT n + 1000, gen_random_uuid(), 1900000000000 + n, n FROM generate_series(1, 20000) n; \
    INSERT INTO clients SELECT gen_random_uuid(), 'a', '\\x00', 0 FROM generate_series(1, 20000); \
    ANALYZE";

fn statements() -> Vec<String> {
    let all = sources().into_iter().flat_map(|(_, source)| constants(&source));
    all.map(|(_, text)| text)
        .filter(|text| BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)))
        .collect()
}

/// The plan of a statement that knows nothing of its parameters, as a prepared one is run.
fn plan(db: &Fresh, statement: &str) -> String {
    let parameters = (1..=20)
        .take_while(|number| statement.contains(&format!("${number}")))
        .count();
    let given = match parameters {
        0 => String::new(),
        _ => format!("({})", vec!["NULL"; parameters].join(", ")),
    };
    db.database.sql(&format!(
        "SET plan_cache_mode = force_generic_plan; PREPARE asked AS {statement}; EXPLAIN EXECUTE asked {given}"
    ))
}

#[tokio::test]
async fn no_statement_of_a_request_walks_through_a_table() {
    // There an index in the order of bytes is of use only to a statement that compares by bytes.
    let db = fresh_in(Database::in_english()).await;
    db.database.sql(FILL);
    let statements = statements();
    assert!(statements.len() >= 30, "{statements:#?}");
    for statement in statements {
        let plan = plan(&db, &statement);
        let walks = plan.lines().filter(|line| line.contains("Seq Scan on "));
        let walked: Vec<&str> = walks
            .filter(|line| !SMALL.iter().any(|small| line.contains(&format!("Seq Scan on {small}"))))
            .collect();
        assert!(walked.is_empty(), "{statement}\n{plan}");
    }
}

/// Nothing escapes the test above: what is run is a constant, or touches no table.
#[test]
fn every_statement_of_a_request_is_a_constant() {
    let mut others = Vec::new();
    for (path, source) in sources() {
        // As one line, since a long call is broken.
        let line: String = source.split_whitespace().collect::<Vec<_>>().join(" ");
        for run in RUN {
            for after in line.split(run).skip(1) {
                let argument = after.trim_start_matches([' ', '&']).trim_start_matches("format!(");
                let text = argument.strip_prefix('"').unwrap_or_default();
                let is_statement = BEGINNINGS.iter().any(|beginning| text.starts_with(beginning));
                if is_statement && !text.starts_with("SELECT 1\"") {
                    let start: String = text.chars().take(60).collect();
                    others.push(format!("{}: {start}", path.display()));
                }
            }
        }
    }
    assert!(others.is_empty(), "{others:#?}");
}

#[tokio::test]
async fn a_walk_would_be_seen() {
    let db = fresh().await;
    db.database.sql(FILL);
    let plan = plan(&db, "SELECT FROM accounts WHERE first_name = $1");
    assert!(plan.contains("Seq Scan on accounts"), "{plan}");
}
