-- In database $1; where it is empty, in every database that is not among $2.
select gid, owner, database, greatest(extract(epoch from now() - prepared), 0)::int8 as seconds
from pg_prepared_xacts
where database = $1 or $1 = '' and database <> all ($2::text[])
order by prepared
