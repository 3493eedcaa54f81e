-- Of the roles $1, of which $2 own something: are they here, and have we the right $3 in those that own?
select w.name, r.oid is not null as exists,
       w.name <> all ($2::text[]) or coalesce(pg_has_role(r.oid, $3), false) as granted
from unnest($1::text[]) w(name)
left join pg_roles r on r.rolname = w.name
order by w.name
