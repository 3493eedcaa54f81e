-- Forgets the parts of tables; those that have rows here.
with gone as (delete from whimbrel.part where source_oid = any($1) returning source_oid)
select source_oid from gone
union
select source_oid from whimbrel.relation where source_oid = any($1) and anew
