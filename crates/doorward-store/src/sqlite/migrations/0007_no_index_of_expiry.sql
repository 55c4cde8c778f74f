-- Every login and every logout changed a page of this index, for the one question which sessions have expired. That is
-- asked by walking through the table now, some rows at a time.
DROP INDEX sessions_expires_at;
