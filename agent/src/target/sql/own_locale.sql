-- What a database keeps for its life: encoding, collation, character classes, and where later versions have it, provider,
-- locale and rules. to_jsonb reads the columns that not every version has.
select array_remove(array[pg_encoding_to_char(d.encoding)::text, d.datcollate::text, d.datctype::text,
                          coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),
                          coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
                          to_jsonb(d) ->> 'daticurules'], null)
from pg_database d
where d.datname = current_database()
