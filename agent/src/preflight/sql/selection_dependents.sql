-- What is chosen and can't be made without something that is left out. Foreign keys are left out, and told by themselves.
with recursive ours as (
    select n.oid, n.nspname from pg_namespace n
    where n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
),
away as (
    select n.oid from ours n where not {schema n.nspname}
),
-- An extension's come with it.
members as (
    select classid, objid from pg_depend where deptype = 'e'
),
relations as (
    select c.oid, c.relkind, c.reltype
    from pg_class c join ours n on n.oid = c.relnamespace
    where c.relpersistence <> 't'
      and case when c.relkind = 'c' then n.oid in (select oid from away) else not {relation c.oid} end
),
named(class, oid) as (
    select 'pg_namespace'::regclass::oid, oid from away
    union all
    select 'pg_class'::regclass, oid from relations
    union all
    select 'pg_type'::regclass, t.oid from pg_type t
    where t.typrelid in (select oid from relations) or t.typrelid = 0 and t.typnamespace in (select oid from away)
       or t.typelem in (select reltype from relations where reltype <> 0)
    union all
    select 'pg_proc'::regclass, oid from pg_proc where pronamespace in (select oid from away)
    union all
    select 'pg_operator'::regclass, oid from pg_operator where oprnamespace in (select oid from away)
    union all
    select 'pg_opclass'::regclass, oid from pg_opclass where opcnamespace in (select oid from away)
    union all
    select 'pg_opfamily'::regclass, oid from pg_opfamily where opfnamespace in (select oid from away)
    union all
    select 'pg_collation'::regclass, oid from pg_collation where collnamespace in (select oid from away)
    union all
    select 'pg_conversion'::regclass, oid from pg_conversion where connamespace in (select oid from away)
    union all
    select 'pg_ts_config'::regclass, oid from pg_ts_config where cfgnamespace in (select oid from away)
    union all
    select 'pg_ts_dict'::regclass, oid from pg_ts_dict where dictnamespace in (select oid from away)
    union all
    select 'pg_ts_parser'::regclass, oid from pg_ts_parser where prsnamespace in (select oid from away)
    union all
    select 'pg_ts_template'::regclass, oid from pg_ts_template where tmplnamespace in (select oid from away)
),
left_out as (
    select class, oid from named l
    where not exists (select from members m where m.classid = l.class and m.objid = l.oid)
),
-- What a dependent stands and falls with.
dependents as (
    select d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.refobjsubid,
           coalesce(r.ev_class, a.adrelid, nullif(k.conrelid, 0), g.tgrelid, p.polrelid, nullif(t.typrelid, 0),
                    case when d.classid = 'pg_class'::regclass then d.objid end) as relation,
           case when k.contypid <> 0 then 'pg_type'::regclass::oid
                when o.amopfamily is not null or f.amprocfamily is not null then 'pg_opfamily'::regclass
                else d.classid end as class,
           coalesce(nullif(k.contypid, 0), o.amopfamily, f.amprocfamily, d.objid) as oid
    from left_out l
    join pg_depend d on d.refclassid = l.class and d.refobjid = l.oid and d.deptype in ('n', 'a', 'i', 'P', 'S')
    left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
    left join pg_attrdef a on d.classid = 'pg_attrdef'::regclass and a.oid = d.objid
    left join pg_constraint k on d.classid = 'pg_constraint'::regclass and k.oid = d.objid
    left join pg_trigger g on d.classid = 'pg_trigger'::regclass and g.oid = d.objid
    left join pg_policy p on d.classid = 'pg_policy'::regclass and p.oid = d.objid
    left join pg_type t on d.classid = 'pg_type'::regclass and t.oid = d.objid
    left join pg_amop o on d.classid = 'pg_amop'::regclass and o.oid = d.objid
    left join pg_amproc f on d.classid = 'pg_amproc'::regclass and f.oid = d.objid
    where d.classid not in ('pg_extension'::regclass, 'pg_default_acl'::regclass)
      and d.classid not in ('pg_publication_rel'::regclass, 'pg_statistic_ext'::regclass) -- since 10
      and d.classid::regclass::text not in ('pg_publication_namespace', 'pg_catalog.pg_publication_namespace')
      and not coalesce(g.tgisinternal, false)
      -- Foreign keys; and what a table has under the covers.
      and coalesce(k.contype, '-') <> 'f'
)
select distinct pg_describe_object(d.classid, d.objid, d.objsubid) as object,
       pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) as needs,
       (select json_build_array(n.nspname, c.relname)
        from pg_class c join ours n on n.oid = c.relnamespace
        where c.oid = d.relation and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S'))::text as relation
from dependents d
left join pg_class c on c.oid = d.relation
left join pg_namespace n on n.oid = c.relnamespace
where not exists (select from left_out l where l.class = d.class and l.oid = d.oid)
  and not exists (select from members m where m.classid = d.class and m.objid = d.oid)
  and (d.relation is null or n.nspname <> 'pg_toast' and c.relpersistence <> 't'
                             and not exists (select from left_out l where l.class = 'pg_class'::regclass and l.oid = d.relation)
                             and not exists (select from members m where m.classid = 'pg_class'::regclass and m.objid = d.relation))
order by 1, 2
limit 1000
