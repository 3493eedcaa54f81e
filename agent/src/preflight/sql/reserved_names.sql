-- Not the one in which a migration of ours has its function, or had.
select (select count(*) from pg_class c where c.relnamespace = n.oid) as relations
from pg_namespace n
where n.nspname = 'whimbrel' and {schema n.nspname}
  and (exists (select from pg_class c where c.relnamespace = n.oid)
       or exists (select from pg_proc p where p.pronamespace = n.oid and p.proname !~ '^whimbrel_[0-9a-f]{12}_[0-9]+$'))
