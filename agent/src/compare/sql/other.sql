-- What there is seldom more than a handful of. Names as pg_identify_object writes them, which all versions share.
, found(classid, oid, owner, rights, facts) as (
    select 'pg_operator'::regclass::oid, o.oid, o.oprowner, null::text,
           concat_ws(' ', o.oprcode::regprocedure, nullif(o.oprrest::oid, 0)::regproc, nullif(o.oprjoin::oid, 0)::regproc,
                     case when o.oprcanhash then 'hashes' end, case when o.oprcanmerge then 'merges' end,
                     'commutator ' || nullif(o.oprcom, 0)::regoperator, 'negator ' || nullif(o.oprnegate, 0)::regoperator)
    from pg_operator o join schemas n on n.oid = o.oprnamespace
    where o.oprcode <> 0
    union all
    select 'pg_opclass'::regclass, o.oid, o.opcowner, null, concat_ws(' ', format_type(o.opcintype, null),
           case when o.opcdefault then 'default' end, 'stores ' || format_type(nullif(o.opckeytype, 0), null))
    from pg_opclass o join schemas n on n.oid = o.opcnamespace
    union all
    select 'pg_opfamily'::regclass, o.oid, o.opfowner, null,
           (select string_agg(format('%s %s', a.amopstrategy, a.amopopr::regoperator), ', '
                              order by a.amopstrategy, a.amopopr::regoperator::text collate "C")
            from pg_amop a where a.amopfamily = o.oid)
    from pg_opfamily o join schemas n on n.oid = o.opfnamespace
    union all
    select 'pg_cast'::regclass, c.oid, null, null,
           concat_ws(' ', nullif(c.castfunc, 0)::regprocedure, c.castcontext, c.castmethod)
    from pg_cast c
    -- A range type's cast to its multirange (since 14) comes with it.
    where c.oid >= 16384
      and not exists (select from pg_depend d where d.classid = 'pg_cast'::regclass and d.objid = c.oid and d.deptype = 'i')
    union all
    -- Before 15 an ICU collation's locale was in collcollate; its column has had two names since.
    select 'pg_collation'::regclass, c.oid, c.collowner, null,
           concat_ws(' ', coalesce(to_jsonb(c) ->> 'collprovider', 'c'), coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale',
                                                   c.collcollate),
                     case when to_jsonb(c) ->> 'collisdeterministic' = 'false' then 'nondeterministic' end)
    from pg_collation c join schemas n on n.oid = c.collnamespace
    union all
    select 'pg_conversion'::regclass, c.oid, c.conowner, null,
           concat_ws(' ', pg_encoding_to_char(c.conforencoding), pg_encoding_to_char(c.contoencoding), c.conproc,
                     c.condefault)
    from pg_conversion c join schemas n on n.oid = c.connamespace
    union all
    select 'pg_ts_config'::regclass, c.oid, c.cfgowner, null,
           (select string_agg(format('%s %s', m.maptokentype, m.mapdict::regdictionary), ', '
                              order by m.maptokentype, m.mapseqno)
            from pg_ts_config_map m where m.mapcfg = c.oid)
    from pg_ts_config c join schemas n on n.oid = c.cfgnamespace
    union all
    select 'pg_ts_dict'::regclass, d.oid, d.dictowner, null, d.dictinitoption
    from pg_ts_dict d join schemas n on n.oid = d.dictnamespace
    union all
    select 'pg_language'::regclass, l.oid, l.lanowner, l.lanacl::text, l.lanpltrusted::text
    from pg_language l
    where l.oid >= 16384
    union all
    select 'pg_foreign_data_wrapper'::regclass, w.oid, w.fdwowner, w.fdwacl::text,
           concat_ws(' ', nullif(w.fdwhandler, 0)::regproc, nullif(w.fdwvalidator, 0)::regproc)
    from pg_foreign_data_wrapper w
    union all
    select 'pg_foreign_server'::regclass, s.oid, s.srvowner, s.srvacl::text,
           concat_ws(' ', s.srvtype, s.srvversion, (select '{' || string_agg(o, ',' order by o collate "C") || '}' from unnest(s.srvoptions) as o))
    from pg_foreign_server s
    union all
    -- Options of user mappings are secrets: only their names.
    select 'pg_user_mapping'::regclass, m.umid, null, null,
           (select string_agg(split_part(o, '=', 1), ', ' order by o) from unnest(m.umoptions) as o)
    from pg_user_mappings m
    union all
    select 'pg_transform'::regclass, t.oid, null, null,
           concat_ws(' ', nullif(t.trffromsql, 0)::regproc, nullif(t.trftosql, 0)::regproc)
    from pg_transform t
),
page as (
    select f.*, w.name
    from given g
    cross join found f
    cross join lateral pg_identify_object(f.classid, f.oid, 0) as i
    -- A transform is on its language before 16.
    cross join lateral (
        select replace(replace(i.type || ' ' || i.identity, '"json"', 'json'), ' on language ', ' language ') collate "C" as name
    ) w
    where not exists (select from members m where m.classid = f.classid and m.objid = f.oid)
      and w.name > g.after
    order by w.name
    limit (select page from given)
)
select p.name, array[
    'definition: ' || p.facts,
    'owner: ' || pg_get_userbyid(p.owner),
    'rights: ' || p.rights,
    'comment: ' || obj_description(p.oid, p.classid::regclass::text)
] as facts
from page p
order by 1
