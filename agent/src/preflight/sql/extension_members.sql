-- Members of extensions that a transaction after the one that made them has added to their extension: by hand, and seldom by a
-- script. A script makes its members in the transaction that adds them.
with objects(class, oid, made, schema) as (
    select 'pg_proc'::regclass, oid, xmin, pronamespace from pg_proc where oid >= 16384
    union all
    select 'pg_class'::regclass, oid, xmin, relnamespace from pg_class where oid >= 16384 and relkind <> 'c'
    union all
    select 'pg_type'::regclass, oid, xmin, typnamespace from pg_type where oid >= 16384
    union all
    select 'pg_operator'::regclass, oid, xmin, oprnamespace from pg_operator where oid >= 16384
    union all
    select 'pg_collation'::regclass, oid, xmin, collnamespace from pg_collation where oid >= 16384
    union all
    select 'pg_ts_config'::regclass, oid, xmin, cfgnamespace from pg_ts_config where oid >= 16384
    union all
    select 'pg_ts_dict'::regclass, oid, xmin, dictnamespace from pg_ts_dict where oid >= 16384
    union all
    select 'pg_cast'::regclass, oid, xmin, null from pg_cast where oid >= 16384
    union all
    select 'pg_foreign_server'::regclass, oid, xmin, null from pg_foreign_server where oid >= 16384
)
select e.extname as extension, i.type as kind, i.identity as name
from objects o
join pg_depend d on d.classid = o.class and d.objid = o.oid and d.deptype = 'e' and d.refclassid = 'pg_extension'::regclass
join pg_extension e on e.oid = d.refobjid
left join pg_namespace n on n.oid = o.schema
cross join lateral pg_identify_object(o.class, o.oid, 0) i
-- An age below nothing is of a transaction that is too long ago to be compared.
where o.made::text <> d.xmin::text and age(d.xmin) >= 0 and age(o.made) > age(d.xmin)
  and (n.nspname is null or {schema n.nspname})
order by 1, 2, 3
