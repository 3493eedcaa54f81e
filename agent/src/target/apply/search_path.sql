-- PostgreSQL's own names first, then those of extensions.
select pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', 'pg_catalog', (
    select pg_catalog.string_agg(distinct pg_catalog.quote_ident(n.nspname), ', ')
    from pg_catalog.pg_extension e
    join pg_catalog.pg_namespace n on n.oid = e.extnamespace
    where n.nspname <> 'pg_catalog'
)), false)
