-- Sequences of identity columns that are of another type here than on the source, as the statements that make them so: one that
-- came with LIKE ... INCLUDING IDENTITY is a bigint with the other one's bounds, and pg_dump does not tell it.
select format('alter sequence %I.%I as %s %s', n.nspname, c.relname, s.document ->> 'type', s.document ->> 'options')
from whimbrel.structure s
join pg_namespace n on n.nspname = s.document ->> 'schema'
join pg_class c on c.relnamespace = n.oid and c.relname = s.document ->> 'name'
join pg_sequence q on q.seqrelid = c.oid
where s.document ->> 'kind' = 'sequence' and s.document ->> 'identity' = 'true' and format_type(q.seqtypid, null) <> s.document ->> 'type'
order by s.oid
