//! No statement of a request uses what `CockroachDB` or `YugabyteDB` say that they do not have.
//!
//! The surprise: neither is asked. What they refuse is a list here, taken from their documents, with the place of
//! each; so this proves that the statements keep off the list, and not that those engines run them.

use std::collections::BTreeSet;

use super::statements::{literals, sources};

/// What an engine's document says that it has not, or has otherwise than PostgreSQL.
struct Absent {
    /// How a statement would use it: words in a row, in capitals. `*` at the end of a word stands for any end, and `^`
    /// at the start of the first for the start of a statement.
    uses: &'static [&'static str],
    engine: &'static str,
    /// The document, and its section.
    says: &'static str,
}

const COCKROACH: &str = "CockroachDB";
const YUGABYTE: &str = "YugabyteDB";

// What both lack.
const EVENTS: &[&str] = &["^LISTEN", "^UNLISTEN", "^NOTIFY", "PG_NOTIFY"];
const ADVISORY_LOCKS: &[&str] = &["PG_ADVISORY_*", "PG_TRY_ADVISORY_*"];
const XML: &[&str] = &["XML*", "XPATH*"];
const TWO_PHASES: &[&str] = &["^PREPARE TRANSACTION", "^COMMIT PREPARED", "^ROLLBACK PREPARED"];

// As read in November 2026: the documents of CockroachDB v26.3 (PostgreSQL Compatibility: Unsupported Features) and
// v25.4 (the others), those of YugabyteDB under "stable", and "PostgreSQL Compatibility" under "latest".
const ABSENT: &[Absent] = &[
    Absent {
        uses: EVENTS,
        engine: COCKROACH,
        says: "PostgreSQL Compatibility: Unsupported Features, Events",
    },
    Absent {
        uses: ADVISORY_LOCKS,
        engine: COCKROACH,
        says: "PostgreSQL Compatibility: Unsupported Features, Advisory Lock Functions",
    },
    Absent {
        uses: XML,
        engine: COCKROACH,
        says: "PostgreSQL Compatibility: Unsupported Features, XML functions",
    },
    Absent {
        uses: TWO_PHASES,
        engine: COCKROACH,
        says: "PostgreSQL Compatibility: Unsupported Features, XA syntax",
    },
    Absent {
        uses: &[
            "INT4RANGE",
            "INT8RANGE",
            "NUMRANGE",
            "TSRANGE",
            "TSTZRANGE",
            "DATERANGE",
        ],
        engine: COCKROACH,
        says: "PostgreSQL Compatibility: Unsupported Features, PostgreSQL range types",
    },
    Absent {
        uses: &[
            "CREATE DOMAIN",
            "^GRANT",
            "^REVOKE",
            "FOREIGN TABLE",
            "^IMPORT FOREIGN",
            "TEMPLATE",
        ],
        engine: COCKROACH,
        says: "PostgreSQL Compatibility: Unsupported Features",
    },
    Absent {
        uses: &["/"],
        engine: COCKROACH,
        says: "PostgreSQL Compatibility: Features that differ, Integer division",
    },
    Absent {
        uses: &["|", "#", "&", "~", "<<", ">>"],
        engine: COCKROACH,
        says: "PostgreSQL Compatibility: Features that differ, Precedence of unary ~ and of bitwise operators, Shift argument",
    },
    Absent {
        uses: &["CURSOR", "^FETCH", "^MOVE", "SCROLL"],
        engine: COCKROACH,
        says: "Known Limitations: SQL cursor support (in part)",
    },
    Absent {
        uses: &["^COPY"],
        engine: COCKROACH,
        says: "Known Limitations: COPY syntax not supported by CockroachDB (in part)",
    },
    Absent {
        uses: &["TEMP", "TEMPORARY"],
        engine: COCKROACH,
        says: "Temporary Tables: disabled by default",
    },
    Absent {
        uses: EVENTS,
        engine: YUGABYTE,
        says: "PostgreSQL source database: Events Listen / Notify (until 2025.2.3)",
    },
    Absent {
        uses: ADVISORY_LOCKS,
        engine: YUGABYTE,
        says: "PostgreSQL source database: Advisory locks is not yet implemented (until 2025.1)",
    },
    Absent {
        uses: &["^LOCK"],
        engine: YUGABYTE,
        says: "PostgreSQL compatibility: Unsupported PostgreSQL features, LOCK TABLE",
    },
    Absent {
        uses: &[
            "DEFERRABLE",
            "DEFERRED",
            "^SET CONSTRAINTS",
            "EXCLUDE",
            "INHERITS",
            "ABSTIME",
            "CITEXT",
            "GIST",
        ],
        engine: YUGABYTE,
        says: "PostgreSQL compatibility: Unsupported PostgreSQL features",
    },
    Absent {
        uses: &["^CREATE", "^ALTER", "^DROP", "^TRUNCATE"],
        engine: YUGABYTE,
        says: "PostgreSQL compatibility: Unsupported PostgreSQL features, DDL operations within transaction",
    },
    Absent {
        uses: &["XMIN", "XMAX", "CMIN", "CMAX", "CTID", "TABLEOID"],
        engine: YUGABYTE,
        says: "PostgreSQL source database: System columns is not yet supported",
    },
    Absent {
        uses: &[
            "XID",
            "XID8",
            "TXID_*",
            "PG_CURRENT_XACT_ID*",
            "PG_CURRENT_SNAPSHOT",
            "PG_SNAPSHOT_*",
        ],
        engine: YUGABYTE,
        says: "PostgreSQL source database: XID functions is not supported",
    },
    Absent {
        uses: XML,
        engine: YUGABYTE,
        says: "PostgreSQL source database: XML functions is not yet supported",
    },
    Absent {
        uses: TWO_PHASES,
        engine: YUGABYTE,
        says: "PostgreSQL source database: Two-Phase Commit",
    },
    Absent {
        uses: &["LO_*", "LOREAD", "LOWRITE", "UNLOGGED", "PG_LSN"],
        engine: YUGABYTE,
        says: "PostgreSQL source database: Large Objects, UNLOGGED table, Unsupported datatypes",
    },
    Absent {
        uses: &[
            "^MERGE",
            "MATERIALIZED",
            "WITH TIES",
            "ANY_VALUE",
            "IS JSON",
            "RANGE_AGG",
            "RANGE_INTERSECT_AGG",
        ],
        engine: YUGABYTE,
        says: "PostgreSQL source database: MERGE command; PostgreSQL 12 and later features",
    },
    Absent {
        uses: &[
            "JSON_ARRAY*",
            "JSON_OBJECT*",
            "JSON_QUERY",
            "JSON_VALUE",
            "JSON_EXISTS",
            "JSON_TABLE",
        ],
        engine: YUGABYTE,
        says: "PostgreSQL source database: PostgreSQL 12 and later features",
    },
    Absent {
        uses: &["REGEXP_COUNT", "REGEXP_INSTR", "REGEXP_LIKE"],
        engine: YUGABYTE,
        says: "PostgreSQL source database: PostgreSQL 12 and later features",
    },
];

