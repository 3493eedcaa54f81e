select datistemplate as template, datallowconn as connections, datconnlimit = -2 as invalid
from pg_database
where datname = $1
