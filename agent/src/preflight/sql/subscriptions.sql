select s.subname as name, s.subenabled as enabled, array_to_json(s.subpublications) as publications
from pg_subscription s
join pg_database d on d.oid = s.subdbid
where d.datname = current_database()
order by 1
