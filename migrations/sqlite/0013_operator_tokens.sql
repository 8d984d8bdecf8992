-- Operators' tokens. One is good as long as its row is here and not revoked. Of the token itself there is only the SHA-256
-- of its text, in which there are 256 random bits: the row says which token is good, and is of no use for making one.

CREATE TABLE operator_tokens (
    id         TEXT    PRIMARY KEY NOT NULL,
    digest     BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
    name       TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    made_by    TEXT,                              -- the name of whose token made it; null: the command line
    made_with  TEXT,                              -- the id of that token
    is_former  INTEGER NOT NULL DEFAULT 0 CHECK (is_former IN (0, 1)),  -- made before tokens had rows
    revoked_at INTEGER,
    revoked_by TEXT,                              -- whose token revoked it; null: the command line
    used_at    INTEGER,                           -- written now and then
    used_from  TEXT
) STRICT;

-- Counts what a hub that runs must hear of, whoever changed it. Uses are none of it.
CREATE TABLE operator_token_changes (
    id    INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    count INTEGER NOT NULL
) STRICT;
INSERT INTO operator_token_changes (id, count) VALUES (1, 1);

CREATE TRIGGER operator_token_made AFTER INSERT ON operator_tokens
    BEGIN UPDATE operator_token_changes SET count = count + 1; END;
CREATE TRIGGER operator_token_revoked AFTER UPDATE OF revoked_at ON operator_tokens
    BEGIN UPDATE operator_token_changes SET count = count + 1; END;
CREATE TRIGGER operator_token_gone AFTER DELETE ON operator_tokens
    BEGIN UPDATE operator_token_changes SET count = count + 1; END;
