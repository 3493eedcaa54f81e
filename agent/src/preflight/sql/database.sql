-- The database that we are in. to_jsonb reads the columns that not every version has.
select d.datname as name,
       case when {everything} then pg_database_size(d.oid) else coalesce((
           select sum(pg_total_relation_size(c.oid))::int8
           from pg_class c
           join pg_namespace n on n.oid = c.relnamespace
           where c.relkind in ('r', 'm') and c.relpersistence <> 't' and {relation c.oid}
             and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')), 0)
       end as bytes,
       pg_encoding_to_char(d.encoding) as encoding,
       d.datcollate as collate, d.datctype as ctype, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') as provider,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') as icu_locale,
       pg_get_userbyid(d.datdba) as owner,
       (select count(*)
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r' and c.relpersistence <> 't'
          and {relation c.oid}
          and n.nspname not like 'pg\_%' and n.nspname not in ('information_schema', 'whimbrel')) as tables
from pg_database d
where d.datname = current_database()
