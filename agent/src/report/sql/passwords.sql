-- Only whether there is one, which only a superuser may see. The verifier itself is never read.
select rolname as object, 'password' as detail,
       format('-- on the target: \password %I', rolname) as remedy
from pg_authid
where rolcanlogin and rolpassword is not null and rolname !~ '^pg_'
