-- Columns that are GENERATED ALWAYS AS IDENTITY on the source, of partitioned tables that are in no other, as the statements
-- that make them so, or BY DEFAULT ($1). Never ONLY: since 17 their partitions share what they are.
select format('alter table %I.%I alter column %I set generated %s', n.nspname, c.relname, a.attname, $1::text)
from whimbrel.structure s
cross join lateral jsonb_array_elements(s.document -> 'columns') k
join pg_namespace n on n.nspname = s.document ->> 'schema'
join pg_class c on c.relnamespace = n.oid and c.relname = s.document ->> 'name'
join pg_attribute a on a.attrelid = c.oid and a.attname = k ->> 'name' and a.attidentity <> ''
where s.document ->> 'relkind' = 'p' and s.document ->> 'bound' is null and k ->> 'identity' = 'a'
order by s.oid, a.attnum
