-- $1: source OIDs, $2: rows, $3: bytes, of tables that are done.
update whimbrel.relation r
set copied = true, done = true, rows = arrived.rows, bytes = arrived.bytes
from unnest($1::oid[], $2::bigint[], $3::bigint[]) arrived(source_oid, rows, bytes)
where r.source_oid = arrived.source_oid
