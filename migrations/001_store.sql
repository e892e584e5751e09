-- The store of a name server: live records, the history of how they came to be, and the audit.
--
-- People may read all of it with `sqlite3`, and edit `record`: the server notices within a second,
-- judges the edit as any other change, and takes it in as a revision or says why not. Everything
-- else is the server's own book-keeping.

-- Tells this database from any other that happens to lie at our path ("LAST").
PRAGMA application_id = 0x4C415354;

-- The zones we have, each at its last revision. The digest is that of the image served then: rows
-- that add up to something else were changed by somebody else.
CREATE TABLE zone (
    origin   TEXT    NOT NULL PRIMARY KEY COLLATE NOCASE, -- absolute, with the last dot
    revision INTEGER NOT NULL,                            -- 0: created, nothing committed yet
    serial   INTEGER,
    digest   TEXT    NOT NULL                             -- 64 hexadecimal digits
) STRICT, WITHOUT ROWID;

-- The live data, one row a record, as a zone file would have it but every name absolute with its
-- last dot, so that a row means the same wherever it is read. Names compare without case, as the
-- DNS does. Nothing is checked here beyond the column types: what is wrong with a row is told by
-- the server, in a sentence, and the zone goes on being served as it was.
CREATE TABLE record (
    id    INTEGER PRIMARY KEY,
    zone  TEXT    NOT NULL COLLATE NOCASE,
    owner TEXT    NOT NULL COLLATE NOCASE,
    ttl   INTEGER NOT NULL,                               -- seconds
    type  TEXT    NOT NULL COLLATE NOCASE,
    rdata TEXT    NOT NULL
) STRICT;

-- An RRset is found, and a zone is read, along this.
CREATE INDEX record_by_rrset ON record (zone, owner, type);

-- A zone as its zone file: SELECT line FROM zone_file WHERE zone = 'example.com.';
CREATE VIEW zone_file AS
    SELECT zone, printf('%-40s %-7d IN %-6s %s', owner, ttl, type, rdata) AS line
      FROM record
     ORDER BY zone, type <> 'SOA', owner <> zone, owner, type, rdata;

-- Owners whose rows somebody other than the server changed, noted by the triggers below: the server
-- switches triggers off on its own connection. Rows that changed and are not noted here were not
-- edited but damaged.
CREATE TABLE touched (
    zone  TEXT NOT NULL COLLATE NOCASE,
    owner TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (zone, owner)
) STRICT, WITHOUT ROWID;

-- The row that a REPLACE pushes out fires no trigger of its own, so what has the new id is noted
-- before it goes.
CREATE TRIGGER record_insert BEFORE INSERT ON record BEGIN
    INSERT OR IGNORE INTO touched SELECT zone, owner FROM record WHERE id = NEW.id;
    INSERT OR IGNORE INTO touched VALUES (NEW.zone, NEW.owner);
END;
CREATE TRIGGER record_update BEFORE UPDATE ON record BEGIN
    INSERT OR IGNORE INTO touched SELECT zone, owner FROM record WHERE id = NEW.id;
    INSERT OR IGNORE INTO touched VALUES (OLD.zone, OLD.owner);
    INSERT OR IGNORE INTO touched VALUES (NEW.zone, NEW.owner);
END;
CREATE TRIGGER record_delete BEFORE DELETE ON record BEGIN
    INSERT OR IGNORE INTO touched VALUES (OLD.zone, OLD.owner);
END;

-- Every committed change of a zone, numbered from 1 in each. The diff is a JSON array of the RRsets
-- that changed, each as it was before and after (null: it was not there).
CREATE TABLE revision (
    zone       TEXT    NOT NULL COLLATE NOCASE,
    number     INTEGER NOT NULL,
    at_us      INTEGER NOT NULL,                          -- microseconds since 1970, UTC
    path       TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    old_serial INTEGER,
    new_serial INTEGER NOT NULL,
    digest     TEXT    NOT NULL,
    diff       TEXT    NOT NULL,
    PRIMARY KEY (zone, number)
) STRICT;

-- What was asked of us and what we said. Each row's hash is the SHA-256 over the hash of the row
-- before it and all its own columns, so that a row altered later does not go unseen.
CREATE TABLE audit (
    id            INTEGER PRIMARY KEY,
    reference     TEXT    NOT NULL UNIQUE,                -- what a refused client is told
    at_us         INTEGER NOT NULL,
    path          TEXT    NOT NULL,
    actor         TEXT    NOT NULL,
    source        TEXT,
    transport     TEXT,
    zone          TEXT    COLLATE NOCASE,
    base_revision INTEGER,
    revision      INTEGER,
    old_serial    INTEGER,
    new_serial    INTEGER,
    outcome       TEXT    NOT NULL,
    rule          TEXT,
    reason        TEXT    NOT NULL,
    rcode         TEXT    NOT NULL,
    ede           INTEGER,
    mac           BLOB,                                   -- finds the retransmission of an update
    detail        TEXT    NOT NULL,                       -- JSON
    duration_us   INTEGER NOT NULL,
    previous      BLOB    NOT NULL,                       -- 32 octets; zeros in the first row
    hash          BLOB    NOT NULL
) STRICT;

CREATE INDEX audit_by_zone ON audit (zone, id);
CREATE INDEX audit_by_mac ON audit (mac, at_us) WHERE mac IS NOT NULL;
CREATE INDEX audit_refusals ON audit (actor, id) WHERE outcome = 'refused';

-- The hash chain finds such edits afterwards; these keep them from happening by mistake.
CREATE TRIGGER audit_update BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'audit rows are never changed');
END;
CREATE TRIGGER audit_delete BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'audit rows are never deleted');
END;

-- What is frozen: refused, never queued, until it is thawed.
CREATE TABLE freeze (
    scope      TEXT    NOT NULL PRIMARY KEY,
    since_unix INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    actor      TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- One value a key. audit_head: id and hash of the last audit row, so that rows cut off at the end
-- are missed.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
