-- Which tables have columns whose values' texts are made of what the catalog says of their types: labels of enums, attributes of
-- composites, however deep inside arrays, domains, ranges and others. One row for each table and type.
with recursive used as (
    select distinct a.attrelid as table_oid, a.atttypid as type_oid
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relkind = 'r' and a.attnum > 0 and not a.attisdropped and a.atttypid >= 16384
    union
    select u.table_oid, i.inner_oid
    from used u join pg_type t on t.oid = u.type_oid, lateral (
        select t.typelem as inner_oid where t.typelem <> 0
        union all select t.typbasetype where t.typbasetype <> 0
        union all select r.rngsubtype from pg_range r where r.rngtypid = t.oid
        union all select r.rngsubtype from pg_range r where r.rngmultitypid = t.oid -- since 14
        union all select a.atttypid from pg_attribute a
            where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    ) i
    where i.inner_oid >= 16384
)
select u.table_oid, u.type_oid
from used u join pg_type t on t.oid = u.type_oid
where t.typtype in ('e', 'c')
