, page as (
    select n.oid, quote_ident(n.nspname) collate "C" as name
    from given g cross join schemas n
    where quote_ident(n.nspname) collate "C" > g.after
      and not exists (select from members m where m.classid = 'pg_namespace'::regclass and m.objid = n.oid)
    order by 2
    limit (select page from given)
)
-- What everybody may do in schema public, and whose it is, became another default with 15.
select p.name, array[
    case when n.nspname <> 'public' or g.common >= 150000 then 'owner: ' || pg_get_userbyid(n.nspowner) end,
    case when n.nspname <> 'public' or g.common >= 150000 then
        'rights: ' || (select string_agg(a::text, ' ' order by a::text collate "C")
                       from unnest(coalesce(n.nspacl, acldefault('n', n.nspowner))) as a) end,
    'comment: ' || obj_description(n.oid, 'pg_namespace')
] as facts
from given g cross join page p join pg_namespace n on n.oid = p.oid
order by 1
