-- Of the system's columns ($1 schemas, $2 relations, $3 columns, empty: the relation as a whole), the numbers of those that
-- are not here.
select w.place::int8 - 1 as place
from unnest($1::text[], $2::text[], $3::text[]) with ordinality w(schema, relation, attribute, place)
where not exists (
    select from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = w.schema and c.relname = w.relation
      and (w.attribute = '' or exists (
          select from pg_attribute a where a.attrelid = c.oid and a.attname = w.attribute and not a.attisdropped
      ))
)
order by 1
