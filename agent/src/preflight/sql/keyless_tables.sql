-- Tables whose updates and deletes the change stream can't carry, each with what could be its replica identity
-- (PostgreSQL manual, ALTER TABLE, REPLICA IDENTITY): a primary key, or a unique index over columns that are not null.
with recursive keyless as (
    select c.oid, n.nspname, c.relname
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and c.relpersistence = 'p' and c.relreplident <> 'f'
      and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
      and {relation c.oid}
      and not exists (
          select from pg_index i
          where i.indrelid = c.oid and i.indisvalid and i.indimmediate
            and (c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident)
      )
      and not exists (
          select from pg_depend d
          where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
      )
),
parents as ( -- before 12
    select inhrelid as leaf, inhparent as parent from pg_inherits -- before 12
    union all -- before 12
    select p.leaf, i.inhparent from parents p join pg_inherits i on i.inhrelid = p.parent -- before 12
), -- before 12
candidates as (
    select i.indrelid, i.indisprimary, x.relname, i.indnatts
    from keyless k
    join pg_index i on i.indrelid = k.oid
    join pg_class x on x.oid = i.indexrelid
    where i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
      and not exists (
          select from pg_attribute a
          where a.attrelid = i.indrelid and not a.attnotnull
            and a.attnum = any (i.indkey[0:i.indnkeyatts - 1]) -- since 11
            and a.attnum = any (i.indkey) -- before 11
      )
)
select k.nspname as schema, k.relname as name,
       -- A replica identity is not inherited: each leaf has its own.
       pg_partition_root(k.oid)::regclass::text as root, -- since 12
       (select p.parent::regclass::text from parents p join pg_class c on c.oid = p.parent -- before 12
        where p.leaf = k.oid and c.relkind = 'p' -- before 12
          and not exists (select from pg_inherits i where i.inhrelid = p.parent)) as root, -- before 12
       exists (select from candidates c where c.indrelid = k.oid and c.indisprimary) as primary_key,
       (select c.relname from candidates c where c.indrelid = k.oid order by c.indnatts, c.relname limit 1) as index
from keyless k
order by 1, 2
