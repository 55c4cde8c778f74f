-- Every page that a logout or a login changes is written to the log. Here they change fewer: sessions are kept in the
-- order of their ids and not beside an index of them, and endings without an index that says once more what the removal
-- of the session does, which nobody can do twice.

CREATE TABLE sessions_by_id (
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
    refresh_user_agent TEXT,
    status_index       INTEGER,
    access_until       INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO sessions_by_id SELECT id, account, created_at, used_at, expires_at, address, user_agent, refresh_hash,
    refresh_previous, refresh_rotated_at, refresh_address, refresh_user_agent, status_index, access_until
    FROM sessions ORDER BY id;
DROP TABLE sessions;
ALTER TABLE sessions_by_id RENAME TO sessions;
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE endings (
    sequence     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    session      BLOB    NOT NULL,
    expires_at   INTEGER NOT NULL,
    status_index INTEGER,
    mark         INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO endings SELECT sequence, session, expires_at, status_index, mark FROM ended_sessions ORDER BY sequence;
-- The sequence goes on from where it was, also when the row that had it is gone.
DELETE FROM sqlite_sequence WHERE name = 'endings';
UPDATE sqlite_sequence SET name = 'endings' WHERE name = 'ended_sessions';
DROP TABLE ended_sessions;
ALTER TABLE endings RENAME TO ended_sessions;
CREATE INDEX ended_sessions_expires_at ON ended_sessions (expires_at);
CREATE INDEX ended_sessions_status_index ON ended_sessions (status_index) WHERE status_index IS NOT NULL;