/// A statement that may use what is absent, since there is a way without.
struct Allowed {
    file: &'static str,
    begins: &'static str,
    /// Why that is.
    #[expect(dead_code, reason = "for those who read the list")]
    because: &'static str,
}

const ALLOWED: &[Allowed] = &[
    Allowed {
        file: "channel.rs",
        begins: "SET synchronous_commit = 'off'; LISTEN ",
        because: "the setting database_notify turns it off; an engine that refuses it is asked for endings instead",
    },
    Allowed {
        file: "channel.rs",
        begins: "SELECT pg_notify(",
        because: "it is said only where LISTEN was understood",
    },
    Allowed {
        file: "server.rs",
        begins: "SET lock_timeout = '2s'; SELECT pg_advisory_lock_shared(",
        because: "it keeps `doorward move` away; an engine that refuses it is used without",
    },
    Allowed {
        file: "server.rs",
        begins: "SET lock_timeout = '2s'; SELECT pg_advisory_lock(",
        because: "only `doorward move` says it; an engine that refuses it is moved without",
    },
];

/// With what a statement begins.
const VERBS: [&str; 34] = [
    "ALTER", "BEGIN", "CALL", "CLOSE", "CLUSTER", "COMMENT", "COMMIT", "COPY", "CREATE", "DECLARE", "DELETE",
    "DISCARD", "DO", "DROP", "EXECUTE", "EXPLAIN", "FETCH", "GRANT", "IMPORT", "INSERT", "LISTEN", "LOCK", "MERGE",
    "NOTIFY", "PREPARE", "REVOKE", "ROLLBACK", "SELECT", "SET", "TRUNCATE", "UNLISTEN", "UPDATE", "VALUES", "WITH",
];

/// The words of a statement in capitals, and its operators; no texts in quotation marks.
fn words(statement: &str) -> Vec<String> {
    let bare: String = statement.split('\'').step_by(2).collect::<Vec<_>>().join(" ");
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut words: Vec<String> = Vec::new();
    let mut before = None;
    for letter in bare.chars() {
        let kind = (is_word(letter), "|#&~<>/".contains(letter));
        match words.last_mut() {
            Some(word) if before == Some(kind) && kind != (false, false) => word.extend(letter.to_uppercase()),
            _ if letter.is_whitespace() => {}
            _ => words.push(letter.to_uppercase().collect()),
        }
        before = (!letter.is_whitespace()).then_some(kind);
    }
    words
}

