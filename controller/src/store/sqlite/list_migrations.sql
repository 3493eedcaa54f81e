select version, doc
from migration
where {chosen} (created_at, uid) < (?2, ?3)
order by created_at desc, uid desc
limit ?4
