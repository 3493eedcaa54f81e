-- The server's roles, each as one JSON document (wire::Role). PostgreSQL's own are everywhere; those of managed services
-- belong to the service.
select json_build_object(
           'name', rolname, 'superuser', rolsuper, 'inherit', rolinherit, 'createrole', rolcreaterole,
           'createdb', rolcreatedb, 'login', rolcanlogin, 'replication', rolreplication, 'bypassrls', rolbypassrls,
           'connection_limit', rolconnlimit, 'valid_until', rolvaliduntil::text,
           'comment', shobj_description(oid, 'pg_authid'), 'settings', coalesce(to_json(rolconfig), '[]'))::text
from pg_roles
where rolname !~ $1
order by rolname
