-- Names and definitions with bytes beyond ASCII, and what they are of: as bytes, for a database that knows no encoding.
with ours as (
    select n.oid, n.nspname
    from pg_namespace n
    where n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel') and {schema n.nspname}
),
relations as (
    select c.oid, c.relname, c.relkind
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
      and c.relpersistence <> 't' and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')
      and {relation c.oid}
),
texts(class, oid, sub, text) as (
    select 'pg_namespace'::regclass::oid, oid, 0, nspname::text from ours
    union all select 'pg_class'::regclass, oid, 0, relname::text from relations
    union all select 'pg_class'::regclass, a.attrelid, a.attnum::int, a.attname::text
    from pg_attribute a join relations r on r.oid = a.attrelid where a.attnum > 0 and not a.attisdropped
    union all select 'pg_class'::regclass, d.adrelid, d.adnum::int, pg_get_expr(d.adbin, d.adrelid)
    from pg_attrdef d join relations r on r.oid = d.adrelid
    union all select 'pg_class'::regclass, oid, 0, pg_get_viewdef(oid) from relations where relkind in ('v', 'm')
    union all select 'pg_class'::regclass, i.indexrelid, 0, pg_get_indexdef(i.indexrelid)
    from pg_index i join relations r on r.oid = i.indrelid
    union all select 'pg_constraint'::regclass, k.oid, 0, k.conname || ' ' || pg_get_constraintdef(k.oid)
    from pg_constraint k join ours n on n.oid = k.connamespace
    where k.conrelid = 0 or k.conrelid in (select oid from relations)
    union all select 'pg_trigger'::regclass, t.oid, 0, pg_get_triggerdef(t.oid)
    from pg_trigger t join relations r on r.oid = t.tgrelid where not t.tgisinternal
    union all select 'pg_policy'::regclass, p.oid, 0,
        concat(p.polname, ' ', pg_get_expr(p.polqual, p.polrelid), ' ', pg_get_expr(p.polwithcheck, p.polrelid))
    from pg_policy p join relations r on r.oid = p.polrelid
    union all select 'pg_rewrite'::regclass, w.oid, 0, pg_get_ruledef(w.oid)
    from pg_rewrite w join relations r on r.oid = w.ev_class where w.rulename <> '_RETURN'
    union all select 'pg_proc'::regclass, p.oid, 0,
        concat(p.proname, ' ', array_to_string(p.proargnames, ' '), ' ', p.prosrc, ' ', pg_get_expr(p.proargdefaults, 0))
    from pg_proc p join ours n on n.oid = p.pronamespace
    union all select 'pg_type'::regclass, t.oid, 0, concat(t.typname, ' ', t.typdefault)
    from pg_type t join ours n on n.oid = t.typnamespace
    union all select 'pg_type'::regclass, e.enumtypid, 0, e.enumlabel::text
    from pg_enum e join pg_type t on t.oid = e.enumtypid join ours n on n.oid = t.typnamespace
    -- Those of relations that are not chosen do not come.
    union all select d.classoid, d.objoid, d.objsubid, d.description
    from pg_description d
    where (d.classoid, d.objoid) not in (select 'pg_class'::regclass, c.oid from pg_class c where c.oid not in (select oid from relations))
    union all select 'pg_database'::regclass, s.setdatabase, 0, array_to_string(s.setconfig, ' ')
    from pg_db_role_setting s join pg_database b on b.oid = s.setdatabase where b.datname = current_database()
)
select convert_to(pg_describe_object(class, oid, sub), 'SQL_ASCII'), convert_to(text, 'SQL_ASCII')
from texts
where octet_length(text) <> octet_length(regexp_replace(text, '[^\x01-\x7f]', '', 'g'))
order by 1
