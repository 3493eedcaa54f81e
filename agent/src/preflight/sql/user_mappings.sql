-- User mappings whose options our role does not see (or that have none).
select usename as role, srvname as server
from pg_user_mappings
where umoptions is null
order by 2, 1
