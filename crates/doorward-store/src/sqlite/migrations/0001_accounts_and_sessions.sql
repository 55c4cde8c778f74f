-- Realms, accounts and what they are found by, sessions and their endings, keys and secrets.
-- Times are milliseconds since 1970-01-01T00:00:00Z. Ids are the 16 bytes of a UUID. Hashes of tokens are SHA-256.

CREATE TABLE realms (
    id          INTEGER NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE,
    next_number INTEGER NOT NULL
) STRICT;

CREATE TABLE accounts (
    id            BLOB    NOT NULL PRIMARY KEY,
    realm         INTEGER NOT NULL REFERENCES realms (id),
    number        INTEGER NOT NULL,
    object_id     BLOB    NOT NULL,
    email         TEXT,
    username      TEXT,
    first_name    TEXT,
    last_name     TEXT,
    attributes    TEXT    NOT NULL, -- a JSON object
    password_hash TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    disabled_at   INTEGER,
    UNIQUE (realm, number)
) STRICT;

-- One namespace for e-mail addresses and usernames. The primary key is what decides a race for one.
CREATE TABLE identifiers (
    realm     INTEGER NOT NULL,
    canonical TEXT    NOT NULL,
    account   BLOB    NOT NULL REFERENCES accounts (id),
    PRIMARY KEY (realm, canonical)
) STRICT, WITHOUT ROWID;
CREATE INDEX identifiers_account ON identifiers (account);

-- The refresh columns but the first are set by a rotation: what was current before, when, and whose it was.
CREATE TABLE sessions (
    id                 BLOB    NOT NULL PRIMARY KEY,
    account            BLOB    NOT NULL REFERENCES accounts (id),
    created_at         INTEGER NOT NULL,
    used_at            INTEGER NOT NULL,
    expires_at         INTEGER NOT NULL,
    address            TEXT,
    user_agent         TEXT    NOT NULL,
    refresh_hash       BLOB,
    refresh_previous   BLOB,
    refresh_rotated_at INTEGER,
    refresh_address    TEXT,
    refresh_user_agent TEXT
) STRICT;
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- AUTOINCREMENT: a sequence that was given out is not given out again after its row was purged.
CREATE TABLE ended_sessions (
    sequence   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    session    BLOB    NOT NULL UNIQUE,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX ended_sessions_expires_at ON ended_sessions (expires_at);

-- The key with the highest position signs. Two successors of one key would claim one position.
CREATE TABLE signing_keys (
    position   INTEGER NOT NULL PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    pkcs8      BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE secrets (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
