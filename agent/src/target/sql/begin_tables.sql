-- $1: the snapshot's point, $2: source OIDs, $3: files, of tables whose copy begins.
update whimbrel.relation r
set point = $1, file = begun.file, copied = false, done = false, anew = false, rows = 0, bytes = 0
from unnest($2::oid[], $3::oid[]) begun(source_oid, file)
where r.source_oid = begun.source_oid
