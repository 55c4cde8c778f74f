-- Services that may ask about tokens and sessions. A secret is kept as its SHA-256.

CREATE TABLE clients (
    id          BLOB    NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    secret_hash BLOB    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
