-- Sequences, whoever owns them or none; an extension's own only where its configuration is the user's.
select n.nspname, c.relname,
       -- A source before 10 is never asked for its step: the target is.
       coalesce((select s.seqincrement from pg_sequence s where s.seqrelid = c.oid), 0)  -- since 10
       0::int8                                                                           -- before 10
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'S' and c.relpersistence <> 't'
  and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
  and {relation c.oid}
  and (not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
       or exists (select from pg_extension e where c.oid = any (e.extconfig)))
order by 1, 2;
