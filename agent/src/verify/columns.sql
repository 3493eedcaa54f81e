-- The columns of tables that are copied and streamed, as JSON (wire::Column), and whether all have a binary form. {of x}: the
-- tables that are wanted.
base(type, base) as (
    select distinct a.atttypid, a.atttypid
    from pg_attribute a
    where a.attnum > 0 and not a.attisdropped and {of a.attrelid}
    union all
    -- A domain is read as what it is a domain over, however deep.
    -- Each looked up (OFFSET): joined, all of pg_type would be read.
    select b.type, d.typbasetype
    from base b
    cross join lateral (select d.typbasetype from pg_type d where d.oid = b.base and d.typtype = 'd' offset 0) d
),
facts as (
    select b.type, t.typcollation, t.typstorage,
           -- Binary COPY: built-in types (their OIDs are the same everywhere, below 10000: transam.h) whose binary form, and
           -- their elements', holds no OID of an object, and enums, which travel as their labels. Left to text: xml, whose
           -- binary form rewrites the encoding declaration; int2vector and oidvector, which do not read the empty ones that
           -- they write.
           (t.oid < 10000 and t.typtype in ('b', 'r', 'm') and t.typreceive <> 0 and t.typsend <> 0
            and not exists (select from pg_type e where e.oid = t.typelem and (e.typreceive = 0 or e.typsend = 0))
            and t.typname !~ '^_?reg' and t.oid not in (22, 30, 142, 143, 1006, 1013)) or t.typtype = 'e' as binary,
           -- Types whose = tells apart whatever their text does: bool, bytea, "char", name, the integers, text,
           -- varchar, bpchar, oid, money, macaddr(8), date, time, timestamp(tz), bit, varbit, uuid, pg_lsn.
           -- (bpchar only where its length makes all values as long: 'a' and 'a ' are equal.)
           t.oid in (16, 17, 18, 19, 20, 21, 23, 25, 26, 774, 790, 829, 1042, 1043, 1082, 1083, 1114, 1184, 1560,
                     1562, 2950, 3220) as exact,
           t.oid = 1042 as padded
    from base b join pg_type t on t.oid = b.base and t.typtype <> 'd'
),
-- The index that tells rows apart: the replica identity; where that is the whole row, a key that would do.
identities as (
    select distinct on (i.indrelid) i.indrelid, i.indkey, i.indclass, i.indcollation
    from pg_index i
    join pg_class c on c.oid = i.indrelid
    where {of i.indrelid} and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
      and (c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident
           or c.relreplident = 'f' and not exists (
               select from pg_attribute a
               where a.attrelid = i.indrelid
                 and a.attnum = any (i.indkey[0:i.indnkeyatts - 1]) -- since 11
                 and a.attnum = any (i.indkey) -- before 11
                 and (not a.attnotnull
                      or a.attgenerated <> '' -- since 12
                 )
           ))
    order by i.indrelid, i.indisprimary desc, i.indnatts, i.indexrelid
),
-- What its columns are compared by: the index's own operator and collation, which need not be the column's.
keys as (
    select i.indrelid, k.attnum, format('operator(%I.%s)', n.nspname, o.oprname) as operator,
           case when k.sorted_by <> a.attcollation then format('%I.%I', ln.nspname, l.collname) end as key_collation
    from identities i
    cross join unnest(i.indkey::int2[], i.indclass::oid[], i.indcollation::oid[]) as k(attnum, class, sorted_by)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    join pg_opclass oc on oc.oid = k.class
    join pg_amop m on m.amopfamily = oc.opcfamily and m.amoplefttype = oc.opcintype
                  and m.amoprighttype = oc.opcintype
                  -- GiST's 3 is &&, of ranges and multiranges.
                  and m.amopstrategy = case when oc.opcmethod = 783 and oc.opcintype in (3831, 4537) then 18 else 3 end
    join pg_operator o on o.oid = m.amopopr
    join pg_namespace n on n.oid = o.oprnamespace
    left join pg_collation l on l.oid = k.sorted_by
    left join pg_namespace ln on ln.oid = l.collnamespace
),
columns as (
    select a.attrelid,
           json_agg(json_build_object(
               'name', a.attname, 'type_oid', a.atttypid::int8, 'typmod', a.atttypmod,
               'type_name', format_type(a.atttypid, a.atttypmod),
               'exact_equality', f.exact and coalesce(l.collisdeterministic, true) -- since 12
               'exact_equality', f.exact -- before 12
                   and (not f.padded or a.atttypmod > 0),
               'key', case when k.operator is not null
                           then json_build_object('operator', k.operator, 'collation', k.key_collation) end,
               'identity_always', a.attidentity = 'a' -- since 10
                   -- A partition's is its parent's, which is in no such list.
                   and not (select p.relispartition from pg_class p where p.oid = a.attrelid) -- since 17
               'identity_always', false -- before 10
           ) order by a.attnum) as columns,
           bool_and(f.binary) as binary
    from pg_attribute a
    join facts f on f.type = a.atttypid
    left join pg_collation l on l.oid = a.attcollation
    left join keys k on k.indrelid = a.attrelid and k.attnum = a.attnum
    where a.attnum > 0 and not a.attisdropped and {of a.attrelid}
      and a.attgenerated = '' -- since 12
    group by a.attrelid
),
