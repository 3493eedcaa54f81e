insert into migration_event (migration_uid, sequence, at, database, kind, code, message, actor)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
