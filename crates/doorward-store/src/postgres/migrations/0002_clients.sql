-- Services that may ask about tokens and sessions. A secret is kept as its SHA-256.

CREATE TABLE clients (
    id          uuid   NOT NULL PRIMARY KEY,
    name        text   NOT NULL,
    secret_hash bytea  NOT NULL,
    created_at  bigint NOT NULL
);
