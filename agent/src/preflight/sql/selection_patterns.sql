-- What each pattern meets. $1: the place of each, $2: it as a regular expression, of schemas ($3 true) or of schema, \x01 and
-- table. `parts`: relations that it names and that are what another table is, against what it says ($4: it includes).
with ours as (
    select n.oid, n.nspname from pg_namespace n
    where n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
),
relations as (
    select c.oid, n.nspname, c.relname, (n.nspname::text || chr(1) || c.relname::text) collate "C" as whole,
           c.relkind = 'S' and exists (
               select from pg_depend d
               where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass
                 and d.refobjsubid > 0 and d.deptype in ('a', 'i'))
           or c.relispartition -- since 10
           as part
    from pg_class c join ours n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and c.relpersistence <> 't'
),
given as (
    select * from unnest($1::int4[], $2::text[], $3::bool[], $4::bool[]) as g(place, pattern, of_schemas, includes)
)
select g.place,
       case when g.of_schemas then exists (select from ours n where n.nspname::text collate "C" ~ g.pattern)
            else exists (select from relations r where not r.part and r.whole ~ g.pattern) end as met,
       case when g.of_schemas then '[]' else (
           select coalesce(json_agg(p.name), '[]') from (
               select format('%I.%I', r.nspname, r.relname) as name
               from relations r
               where r.part and r.whole ~ g.pattern and {relation r.oid} <> g.includes
               order by 1 limit 5
           ) p) end as parts
from given g
order by g.place
