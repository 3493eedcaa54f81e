-- If a setting has made us another role than the ledger's owner, who we may be. A superuser needs none of that.
select set_config('role', pg_get_userbyid(n.nspowner), false)
from pg_namespace n
join pg_roles r on r.rolname = current_user
where n.nspname = 'whimbrel' and n.nspowner <> r.oid and not r.rolsuper and pg_has_role(session_user, n.nspowner, 'member');
