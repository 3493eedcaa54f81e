insert into whimbrel.part (source_oid, page_from, page_to, rows, bytes)
values ($1, $2, $3, $4, $5)
on conflict (source_oid, page_from) do update
set page_to = excluded.page_to, rows = excluded.rows, bytes = excluded.bytes
