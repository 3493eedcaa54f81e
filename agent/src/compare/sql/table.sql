, page as (
    select r.oid, r.name
    from given g cross join relations r
    where r.relkind in ('r', 'p', 'f') and r.name > g.after
    order by r.name
    limit (select page from given)
)
select p.name, array[
    'kind: ' || case c.relkind when 'r' then 'table' when 'p' then 'partitioned table' else 'foreign table' end,
    case when c.relpersistence = 'u' then 'persistence: unlogged' end,
    'owner: ' || pg_get_userbyid(c.relowner),
    'rights: ' || (select string_agg(a::text, ' ' order by a::text collate "C")
                   from unnest(coalesce(c.relacl, acldefault('r', c.relowner))) as a),
    'replica identity: ' || case c.relreplident when 'f' then 'full' when 'n' then 'nothing' when 'i' then 'index' end,
    case when c.relrowsecurity or c.relforcerowsecurity then
        'row security: ' || case when not c.relrowsecurity then 'off' else 'on' end
                         || case when c.relforcerowsecurity then ', forced' else '' end end,
    'options: ' || (select string_agg(o, ', ' order by o collate "C") from unnest(c.reloptions) as o),
    'options of TOAST: ' || (select string_agg(o, ', ' order by o collate "C")
                             from pg_class t cross join unnest(t.reloptions) as o where t.oid = c.reltoastrelid),
    'tablespace: ' || (select spcname from pg_tablespace where oid = c.reltablespace),
    'of type: ' || nullif(c.reloftype, 0)::regtype,
    'parents: ' || (select string_agg(i.inhparent::regclass::text, ', ' order by i.inhseqno)
                    from pg_inherits i where i.inhrelid = c.oid),
    'partition: ' || pg_get_expr(c.relpartbound, c.oid), -- since 10
    'partition key: ' || case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end, -- since 10
    'foreign server: ' || (select quote_ident(s.srvname) || coalesce(' ' || (select '{' || string_agg(o, ',' order by o collate "C") || '}' from unnest(f.ftoptions) as o), '')
                           from pg_foreign_table f join pg_foreign_server s on s.oid = f.ftserver
                           where f.ftrelid = c.oid),
    'columns: ' || case when not exists (select from pg_inherits i where i.inhrelid = c.oid) then (
        select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) end,
    'comment: ' || obj_description(c.oid, 'pg_class')
] || array(
    select format('column %I: ', a.attname) || concat_ws(' ',
        format_type(a.atttypid, a.atttypmod),
        'collate ' || (select quote_ident(ln.nspname) || '.' || quote_ident(l.collname)
                       from pg_collation l join pg_namespace ln on ln.oid = l.collnamespace
                       where l.oid = a.attcollation and a.attcollation <> t.typcollation),
        case when a.attnotnull then 'not null' end,
        case coalesce(to_jsonb(a) ->> 'attgenerated', '')
            when '' then 'default ' when 's' then 'generated stored as ' else 'generated virtual as ' end
            || pg_get_expr(d.adbin, d.adrelid),
        case a.attidentity when 'a' then 'identity always' when 'd' then 'identity by default' end, -- since 10
        case when a.attstorage <> t.typstorage then 'storage ' || a.attstorage::text end,
        'compression ' || nullif(to_jsonb(a) ->> 'attcompression', ''),
        'statistics ' || nullif(a.attstattarget, -1),
        'options ' || (select '{' || string_agg(o, ',' order by o collate "C") || '}' from unnest(a.attoptions) as o
                       -- A number that newer minor releases keep there for themselves.
                       where o not like 'pg\_attver=%'),
        'foreign options ' || (select '{' || string_agg(o, ',' order by o collate "C") || '}' from unnest(a.attfdwoptions) as o),
        'rights ' || (select string_agg(i::text, ' ' order by i::text collate "C") from unnest(a.attacl) as i),
        'comment ' || quote_literal(col_description(a.attrelid, a.attnum)))
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    order by a.attname
) as facts
from page p
join pg_class c on c.oid = p.oid
order by 1
