-- Tablespaces that something in this database lies in by name, or that the database itself lies in.
select t.spcname as name, pg_tablespace_location(t.oid) as location,
       exists (
           select from pg_database d where d.datname = current_database() and d.dattablespace = t.oid
       ) as of_database,
       (select count(*) from pg_class c
        where c.reltablespace = t.oid and c.relpersistence <> 't' and {relation c.oid}) as relations
from pg_tablespace t
where t.spcname not in ('pg_default', 'pg_global')
  and (exists (select from pg_class c where c.reltablespace = t.oid and c.relpersistence <> 't' and {relation c.oid})
       or exists (select from pg_database d where d.datname = current_database() and d.dattablespace = t.oid))
order by 1
