select datname as database, oid::int8 as oid, datistemplate as template, pg_has_role(datdba, 'USAGE') as owned,
       pg_get_userbyid(datdba) as owner
from pg_database
where datname = any ($1::text[])
