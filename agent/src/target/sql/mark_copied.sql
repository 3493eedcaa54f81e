update whimbrel.relation r
set copied = true, rows = p.rows, bytes = p.bytes
from (
    select coalesce(sum(rows), 0)::int8 as rows, coalesce(sum(bytes), 0)::int8 as bytes
    from whimbrel.part
    where source_oid = $1
) p
where r.source_oid = $1
