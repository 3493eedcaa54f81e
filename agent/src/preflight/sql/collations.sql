-- Collations of our own, and the system's that something in the database speaks of: pg_depend has them all, but for
-- those that every server has. $1: how many users of each are told.
select n.nspname as schema, c.collname as name,
       c.collprovider as provider, -- since 10
       'c' as provider, -- before 10
       n.nspname = 'pg_catalog' as of_system,
       coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale', c.collcollate) as locale,
       c.collversion as version, pg_collation_actual_version(c.oid) as actual_version, -- since 10
       null::text as version, null::text as actual_version, -- before 10
       coalesce(u.users, '[]') as users, coalesce(u.remedies, '[]') as remedies
from pg_collation c
join pg_namespace n on n.oid = c.collnamespace
left join lateral (
    select json_agg(x.name) as users, json_agg(x.remedy) filter (where x.remedy is not null) as remedies
    from (
        select coalesce(format('%s.%s.%s', k.nspname, r.relname, a.attname),
                        pg_describe_object(d.classid, d.objid, d.objsubid)) as name,
               case when r.relkind in ('r', 'p') then
                   format('alter table %I.%I alter column %I type %s collate "default";', k.nspname, r.relname, a.attname,
                          format_type(a.atttypid, a.atttypmod))
               end as remedy
        from pg_depend d
        left join pg_attribute a
            on d.classid = 'pg_class'::regclass and a.attrelid = d.objid and a.attnum = d.objsubid and a.attnum > 0
        left join pg_class r on r.oid = a.attrelid
        left join pg_namespace k on k.oid = r.relnamespace
        where d.refclassid = 'pg_collation'::regclass and d.refobjid = c.oid and d.deptype = 'n'
          and (d.classid <> 'pg_class'::regclass or {relation d.objid})
        order by 1
        limit $1
    ) x
) u on true
where n.nspname <> 'whimbrel'
  and (c.oid >= 16384 and n.nspname <> 'pg_catalog' and {schema n.nspname} or exists (
      select from pg_depend d
      where d.refclassid = 'pg_collation'::regclass and d.refobjid = c.oid and d.deptype = 'n'
        and (d.classid <> 'pg_class'::regclass or {relation d.objid})
  ))
  and not exists (
      select from pg_depend d
      where d.classid = 'pg_collation'::regclass and d.objid = c.oid and d.deptype = 'e'
  )
order by 1, 2
