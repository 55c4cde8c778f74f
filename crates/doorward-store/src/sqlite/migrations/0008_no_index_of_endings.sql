-- Every logout changed a page of this index, for the one question which endings can be forgotten. That is asked by walking
-- through the table now, as it is of sessions.
DROP INDEX ended_sessions_expires_at;
