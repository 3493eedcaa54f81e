-- Entries that were made; the largest point; whether a table is held, or waits for its rows.
select coalesce((select array_agg(dump_id) from whimbrel.entry), '{}'),
       max(point),
       bool_or(held is not null or point is null)
from whimbrel.relation
having count(*) > 0
union all
select '{}', null, true
where not exists (select from whimbrel.relation);
