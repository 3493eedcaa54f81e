select n.nspname || '.' || c.relname as name, s.srvname as server
from pg_foreign_table f
join pg_class c on c.oid = f.ftrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_foreign_server s on s.oid = f.ftserver
where n.nspname not in ('whimbrel') and {relation c.oid}
order by 1
