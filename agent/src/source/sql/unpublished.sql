-- Tables whose changes should be in the stream and are not: they are in none of our publications ($1: all changes,
-- $2: inserts and truncates), or with a filter of rows or columns, or a publication was altered.
select format('%I.%I', n.nspname, c.relname)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence = 'p'
  and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
  and {relation c.oid}
  and not exists (
      select from pg_depend d
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
  )
  -- Not by exists: a join without statistics, as of a publication that was just made, goes through all of them for each table.
  and c.oid not in (
      select r.prrelid from pg_publication_rel r
      join pg_publication p on p.oid = r.prpubid
      where p.pubinsert
        and r.prqual is null and r.prattrs is null -- since 15
        and p.pubtruncate -- since 11
        and (p.pubname = $1 and p.pubupdate and p.pubdelete or p.pubname = $2)
  )
order by 1
limit 5;
