-- Realms, accounts and what they are found by, sessions and their endings, keys and secrets.
-- Times are milliseconds since 1970-01-01T00:00:00Z. Hashes of tokens are SHA-256.

CREATE TABLE realms (
    id          bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text   NOT NULL UNIQUE,
    next_number bigint NOT NULL
);

-- `attributes` is a JSON object, as text: `jsonb` would sort its members and refuse an escaped NUL.
CREATE TABLE accounts (
    id            uuid   NOT NULL PRIMARY KEY,
    realm         bigint NOT NULL REFERENCES realms (id),
    number        bigint NOT NULL,
    object_id     bytea  NOT NULL,
    email         text,
    username      text,
    first_name    text,
    last_name     text,
    attributes    text   NOT NULL,
    password_hash text   NOT NULL,
    created_at    bigint NOT NULL,
    updated_at    bigint NOT NULL,
    disabled_at   bigint,
    UNIQUE (realm, number)
);

-- One namespace for e-mail addresses and usernames. The primary key is what decides a race for one.
CREATE TABLE identifiers (
    realm     bigint NOT NULL,
    canonical text   NOT NULL,
    account   uuid   NOT NULL REFERENCES accounts (id),
    PRIMARY KEY (realm, canonical)
);
CREATE INDEX identifiers_account ON identifiers (account);

-- The refresh columns but the first are set by a rotation: what was current before, when, and whose it was.
CREATE TABLE sessions (
    id                 uuid   NOT NULL PRIMARY KEY,
    account            uuid   NOT NULL REFERENCES accounts (id),
    created_at         bigint NOT NULL,
    used_at            bigint NOT NULL,
    expires_at         bigint NOT NULL,
    address            text,
    user_agent         text   NOT NULL,
    refresh_hash       bytea,
    refresh_previous   bytea,
    refresh_rotated_at bigint,
    refresh_address    text,
    refresh_user_agent text
);
CREATE INDEX sessions_account ON sessions (account);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE ended_sessions (
    sequence   bigint NOT NULL PRIMARY KEY,
    session    uuid   NOT NULL UNIQUE,
    expires_at bigint NOT NULL
);
CREATE INDEX ended_sessions_expires_at ON ended_sessions (expires_at);

-- One row, which every ending holds until it is committed: who reads a sequence has read all before it.
CREATE TABLE endings (
    id            bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    last_sequence bigint NOT NULL
);
INSERT INTO endings (id, last_sequence) VALUES (1, 0);

-- The key with the highest position signs. Two successors of one key would claim one position.
CREATE TABLE signing_keys (
    position   bigint NOT NULL PRIMARY KEY,
    id         text   NOT NULL UNIQUE,
    pkcs8      bytea  NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE secrets (
    name  text  NOT NULL PRIMARY KEY,
    value bytea NOT NULL
);
