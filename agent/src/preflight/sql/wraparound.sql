select age(datfrozenxid)::int8 as transactions, mxid_age(datminmxid)::int8 as multixacts
from pg_database
where datname = current_database()
