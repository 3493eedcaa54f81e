select n.nspname as schema, c.relname as table, json_agg(distinct k.conname) as keys
from pg_trigger t
join pg_constraint k on k.oid = t.tgconstraint and k.contype = 'f'
join pg_class c on c.oid = t.tgrelid
join pg_namespace n on n.oid = c.relnamespace
where t.tgisinternal and t.tgenabled = 'D'
  and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
  and {relation c.oid}
group by 1, 2
order by 1, 2
