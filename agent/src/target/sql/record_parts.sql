-- $1: source OIDs, $2: rows, $3: bytes, of tables that came in one part each.
insert into whimbrel.part (source_oid, page_from, rows, bytes)
select source_oid, 0, rows, bytes from unnest($1::oid[], $2::bigint[], $3::bigint[]) arrived(source_oid, rows, bytes)
