-- A statement for each foreign key that is not a partition's share of its parent's, and which key that is.
select format('alter table %I.%I drop constraint %I', n.nspname, c.relname, k.conname),
       format('%I of %I.%I', k.conname, n.nspname, c.relname)
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
where k.contype = 'f' and k.conparentid = 0 and n.nspname not in ('pg_catalog', 'information_schema', 'whimbrel')
  -- An extension's own came with it: no dump would bring them again.
  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = k.conrelid and d.deptype = 'e');
