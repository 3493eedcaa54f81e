-- ?1: how often. All that is unique of a migration is in its columns and in its document.
with recursive copies(number) as (
    select 1
    union all
    select number + 1 from copies where number < ?1
)
insert into migration (uid, target_id, name, version, over, created_at, doc)
select 'past-' || number, target_id, 'past-' || number, version, over, created_at - number * 1000000,
       json_set(doc, '$.uid', 'past-' || number, '$.name', 'past-' || number)
from migration, copies
where name = 'first'
