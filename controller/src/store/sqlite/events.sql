select sequence, at, database, kind, code, message, actor
from migration_event
where migration_uid = ?1 and sequence > ?2
order by sequence
limit ?3
