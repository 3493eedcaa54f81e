-- Every object whose definition the target must share, with a digest of it: what differs later was changed since.
with every as (
    select n.oid, n.nspname
    from pg_namespace n
    where n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
),
ours as (
    select n.oid, n.nspname from every n where {schema n.nspname}
),
relations as (
    select c.* -- since 12
    select c.oid, c.* -- before 12
    from pg_class c join every n on n.oid = c.relnamespace
    where c.relpersistence <> 't' and {relation c.oid}
),
-- Members of extensions come with their extension, in the form of the version that a server has: neither dump nor stream tells
-- of them, nor of an index or constraint on a table among them. What is done to them beyond that (triggers, policies, rights)
-- is told as of any other.
members as (
    select d.classid, d.objid from pg_depend d where d.deptype = 'e'
),
own as (
    select c.* from relations c where c.oid not in (select objid from members where classid = 'pg_class'::regclass)
)
-- A server quotes what is a keyword to it, as json is since 16: small letters go without quotes, so that a name is one on all.
select regexp_replace(s.object, '(?<!")"([a-z_][a-z0-9_$]*)"(?!")', '\1', 'g') as object, s.digest
from (
select 'table ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) as object,
       md5(concat_ws('|', c.relkind, c.relpersistence, c.relreplident, pg_get_userbyid(c.relowner), c.reloptions::text,
           (select toast.reloptions::text from pg_class toast where toast.oid = c.reltoastrelid),
           case when c.relreplident = 'i' and not exists (select from pg_index i where i.indrelid = c.oid and i.indisreplident)
                then 'no index' end,
           -- What an older version does not know is nothing where it is not used: one digest on all.
           case when c.relispartition then 'partition' end, -- since 10
           case when c.relhasoids then 'oids' end, -- before 12
           (select string_agg(concat_ws(' ', quote_literal(a.attname), format_type(a.atttypid, a.atttypmod), a.attnotnull,
                              -- Since 17 a partition's is its parent's, and before it has none.
                              case when a.attidentity <> '' and not c.relispartition then 'identity' end, -- since 10
                              'generated ' || nullif(a.attgenerated, '')::text, -- since 12
                              (select l.collname from pg_collation l where l.oid = a.attcollation)), ',' order by a.attname)
            from pg_attribute a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)))
       -- The order of the columns by itself, and whether the table inherits: then a dump can make it in another one.
       || ' ' || md5(coalesce((select string_agg(quote_literal(a.attname), ',' order by a.attnum) from pg_attribute a
                               where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), ''))
       || case when exists (select from pg_inherits i where i.inhrelid = c.oid)
                    and not c.relispartition -- since 10
               then ' inherits' else '' end as digest
from own c join every n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'f') and c.relpersistence <> 't'
union all
-- Two tables that are alike may have exchanged their names. Each server has OIDs of its own: it is compared with itself alone.
select 'names of tables', md5(coalesce(string_agg(concat_ws(' ', c.oid, n.nspname, c.relname), ',' order by c.oid), ''))
from own c join every n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and c.relpersistence <> 't'
union all
-- By themselves: another server, or the same one that has read them, can write an expression in other words.
select 'default of ' || quote_ident(a.attname) || ' of ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       md5(pg_get_expr(d.adbin, d.adrelid))
from pg_attrdef d
join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
join own c on c.oid = d.adrelid
join every n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'f', 'v')
union all
select 'view ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname), md5(pg_get_viewdef(c.oid))
from own c join every n on n.oid = c.relnamespace
where c.relkind in ('v', 'm') and c.relpersistence <> 't'
union all
select 'sequence ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       md5(concat_ws('|',
           s.seqtypid, s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle, -- since 10
           pg_sequence_parameters(c.oid)::text, -- before 10
           (select format('%I.%I.%I', tn.nspname, t.relname, a.attname)
            from pg_depend d
            -- Not of `relations`, which has no index: all of them would be read for each sequence.
            join pg_class t on t.oid = d.refobjid and t.relpersistence <> 't' and {relation t.oid}
            join pg_namespace tn on tn.oid = t.relnamespace
            join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
            where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.objsubid = 0
              and d.refclassid = 'pg_class'::regclass and d.deptype = 'a')))
