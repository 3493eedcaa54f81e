-- The slot has lost what the ledger needs: from the next snapshot on, as in the beginning, but for the schema and for those
-- rows that are still the source's.
update whimbrel.ledger set phase = 'copy', slot_point = null, applied = null, marker = null;
update whimbrel.relation set stale = true, copied = false, done = false, held = null, anew = true where copied;
