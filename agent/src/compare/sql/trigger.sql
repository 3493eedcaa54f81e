-- A partition's copy of its parent's trigger is left out.
, page as (
    select t.oid, (r.name || ' ' || quote_ident(t.tgname)) collate "C" as name
    from given g
    cross join relations r
    join pg_trigger t on t.tgrelid = r.oid
    where not t.tgisinternal and coalesce(to_jsonb(t) ->> 'tgparentid', '0') = '0'
      and (r.name || ' ' || quote_ident(t.tgname)) collate "C" > g.after
    order by 2
    limit (select page from given)
)
select p.name, array[
    'definition: ' || pg_get_triggerdef(p.oid),
    'enabled: ' || case t.tgenabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' end,
    'comment: ' || obj_description(p.oid, 'pg_trigger')
] as facts
from page p
join pg_trigger t on t.oid = p.oid
order by 1
