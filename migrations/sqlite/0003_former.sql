-- That the history of the former version, analytics.duckdb, was taken over: in the transaction that listed its
-- rows, so that they are taken over once, whatever ends the program between that and setting the file aside.
CREATE TABLE former (
    one           INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
    taken_over_at INTEGER NOT NULL
) STRICT;