from own c join every n on n.oid = c.relnamespace
join pg_sequence s on s.seqrelid = c.oid -- since 10
where c.relkind = 'S' and c.relpersistence <> 't'
union all
select 'index ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       -- A key's is read back with no words of its own: one text on all versions, without the quotes that keywords have.
       md5(regexp_replace(pg_get_indexdef(c.oid), '(?<!")"([a-z_][a-z0-9_$]*)"(?!")', '\1', 'g'))
from relations c join every n on n.oid = c.relnamespace
join pg_index i on i.indexrelid = c.oid and i.indrelid in (select oid from own)
-- An invalid one of a table is one that is being built, or failed: it answers nothing, and neither dump nor stream makes it.
where c.relkind = 'I' or i.indisvalid
union all
select 'constraint ' || quote_ident(k.conname) || ' of ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       md5(pg_get_constraintdef(k.oid) || k.convalidated::text)
from pg_constraint k join own c on c.oid = k.conrelid join every n on n.oid = c.relnamespace
-- A constraint trigger is told in full as the trigger that it is, and comes with the switch. A partition's share of a
-- foreign key is what its parent's is, under a name that the server gives.
where k.contype not in ('n', 't') and (k.contype <> 'f' or {relation k.confrelid})
  and not (k.contype = 'f' and k.conparentid <> 0) -- since 11
union all -- since 18
-- By its column, without the name of an inherited one, which no command can change: it is its parent's there, or what the
-- server gave here.
select 'constraint not null (' || quote_ident(a.attname) || ') of ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname), -- since 18
       md5(concat_ws('|', k.connoinherit, k.convalidated, case when k.coninhcount = 0 then k.conname end)) -- since 18
from pg_constraint k join own c on c.oid = k.conrelid join every n on n.oid = c.relnamespace -- since 18
join pg_attribute a on a.attrelid = c.oid and a.attnum = k.conkey[1] -- since 18
where k.contype = 'n' -- since 18
union all
select 'trigger ' || quote_ident(t.tgname) || ' of ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       md5(pg_get_triggerdef(t.oid) || t.tgenabled::text)
from pg_trigger t join relations c on c.oid = t.tgrelid join every n on n.oid = c.relnamespace
where not t.tgisinternal
   -- A partition's share of its parent's trigger, which is internal before 15: only whether it fires can be its own.
   or t.tgparentid <> 0 and t.tgenabled <> (select p.tgenabled from pg_trigger p where p.oid = t.tgparentid) -- since 13
union all
-- Told in the cutover; a key whose triggers are disabled is enforced all the same where it is made.
select distinct 'disabled foreign key ' || quote_ident(k.conname) || ' of ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname), ''
from pg_trigger t
join pg_constraint k on k.oid = t.tgconstraint and k.contype = 'f'
join own c on c.oid = t.tgrelid join every n on n.oid = c.relnamespace
where t.tgisinternal and t.tgenabled = 'D'
union all
-- By the types alone: a parameter's name is quoted where it is a keyword, which depends on the version.
select 'function ' || quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')',
       -- With its source, which is the snapshot's; the text is what was committed when it was read.
       md5(p.prosrc || case when p.prokind = 'a' then '' else pg_get_functiondef(p.oid) end) -- since 11
       md5(p.prosrc || case when p.proisagg then '' else pg_get_functiondef(p.oid) end) -- before 11
from pg_proc p join ours n on n.oid = p.pronamespace
where p.oid not in (select objid from members where classid = 'pg_proc'::regclass)
union all
select 'type ' || quote_ident(n.nspname) || '.' || quote_ident(t.typname),
       md5(concat_ws('|', t.typtype, format_type(t.typbasetype, t.typtypmod), t.typnotnull,
           -- Not typdefault: it keeps the words of whoever gave it, under that session's search_path.
           pg_get_expr(t.typdefaultbin, 0),
           -- The name of its multirange, if it is not the one that the server gives: no other command tells that it was changed.
           (select m.typname from pg_range r join pg_type m on m.oid = r.rngmultitypid -- since 14
            where r.rngtypid = t.oid and m.typname <> case when t.typname like '%range%' -- since 14
                then regexp_replace(t.typname, 'range', 'multirange') else t.typname || '_multirange' end), -- since 14
           (select string_agg(e.enumlabel, ',' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid)))
from pg_type t join ours n on n.oid = t.typnamespace
where t.typtype in ('d', 'e', 'r') and t.oid not in (select objid from members where classid = 'pg_type'::regclass)
union all
select 'type ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       md5(string_agg(quote_literal(a.attname) || format_type(a.atttypid, a.atttypmod)
                      || coalesce((select l.collname from pg_collation l where l.oid = a.attcollation), ''), ',' order by a.attnum))
