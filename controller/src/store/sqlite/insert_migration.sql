insert into migration (uid, target_id, name, version, over, created_at, doc)
values (?1, ?2, ?3, 1, ?4, ?5, ?6)
