-- How this database must be made elsewhere, as JSON (wire::DatabaseProperties). to_jsonb reads the columns that not
-- every version has.
select json_build_object(
           'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
           'provider', coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),
           'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
           'icu_rules', to_jsonb(d) ->> 'daticurules',
           'owner', pg_get_userbyid(d.datdba), 'connection_limit', d.datconnlimit)::text
from pg_database d
where d.datname = current_database();
