-- Tables that inherit, and whose columns are in another order than CREATE TABLE ... INHERITS makes them: the parents' first,
-- in the parents' order, then their own. Partitions are attached, which keeps their order.
with placed as (
    select a.attrelid, a.attname,
           row_number() over (partition by a.attrelid order by a.attnum) as now,
           row_number() over (partition by a.attrelid order by (
               select min(i.inhseqno::int8 * 10000 + p.attnum)
               from pg_inherits i
               join pg_attribute p on p.attrelid = i.inhparent and p.attname = a.attname and not p.attisdropped
               where i.inhrelid = a.attrelid
           ) nulls last, a.attnum) as made
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid
    where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'f') and c.relpersistence <> 't'
      and not c.relispartition -- since 10
      and exists (select from pg_inherits i where i.inhrelid = c.oid)
)
select format('%I.%I', n.nspname, c.relname) as name,
       string_agg(quote_ident(p.attname), ', ' order by p.made) as columns
from placed p
join pg_class c on c.oid = p.attrelid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
  and {relation c.oid}
  and not exists (
      select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
  )
group by n.nspname, c.relname
having bool_or(p.now <> p.made)
order by 1
