-- A session is ended by the removal of its row, which nobody can do twice: an index that says so once more costs every
-- logout a page.
ALTER TABLE ended_sessions DROP CONSTRAINT ended_sessions_session_key;
