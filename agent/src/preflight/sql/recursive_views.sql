-- Views that read themselves: every view's rule depends on its view (OLD and NEW), but only those on its columns.
select distinct format('%I.%I', n.nspname, c.relname) as view
from pg_rewrite r
join pg_class c on c.oid = r.ev_class and c.relkind = 'v' and c.oid >= 16384
join pg_namespace n on n.oid = c.relnamespace
join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.deptype = 'n'
    and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid and d.refobjsubid > 0
where r.ev_type = '1' and {relation c.oid}
order by 1
