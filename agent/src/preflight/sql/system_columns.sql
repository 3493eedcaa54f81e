-- Columns of the system's own relations that views and rules of ours read. pg_depend does not know those of the catalogs
-- (they are pinned), but the rules themselves name what they need SELECT on: columns as numbers, counted from below the
-- first system column.
with ours as (
    select format('%I.%I', n.nspname, v.relname) as view, r.ev_action
    from pg_rewrite r
    join pg_class v on v.oid = r.ev_class
    join pg_namespace n on n.oid = v.relnamespace
    where v.oid >= 16384 and n.nspname <> 'whimbrel' and {relation v.oid}
      and not exists (
          select from pg_depend e
          where e.classid = 'pg_class'::regclass and e.objid = v.oid and e.deptype = 'e'
      )
),
read as (
    select distinct o.view, m.part[1]::int8::oid as relation, b.number::int as number
    from ours o
    cross join lateral regexp_matches(o.ev_action::text, ':relid (\d+) [^{}]*:selectedCols \(b([0-9 ]*)\)', 'g') as m(part)
    left join lateral unnest(string_to_array(trim(m.part[2]), ' ')) b(number) on b.number <> ''
    where m.part[1]::int8 < 16384
)
select distinct r.view, n.nspname as schema, c.relname as relation, a.attname as column
from read r
join pg_class c on c.oid = r.relation
join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('pg_catalog', 'information_schema')
left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
    and a.attnum = r.number - 7 -- since 12
    and a.attnum = r.number - 8 -- before 12
order by 1, 2, 3, 4
limit 2000
