-- Libraries that functions of ours need, each with one of those.
select p.probin as library, min(p.oid::regprocedure::text) as function
from pg_proc p
join pg_language l on l.oid = p.prolang
join pg_namespace n on n.oid = p.pronamespace and {schema n.nspname}
where l.lanname = 'c' and p.oid >= 16384 and p.probin is not null
  and not exists (
      select from pg_depend d
      where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
  )
group by p.probin
order by 1