from pg_class c join ours n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relkind = 'c' and c.reltype not in (select objid from members where classid = 'pg_type'::regclass)
group by 1
union all
select 'constraint ' || quote_ident(k.conname) || ' of domain ' || quote_ident(n.nspname) || '.' || quote_ident(t.typname),
       md5(pg_get_constraintdef(k.oid) || k.convalidated::text)
from pg_constraint k join pg_type t on t.oid = k.contypid join ours n on n.oid = t.typnamespace
where t.oid not in (select objid from members where classid = 'pg_type'::regclass)
union all
select 'policy ' || quote_ident(p.polname) || ' of ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       md5(concat_ws('|', p.polcmd,
           p.polpermissive, -- since 10
           -- Each at its place: what is left out would be the other.
           p.polroles::regrole[]::text, coalesce(pg_get_expr(p.polqual, p.polrelid), ''),
           coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '')))
from pg_policy p join relations c on c.oid = p.polrelid join every n on n.oid = c.relnamespace
union all
select 'rule ' || quote_ident(r.rulename) || ' of ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       md5(pg_get_ruledef(r.oid) || r.ev_enabled::text)
from pg_rewrite r join relations c on c.oid = r.ev_class join every n on n.oid = c.relnamespace
where r.rulename <> '_RETURN'
union all
-- What comes with the switch, or is looked at in the cutover.
select 'settings of ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       md5(concat_ws('|', c.relrowsecurity, c.relforcerowsecurity, c.relacl::text,
           c.relowner, c.relpersistence, c.reltablespace, c.relam,
           -- Filled for the first time, or emptied: by no other command.
           case when c.relkind = 'm' and not c.relispopulated then 'no data' end,
           -- Of a foreign table that no event trigger tells, its parents and its bound; and its columns' options.
           case when c.relkind = 'f' then concat(
               pg_get_expr(c.relpartbound, c.oid), -- since 10
               '|', (select string_agg(h.inhparent::text, ',' order by h.inhseqno) from pg_inherits h where h.inhrelid = c.oid),
               '|', (select string_agg(concat_ws(' ', a.attname, a.attfdwoptions::text), ';' order by a.attnum) from pg_attribute a
                     where a.attrelid = c.oid and a.attfdwoptions is not null)) end,
           (select string_agg(concat_ws(' ', a.attname,
                                        a.attidentity, -- since 10
                                        a.attacl::text,
                                        a.attcompression, -- since 14
                                        (select string_agg(o, ',' order by o) from unnest(a.attoptions) o where o not like 'pg\_attver=%'), a.attstorage, a.attstattarget,
                                        case when c.relkind = 'v' then pg_get_expr(d.adbin, d.adrelid) end), ',' order by a.attnum)
            from pg_attribute a
            left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
           (select string_agg(concat_ws(' ', x.relname, x.reltablespace, i.indisclustered, (
                       select string_agg(a.attstattarget::text, ' ' order by a.attnum) from pg_attribute a where a.attrelid = x.oid)),
                   ',' order by x.relname)
            from pg_index i join pg_class x on x.oid = i.indexrelid
            where i.indrelid = c.oid and (i.indisclustered or x.reltablespace <> 0 or exists (
                select from pg_attribute a where a.attrelid = x.oid and a.attstattarget >= 0)))))
from relations c join every n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and c.relpersistence <> 't'
union all
-- ALTER ... DEPENDS ON EXTENSION. With the object's number: one that is made again has lost it.
select 'dependence on extensions of ' || i.type || ' ' || i.identity,
       md5(string_agg(concat_ws(' ', d.objid, e.extname), ',' order by e.extname))
