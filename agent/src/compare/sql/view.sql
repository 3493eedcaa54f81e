, page as (
    select r.oid, r.name
    from given g cross join relations r
    where r.relkind in ('v', 'm') and r.name > g.after
    order by r.name
    limit (select page from given)
)
select p.name, array[
    'kind: ' || case c.relkind when 'v' then 'view' else 'materialized view' end,
    'definition: ' || pg_get_viewdef(c.oid),
    'owner: ' || pg_get_userbyid(c.relowner),
    'rights: ' || (select string_agg(a::text, ' ' order by a::text collate "C")
                   from unnest(coalesce(c.relacl, acldefault('r', c.relowner))) as a),
    'options: ' || (select string_agg(o, ', ' order by o collate "C") from unnest(c.reloptions) as o),
    case when not c.relispopulated then 'populated: no' end,
    'tablespace: ' || (select spcname from pg_tablespace where oid = c.reltablespace),
    'columns: ' || (select string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
                                                'default ' || pg_get_expr(d.adbin, d.adrelid),
                                                'rights ' || a.attacl::text,
                                                'comment ' || quote_literal(col_description(a.attrelid, a.attnum))),
                                      ', ' order by a.attnum)
                    from pg_attribute a
                    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
                    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
    'comment: ' || obj_description(c.oid, 'pg_class')
] as facts
from page p
join pg_class c on c.oid = p.oid
order by 1
