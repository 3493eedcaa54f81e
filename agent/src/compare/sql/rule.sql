, page as (
    select w.oid, (r.name || ' ' || quote_ident(w.rulename)) collate "C" as name
    from given g
    cross join relations r
    join pg_rewrite w on w.ev_class = r.oid
    where w.rulename <> '_RETURN' and (r.name || ' ' || quote_ident(w.rulename)) collate "C" > g.after
    order by 2
    limit (select page from given)
)
select p.name, array[
    'definition: ' || pg_get_ruledef(p.oid),
    'enabled: ' || case w.ev_enabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' end,
    'comment: ' || obj_description(p.oid, 'pg_rewrite')
] as facts
from page p
join pg_rewrite w on w.oid = p.oid
order by 1
