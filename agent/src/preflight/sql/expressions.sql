-- What is evaluated while rows are loaded or what follows is made, with an empty search_path, and calls functions of ours
-- that set none: indexes, CHECK constraints, generated columns, partition keys, materialized views. `query` evaluates it
-- once, over a row, or over one of nulls where there is none.
with called as (
    select d.classid, d.objid, json_agg(distinct p.oid::regprocedure::text) as functions
    from pg_depend d
    join pg_proc p on p.oid = d.refobjid
    join pg_language l on l.oid = p.prolang
    where d.refclassid = 'pg_proc'::regclass and p.oid >= 16384 and l.lanname not in ('c', 'internal')
      and d.classid in ('pg_class'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass, 'pg_rewrite'::regclass)
      and not exists (select from unnest(p.proconfig) s(setting) where s.setting like 'search\_path=%')
      and not exists (
          select from pg_depend e
          where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e'
      )
    group by 1, 2
),
expressions as (
    select format('index %s', i.indexrelid::regclass) as what, i.indrelid as rel, e.expression, c.functions
    from called c
    join pg_index i on c.classid = 'pg_class'::regclass and i.indexrelid = c.objid
    cross join lateral (
        select pg_get_indexdef(i.indexrelid, k.place::int, false) as expression
        from unnest(i.indkey) with ordinality k(attribute, place)
        where k.attribute = 0 and k.place <= i.indnatts
        union all
        select pg_get_expr(i.indpred, i.indrelid) where i.indpred is not null
    ) e
    union all
    select format('constraint %I of %s', k.conname, k.conrelid::regclass), k.conrelid, pg_get_expr(k.conbin, k.conrelid),
           c.functions
    from called c
    join pg_constraint k on c.classid = 'pg_constraint'::regclass and k.oid = c.objid
    where k.contype = 'c' and k.conrelid <> 0
    union all -- since 12
    select format('generated column %I of %s', a.attname, a.attrelid::regclass), a.attrelid, -- since 12
           pg_get_expr(f.adbin, f.adrelid), c.functions -- since 12
    from called c -- since 12
    join pg_attrdef f on c.classid = 'pg_attrdef'::regclass and f.oid = c.objid -- since 12
    join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum and a.attgenerated <> '' -- since 12
    union all -- since 10
    select format('partition key of %s', p.partrelid::regclass), p.partrelid, pg_get_expr(p.partexprs, p.partrelid), -- since 10
           c.functions -- since 10
    from called c -- since 10
    join pg_partitioned_table p on c.classid = 'pg_class'::regclass and p.partrelid = c.objid -- since 10
    where p.partexprs is not null -- since 10
)
select x.what as object, x.functions,
       format('select count(row(%s)) from (select * from only %s union all select (null::%2$s).* limit 1) r', x.expression,
              x.rel::regclass) as query
from expressions x
join pg_class c on c.oid = x.rel
where c.relpersistence <> 't' and has_table_privilege(c.oid, 'SELECT')
union all
select format('materialized view %s', v.oid::regclass), c.functions,
       format('select count(r) from (select * from (%s) q limit 1) r', rtrim(pg_get_viewdef(v.oid), ';'))
from called c
join pg_rewrite r on c.classid = 'pg_rewrite'::regclass and r.oid = c.objid
join pg_class v on v.oid = r.ev_class and v.relkind = 'm'
order by 1
limit $1
