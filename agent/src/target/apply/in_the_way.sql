-- Views and functions that hang on these columns, on the same of heirs and partitions, or on each other, as labels. $1: the
-- table; $2: the columns' names.
with recursive
family (oid) as (
    select to_regclass($1)::oid
    union
    select i.inhrelid from pg_inherits i join family f on i.inhparent = f.oid
),
hanging (class, oid) as (
    select d.classid, d.objid
    from family f
    join pg_attribute a on a.attrelid = f.oid and a.attname = any ($2::text[])
    join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = f.oid and d.refobjsubid = a.attnum
    union
    select next.class, next.oid
    from hanging h
    cross join lateral (
        select d.classid, d.objid from pg_depend d
        where d.refclassid = h.class and d.refobjid = h.oid and d.deptype <> 'e'
        union all
        select 'pg_class'::regclass::oid, r.ev_class from pg_rewrite r
        where h.class = 'pg_rewrite'::regclass and r.oid = h.oid and r.rulename = '_RETURN'
    ) next (class, oid)
)
select case c.relkind when 'v' then 'view' else 'materialized view' end || format(' %s.%s', n.nspname, c.relname)
from hanging h
join pg_class c on h.class = 'pg_class'::regclass and c.oid = h.oid and c.relkind in ('v', 'm')
join pg_namespace n on n.oid = c.relnamespace
union
select format('function %s.%s(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes))
from hanging h
join pg_proc p on h.class = 'pg_proc'::regclass and p.oid = h.oid
join pg_namespace n on n.oid = p.pronamespace
