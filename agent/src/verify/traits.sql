-- What a dump says inside an object's own entry and the stream does not carry, each as a statement that gives it and one that
-- takes it away (none: it can only be given another value); what is as the server gives it by itself has no row. `item`: the
-- item of the database's shape (shape.sql) that is another one when it has changed.
with ours as (
    select n.oid, n.nspname, n.nspowner
    from pg_namespace n
    where n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
),
members as (
    select d.classid, d.objid from pg_depend d where d.deptype = 'e'
),
relations as (
    select c.oid, c.relkind, c.relowner, c.relforcerowsecurity, c.relpersistence,
           'settings of ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) as item,
           format('%I.%I', n.nspname, c.relname) as name,
           case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
                          when 'f' then 'foreign table' else 'table' end as kind
    from pg_class c join ours n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and c.relpersistence <> 't' and {relation c.oid}
      and not exists (select from members m where m.classid = 'pg_class'::regclass and m.objid = c.oid)
),
schemas as (
    select n.* from ours n where {schema n.nspname}
),
defaults as (
    select format('alter default privileges for role %I%s ', pg_get_userbyid(d.defaclrole),
                  (select format(' in schema %I', n.nspname) from schemas n where n.oid = d.defaclnamespace)) as alter,
           case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types'
                                when 'n' then 'schemas' else 'large objects' end as kind,
           d.defaclacl as acl,
           -- What holds without it. Of one schema it only adds.
           case when d.defaclnamespace = 0
                then acldefault(case d.defaclobjtype when 'S' then 's'::"char" else d.defaclobjtype end, d.defaclrole)
           end as without
    from pg_default_acl d
    where d.defaclnamespace = 0 or d.defaclnamespace in (select oid from schemas)
),
columns as (
    select r.item, r.relkind, format('alter table only %s alter column %I ', r.name, a.attname) as alter,
           to_jsonb(a) ->> 'attcompression' as compression, a.attstorage, t.typstorage,
           -- Without the number that newer minor releases keep there for themselves.
           (select string_agg(o, ', ' order by o) from unnest(a.attoptions) o where o not like 'pg\_attver=%') as options,
           coalesce(a.attstattarget, -1) as statistics
    from relations r
    join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
    where r.relkind in ('r', 'p', 'm')
),
-- The parents of foreign tables.
heirs as (
    select r.item, r.name, format('%I.%I', n.nspname, p.relname) as parent,
           pg_get_expr(f.relpartbound, f.oid) as bound -- since 10
           null::text as bound -- before 10
    from relations r
    join pg_class f on f.oid = r.oid
    join pg_inherits h on h.inhrelid = r.oid
    join pg_class p on p.oid = h.inhparent and {relation p.oid}
    join pg_namespace n on n.oid = p.relnamespace
    where r.relkind = 'f'
),
indexes as (
    select r.item, r.name as of_table, x.oid, x.relname, x.reltablespace, i.indisclustered, format('%I.%I', n.nspname, x.relname) as name
    from relations r
    join pg_index i on i.indrelid = r.oid
    join pg_class x on x.oid = i.indexrelid
    join pg_namespace n on n.oid = x.relnamespace
)
-- The items without the quotes that keywords have, as the shape has them.
select regexp_replace(s.item, '(?<!")"([a-z_][a-z0-9_$]*)"(?!")', '\1', 'g') as item, s.off, s.given
from (
select item, null as off, format('alter %s %s owner to %I', kind, name, pg_get_userbyid(relowner)) as given
from relations r
-- An owned sequence has its table's owner.
where not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = r.oid and r.relkind = 'S'
                  and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i'))
union all
select 'rights on schema ' || quote_ident(n.nspname), null,
       format('alter schema %I owner to %I', n.nspname, pg_get_userbyid(n.nspowner))
from schemas n
-- The one that every database has is the bootstrap superuser's before 15, whose name is each server's own.
where not (n.nspname = 'public' and n.nspowner = 10)
  and not exists (select from members m where m.classid = 'pg_namespace'::regclass and m.objid = n.oid)
union all
select 'rights on routines of ' || quote_ident(n.nspname), null,
       format('alter routine %I.%I(%s) owner to %I', n.nspname, p.proname, array_to_string(array(
                  select format_type(a.type, null) from unnest(p.proargtypes) with ordinality a(type, place) order by a.place), ', '),
              pg_get_userbyid(p.proowner))
from pg_proc p join schemas n on n.oid = p.pronamespace
where not exists (select from members m where m.classid = 'pg_proc'::regclass and m.objid = p.oid)
  -- A range type's own go with it.
  and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'i')
union all
select 'rights on types of ' || quote_ident(n.nspname), null,
       format('alter type %I.%I owner to %I', n.nspname, t.typname, pg_get_userbyid(t.typowner))
from pg_type t join schemas n on n.oid = t.typnamespace
where (t.typtype in ('e', 'd', 'r') or t.typtype = 'b' and t.typinput <> 'pg_catalog.array_in'::regproc
       or t.typtype = 'c' and (select c.relkind from pg_class c where c.oid = t.typrelid) = 'c')
  and not exists (select from members m where m.classid = 'pg_type'::regclass and m.objid = t.oid)
