-- Tables of extensions with rows that the extension declares to be the user's, each as one JSON document
-- (wire::ExtensionTable); those that others refer to first.
with recursive declared as (
    select c.oid, n.nspname, c.relname, coalesce(e.extcondition[array_position(e.extconfig, c.oid)], '') as condition
    from pg_extension e
    join pg_class c on c.oid = any (e.extconfig)
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and {relation c.oid}
),
-- One that refers to itself or in a circle stops somewhere.
depth(oid, height) as (
    select oid, 0 from declared
    union all
    select k.conrelid, d.height + 1
    from depth d
    join pg_constraint k on k.contype = 'f' and k.confrelid = d.oid and k.conrelid <> k.confrelid
    where k.conrelid in (select oid from declared) and d.height < 20
)
select json_build_object(
           'schema', t.nspname, 'name', t.relname, 'condition', t.condition,
           'columns', coalesce((
               select json_agg(a.attname order by a.attnum) from pg_attribute a
               where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
                 and a.attgenerated = '' -- since 12
           ), '[]'::json))::text
from declared t
order by (select max(d.height) from depth d where d.oid = t.oid), t.oid
