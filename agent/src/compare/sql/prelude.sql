-- Before every kind's own query, which begins with `, page as (...`: what was asked, and what is the databases' users' own and
-- is moved.
-- `given.after`/`given.page`: the page. Texts that hold names are compared byte by byte, so that both sides have one order.
with given as (
    select $1::text collate "C" as after, $2::int8 as page, $3::int8 as common,
           $4::text[] as include_schemas, $5::text[] as exclude_schemas,
           $6::text[] as include_tables, $7::text[] as exclude_tables
),
ours as (
    select n.oid, n.nspname, n.nspowner, n.nspacl, n.nspname::text collate "C" as plain
    from pg_namespace n
    where n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
),
-- Members of extensions come with their extension.
members as (
    select classid, objid from pg_depend where deptype = 'e'
),
relations as (
    select c.oid, (quote_ident(n.nspname) || '.' || quote_ident(c.relname)) collate "C" as name, c.relkind
    from given g
    cross join pg_class c
    join ours n on n.oid = c.relnamespace
    where c.relpersistence <> 't' and {relation c.oid}
      and not exists (select from members m where m.classid = 'pg_class'::regclass and m.objid = c.oid)
      and (cardinality(g.include_schemas) = 0 and cardinality(g.include_tables) = 0
           or n.plain ~ any (g.include_schemas)
           or (n.nspname || chr(1) || c.relname) collate "C" ~ any (g.include_tables))
      and not n.plain ~ any (g.exclude_schemas)
      and not (n.nspname || chr(1) || c.relname) collate "C" ~ any (g.exclude_tables)
),
schemas as (
    select n.*
    from given g
    cross join ours n
    where {schema n.nspname}
      and (cardinality(g.include_schemas) = 0 and cardinality(g.include_tables) = 0 or n.plain ~ any (g.include_schemas))
      and not n.plain ~ any (g.exclude_schemas)
)
