-- What is evaluated while rows are loaded or what follows is made, with an empty search_path, and calls functions of ours:
-- indexes, CHECK constraints of tables and domains, generated columns, partition keys, materialized views. `query`
-- evaluates it once, over a row, or over one of nulls where there is none. `pathless`: those of its functions that set
-- no search_path; `extensions`: of such functions that are an extension's. `loaded_later`: what makes it wait until all rows are there.
with called as (
    select d.classid, d.objid,
           coalesce(json_agg(distinct p.oid::regprocedure::text) filter (where e.oid is null), '[]') as functions,
           json_agg(distinct p.oid::regprocedure::text) filter (where e.oid is null and not s.a_path) as pathless,
           json_agg(distinct e.extname) filter (where e.oid is not null and not s.a_path) as extensions
    from pg_depend d
    join pg_proc p on p.oid = d.refobjid
    join pg_language l on l.oid = p.prolang
    left join pg_depend m on m.classid = 'pg_proc'::regclass and m.objid = p.oid and m.deptype = 'e'
    left join pg_extension e on e.oid = m.refobjid
    cross join lateral (
        select exists (select from unnest(p.proconfig) s(setting) where s.setting like 'search\_path=%') as a_path
    ) s
    where d.refclassid = 'pg_proc'::regclass and p.oid >= 16384 and l.lanname not in ('c', 'internal')
      and d.classid in ('pg_class'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass, 'pg_rewrite'::regclass)
    group by 1, 2
),
expressions as (
    select 'index' as kind, format('index %s', i.indexrelid::regclass) as what, i.indrelid as rel, e.expression, c.functions,
           c.pathless, c.extensions, format('drop index %s;', i.indexrelid::regclass) as loaded_later
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
    select 'constraint', format('constraint %I of %s', k.conname, k.conrelid::regclass), k.conrelid,
           pg_get_expr(k.conbin, k.conrelid), c.functions, c.pathless, c.extensions,
           -- Where it was made: a child's goes with its parent's.
           case when k.convalidated then format('alter table %s drop constraint %I, add constraint %2$I %s not valid;', (
               with recursive up(oid, level) as (
                   select k.conrelid, 0
                   union all
                   select i.inhparent, u.level + 1
                   from up u
                   join pg_inherits i on i.inhrelid = u.oid
                   join pg_constraint p on p.conrelid = i.inhparent and p.conname = k.conname and p.contype = 'c'
               )
               select oid::regclass from up order by level desc limit 1
           ), k.conname, pg_get_constraintdef(k.oid)) end
    from called c
    join pg_constraint k on c.classid = 'pg_constraint'::regclass and k.oid = c.objid
    where k.contype = 'c' and k.conrelid <> 0
    union all
    select 'constraint', format('constraint %I of domain %s', k.conname, format_type(t.oid, null)), a.attrelid,
           format('%I::%s::%s', a.attname, format_type(t.typbasetype, t.typtypmod), format_type(t.oid, null)),
           c.functions, c.pathless, c.extensions,
           case when k.convalidated then format('alter domain %s drop constraint %I; alter domain %1$s add constraint %2$I %s not valid;',
                                                format_type(t.oid, null), k.conname, pg_get_constraintdef(k.oid)) end
    from called c
    join pg_constraint k on c.classid = 'pg_constraint'::regclass and k.oid = c.objid
    join pg_type t on t.oid = k.contypid
    cross join lateral (
        select a.attrelid, a.attname
        from pg_attribute a
        join pg_class r on r.oid = a.attrelid and r.relkind = 'r' and r.relpersistence <> 't' and {relation r.oid}
        where a.atttypid = t.oid and not a.attisdropped
        order by r.relpages desc
        limit 1
    ) a
    where k.contype = 'c'
    union all -- since 12
    select 'generated', format('generated column %I of %s', a.attname, a.attrelid::regclass), a.attrelid, -- since 12
           pg_get_expr(f.adbin, f.adrelid), c.functions, c.pathless, c.extensions, -- since 12
           format('alter table %s alter column %I drop expression;', a.attrelid::regclass, a.attname) -- since 12
    from called c -- since 12
    join pg_attrdef f on c.classid = 'pg_attrdef'::regclass and f.oid = c.objid -- since 12
    join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum and a.attgenerated <> '' -- since 12
    union all -- since 10
    select 'partition', format('partition key of %s', p.partrelid::regclass), p.partrelid, -- since 10
           pg_get_expr(p.partexprs, p.partrelid), c.functions, c.pathless, c.extensions, null -- since 10
    from called c -- since 10
    join pg_partitioned_table p on c.classid = 'pg_class'::regclass and p.partrelid = c.objid -- since 10
    where p.partexprs is not null -- since 10
)
select x.kind, x.what as object, x.rel::int8 as rel, x.functions, coalesce(x.pathless, '[]') as pathless,
       coalesce(x.extensions, '[]') as extensions, x.loaded_later,
       format('select count(row(%s)) from (select * from only %s union all select (null::%2$s).* limit 1) r', x.expression,
              x.rel::regclass) as query
from expressions x
join pg_class c on c.oid = x.rel
where c.relpersistence <> 't' and has_table_privilege(c.oid, 'SELECT') and {relation c.oid}
union all
select 'view', format('materialized view %s', v.oid::regclass), v.oid::int8, c.functions, coalesce(c.pathless, '[]'),
       coalesce(c.extensions, '[]'), null,
       format('select count(r) from (select * from (%s) q limit 1) r', rtrim(pg_get_viewdef(v.oid), ';'))
from called c
join pg_rewrite r on c.classid = 'pg_rewrite'::regclass and r.oid = c.objid
join pg_class v on v.oid = r.ev_class and v.relkind = 'm' and {relation v.oid}
order by 2
limit $1
