-- The last-known-good snapshot: what is served when the store is not fit to be. Written by the
-- server alone, and read by it alone; `lastgood snapshot show` and `export` are for people.
PRAGMA application_id = 0x4C47534E;
PRAGMA user_version = 1;

-- Each zone at the revision promoted last. The records below must add up to the digest.
CREATE TABLE zone (
    origin   BLOB    NOT NULL PRIMARY KEY, -- wire form, lower case
    name     BLOB    NOT NULL,             -- the origin as it is spelled
    revision INTEGER NOT NULL,
    digest   TEXT    NOT NULL,
    records  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One owner a row, so that promoting a change rewrites only what it touched.
CREATE TABLE node (
    zone  BLOB NOT NULL,
    key   BLOB NOT NULL, -- the owner, lower case
    owner BLOB NOT NULL, -- the owner as it is spelled
    data  BLOB NOT NULL, -- its RRsets, wire form
    PRIMARY KEY (zone, key)
) STRICT, WITHOUT ROWID;

-- Serials up to this one may have been served: what replaces a lost zone starts above it. Written
-- ahead, before a serial beyond it is served, and kept when the zone itself goes.
CREATE TABLE ceiling (
    origin BLOB    NOT NULL PRIMARY KEY,
    serial INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- policies, freezes, audit_head: one value a key.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
