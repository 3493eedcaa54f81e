-- What pg_dump carries and only a superuser can make again. An extension makes its own.
with made(class, oid, what) as (
    select 'pg_event_trigger'::regclass::oid, oid, format('event trigger %I', evtname) from pg_event_trigger
    union all
    select 'pg_publication'::regclass, oid, format('publication %I for all tables', pubname) -- since 10
    from pg_publication -- since 10
    where puballtables -- since 10
    union all -- since 10
    select 'pg_type'::regclass, oid, format('base type %s', format_type(oid, null))
    from pg_type
    where (typtype = 'b' or typtype = 'p' and not typisdefined) and typinput <> 'pg_catalog.array_in'::regproc
    union all
    select 'pg_cast'::regclass, oid,
           format('cast (%s as %s)', format_type(castsource, null), format_type(casttarget, null))
    from pg_cast
    where castmethod = 'b' or castsource < 16384 and casttarget < 16384
    union all
    select 'pg_opclass'::regclass, oid, format('operator class %s.%I', opcnamespace::regnamespace, opcname) from pg_opclass
    union all
    select 'pg_opfamily'::regclass, oid, format('operator family %s.%I', opfnamespace::regnamespace, opfname) from pg_opfamily
    union all
    select 'pg_proc'::regclass, p.oid,
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
    select 'pg_proc'::regclass, aggfnoid, format('aggregate %s, whose state is internal', aggfnoid)
    from pg_aggregate
    where aggtranstype = 'internal'::regtype and aggfnoid::oid >= 16384
    union all
    select 'pg_ts_parser'::regclass, oid, format('text search parser %s.%I', prsnamespace::regnamespace, prsname) from pg_ts_parser
    union all
    select 'pg_ts_template'::regclass, oid, format('text search template %s.%I', tmplnamespace::regnamespace, tmplname) from pg_ts_template
    union all
    select 'pg_am'::regclass, oid, format('access method %I', amname) from pg_am
    union all
    select 'pg_foreign_data_wrapper'::regclass, oid, format('foreign-data wrapper %I', fdwname)
    from pg_foreign_data_wrapper
    union all
    select 'pg_language'::regclass, oid, format('language %I', lanname) from pg_language
)
select what
from made m
where oid >= 16384
  and not exists (select from pg_depend d where d.classid = m.class and d.objid = m.oid and d.deptype in ('e', 'i'))
order by 1
limit 1000
