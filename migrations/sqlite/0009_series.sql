-- What series are named by, and where they end.

-- Counts changes of what agents are called and known by: who remembers them looks here whether that is still so.
CREATE TABLE agents_version (version INTEGER NOT NULL) STRICT;
INSERT INTO agents_version VALUES (0);

CREATE TRIGGER agents_come AFTER INSERT ON agents BEGIN
    UPDATE agents_version SET version = version + 1;
END;
CREATE TRIGGER agents_change AFTER UPDATE OF name, info, labels, removed_at ON agents
WHEN (old.name, old.info, old.labels, old.removed_at) IS NOT (new.name, new.info, new.labels, new.removed_at) BEGIN
    UPDATE agents_version SET version = version + 1;
END;

-- When agents said farewell, by their own clocks: there their series end. The newest of each.
CREATE TABLE farewells (
    agent_id TEXT    NOT NULL REFERENCES agents (id),
    at       INTEGER NOT NULL,
    PRIMARY KEY (agent_id, at)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER farewells_come AFTER INSERT ON farewells BEGIN
    DELETE FROM farewells WHERE agent_id = new.agent_id AND at NOT IN
        (SELECT at FROM farewells WHERE agent_id = new.agent_id ORDER BY at DESC LIMIT 32);
    UPDATE agents_version SET version = version + 1;
END;
