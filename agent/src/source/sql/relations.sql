-- Tables that have rows of their own, the largest first, each as one JSON document (wire::Relation).
-- Left out: the system's schemas, temporary tables, and tables that an extension makes by itself.
with recursive {columns}
tables as (
    select c.oid, n.nspname, c.relname, c.relpersistence, c.relfilenode,
           pg_relation_size(c.oid) / current_setting('block_size')::int as pages,
           pg_table_size(c.oid) as bytes,
           case
               when c.relreplident = 'f' then 'Full'
               when exists (
                   select from pg_index i
                   where i.indrelid = c.oid and i.indisvalid and i.indimmediate
                     and (c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident)
               ) then 'Key'
               else 'Missing'
           end as identity
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and c.relpersistence <> 't'
      and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
      and {relation c.oid}
      and not exists (
          select from pg_depend d
          where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
      )
)
select json_build_object(
           'oid', t.oid::int8, 'schema', t.nspname, 'name', t.relname, 'pages', t.pages, 'bytes', t.bytes,
           'columns', coalesce(l.columns, '[]'::json), 'identity', t.identity,
           'publish', case when t.relpersistence = 'u' then 'Nothing'
                           when t.identity = 'Missing' then 'InsertTruncate'
                           else 'All' end,
           'file', t.relfilenode::int8, -- before 11
           'conflicts', t.identity = 'Missing' and coalesce((
               select bool_and(i.indimmediate) from pg_index i
               where i.indrelid = t.oid and (i.indisunique or i.indisexclusion)
           ), false),
           'binary', coalesce(l.binary, false))::text
from tables t
left join columns l on l.attrelid = t.oid
-- One that was dropped meanwhile has no size any more.
where t.pages is not null and t.bytes is not null
order by t.bytes desc, t.oid;
