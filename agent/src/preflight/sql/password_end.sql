-- Our role, if its password ends within a week: longer than most migrations are under way.
select rolname as role, to_char(rolvaliduntil at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"') as at
from pg_roles
where rolname = current_user and rolvaliduntil < now() + interval '7 days'
