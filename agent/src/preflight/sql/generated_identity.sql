-- Tables whose replica identity has generated columns. The change stream leaves those out: a key that has one names no row.
-- From 18 on a server even refuses the application's updates of such a table once it is published, of REPLICA IDENTITY FULL
-- too.
select n.nspname as schema, c.relname as name, string_agg(a.attname, ', ' order by a.attnum) as columns,
       c.relreplident = 'f' as whole
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  and a.attgenerated <> '' -- since 12
  and false -- before 12
where c.relkind = 'r' and c.relpersistence = 'p'
  and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
  and {relation c.oid}
  and (c.relreplident = 'f' and current_setting('server_version_num')::int >= 180000
       or exists (
           select from pg_index i
           where i.indrelid = c.oid and i.indisvalid and i.indimmediate
             -- What an index includes besides its key is no part of the identity.
             and a.attnum = any (i.indkey[0:i.indnkeyatts - 1]) -- since 11
             and (c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident)
       ))
  and not exists (
      select from pg_depend d
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
  )
group by 1, 2, 4
order by 1, 2
