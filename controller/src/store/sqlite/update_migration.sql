update migration
set version = version + 1, doc = ?1, over = ?2
where uid = ?3 and version = ?4
