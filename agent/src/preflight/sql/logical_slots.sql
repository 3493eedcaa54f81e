-- Those of database $1 that are not of a session, nor of a migration that runs.
select slot_name as name, plugin, active, slot_name ~ '^whimbrel_[0-9a-f]{12}_' as ours
from pg_replication_slots
where slot_type = 'logical' and database = $1
  and not temporary -- since 10
  and (active is not true or slot_name !~ '^whimbrel_[0-9a-f]{12}_')
order by 1
