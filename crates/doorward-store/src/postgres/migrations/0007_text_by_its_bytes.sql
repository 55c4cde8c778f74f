-- What tells rows apart is compared by its bytes, as it is on SQLite. In the order of a locale the index depends on the
-- library of the operating system: after an upgrade of that, or on a standby with another one, it misses rows that are
-- there, and an identifier is given to a second account.
-- The indexes are built anew, and no row is written. The large table comes last: whoever uses one of the others keeps
-- this waiting before the work is done and not after it.
ALTER TABLE realms ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE signing_keys ALTER COLUMN id TYPE text COLLATE "C";
ALTER TABLE secrets ALTER COLUMN name TYPE text COLLATE "C";
ALTER TABLE identifiers ALTER COLUMN canonical TYPE text COLLATE "C";
