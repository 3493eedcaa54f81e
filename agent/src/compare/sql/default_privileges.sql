, page as (
    select d.oid, format('%I in %s: %s', pg_get_userbyid(d.defaclrole),
                         coalesce((select quote_ident(n.nspname) from pg_namespace n where n.oid = d.defaclnamespace),
                                  'every schema'), d.defaclobjtype) collate "C" as name
    from given g cross join pg_default_acl d
    where d.defaclnamespace = 0 or d.defaclnamespace in (select oid from schemas)
)
select p.name, array[
    'rights: ' || (select string_agg(a::text, ' ' order by a::text collate "C") from unnest(d.defaclacl) as a)
] as facts
from given g
cross join page p
join pg_default_acl d on d.oid = p.oid
where p.name > g.after
order by 1
limit (select page from given)