fn has(words: &[String], usage: &str) -> bool {
    let (anchored, usage) = usage.strip_prefix('^').map_or((false, usage), |usage| (true, usage));
    let wanted: Vec<&str> = usage.split(' ').collect();
    let is = |word: &String, wanted: &&str| match wanted.strip_suffix('*') {
        Some(start) => word.starts_with(start),
        None => word == wanted,
    };
    words.windows(wanted.len()).enumerate().any(|(place, window)| {
        let starts = place == 0 || words[place - 1] == ";" || words[place - 1] == "(";
        (starts || !anchored) && window.iter().zip(&wanted).all(|(word, wanted)| is(word, wanted))
    })
}

/// The tables that a statement writes to, each as often as it does.
fn written(words: &[String]) -> impl Iterator<Item = &str> {
    words
        .windows(3)
        .filter_map(|window| match [0, 1, 2].map(|place| window[place].as_str()) {
            ["INSERT", "INTO", table] | ["DELETE", "FROM", table] | ["UPDATE", table, "SET" | "AS"] => Some(table),
            _ => None,
        })
}

/// What of a statement the engines say that they do not have.
fn absent_from(statement: &str) -> Vec<String> {
    let words = words(statement);
    let mut found = Vec::new();
    for absent in ABSENT {
        for usage in absent.uses.iter().filter(|usage| has(&words, usage)) {
            found.push(format!("{usage} is not in {} ({})", absent.engine, absent.says));
        }
    }
    let mut once = BTreeSet::new();
    for table in written(&words) {
        if !once.insert(table) {
            found.push(format!(
                "{table} is written twice, which {COCKROACH} refuses (Known Limitations: Statements containing \
                 multiple modification subqueries of the same table are disallowed)"
            ));
        }
    }
    found
}

/// Every text of the engine that is a statement and that a request may wait for, with the name of its file.
fn statements() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, source) in sources() {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let texts = literals(&source).into_iter();
        let is_statement = |text: &String| words(text).first().is_some_and(|word| VERBS.contains(&word.as_str()));
        found.extend(texts.filter(is_statement).map(|text| (file.clone(), text)));
    }
    found
}

#[test]
fn no_statement_of_a_request_uses_what_other_engines_refuse() {
    let statements = statements();
    assert!(statements.len() >= 40, "{statements:#?}");
    let mut refused = Vec::new();
    let mut met = BTreeSet::new();
    for (file, statement) in &statements {
        let absent = absent_from(statement);
        let is_allowed = |allowed: &Allowed| allowed.file == file && statement.starts_with(allowed.begins);
        match ALLOWED.iter().position(is_allowed) {
            Some(place) => assert!(
                met.insert(place) && !absent.is_empty(),
                "{statement}: allowed for nothing"
            ),
            None => refused.extend(absent.iter().map(|absent| format!("{file}: {absent}\n  {statement}"))),
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert_eq!(met.len(), ALLOWED.len(), "what is allowed is not there");
}

#[test]
fn what_is_refused_would_be_seen() {
    for (statement, engine) in [
        ("SELECT ctid FROM sessions WHERE id = $1", YUGABYTE),
        ("UPDATE endings SET last_sequence = 1; notify doorward, 'a'", COCKROACH),
        ("SELECT pg_advisory_xact_lock($1)", COCKROACH),
        ("WITH a AS MATERIALIZED (SELECT 1) SELECT * FROM a", YUGABYTE),
        ("SELECT next_index / 2 FROM status_indices", COCKROACH),
        ("WITH a AS (DELETE FROM t WHERE id = 1) UPDATE t SET id = 2", COCKROACH),
        ("SET LOCAL lock_timeout = '1s'; LOCK TABLE sessions", YUGABYTE),
        ("MERGE INTO sessions USING a ON true WHEN MATCHED THEN DELETE", YUGABYTE),
    ] {
        let absent = absent_from(statement);
        assert!(
            absent.iter().any(|absent| absent.contains(engine)),
            "{statement}: {absent:?}"
        );
    }
    // A word in a text is no use of it, and neither is one that only looks alike.
    let harmless = "INSERT INTO a (locked) SELECT id FROM b WHERE name = 'LISTEN / ctid' FOR UPDATE OF b SKIP LOCKED";
    assert_eq!(absent_from(harmless), [""; 0]);
}
