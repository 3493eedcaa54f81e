-- Columns of the system's own views that views of ours read. Only what pg_depend knows: the catalogs themselves are pinned.
select distinct format('%I.%I', vn.nspname, v.relname) as view, n.nspname as schema, c.relname as relation,
       a.attname as column
from pg_depend d
join pg_rewrite r on r.oid = d.objid
join pg_class v on v.oid = r.ev_class
join pg_namespace vn on vn.oid = v.relnamespace
join pg_class c on c.oid = d.refobjid
join pg_namespace n on n.oid = c.relnamespace
left join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid and a.attnum > 0
where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and c.oid < 16384
  and v.oid >= 16384 and n.nspname in ('pg_catalog', 'information_schema')
  and not exists (
      select from pg_depend e
      where e.classid = 'pg_class'::regclass and e.objid = v.oid and e.deptype = 'e'
  )
order by 1, 2, 3, 4
limit 2000
