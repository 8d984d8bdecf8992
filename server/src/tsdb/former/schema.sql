-- The history: samples, scans, and the marks that make both exactly once. Times are UTC.
-- No secondary indexes: they cost a third of the ingest and bring nothing that order does not.

CREATE TABLE metrics (
    agent_id  VARCHAR   NOT NULL,
    timestamp TIMESTAMP NOT NULL,
    cpu       DOUBLE,                -- percent
    ram       DOUBLE,                -- percent
    disk      DOUBLE,                -- percent
    latency   DOUBLE,                -- milliseconds
    status    VARCHAR   NOT NULL,
    boot      BIGINT,
    seq       BIGINT,
    further   MAP(VARCHAR, DOUBLE)   -- every other measurement, by name
);

-- One row a host that a scan found.
CREATE TABLE discovery (
    agent_id       VARCHAR   NOT NULL,
    scan_timestamp TIMESTAMP NOT NULL,
    host_ip        VARCHAR   NOT NULL,
    latency        DOUBLE,           -- milliseconds
    ports          VARCHAR   NOT NULL, -- JSON array of numbers
    scan_duration  DOUBLE,           -- milliseconds
    hostname       VARCHAR,
    mac            VARCHAR,
    boot           BIGINT,           -- with seq, tells scans of one moment apart
    seq            BIGINT
);

-- One row a scan, so that one which found nobody is known too.
CREATE TABLE scans (
    agent_id       VARCHAR   NOT NULL,
    scan_timestamp TIMESTAMP NOT NULL,
    scan_duration  DOUBLE,           -- milliseconds
    hosts          INTEGER   NOT NULL,
    boot           BIGINT,
    seq            BIGINT
);

-- An append-only log of high-water marks: the newest seq of an (agent, boot) counts.
CREATE TABLE marks (
    agent_id  VARCHAR NOT NULL,
    boot      BIGINT  NOT NULL,
    seq       BIGINT  NOT NULL,
    timestamp TIMESTAMP              -- of the sample with that seq, where it is known
);
