-- What users made in the system's own schemas: pg_dump leaves it out. An extension makes its own again.
with made as (
    select 'pg_class'::regclass::oid as class, c.oid, c.relnamespace as namespace,
           case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
                          when 'f' then 'foreign table' else 'table' end as kind,
           quote_ident(c.relname) as name
    from pg_class c
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and c.relpersistence <> 't'
    union all
    select 'pg_proc'::regclass, p.oid, p.pronamespace,
           case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end, -- since 11
           case when p.proisagg then 'aggregate' else 'function' end, -- before 11
           quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')'
    from pg_proc p
    union all
    select 'pg_type'::regclass, t.oid, t.typnamespace, case t.typtype when 'd' then 'domain' else 'type' end,
           quote_ident(t.typname)
    from pg_type t
    where t.typtype <> 'm' and t.typinput <> 'pg_catalog.array_in'::regproc
      and (t.typrelid = 0 or (select c.relkind from pg_class c where c.oid = t.typrelid) = 'c')
    union all
    select 'pg_operator'::regclass, o.oid, o.oprnamespace, 'operator',
           format('%s (%s, %s)', o.oprname, case when o.oprleft = 0 then 'none' else format_type(o.oprleft, null) end,
                  format_type(o.oprright, null))
    from pg_operator o
)
select m.kind, n.nspname as schema, m.name, format('alter %s %s.%s set schema public;', m.kind, n.nspname,
                                                   m.name) as remedy
from made m
join pg_namespace n on n.oid = m.namespace
where m.oid >= 16384 and n.nspname in ('pg_catalog', 'information_schema')
  and not exists (select from pg_depend d where d.classid = m.class and d.objid = m.oid and d.deptype in ('e', 'i'))
order by 1, 2, 3
