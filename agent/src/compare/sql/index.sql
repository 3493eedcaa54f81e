, page as (
    select i.indexrelid as oid, (quote_ident(n.nspname) || '.' || quote_ident(x.relname)) collate "C" as name
    from given g
    cross join relations r
    join pg_index i on i.indrelid = r.oid
    join pg_class x on x.oid = i.indexrelid
    join ours n on n.oid = x.relnamespace
    where (quote_ident(n.nspname) || '.' || quote_ident(x.relname)) collate "C" > g.after
    order by 2
    limit (select page from given)
)
select p.name, array[
    'definition: ' || pg_get_indexdef(p.oid),
    case when not i.indisvalid then 'valid: no' end,
    case when i.indisclustered then 'clustered on: yes' end,
    case when i.indisreplident then 'replica identity: yes' end,
    'part of: ' || (select h.inhparent::regclass::text from pg_inherits h where h.inhrelid = p.oid),
    'tablespace: ' || (select spcname from pg_tablespace where oid = x.reltablespace),
    'statistics: ' || (select string_agg(a.attnum || '=' || a.attstattarget, ' ' order by a.attnum)
                       from pg_attribute a where a.attrelid = p.oid and a.attstattarget >= 0),
    'comment: ' || obj_description(p.oid, 'pg_class')
] as facts
from page p
join pg_index i on i.indexrelid = p.oid
join pg_class x on x.oid = p.oid
order by 1
