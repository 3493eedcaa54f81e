-- Those of database $1 that are not ours, nor of a session.
select slot_name as name, plugin, active
from pg_replication_slots
where slot_type = 'logical' and database = $1
  and not temporary -- since 10
  and slot_name !~ '^whimbrel_[0-9a-f]{12}_'
order by 1