union all
select item, format('alter table only %s no force row level security', name),
       format('alter table only %s force row level security', name)
from relations
where relforcerowsecurity
union all
select item, alter || 'set compression default',
       alter || 'set compression ' || case compression when 'p' then 'pglz' else 'lz4' end
from columns
where compression in ('p', 'l')
union all
select item, alter || 'reset (n_distinct, n_distinct_inherited)',
       alter || format('set (%s)', options)
from columns
where options is not null
union all
-- Of tables the stream carries these.
select item, alter || 'set statistics -1', alter || format('set statistics %s', statistics)
from columns
where relkind = 'm' and statistics >= 0
union all
select item, alter || 'set storage ' || names.by_type, alter || 'set storage ' || names.own
from columns
cross join lateral (
    select max(word) filter (where letter = typstorage) as by_type, max(word) filter (where letter = attstorage) as own
    from (values ('p'::"char", 'plain'), ('e', 'external'), ('m', 'main'), ('x', 'extended')) words(letter, word)
) names
where relkind = 'm' and attstorage <> typstorage
union all
select item,
       case when bound is null then format('alter table %s no inherit %s', name, parent)
            else format('alter table %s detach partition %s', parent, name) end,
       case when bound is null then format('alter table %s inherit %s', name, parent)
            else format('alter table %s attach partition %s %s', parent, name, bound) end
from heirs
union all
select r.item, format('alter foreign table %s alter column %I options (drop %I)', r.name, a.attname, o.option_name),
       format('alter foreign table %s alter column %I options (add %I %L)', r.name, a.attname, o.option_name, o.option_value)
from relations r
join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
cross join lateral pg_options_to_table(a.attfdwoptions) o
where r.relkind = 'f'
union all
select item, format('alter table %s set without cluster', of_table), format('alter table %s cluster on %I', of_table, relname)
from indexes
where indisclustered
union all
select i.item, alter || '-1', alter || a.attstattarget::text -- since 11
from indexes i -- since 11
join pg_attribute a on a.attrelid = i.oid and a.attnum > 0 -- since 11
cross join lateral (select format('alter index %s alter column %s set statistics ', i.name, a.attnum)) s(alter) -- since 11
where a.attstattarget >= 0 -- since 11
union all -- since 11
select i.item, format('alter index %s set tablespace pg_default', i.name),
       format('alter index %s set tablespace %I', i.name, t.spcname)
from indexes i
join pg_tablespace t on t.oid = i.reltablespace
union all
select r.item, format('alter view %s alter column %I drop default', r.name, a.attname),
       format('alter view %s alter column %I set default %s', r.name, a.attname, pg_get_expr(d.adbin, d.adrelid))
from relations r
join pg_attribute a on a.attrelid = r.oid and a.attnum > 0
join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where r.relkind = 'v'
union all
select item, format('alter sequence %s set logged', name), format('alter sequence %s set unlogged', name)
from relations
where relkind = 'S' and relpersistence = 'u'
union all
select 'default privileges', format('%srevoke %s on %s from %s', d.alter, a.privilege_type, d.kind, g.grantee),
       format('%sgrant %s on %s to %s%s', d.alter, a.privilege_type, d.kind, g.grantee,
              case when a.is_grantable then ' with grant option' else '' end)
from defaults d
cross join aclexplode(d.acl) a
cross join lateral (select case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end) g(grantee)
where not exists (select from aclexplode(d.without) b
                  where (b.grantee, b.privilege_type, b.is_grantable) = (a.grantee, a.privilege_type, a.is_grantable))
union all
select 'default privileges', format('%sgrant %s on %s to %s', d.alter, a.privilege_type, d.kind, g.grantee),
       format('%srevoke %s on %s from %s', d.alter, a.privilege_type, d.kind, g.grantee)
from defaults d
cross join aclexplode(d.without) a
cross join lateral (select case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end) g(grantee)
where not exists (select from aclexplode(d.acl) b where (b.grantee, b.privilege_type) = (a.grantee, a.privilege_type))
union all
-- A trigger's comes with the trigger.
select 'dependence on extensions of ' || i.type || ' ' || i.identity,
       format('alter %s no depends on extension %I', o.name, e.extname), -- since 13
       null, -- before 13
       format('alter %s depends on extension %I', o.name, e.extname)
from pg_depend d
join pg_extension e on d.refclassid = 'pg_extension'::regclass and e.oid = d.refobjid
cross join lateral pg_identify_object(d.classid, d.objid, 0) i
join (
    select 'pg_class'::regclass::oid as class, x.oid, 'index ' || x.name as name from indexes x
    union all
    select 'pg_class'::regclass, r.oid, 'materialized view ' || r.name from relations r where r.relkind = 'm'
    union all
    select 'pg_proc'::regclass, p.oid, format('routine %I.%I(%s)', n.nspname, p.proname, array_to_string(array(
               select format_type(a.type, null) from unnest(p.proargtypes) with ordinality a(type, place) order by a.place), ', '))
    from pg_proc p join schemas n on n.oid = p.pronamespace
) o on o.class = d.classid and o.oid = d.objid
where d.deptype = 'x'
) s
order by 1, 2;
