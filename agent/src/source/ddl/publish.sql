-- A statement for each table that is in the wrong one of our publications ($1: all changes, $2: inserts and truncates), or
-- in none though its changes are wanted; its OID, whether changes of it were in none, and its name. One that somebody has given a
-- filter of rows or columns is in none too, and is put in anew; and of one that comes into that of all changes none had updates.
-- Into one first, then out of another: our own event trigger tells what is in none (function.sql).
with tables as (
    select c.oid, format('%I.%I', n.nspname, c.relname) as name,
           case when c.relpersistence <> 'p' then null
                when c.relreplident = 'f' or exists (
                    select from pg_index i
                    where i.indrelid = c.oid and i.indisvalid and i.indimmediate
                      and (c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident))
                then $1::text else $2::text end as wanted
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and c.relpersistence <> 't'
      and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
      and not exists (
          select from pg_depend d
          where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
),
present as (
    select r.prrelid, p.pubname::text as name
         , r.prqual is null and r.prattrs is null as whole -- since 15
         , true as whole -- before 15
    from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
    where p.pubname in ($1, $2)
),
judged as (
    select t.*, t.wanted is not null
                and (t.oid, t.wanted) not in (select p.prrelid, p.name from present p where p.whole)
                and (t.wanted = $1 or t.oid not in (select p.prrelid from present p where p.whole)) as was_in_none
    from tables t
)
select case when (t.oid, t.wanted) in (select p.prrelid, p.name from present p)
            then format('alter publication %I drop table only %s; ', t.wanted, t.name) else '' end
       || format('alter publication %I add table only %s', t.wanted, t.name),
       t.oid, t.was_in_none, t.name
from judged t
-- As in unpublished.sql: not by exists.
where t.wanted is not null and {relation t.oid} and (t.oid, t.wanted) not in (select p.prrelid, p.name from present p where p.whole)
union all
select format('alter publication %I drop table only %s', p.name, t.name), t.oid, t.was_in_none, t.name
from judged t join present p on p.prrelid = t.oid
where p.name is distinct from t.wanted
