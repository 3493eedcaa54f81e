select (select count(*) from pg_class c where c.relnamespace = n.oid) as relations
from pg_namespace n
where n.nspname = 'whimbrel' and {schema n.nspname}
