, page as (
    select t.oid, (quote_ident(n.nspname) || '.' || quote_ident(t.typname)) collate "C" as name
    from given g
    cross join schemas n
    join pg_type t on t.typnamespace = n.oid
    where (t.typtype in ('d', 'e', 'r') or t.typtype = 'b' and not exists (select from pg_type e where e.typarray = t.oid)
           or t.typtype = 'c' and exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c'))
      and not exists (select from members m where m.classid = 'pg_type'::regclass and m.objid = t.oid)
      and (quote_ident(n.nspname) || '.' || quote_ident(t.typname)) collate "C" > g.after
    order by 2
    limit (select page from given)
)
select p.name, array[
    'kind: ' || case t.typtype when 'd' then 'domain' when 'e' then 'enum' when 'r' then 'range' when 'c' then 'composite'
                else 'base type' end,
    'owner: ' || pg_get_userbyid(t.typowner),
    'rights: ' || (select string_agg(a::text, ' ' order by a::text collate "C")
                   from unnest(coalesce(t.typacl, acldefault('T', t.typowner))) as a),
    'labels: ' || (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
                   from pg_enum e where e.enumtypid = t.oid),
    'base: ' || case when t.typtype = 'd' then concat_ws(' ', format_type(t.typbasetype, t.typtypmod),
        case when t.typnotnull then 'not null' end, 'default ' || coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault),
        'collate ' || (select l.collname from pg_collation l join pg_type b on b.oid = t.typbasetype
                       where l.oid = t.typcollation and t.typcollation <> b.typcollation)) end,
    'constraints: ' || (select string_agg(quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid), ', '
                                          order by k.conname)
                        from pg_constraint k where k.contypid = t.oid and k.contype = 'c'),
    'attributes: ' || case when t.typtype = 'c' then (
        select string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', ' order by a.attnum)
        from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) end,
    'range of: ' || (select concat_ws(' ', format_type(r.rngsubtype, null), nullif(r.rngcanonical::oid, 0)::regproc,
                                      nullif(r.rngsubdiff::oid, 0)::regproc)
                     from pg_range r where r.rngtypid = t.oid),
    'functions: ' || case when t.typtype = 'b' then
        concat_ws(' ', t.typinput, t.typoutput, nullif(t.typreceive::oid, 0)::regproc, nullif(t.typsend::oid, 0)::regproc,
                  t.typlen, t.typbyval, t.typalign, t.typstorage) end,
    'comment: ' || obj_description(t.oid, 'pg_type')
] as facts
from page p
join pg_type t on t.oid = p.oid
order by 1
