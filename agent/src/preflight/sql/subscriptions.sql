select s.subname as name, s.subenabled as enabled, array_to_json(s.subpublications) as publications
from pg_subscription s -- since 10
from (select null::name as subname, false as subenabled, null::text[] as subpublications, 0::oid as subdbid) s -- before 10
join pg_database d on d.oid = s.subdbid
where d.datname = current_database()
order by 1
