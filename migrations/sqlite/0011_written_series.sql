-- Series that others write: what each is called, and a tier for their samples. SQLite cannot change a CHECK, so the
-- catalogue is made anew with the rows that it has.

CREATE TABLE parts_next (
    id          INTEGER PRIMARY KEY NOT NULL,
    tier        TEXT    NOT NULL CHECK (tier IN ('raw', 'minute', 'hour', 'scans', 'points')),
    period      INTEGER NOT NULL,               -- its first day, counted from 1970: of one day, or a month
    level       INTEGER NOT NULL,               -- how often its rows were merged
    row_count   INTEGER NOT NULL,
    byte_count  INTEGER NOT NULL,
    first_at    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    first_agent TEXT    NOT NULL,               -- of points, the key of a series
    last_agent  TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    crc32       INTEGER                         -- of the whole file; not known of those that were written first
) STRICT;
INSERT INTO parts_next
    SELECT id, tier, period, level, row_count, byte_count, first_at, last_at, first_agent, last_agent, created_at, crc32
    FROM parts;
DROP TABLE parts;
ALTER TABLE parts_next RENAME TO parts;

-- A series is here before its first sample is in the journal. No number is given twice, also of one that was forgotten:
-- files may still have its samples.
CREATE TABLE written_series (
    id       INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    sender   TEXT    NOT NULL,                  -- who wrote it first: the token's name
    labels   TEXT    NOT NULL,                  -- a JSON array of names and values in turn, by name
    first_at INTEGER NOT NULL,                  -- of its samples, about, milliseconds
    last_at  INTEGER NOT NULL
) STRICT;
