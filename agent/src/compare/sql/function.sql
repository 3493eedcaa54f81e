, page as (
    select f.oid, (quote_ident(n.nspname) || '.' || quote_ident(f.proname) || '(' || i.arguments || ')') collate "C" as name
    from given g
    cross join schemas n
    join pg_proc f on f.pronamespace = n.oid
    -- A procedure's arguments begin with IN from 14 on; json is a type of SQL's own, without quotes, from 16 on.
    cross join lateral (
        select replace(regexp_replace(pg_get_function_identity_arguments(f.oid), '(^|, )IN ', '\1', 'g'), '"json"', 'json')
            as arguments
    ) i
    where not exists (select from members m where m.classid = 'pg_proc'::regclass and m.objid = f.oid)
      -- A range type's constructors come with it.
      and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = f.oid
                      and d.deptype = 'i' and d.refclassid = 'pg_type'::regclass)
      and (quote_ident(n.nspname) || '.' || quote_ident(f.proname) || '(' || i.arguments || ')') collate "C" > g.after
    order by 2
    limit (select page from given)
)
select p.name, array[
    'definition: ' || case when a.aggfnoid is null
        then replace(pg_get_functiondef(p.oid), '(' || pg_get_function_arguments(p.oid) || ')',
                     '(' || regexp_replace(pg_get_function_arguments(p.oid), '(^|, )IN ', '\1', 'g') || ')')
        else format_type(f.prorettype, null) || ' ' || format_type(a.aggtranstype, null) || ' '
             || (to_jsonb(a) - 'aggfnoid' - 'aggtranstype' - 'aggmtranstype' - 'aggsortop'
                 -- Since 11.
                 - case when (select common from given) < 110000 then 'aggfinalmodify' else '' end
                 - case when (select common from given) < 110000 then 'aggmfinalmodify' else '' end)::text end,
    'owner: ' || pg_get_userbyid(f.proowner),
    'rights: ' || (select string_agg(i::text, ' ' order by i::text collate "C")
                   from unnest(coalesce(f.proacl, acldefault('f', f.proowner))) as i),
    'comment: ' || obj_description(p.oid, 'pg_proc')
] as facts
from page p
join pg_proc f on f.oid = p.oid
left join pg_aggregate a on a.aggfnoid = p.oid
order by 1
