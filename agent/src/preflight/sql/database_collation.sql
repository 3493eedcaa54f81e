-- Since 15.
select datcollversion as version, pg_database_collation_actual_version(oid) as actual_version
from pg_database
where datname = current_database()