from pg_depend d
join pg_extension e on d.refclassid = 'pg_extension'::regclass and e.oid = d.refobjid
cross join lateral pg_identify_object(d.classid, d.objid, 0) i
where d.deptype = 'x' and (
    d.classid = 'pg_proc'::regclass and exists (select from pg_proc p join ours n on n.oid = p.pronamespace where p.oid = d.objid)
    or d.classid = 'pg_class'::regclass
       and exists (select from relations c left join pg_index x on x.indexrelid = c.oid
                   where c.oid = d.objid and (x.indrelid is null or x.indrelid in (select oid from relations)))
    or d.classid = 'pg_trigger'::regclass
       and exists (select from pg_trigger t join relations c on c.oid = t.tgrelid where t.oid = d.objid))
group by 1
union all
select 'rights on schema ' || quote_ident(n.nspname), md5(concat_ws('|', s.nspacl::text, pg_get_userbyid(s.nspowner)))
from pg_namespace s join ours n on n.oid = s.oid
union all
select 'rights on routines of ' || quote_ident(n.nspname),
       md5(string_agg(concat_ws(' ', p.oid, p.proacl::text, p.proowner), ',' order by p.oid))
from pg_proc p join ours n on n.oid = p.pronamespace
group by 1
union all
select 'rights on system objects', md5(concat_ws('|',
           (select string_agg(c.oid::text || c.relacl::text, ',' order by c.oid) from pg_class c
            where c.oid < 16384 and c.relacl is not null),
           (select string_agg(concat_ws(' ', a.attrelid, a.attnum, a.attacl::text), ',' order by a.attrelid, a.attnum)
            from pg_attribute a where a.attrelid < 16384 and a.attacl is not null),
           (select string_agg(p.oid::text || p.proacl::text, ',' order by p.oid) from pg_proc p
            where p.oid < 16384 and p.proacl is not null),
           (select string_agg(s.oid::text || s.nspacl::text, ',' order by s.oid) from pg_namespace s
            where s.nspname in ('pg_catalog', 'information_schema'))))
where {everything}
union all
select 'rights on types of ' || quote_ident(n.nspname),
       md5(string_agg(concat_ws(' ', t.oid, t.typacl::text, t.typowner), ',' order by t.oid))
from pg_type t join ours n on n.oid = t.typnamespace
group by 1
union all
select 'comments', coalesce(md5(string_agg(concat_ws(' ', d.classoid, d.objoid, d.objsubid, md5(d.description)), ','
                                           order by d.classoid, d.objoid, d.objsubid)), '')
from pg_description d
-- The schema public is every database's, and may have a comment of its own.
where (d.objoid >= 16384 or d.classoid = 'pg_namespace'::regclass and d.objoid = to_regnamespace('public'))
  and d.classoid <> 'pg_largeobject'::regclass
union all
select 'event triggers', coalesce(md5(string_agg(concat_ws(' ', e.evtname, e.evtevent, e.evtenabled, e.evtfoid, e.evtowner, e.evttags::text),
                                                 ',' order by e.evtname)), '')
from pg_event_trigger e join pg_proc p on p.oid = e.evtfoid
where p.pronamespace <> all (select oid from pg_namespace where nspname = 'whimbrel')
union all
-- Ours change with the tables.
select 'publications', -- since 10
       coalesce(md5(string_agg(p::text || coalesce((select string_agg(r::text, ',' order by r.oid) from pg_publication_rel r -- since 10
                                                    where r.prpubid = p.oid), '') -- since 10
                                       || coalesce((select string_agg(r::text, ',' order by r.oid) from pg_publication_namespace r -- since 15
                                                    where r.pnpubid = p.oid), '') -- since 15
                               , ',' order by p.pubname)), '') -- since 10
from pg_publication p -- since 10
where p.pubname not like 'whimbrel\_%' -- since 10
union all -- since 10
select 'default privileges',
       coalesce(md5(string_agg(o.oid::text || o::text, ',' order by o.oid)), '')
