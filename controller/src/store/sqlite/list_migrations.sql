select version, doc
from migration
where (?1 is null or target_id = ?1)
  and (not ?2 or over = 0)
  and (created_at, uid) < (?3, ?4)
order by created_at desc, uid desc
limit ?5
