, page as (
    select e.oid, quote_ident(e.extname) collate "C" as name
    from given g cross join pg_extension e
    where quote_ident(e.extname) collate "C" > g.after
    order by 2
    limit (select page from given)
)
select p.name, array['schema: ' || n.nspname, 'version: ' || e.extversion] as facts
from page p
join pg_extension e on e.oid = p.oid
join pg_namespace n on n.oid = e.extnamespace
order by 1
