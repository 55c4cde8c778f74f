-- The place of a session in the status lists, taken along by its ending. Sessions that have none are in no list.
ALTER TABLE sessions ADD COLUMN status_index INTEGER;
ALTER TABLE ended_sessions ADD COLUMN status_index INTEGER;
CREATE INDEX ended_sessions_status_index ON ended_sessions (status_index) WHERE status_index IS NOT NULL;

-- One row, made with the first block of places: every place below is reserved.
CREATE TABLE status_indices (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    next_index INTEGER NOT NULL
) STRICT;