from pg_default_acl o
where o.defaclnamespace = 0 or o.defaclnamespace in (select oid from ours)
union all
select 'security labels', coalesce(md5(string_agg(l::text, ',' order by l::text)), '')
from pg_seclabel l
where l.classoid <> 'pg_largeobject'::regclass
union all
select 'operators, casts, aggregates, text search, statistics and the like',
       md5(concat_ws('|',
           (select string_agg(o.oid::text || o::text, ',' order by o.oid) from pg_operator o
            where o.oid >= 16384 and o.oprnamespace in (select oid from ours)),
           (select string_agg(o.oid::text || o::text, ',' order by o.oid) from pg_opclass o
            where o.oid >= 16384 and o.opcnamespace in (select oid from ours)),
           (select string_agg(o.oid::text || o::text, ',' order by o.oid) from pg_opfamily o
            where o.oid >= 16384 and o.opfnamespace in (select oid from ours)),
           (select string_agg(o.oid::text, ',' order by o.oid) from pg_cast o where o.oid >= 16384),
           (select string_agg(concat_ws(' ', o.oid, o.collname, o.collnamespace, o.collowner), ',' order by o.oid) from pg_collation o
            where o.oid >= 16384 and o.collnamespace in (select oid from ours)),
           (select string_agg(concat_ws(' ', o.oid, o.cfgname, o.cfgnamespace, o.cfgowner, (
                select string_agg(concat_ws(' ', m.maptokentype, m.mapseqno, m.mapdict), ';' order by m.maptokentype, m.mapseqno)
                from pg_ts_config_map m where m.mapcfg = o.oid)), ',' order by o.oid) from pg_ts_config o
            where o.oid >= 16384 and o.cfgnamespace in (select oid from ours)),
           (select string_agg(concat_ws(' ', o.oid, o.dictname, o.dictnamespace, o.dictowner, o.dictinitoption), ',' order by o.oid) from pg_ts_dict o
            where o.oid >= 16384 and o.dictnamespace in (select oid from ours)),
           (select string_agg(o.oid::text || o::text, ',' order by o.oid) from pg_ts_parser o
            where o.oid >= 16384 and o.prsnamespace in (select oid from ours)),
           (select string_agg(o.oid::text || o::text, ',' order by o.oid) from pg_ts_template o
            where o.oid >= 16384 and o.tmplnamespace in (select oid from ours)),
           (select string_agg(concat_ws(' ', o::text, p.proparallel), ',' order by o.aggfnoid) from pg_aggregate o join pg_proc p on p.oid = o.aggfnoid
            where p.oid >= 16384 and p.pronamespace in (select oid from ours)),
           (select string_agg(o::text, ',' order by o::text) from pg_amop o join pg_opfamily f on f.oid = o.amopfamily
            where f.oid >= 16384 and f.opfnamespace in (select oid from ours)),
           (select string_agg(o::text, ',' order by o::text) from pg_amproc o join pg_opfamily f on f.oid = o.amprocfamily
            where f.oid >= 16384 and f.opfnamespace in (select oid from ours)),
           (select string_agg(concat_ws(' ', o.oid, o.conname, o.connamespace, o.conowner), ',' order by o.oid) from pg_conversion o
            where o.oid >= 16384 and o.connamespace in (select oid from ours)),
           (select string_agg(o::text, ',' order by o::text) from pg_transform o),
           (select string_agg(concat_ws(' ', o.oid, o.stxname, o.stxowner, to_jsonb(o) ->> 'stxstattarget', pg_get_statisticsobjdef(o.oid)), ',' order by o.oid) -- since 10
            from pg_statistic_ext o where o.stxrelid in (select oid from relations)), -- since 10
           (select string_agg(o.oid::text || o::text, ',' order by o.oid) from pg_foreign_server o),
           (select string_agg(o.oid::text || o::text, ',' order by o.oid) from pg_foreign_data_wrapper o),
           (select string_agg(o.oid::text || o::text, ',' order by o.oid) from pg_language o),
           (select string_agg(o.oid::text || o::text, ',' order by o.oid) from pg_am o where o.oid >= 16384),
           (select string_agg(concat_ws(' ', o.umid, o.umoptions::text), ',' order by o.umid) from pg_user_mappings o),
           (select string_agg(concat_ws(' ', o.ftrelid, o.ftoptions::text, (
                select string_agg(concat_ws(' ', a.attname, a.attfdwoptions::text), ';' order by a.attnum) from pg_attribute a
                where a.attrelid = o.ftrelid and a.attfdwoptions is not null)), ',' order by o.ftrelid) from pg_foreign_table o
            where o.ftrelid in (select oid from relations))))
) s
order by 1;
