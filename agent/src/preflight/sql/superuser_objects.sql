-- What pg_dump carries and only a superuser can make again. An extension makes its own.
with made(class, oid, namespace, what) as (
    select 'pg_event_trigger'::regclass::oid, oid, 0::oid, format('event trigger %I', evtname) from pg_event_trigger
    union all
    select 'pg_publication'::regclass, oid, 0::oid, format('publication %I for all tables', pubname) -- since 10
    from pg_publication -- since 10
    where puballtables -- since 10
    union all -- since 10
    select 'pg_type'::regclass, oid, typnamespace, format('base type %s', format_type(oid, null))
    from pg_type
    where (typtype = 'b' or typtype = 'p' and not typisdefined) and typinput <> 'pg_catalog.array_in'::regproc
    union all
    select 'pg_cast'::regclass, oid, 0,
           format('cast (%s as %s)', format_type(castsource, null), format_type(casttarget, null))
    from pg_cast
    where castmethod = 'b' or castsource < 16384 and casttarget < 16384
    union all
    select 'pg_opclass'::regclass, oid, opcnamespace, format('operator class %s.%I', opcnamespace::regnamespace, opcname) from pg_opclass
    union all
    select 'pg_opfamily'::regclass, oid, opfnamespace, format('operator family %s.%I', opfnamespace::regnamespace, opfname) from pg_opfamily
    union all
    select 'pg_proc'::regclass, p.oid, p.pronamespace,
           format('function %s(%s) %s', p.oid::regproc, pg_get_function_identity_arguments(p.oid),
                  case when not l.lanpltrusted then 'in language ' || l.lanname
                       when p.proleakproof then 'leakproof'
                       else 'with a support function' end)
    from pg_proc p
    join pg_language l on l.oid = p.prolang
    where p.oid >= 16384
      and p.prokind <> 'a' -- since 11
      and not p.proisagg -- before 11
      and (not l.lanpltrusted or p.proleakproof or p.prosupport <> 0) -- since 12
      and (not l.lanpltrusted or p.proleakproof or p.protransform <> 0) -- before 12
    union all
    select 'pg_proc'::regclass, aggfnoid, p.pronamespace, format('aggregate %s, whose state is internal', aggfnoid)
    from pg_aggregate
    join pg_proc p on p.oid = aggfnoid
    where aggtranstype = 'internal'::regtype and aggfnoid::oid >= 16384
    union all
    select 'pg_ts_parser'::regclass, oid, prsnamespace, format('text search parser %s.%I', prsnamespace::regnamespace, prsname) from pg_ts_parser
    union all
    select 'pg_ts_template'::regclass, oid, tmplnamespace, format('text search template %s.%I', tmplnamespace::regnamespace, tmplname) from pg_ts_template
    union all
    select 'pg_am'::regclass, oid, 0, format('access method %I', amname) from pg_am
    union all
    select 'pg_foreign_data_wrapper'::regclass, oid, 0, format('foreign-data wrapper %I', fdwname)
    from pg_foreign_data_wrapper
    union all
    select 'pg_language'::regclass, oid, 0, format('language %I', lanname) from pg_language
)
select what
from made m
where oid >= 16384
  and (namespace = 0 or {schema (select n.nspname from pg_namespace n where n.oid = m.namespace)})
  and not exists (select from pg_depend d where d.classid = m.class and d.objid = m.oid and d.deptype in ('e', 'i'))
order by 1
limit 1000
