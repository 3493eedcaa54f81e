-- $1: source OID, $2: the point that its parts are of now, $3, $4: what rows and bytes they have more.
with moved as (
    update whimbrel.relation set point = $2 where source_oid = $1
)
update whimbrel.part
set rows = rows + $3, bytes = bytes + $4
where source_oid = $1 and page_from = (select min(page_from) from whimbrel.part where source_oid = $1)
