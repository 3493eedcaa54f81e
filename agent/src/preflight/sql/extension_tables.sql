-- Tables that extensions own, with the condition under which rows in them are the user's: "where ...", or empty. Null: the
-- extension declared none of its rows to be.
select e.extname as extension, format('%I.%I', n.nspname, c.relname) as quoted, n.nspname || '.' || c.relname as label,
       e.extcondition[array_position(e.extconfig, c.oid)] as condition
from pg_extension e
join pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence <> 't' and e.extname <> 'plpgsql'
  and {relation c.oid}
order by 1, 3
