-- The role that we log in as. Managed services have roles in the place of attributes.
select r.rolname as name, r.rolsuper as superuser, r.rolcreatedb as createdb,
       r.rolcreaterole as createrole, r.rolbypassrls as bypassrls, r.rolreplication as own_replication,
       r.rolreplication or exists (
           select from pg_roles m
           where m.rolname = 'rds_replication' and pg_has_role(m.oid, 'USAGE')
       ) as replication,
       exists (
           select from pg_roles m
           where m.rolname in ('rds_superuser', 'cloudsqlsuperuser', 'alloydbsuperuser', 'azure_pg_admin',
                             'neon_superuser', 'supabase_admin', 'avnadmin', 'doadmin', 'tsdbadmin')
             and pg_has_role(m.oid, 'USAGE')
       ) as managed_admin
from pg_roles r
where r.rolname = current_user
