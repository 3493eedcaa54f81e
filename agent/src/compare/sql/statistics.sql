, page as (
    select s.oid, (quote_ident(n.nspname) || '.' || quote_ident(s.stxname)) collate "C" as name
    from given g
    cross join relations r
    join pg_statistic_ext s on s.stxrelid = r.oid
    join pg_namespace n on n.oid = s.stxnamespace
    where (quote_ident(n.nspname) || '.' || quote_ident(s.stxname)) collate "C" > g.after
    order by 2
    limit (select page from given)
)
select p.name, array[
    'definition: ' || pg_get_statisticsobjdef(p.oid),
    'owner: ' || pg_get_userbyid(s.stxowner),
    'target: ' || nullif(to_jsonb(s) ->> 'stxstattarget', '-1'),
    'comment: ' || obj_description(p.oid, 'pg_statistic_ext')
] as facts
from page p
join pg_statistic_ext s on s.oid = p.oid
order by 1
