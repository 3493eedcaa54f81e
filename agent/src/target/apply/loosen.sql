-- What hangs on the target's own object $2.$3 and can be made anew: defaults, checks, indexes. $1: what it is; $4: a routine's
-- arguments. What goes with it by itself is as good as it.
with recursive object as (
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
),
own as (
    select class, oid from object
    union
    select d.classid, d.objid
    from own
    join pg_depend d on d.refclassid = own.class and d.refobjid = own.oid
    where d.deptype in ('a', 'i') and d.objsubid = 0
),
hanging as (
    select distinct d.classid as class, d.objid as oid
    from own
    join pg_depend d on d.refclassid = own.class and d.refobjid = own.oid
    where d.deptype = 'n' and (d.classid, d.objid) not in (select class, oid from own)
),
constraints as (
    select c.*
    from hanging h
    join pg_constraint c on h.class = 'pg_constraint'::regclass and c.oid = h.oid
    where c.contype = 'c'
    union
    select c.*
    from hanging h
    join pg_depend d on d.classid = h.class and d.objid = h.oid and d.deptype = 'i'
    join pg_constraint c on d.refclassid = 'pg_constraint'::regclass and c.oid = d.refobjid
    where h.class = 'pg_class'::regclass
)
select 'default' as part, n.nspname::text as schema, c.relname::text as name, a.attname::text as part_name
from hanging h
join pg_attrdef d on h.class = 'pg_attrdef'::regclass and d.oid = h.oid
join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
join pg_class c on c.oid = d.adrelid
join pg_namespace n on n.oid = c.relnamespace
where a.attgenerated = ''
union all
select 'domain default', n.nspname, t.typname, ''
from hanging h
join pg_type t on h.class = 'pg_type'::regclass and t.oid = h.oid
join pg_namespace n on n.oid = t.typnamespace
where t.typtype = 'd' and t.typdefaultbin is not null
union all
select 'constraint', n.nspname, c.relname, con.conname
from constraints con
join pg_class c on c.oid = con.conrelid
join pg_namespace n on n.oid = c.relnamespace
where con.coninhcount = 0
union all
select 'domain constraint', n.nspname, t.typname, con.conname
from constraints con
join pg_type t on t.oid = con.contypid
join pg_namespace n on n.oid = t.typnamespace
union all
select 'index', n.nspname, c.relname, x.relname
from hanging h
join pg_class x on h.class = 'pg_class'::regclass and x.oid = h.oid
join pg_index i on i.indexrelid = x.oid
join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
where not x.relispartition and not exists (select from pg_constraint con where con.conindid = x.oid and con.conrelid = c.oid)
