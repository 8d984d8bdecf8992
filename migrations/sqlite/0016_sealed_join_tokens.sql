-- Join tokens' secrets are sealed under the master key: a nonce, the secret and a tag. Those that are there lie in the clear
-- until the hub starts, which has the key.

CREATE TABLE join_tokens_kept (
    id         TEXT    PRIMARY KEY NOT NULL,
    secret     BLOB    NOT NULL,
    master     BLOB,                              -- which master key it is sealed under; null: it is not
    uses_left  INTEGER NOT NULL CHECK (uses_left >= 0),
    agent_id   TEXT,                              -- bound to this id
    replaces   TEXT,                              -- may take over this living agent's machine
    rekeys     TEXT,                              -- gives this living agent keys anew
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    CHECK (length(secret) = iif(master IS NULL, 32, 60))
) STRICT;

INSERT INTO join_tokens_kept (id, secret, uses_left, agent_id, replaces, rekeys, created_at, expires_at)
    SELECT id, secret, uses_left, agent_id, replaces, rekeys, created_at, expires_at FROM join_tokens;
DROP TABLE join_tokens;
ALTER TABLE join_tokens_kept RENAME TO join_tokens;
