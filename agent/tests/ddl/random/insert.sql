-- An INSERT into each table: of what has a type that is known here, and often so.
select format('insert into %s %s on conflict do nothing', c.oid::regclass, coalesce(
    format('(%s) select %s from generate_series(1, 3)', string_agg(quote_ident(a.attname), ', ' order by a.attnum),
        string_agg(v.value, ', ' order by a.attnum)), 'default values'))
from pg_class c
left join (pg_attribute a join (values ('integer', '(random() * 100000)::int'), ('bigint', '(random() * 100000)::bigint'),
    ('text', 'md5(random()::text)'), ('boolean', 'true'), ('jsonb', $$'{"a": 1}'::jsonb$$), ('uuid', 'gen_random_uuid()'),
    ('comp', $$row(1, 'z')::comp$$), ('posint', '7'), ('bytea', $$'\x01'::bytea$$), ('integer[]', $$'{1, 2}'::int[]$$))
    v (type, value) on v.type = format_type(a.atttypid, a.atttypmod))
  on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity <> 'a'
where c.relkind in ('r', 'p') and c.relnamespace in ('public'::regnamespace, 's2'::regnamespace)
group by c.oid
order by c.oid::regclass::text
