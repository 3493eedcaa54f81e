select o.name, o.owner,
       coalesce(array_agg(r.statement order by r.statement) filter (where r.statement is not null), '{}')
from (select distinct name, quote_ident(pg_get_userbyid(owner)) as owner from objects) o
left join rights r on r.name = o.name
group by 1, 2
order by 1
limit $1
