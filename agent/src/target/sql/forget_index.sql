-- Takes an index out of the form that is known of its table: the one of this OID ($1), or else of this schema ($2) and name ($3). The
-- table's OID, and whether the index was unique.
with indexes as (
    select s.class, s.oid as relation, i.index, i.index -> 'oid' = to_jsonb($1::int8) as is_it
    from whimbrel.structure s
    cross join jsonb_array_elements(s.document -> 'indexes') i(index)
    where s.document -> 'indexes' @> jsonb_build_array(jsonb_build_object('oid', $1::int8))
       or s.document ->> 'schema' = $2::text and s.document -> 'indexes' @> jsonb_build_array(jsonb_build_object('name', $3::text))
), gone as (
    select class, relation, index from indexes
    where is_it or index ->> 'name' = $3 and not exists (select from indexes where is_it)
)
update whimbrel.structure s set document = jsonb_set(s.document, '{indexes}', (
    select coalesce(jsonb_agg(i.index order by i.place), '[]')
    from jsonb_array_elements(s.document -> 'indexes') with ordinality i(index, place)
    where i.index <> g.index))
from gone g
where s.class = g.class and s.oid = g.relation
returning s.oid, (g.index ->> 'unique')::boolean
