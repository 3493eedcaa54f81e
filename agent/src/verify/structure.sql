-- What is known of objects, each as one JSON document (wire::Structure), parents before what hangs on them. `touched`
-- (place, class, oid) stands in front of it: objects, or parts of them (an index is told with its table). Of relations those
-- that are chosen, and those whose changes flow already: a table that is renamed out of what is chosen is told once more.
named as (
    select t.place,
           case when i.indrelid is not null or k.conrelid <> 0 or d.adrelid is not null or y.typrelid <> 0 or w.oid is not null
                then 'pg_class'::regclass::oid when k.contypid <> 0 then 'pg_type'::regclass::oid else t.class end as class,
           coalesce(i.indrelid, nullif(k.conrelid, 0), nullif(k.contypid, 0), d.adrelid, nullif(y.typrelid, 0), w.ev_class, t.oid) as oid
    from touched t
    left join pg_index i on t.class = 'pg_class'::regclass and i.indexrelid = t.oid
    left join pg_constraint k on t.class = 'pg_constraint'::regclass and k.oid = t.oid
    left join pg_attrdef d on t.class = 'pg_attrdef'::regclass and d.oid = t.oid
    -- pg_class has no index on reltype.
    left join pg_type y on t.class = 'pg_type'::regclass and y.oid = t.oid
    -- What a view selects; before 16 it can make a view of a table.
    left join pg_rewrite w on t.class = 'pg_rewrite'::regclass and w.oid = t.oid and w.ev_type = '1'
),
family(place, class, oid, depth) as (
    select n.place, n.class, n.oid, 0 from named n
    union all
    -- What a parent is altered in, its children are; what a composite type is, the tables made of it.
    select f.place, f.class, h.oid, f.depth + 1
    from family f
    cross join lateral (
        select i.inhrelid as oid from pg_inherits i where i.inhparent = f.oid
        union all
        select d.objid
        from pg_class y
        join pg_depend d on d.refclassid = 'pg_type'::regclass and d.refobjid = y.reltype and d.classid = 'pg_class'::regclass
        join pg_class o on o.oid = d.objid and o.reloftype = y.reltype
        where y.oid = f.oid and y.relkind = 'c' and d.objsubid = 0
    ) h
    join pg_class c on c.oid = h.oid and c.relkind in ('r', 'p', 'f')
    where f.class = 'pg_class'::regclass
),
units as (
    select class, oid, min(place) as place, max(depth) as depth from family group by class, oid
),
{columns}
ours as (
    select n.oid, n.nspname, n.nspowner
    from pg_namespace n
    where n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')
),
relations as (
    select u.place, u.depth, c.*, n.nspname -- since 12
    select u.place, u.depth, c.oid, c.*, n.nspname -- before 12
    from units u
    join pg_class c on c.oid = u.oid and c.relpersistence <> 't'
    join ours n on n.oid = c.relnamespace
    where u.class = 'pg_class'::regclass
      and ({relation c.oid} or {followed})
      and not exists (select from pg_depend d where d.classid = u.class and d.objid = u.oid and d.deptype = 'e')
),
schemas as (
    select n.oid, n.nspname, n.nspowner from ours n where {schema n.nspname}
),
documents as (
    select c.place, c.depth, jsonb_build_object(
        'kind', 'relation', 'class', 'pg_class'::regclass::oid::int8, 'oid', c.oid::int8, 'schema', c.nspname, 'name', c.relname,
        'relkind', c.relkind, 'persistence', c.relpersistence, 'owner', pg_get_userbyid(c.relowner),
        'file', pg_relation_filenode(c.oid)::int8,
        'options', to_jsonb(coalesce(c.reloptions, '{}') || array(
            select 'toast.' || o from pg_class toast cross join unnest(toast.reloptions) o where toast.oid = c.reltoastrelid)),
        'tablespace', (select t.spcname from pg_tablespace t where t.oid = c.reltablespace),
        'access_method', (select m.amname from pg_am m where m.oid = c.relam and m.amname <> 'heap'),
        'definition', case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end,
        -- What the text is made of. The server makes it of what is committed by then, whatever the snapshot: of this it tells whether
        -- the text is of the same moment as the rest.
        'rule', case when c.relkind = 'v' then (
            select md5(r.ev_action::text) from pg_rewrite r where r.ev_class = c.oid and r.ev_type = '1') end,
        'of_type', case when c.reloftype <> 0 then format_type(c.reloftype, null) end,
        'partition_key', case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end,
        'bound', pg_get_expr(c.relpartbound, c.oid),
        'parents', coalesce((
            select jsonb_agg(jsonb_build_object('oid', p.oid::int8, 'schema', pn.nspname, 'name', p.relname) order by h.inhseqno)
            from pg_inherits h join pg_class p on p.oid = h.inhparent join pg_namespace pn on pn.oid = p.relnamespace
            where h.inhrelid = c.oid), '[]'),
        'children', coalesce((select jsonb_agg(h.inhrelid::int8 order by h.inhrelid) from pg_inherits h where h.inhparent = c.oid), '[]'),
        'identity', c.relreplident,
        'identity_index', (select x.relname from pg_index i join pg_class x on x.oid = i.indexrelid
                           where i.indrelid = c.oid and i.indisreplident),
        'keyed', exists (
            select from pg_index i
            where i.indrelid = c.oid and i.indisvalid and i.indimmediate
              and (c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident)),
        'numbers', c.relnatts,
        'columns', coalesce((
            select jsonb_agg(jsonb_build_object(
                'num', a.attnum, 'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
                'type_oid', a.atttypid::int8, 'typmod', a.atttypmod,
                'collation', case when a.attcollation <> f.typcollation then quote_ident(ln.nspname) || '.' || quote_ident(l.collname) end,
                'not_null', a.attnotnull,
                'not_null_oid', coalesce(kept.oid::int8, 0), -- since 18
                'not_null_name', kept.conname, -- since 18
                'not_null_alone', coalesce(kept.connoinherit, false), -- since 18
                'not_null_local', coalesce(kept.conislocal, false), -- since 18
                'not_null_inherited', coalesce(kept.coninhcount > 0, false), -- since 18
                'not_null_unproven', not coalesce(kept.convalidated, true), -- since 18
                'default', pg_get_expr(d.adbin, d.adrelid),
                'missing', case when a.atthasmissing then (a.attmissingval::text::text[])[1] end, -- since 11
                'missing', null, -- before 11
                'identity', a.attidentity,
                'generated', a.attgenerated, -- since 12
                'generated', '', -- before 12
                'sequence', case when a.attidentity <> '' then (
                    select format('sequence name %I.%I start with %s increment by %s minvalue %s maxvalue %s cache %s %s',
                                  sn.nspname, sc.relname, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
                                  case when s.seqcycle then 'cycle' else 'no cycle' end
                                  || case when sc.relpersistence = c.relpersistence then '' -- since 15
                                          when sc.relpersistence = 'u' then ' unlogged' else ' logged' end -- since 15
                                 )
                    from pg_depend o join pg_sequence s on s.seqrelid = o.objid join pg_class sc on sc.oid = o.objid
                    join pg_namespace sn on sn.oid = sc.relnamespace
                    where o.classid = 'pg_class'::regclass and o.refclassid = 'pg_class'::regclass and o.refobjid = c.oid
                      and o.refobjsubid = a.attnum and o.deptype = 'i') end,
                'storage', case when a.attstorage <> f.typstorage then a.attstorage end, 'statistics', coalesce(a.attstattarget, -1),
                'inherited', a.attinhcount > 0, 'local', a.attislocal) order by a.attnum)
            from pg_attribute a
            join facts f on f.type = a.atttypid
            left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            left join pg_collation l on l.oid = a.attcollation
            left join pg_namespace ln on ln.oid = l.collnamespace
            left join pg_constraint kept on kept.conrelid = c.oid and kept.contype = 'n' and kept.conkey[1] = a.attnum -- since 18
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]'),
        'stored', coalesce(to_jsonb(stored.columns), '[]'), 'binary', coalesce(stored.binary, false),
        'constraints', coalesce((
            select jsonb_agg(jsonb_build_object(
                'oid', k.oid::int8, 'name', k.conname, 'type', k.contype, 'definition', pg_get_constraintdef(k.oid),
                'index', case when k.contype in ('p', 'u', 'x') then k.conindid::int8 else 0 end,
                'storage', coalesce((select string_agg(format('%s=%L', o.option_name, o.option_value), ', ')
                                     from pg_class x cross join pg_options_to_table(x.reloptions) o
                                     where x.oid = k.conindid and k.contype in ('p', 'u', 'x')), ''),
                'inherited', k.coninhcount > 0
                             or k.conparentid <> 0 -- since 11
                             , 'local', k.conislocal, 'valid', k.convalidated,
                'parent_index', (select format('%I.%I', pn.nspname, p.relname)
                                 from pg_inherits h join pg_class p on p.oid = h.inhparent join pg_namespace pn on pn.oid = p.relnamespace
                                 where h.inhrelid = k.conindid and k.contype in ('p', 'u', 'x'))) order by k.contype <> 'p', k.oid)
            from pg_constraint k
            where k.conrelid = c.oid and (k.contype in ('p', 'u', 'x', 'c') or k.contype = 'f' and {relation k.confrelid})), '[]'),
        'indexes', coalesce((
            select jsonb_agg(jsonb_build_object(
                'oid', x.oid::int8, 'name', x.relname, 'unique', i.indisunique, 'valid', i.indisvalid,
                -- Behind the table's name, which may change.
                'definition', substr(pg_get_indexdef(x.oid), strpos(pg_get_indexdef(x.oid), '.' || quote_ident(c.relname) || ' USING ')
                                                             + length(quote_ident(c.relname)) + 2),
                'parent', (select format('%I.%I', pn.nspname, p.relname)
                           from pg_inherits h join pg_class p on p.oid = h.inhparent join pg_namespace pn on pn.oid = p.relnamespace
                           where h.inhrelid = x.oid)) order by x.oid)
            from pg_index i join pg_class x on x.oid = i.indexrelid
            where i.indrelid = c.oid
              and not exists (select from pg_constraint k where k.conindid = x.oid and k.conrelid = c.oid and k.contype in ('p', 'u', 'x'))), '[]')
    ) as document
    from relations c
    left join columns stored on stored.attrelid = c.oid
    where c.relkind in ('r', 'p', 'v', 'm', 'c', 'f')
    union all
    select c.place, c.depth, jsonb_build_object(
        'kind', 'sequence', 'class', 'pg_class'::regclass::oid::int8, 'oid', c.oid::int8, 'schema', c.nspname, 'name', c.relname,
        'persistence', c.relpersistence, 'owner', pg_get_userbyid(c.relowner), 'type', format_type(s.seqtypid, null),
        'options', format('start with %s increment by %s minvalue %s maxvalue %s cache %s %s', s.seqstart, s.seqincrement,
                          s.seqmin, s.seqmax, s.seqcache, case when s.seqcycle then 'cycle' else 'no cycle' end),
        'identity', coalesce(o.deptype = 'i', false),
        -- A foreign table is made with the switch, and its sequences' owners come with it.
        'owned_by', case when a.attname is not null and t.relkind <> 'f' then format('%I.%I.%I', tn.nspname, t.relname, a.attname) end)
    from relations c
    join pg_sequence s on s.seqrelid = c.oid
    left join pg_depend o on o.classid = 'pg_class'::regclass and o.objid = c.oid and o.objsubid = 0
                         and o.refclassid = 'pg_class'::regclass and o.deptype in ('a', 'i')
    left join pg_class t on t.oid = o.refobjid
    left join pg_namespace tn on tn.oid = t.relnamespace
    left join pg_attribute a on a.attrelid = o.refobjid and a.attnum = o.refobjsubid
    union all
    select u.place, u.depth, jsonb_build_object(
        'kind', 'type', 'class', u.class::int8, 'oid', t.oid::int8, 'schema', n.nspname, 'name', t.typname, 'typtype', t.typtype,
        'owner', pg_get_userbyid(t.typowner),
        'labels', coalesce((select jsonb_agg(jsonb_build_object('oid', e.oid::int8, 'label', e.enumlabel) order by e.enumsortorder)
                            from pg_enum e where e.enumtypid = t.oid), '[]'),
        'base', case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end,
        'collation', case when t.typtype = 'd' and t.typcollation <> b.typcollation
                          then quote_ident(ln.nspname) || '.' || quote_ident(l.collname) end,
        'not_null', t.typnotnull, 'default', pg_get_expr(t.typdefaultbin, 0),
        -- Since 17.
        'not_null_oid', coalesce(nn.oid::int8, 0), 'not_null_name', nn.conname,
        'options', case t.typtype
            when 'r' then (
                select concat_ws(', ', 'subtype = ' || format_type(r.rngsubtype, null),
                                 case when not o.opcdefault then format('subtype_opclass = %I.%I', ns.nspname, o.opcname) end,
                                 case when r.rngcollation <> st.typcollation
                                      then format('collation = %I.%I', rn.nspname, rl.collname) end,
                                 case when r.rngcanonical <> 0 then 'canonical = ' || r.rngcanonical end,
                                 case when r.rngsubdiff <> 0 then 'subtype_diff = ' || r.rngsubdiff end
                                 , 'multirange_type_name = ' || format_type(r.rngmultitypid, null) -- since 14
                                )
                from pg_range r
                join pg_type st on st.oid = r.rngsubtype
                join pg_opclass o on o.oid = r.rngsubopc
                join pg_namespace ns on ns.oid = o.opcnamespace
                left join pg_collation rl on rl.oid = r.rngcollation
                left join pg_namespace rn on rn.oid = rl.collnamespace
                where r.rngtypid = t.oid)
            when 'b' then concat_ws(', ', 'input = ' || t.typinput, 'output = ' || t.typoutput, may.options,
                'internallength = ' || case when t.typlen < 0 then 'variable' else t.typlen::text end,
                case when t.typbyval then 'passedbyvalue' end,
                'alignment = ' || case t.typalign when 'c' then 'char' when 's' then 'int2' when 'i' then 'int4' else 'double' end,
                'category = ' || quote_literal(t.typcategory::text), case when t.typispreferred then 'preferred = true' end,
                'delimiter = ' || quote_literal(t.typdelim::text), 'element = ' || format_type(nullif(t.typelem, 0), null),
                case when t.typcollation <> 0 then 'collatable = true' end, 'default = ' || quote_literal(t.typdefault)) end,
        'settings', case when t.typtype = 'b' then may.options end,
        'constraints', coalesce((select jsonb_agg(jsonb_build_object('oid', k.oid::int8, 'name', k.conname, 'type', k.contype,
                                                                     'definition', pg_get_constraintdef(k.oid),
                                                                     'inherited', false, 'valid', k.convalidated) order by k.oid)
                                 from pg_constraint k where k.contypid = t.oid and k.contype = 'c'), '[]'))
    from units u
    -- A shell too: it is p, and not defined.
    join pg_type t on t.oid = u.oid and (t.typtype in ('e', 'd', 'r') or t.typtype = 'p' and not t.typisdefined
                                         or t.typtype = 'b' and t.typinput <> 'pg_catalog.array_in'::regproc)
    join schemas n on n.oid = t.typnamespace
    left join pg_constraint nn on t.typtype = 'd' and nn.contypid = t.oid and nn.contype = 'n'
    cross join lateral (
        select concat_ws(', ', case when t.typreceive <> 0 then 'receive = ' || t.typreceive end,
                         case when t.typsend <> 0 then 'send = ' || t.typsend end,
                         case when t.typmodin <> 0 then 'typmod_in = ' || t.typmodin end,
                         case when t.typmodout <> 0 then 'typmod_out = ' || t.typmodout end,
                         case when t.typanalyze <> 0 then 'analyze = ' || t.typanalyze end,
                         case when t.typsubscript <> 0 then 'subscript = ' || t.typsubscript end, -- since 14
                         'storage = ' || case t.typstorage when 'p' then 'plain' when 'e' then 'external' when 'm' then 'main'
                                                           else 'extended' end) as options) may
    left join pg_type b on b.oid = t.typbasetype
    left join pg_collation l on l.oid = t.typcollation
    left join pg_namespace ln on ln.oid = l.collnamespace
    where u.class = 'pg_type'::regclass
      and not exists (select from pg_depend d where d.classid = u.class and d.objid = u.oid and d.deptype = 'e')
      -- Of a temporary table's type: PostgreSQL drops it with that, at the end of the session.
      and not exists (
          select from pg_depend d join pg_type x on x.oid = d.refobjid join pg_namespace xn on xn.oid = x.typnamespace
          where d.classid = u.class and d.objid = u.oid and d.refclassid = 'pg_type'::regclass and xn.nspname like 'pg\_temp\_%')
    union all
    select u.place, u.depth, jsonb_build_object(
        'kind', 'function', 'class', u.class::int8, 'oid', p.oid::int8, 'schema', n.nspname, 'name', p.proname,
        'owner', pg_get_userbyid(p.proowner),
        -- Types alone: a parameter's name can be a word that the target keeps for itself.
        'arguments', oidvectortypes(p.proargtypes),
        -- As a view's rule, above.
        'source', md5(concat_ws('|', p.prosrc, p.probin, p.proconfig
                                , p.prosqlbody -- since 14
                               )),
        -- So all names are quoted in it, as in a dump for another version, and in nothing else: other texts are compared as they are.
        'definition', case when set_config('quote_all_identifiers', 'on', true) = 'on' then pg_get_functiondef(p.oid) end
                      || case when set_config('quote_all_identifiers', 'off', true) = 'off' then '' end)
    from units u
    join pg_proc p on p.oid = u.oid
                  and p.prokind <> 'a' -- since 11
                  and not p.proisagg -- before 11
    join schemas n on n.oid = p.pronamespace
    where u.class = 'pg_proc'::regclass
      -- Extensions', and a range type's own constructors: made by hand they would no longer be its.
      and not exists (select from pg_depend d where d.classid = u.class and d.objid = u.oid and d.deptype in ('e', 'i'))
      -- Of a temporary table's type: PostgreSQL drops it with that, at the end of the session.
      and not exists (
          select from pg_depend d join pg_type x on x.oid = d.refobjid join pg_namespace xn on xn.oid = x.typnamespace
          where d.classid = u.class and d.objid = u.oid and d.refclassid = 'pg_type'::regclass and xn.nspname like 'pg\_temp\_%')
    union all
    select u.place, u.depth, jsonb_build_object(
        'kind', 'schema', 'class', u.class::int8, 'oid', n.oid::int8, 'name', n.nspname, 'owner', pg_get_userbyid(n.nspowner))
    from units u join schemas n on n.oid = u.oid
    where u.class = 'pg_namespace'::regclass
      and not exists (select from pg_depend d where d.classid = u.class and d.objid = u.oid and d.deptype = 'e')
    union all
    select u.place, u.depth, jsonb_build_object(
        'kind', 'extension', 'class', u.class::int8, 'oid', e.oid::int8, 'name', e.extname, 'schema', n.nspname, 'version', e.extversion)
    from units u join pg_extension e on e.oid = u.oid join pg_namespace n on n.oid = e.extnamespace
    where u.class = 'pg_extension'::regclass
)
