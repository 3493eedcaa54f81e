-- Columns of table $1.$2 that are floats, or built of them, with the function that gives their bytes.
select a.attname, t.typsend::text as send
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_type t on t.oid = a.atttypid
left join pg_type e on e.oid = t.typelem and t.typsend = 'pg_catalog.array_send'::regproc
where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped
  and coalesce(e.typsend, t.typsend)::text in ('float4send', 'float8send', 'point_send', 'lseg_send', 'path_send', 'box_send',
                                               'poly_send', 'line_send', 'circle_send')
