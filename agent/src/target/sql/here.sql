-- Every table, with each of its parts.
select r.source_oid, r.copied, r.done, r.point, r.file, p.page_from, p.page_to, p.rows, p.bytes, r.anew
from whimbrel.relation r
left join whimbrel.part p on p.source_oid = r.source_oid and not r.copied
