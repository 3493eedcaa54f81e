, page as (
    select y.oid, (r.name || ' ' || quote_ident(y.polname)) collate "C" as name
    from given g
    cross join relations r
    join pg_policy y on y.polrelid = r.oid
    where (r.name || ' ' || quote_ident(y.polname)) collate "C" > g.after
    order by 2
    limit (select page from given)
)
select p.name, array[
    'command: ' || y.polcmd::text,
    case when not y.polpermissive then 'permissive: no' end, -- since 10
    'roles: ' || (select string_agg(case o when 0 then 'public' else quote_ident(pg_get_userbyid(o)) end, ', '
                                    order by pg_get_userbyid(o))
                  from unnest(y.polroles) as o),
    'using: ' || pg_get_expr(y.polqual, y.polrelid),
    'with check: ' || pg_get_expr(y.polwithcheck, y.polrelid),
    'comment: ' || obj_description(p.oid, 'pg_policy')
] as facts
from page p
join pg_policy y on y.oid = p.oid
order by 1
