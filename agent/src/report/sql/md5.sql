select rolname as object, 'md5' as detail, format('-- on the target: \password %I', rolname) as remedy
from pg_authid
where rolcanlogin and rolpassword ~ '^md5'
