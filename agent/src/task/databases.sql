-- User databases, with sizes where the role may see them.
select datname, case when has_database_privilege(oid, 'connect') then pg_database_size(oid) end,
       pg_encoding_to_char(encoding), datcollate, pg_get_userbyid(datdba)
from pg_database
where not datistemplate and datallowconn and datname <> 'postgres'
order by datname;
