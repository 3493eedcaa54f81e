, page as (
    select d.* -- since 12
    select d.oid, d.* -- before 12
    from given g cross join pg_database d
    where d.datname = current_database() and d.datname::text collate "C" > g.after
)
select quote_ident(d.datname) as name, array[
    'owner: ' || pg_get_userbyid(d.datdba),
    'encoding: ' || pg_encoding_to_char(d.encoding),
    'collate: ' || d.datcollate,
    'ctype: ' || d.datctype,
    'locale provider: ' || coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),
    'locale: ' || coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
    'locale rules: ' || (to_jsonb(d) ->> 'daticurules'),
    'connection limit: ' || nullif(d.datconnlimit, -1),
    'rights: ' || (select string_agg(a::text, ' ' order by a::text collate "C")
                   from unnest(coalesce(d.datacl, acldefault('d', d.datdba))) as a),
    'comment: ' || shobj_description(d.oid, 'pg_database')
] || array(
    -- Applications keep secrets in settings of their own (those have a dot): of these a few letters of a digest tell that
    -- they differ.
    select format('setting %s%s: %s', split_part(c, '=', 1),
                  case when s.setrole <> 0 then ' of ' || quote_ident(pg_get_userbyid(s.setrole)) else '' end,
                  case when strpos(split_part(c, '=', 1), '.') > 0 then 'set (' || left(md5(c), 6) || ')'
                       else substr(c, strpos(c, '=') + 1) end)
    from pg_db_role_setting s
    cross join unnest(s.setconfig) as c
    where s.setdatabase = d.oid
    order by 1
) as facts
from page d
