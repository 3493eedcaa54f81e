-- The tables and columns that DROP CASCADE of the target's own object $2.$3 would take along. $1: what it is; $4: a routine's
-- arguments. What is a part of another takes that along as well: a table's type, what a generated column is made of.
with recursive goes as (
    select class, oid, 0 as part from (
        select 'pg_class'::regclass::oid as class, c.oid
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where $1 = 'relation' and n.nspname = $2 and c.relname = $3
        union all
        select 'pg_type'::regclass, t.oid
        from pg_type t
        join pg_namespace n on n.oid = t.typnamespace
        where $1 = 'type' and n.nspname = $2 and t.typname = $3
        union all
        select 'pg_proc'::regclass, p.oid
        from pg_proc p
        join pg_namespace n on n.oid = p.pronamespace
        where $1 = 'routine' and n.nspname = $2 and p.proname = $3 and pg_get_function_identity_arguments(p.oid) = $4
        union all
        select 'pg_namespace'::regclass, n.oid from pg_namespace n where $1 = 'schema' and n.nspname = $3
        union all
        select 'pg_extension'::regclass, e.oid from pg_extension e where $1 = 'extension' and e.extname = $3
    ) object
    union
    select next.class, next.oid, next.part
    from goes
    cross join lateral (
        select d.classid as class, d.objid as oid, d.objsubid as part
        from pg_depend d
        where d.refclassid = goes.class and d.refobjid = goes.oid and (goes.part = 0 or d.refobjsubid = goes.part)
        union all
        select d.refclassid, d.refobjid, d.refobjsubid
        from pg_depend d
        where d.classid = goes.class and d.objid = goes.oid and d.objsubid = goes.part and d.deptype = 'i'
    ) next
)
select n.nspname::text as schema, c.relname::text as name, a.attname::text as column_name
from goes
join pg_class c on goes.class = 'pg_class'::regclass and c.oid = goes.oid
join pg_namespace n on n.oid = c.relnamespace
left join pg_attribute a on goes.part > 0 and a.attrelid = c.oid and a.attnum = goes.part
where c.relkind in ('r', 'p')
order by 1, 2, 3
