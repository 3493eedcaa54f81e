-- Not-null constraints are columns' facts (18 has them here too); a partition's share of a foreign key is its parent's.
, page as (
    select k.oid, (r.name || ' ' || quote_ident(k.conname)) collate "C" as name
    from given g
    cross join relations r
    join pg_constraint k on k.conrelid = r.oid
    where k.contype not in ('n', 't') and (k.contype <> 'f' or {relation k.confrelid})
      and not (k.contype = 'f' and coalesce(to_jsonb(k) ->> 'conparentid', '0') <> '0')
      and (r.name || ' ' || quote_ident(k.conname)) collate "C" > g.after
    order by 2
    limit (select page from given)
)
select p.name, array[
    'definition: ' || pg_get_constraintdef(p.oid),
    'comment: ' || obj_description(p.oid, 'pg_constraint')
] as facts
from page p
order by 1
