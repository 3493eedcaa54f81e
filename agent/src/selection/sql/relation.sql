-- Whether a relation is chosen. A partition goes with the table that it is a part of, a sequence with the column that owns
-- it, an index with its table: the name that counts is that of what stands at the top.
exists (
    with recursive up(oid, height) as (
        select ({relation})::oid, 0
        union all
        select p.oid, u.height + 1
        from up u
        cross join lateral (
            select i.inhparent as oid -- since 10
            from pg_inherits i join pg_class k on k.oid = i.inhrelid -- since 10
            where i.inhrelid = u.oid and k.relispartition and k.relkind not in ('i', 'I') -- since 10
            union all -- since 10
            select i.indrelid from pg_index i where i.indexrelid = u.oid
            union all
            select d.refobjid
            from pg_depend d join pg_class k on k.oid = d.objid
            where d.classid = 'pg_class'::regclass and d.objid = u.oid and k.relkind = 'S'
              and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0 and d.deptype in ('a', 'i')
        ) p
    )
    select from (select oid from up order by height desc limit 1) top
    join pg_class tc on tc.oid = top.oid
    join pg_namespace tn on tn.oid = tc.relnamespace
    where {names}
)
