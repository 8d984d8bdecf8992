-- The history's catalogue. Rows of samples and scans lie in Parquet files and in the journal; what is not
-- listed here does not exist.

-- A file history/<tier>/<first day>-<id>.parquet.
CREATE TABLE parts (
    id          INTEGER PRIMARY KEY NOT NULL,
    tier        TEXT    NOT NULL CHECK (tier IN ('raw', 'minute', 'hour', 'scans')),
    period      INTEGER NOT NULL,               -- its first day, counted from 1970: of one day, or a month
    level       INTEGER NOT NULL,               -- how often its rows were merged
    row_count   INTEGER NOT NULL,
    byte_count  INTEGER NOT NULL,
    first_at    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    first_agent TEXT    NOT NULL,
    last_agent  TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

-- The newest segment of the journal whose rows are in parts; those before it are, too.
CREATE TABLE sealed (
    one     INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
    segment INTEGER NOT NULL
) STRICT;

-- How far each stream is sealed; what is newer stands in the journal.
CREATE TABLE marks (
    agent_id  TEXT    NOT NULL,
    boot      INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    timestamp INTEGER,                          -- of the sample with that seq, where it is known
    PRIMARY KEY (agent_id, boot)
) STRICT, WITHOUT ROWID;
