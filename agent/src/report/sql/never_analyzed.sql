select 'tables' as object, count(*) || ', the first: ' || min(quote_ident(schemaname) || '.' || quote_ident(relname)) as detail,
       'analyze;' as remedy
from pg_stat_user_tables
where last_analyze is null and last_autoanalyze is null and n_live_tup > 0 and schemaname <> 'whimbrel'
having count(*) > 0
