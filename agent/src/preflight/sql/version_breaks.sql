-- What a later major version no longer takes, each with what mends it here. `kind` is read by target/version_breaks.rs,
-- which knows the version. What no target has is another check's (removed_features). Extensions bring their own.
with made(kind, class, oid, object, remedy) as (
    select 'postfix', 'pg_operator'::regclass::oid, o.oid,
           format('%I.%s (%s, none)', n.nspname, o.oprname, format_type(o.oprleft, null)),
           format('drop operator %I.%s (%s, none);', n.nspname, o.oprname, format_type(o.oprleft, null))
    from pg_operator o
    join pg_namespace n on n.oid = o.oprnamespace
    where o.oprright = 0 and o.oprcode <> 0
    union all
    select 'polymorphic', 'pg_aggregate'::regclass, a.aggfnoid::oid, a.aggfnoid::regprocedure::text,
           format('drop aggregate %s;', a.aggfnoid::regprocedure)
    from pg_aggregate a
    join pg_proc t on t.oid in (a.aggtransfn, a.aggfinalfn)
    where a.aggfnoid::oid >= 16384 and t.oid < 16384 and a.aggtranstype in ('anyarray'::regtype, 'anyelement'::regtype)
      and t.proname in ('array_append', 'array_prepend', 'array_cat', 'array_position', 'array_positions', 'array_remove',
                        'array_replace', 'width_bucket')
    union all
    select 'polymorphic', 'pg_operator'::regclass, o.oid,
           format('%I.%s (%s, %s)', n.nspname, o.oprname, format_type(o.oprleft, null), format_type(o.oprright, null)),
           format('drop operator %I.%s (%s, %s);', n.nspname, o.oprname, format_type(o.oprleft, null),
                  format_type(o.oprright, null))
    from pg_operator o
    join pg_namespace n on n.oid = o.oprnamespace
    join pg_proc p on p.oid = o.oprcode
    where p.oid < 16384 and o.oprleft in ('anyarray'::regtype, 'anyelement'::regtype)
      and p.proname in ('array_append', 'array_prepend', 'array_cat', 'array_position', 'array_positions', 'array_remove',
                        'array_replace', 'width_bucket')
    union all
    select 'conversion', 'pg_conversion'::regclass, c.oid, format('%I.%I', n.nspname, c.conname),
           format('drop conversion %I.%I;', n.nspname, c.conname)
    from pg_conversion c
    join pg_namespace n on n.oid = c.connamespace
    union all
    -- From 18 on, what is NOT NULL in the parent must be in the child.
    select 'not_null', 'pg_class'::regclass, c.oid, format('%I.%I.%I', n.nspname, c.relname, a.attname),
           format('alter table %I.%I alter column %I set not null;', n.nspname, c.relname, a.attname)
    from pg_inherits i
    join pg_attribute p on p.attrelid = i.inhparent and p.attnum > 0 and not p.attisdropped and p.attnotnull
    join pg_attribute a on a.attrelid = i.inhrelid and a.attname = p.attname and not a.attnotnull
    join pg_class c on c.oid = i.inhrelid and c.relkind in ('r', 'p') and c.relpersistence <> 't'
    join pg_namespace n on n.oid = c.relnamespace
    union all
    -- From 17 on, a partition's identity is its parent's.
    select 'identity', 'pg_class'::regclass, c.oid, format('%I.%I.%I', n.nspname, c.relname, a.attname),
           format('alter table %I.%I alter column %I drop identity; -- an INSERT straight into the partition has to name its value from then on',
                  n.nspname, c.relname, a.attname)
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attidentity <> ''
    join pg_namespace n on n.oid = c.relnamespace
    where c.relispartition
    union all -- since 12
    -- From 16 on, a column can be generated in the child only if it is in the parent. -- since 12
    select 'generated', 'pg_class'::regclass, c.oid, format('%I.%I.%I', n.nspname, c.relname, a.attname), -- since 12
           case when c.relispartition -- since 12
                then format('alter table %2$s detach partition %1$s; alter table %1$s alter column %3$I drop expression; alter table %2$s attach partition %1$s %4$s;', -- since 12
                            format('%I.%I', n.nspname, c.relname), format('%I.%I', pn.nspname, pc.relname), a.attname, -- since 12
                            pg_get_expr(c.relpartbound, c.oid)) -- since 12
                else format('alter table %1$s no inherit %2$s; alter table %1$s alter column %3$I drop expression; alter table %1$s inherit %2$s;', -- since 12
                            format('%I.%I', n.nspname, c.relname), format('%I.%I', pn.nspname, pc.relname), a.attname) end -- since 12
    from pg_inherits i -- since 12
    join pg_attribute p on p.attrelid = i.inhparent and p.attnum > 0 and not p.attisdropped and p.attgenerated = '' -- since 12
    join pg_attribute a on a.attrelid = i.inhrelid and a.attname = p.attname and a.attgenerated <> '' -- since 12
    join pg_class c on c.oid = i.inhrelid and c.relkind in ('r', 'p') and c.relpersistence <> 't' -- since 12
    join pg_namespace n on n.oid = c.relnamespace -- since 12
    join pg_class pc on pc.oid = i.inhparent -- since 12
    join pg_namespace pn on pn.oid = pc.relnamespace -- since 12
)
select kind, object, remedy
from made m
where m.oid >= 16384 and case m.class
          when 'pg_class'::regclass then {relation m.oid}
          when 'pg_operator'::regclass then {schema (select n.nspname from pg_operator o join pg_namespace n on n.oid = o.oprnamespace where o.oid = m.oid)}
          when 'pg_aggregate'::regclass then {schema (select n.nspname from pg_proc p join pg_namespace n on n.oid = p.pronamespace where p.oid = m.oid)}
          else {schema (select n.nspname from pg_conversion c join pg_namespace n on n.oid = c.connamespace where c.oid = m.oid)}
      end
  and not exists (
      select from pg_depend d
      where d.objid = m.oid and d.deptype = 'e'
        and d.classid = case m.class when 'pg_aggregate'::regclass then 'pg_proc'::regclass else m.class end
  )
order by 1, 2
limit 1000
