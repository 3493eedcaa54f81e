-- Partitioned tables whose hash is of an enum: by the class for enums, or of a type that has one in it, whose hash is of its parts.
with recursive parts(class, column_type, partitioned) as (
    select k.class, a.atttypid, p.partrelid
    from pg_partitioned_table p
    join pg_class c on c.oid = p.partrelid
    join pg_namespace n on n.oid = c.relnamespace
    cross join unnest(p.partattrs::int2[], p.partclass::oid[]) as k(attnum, class)
    left join pg_attribute a on a.attrelid = p.partrelid and a.attnum = k.attnum and k.attnum > 0
    where p.partstrat = 'h' and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
      and {relation c.oid}
),
inside(partitioned, type) as (
    -- anyarray, record, anyrange, anymultirange. A user's own class has a hash of its own.
    select p.partitioned, p.column_type
    from parts p join pg_opclass o on o.oid = p.class
    where o.opcintype in (2277, 2249, 3831, 4537)
    union
    select i.partitioned, x.type
    from inside i
    join pg_type t on t.oid = i.type
    cross join lateral (
        select t.typbasetype as type where t.typtype = 'd'
        union all select t.typelem where t.typcategory = 'A'
        union all select a.atttypid from pg_attribute a
        where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
        union all select r.rngsubtype from pg_range r where r.rngtypid = t.oid
        union all select r.rngsubtype from pg_range r where r.rngmultitypid = t.oid -- since 14
    ) x
)
select format('%I.%I', n.nspname, c.relname) as name
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.oid in (select p.partitioned from parts p join pg_opclass o on o.oid = p.class where o.opcintype = 'anyenum'::regtype)
   or c.oid in (select i.partitioned from inside i join pg_type t on t.oid = i.type where t.typtype = 'e')
order by 1
