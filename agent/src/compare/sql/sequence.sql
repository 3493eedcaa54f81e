, page as (
    select r.oid, r.name
    from given g cross join relations r
    where r.relkind = 'S' and r.name > g.after
    order by r.name
    limit (select page from given)
)
select p.name, array[
    'type: ' || format_type(s.seqtypid, null), -- since 10
    'type: bigint', -- before 10
    format('values: start %s, increment %s, minimum %s, maximum %s%s', s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
           case when s.seqcycle then ', cycle' else '' end),
    -- Before 10 it is in the sequence itself.
    case when (select common from given) >= 100000 then 'cache: ' || s.seqcache end, -- since 10
    'owned by: ' || (select d.refobjid::regclass || '.' || quote_ident(a.attname)
                     from pg_depend d
                     join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
                     where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
                       and d.refclassid = 'pg_class'::regclass
                     limit 1),
    'owner: ' || pg_get_userbyid(c.relowner),
    'rights: ' || (select string_agg(a::text, ' ' order by a::text collate "C")
                   from unnest(coalesce(c.relacl, acldefault('s', c.relowner))) as a),
    case when c.relpersistence = 'u' then 'persistence: unlogged' end,
    'comment: ' || obj_description(c.oid, 'pg_class')
] as facts
from page p
join pg_class c on c.oid = p.oid
join pg_sequence s on s.seqrelid = p.oid -- since 10
cross join lateral pg_sequence_parameters(p.oid) as s(seqstart, seqmin, seqmax, seqincrement, seqcycle) -- before 10
order by 1
