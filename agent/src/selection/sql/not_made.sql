-- What pg_dump writes though it stands on something that was left out, as class and OID: foreign keys that refer to such a
-- table, extended statistics of one.
select 'pg_constraint'::regclass::oid, k.oid
from pg_constraint k
where k.contype = 'f' and {relation k.conrelid} and not {relation k.confrelid}
union all
select 'pg_statistic_ext'::regclass::oid, s.oid from pg_statistic_ext s -- since 10
select 0::oid, s.oid from (select 0::oid as oid, 0::oid as stxrelid where false) s -- before 10
where not {relation s.stxrelid}
