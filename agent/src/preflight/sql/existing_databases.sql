-- What is there already, and what would keep it from being replaced: what DROP DATABASE does not end by itself.
select d.datname as database, d.oid::int8 as oid, d.datistemplate as template, pg_has_role(d.datdba, 'USAGE') as owned,
       pg_get_userbyid(d.datdba) as owner, pg_encoding_to_char(d.encoding) as encoding, d.datcollate as collate,
       d.datctype as ctype, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') as provider,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') as icu_locale,
       (select count(*) from pg_stat_activity a
        where a.datid = d.oid and coalesce(a.application_name, '') not like 'whimbrel/%') as sessions,
       -- Sessions of superusers only a superuser ends; of others, who is a member of theirs or of pg_signal_backend. What
       -- kind they are is hidden from everybody else.
       (select coalesce(json_agg(distinct r.rolname), '[]')
        from pg_stat_activity a
        join pg_roles r on r.oid = a.usesysid
        where a.datid = d.oid and coalesce(a.backend_type, 'client backend') = 'client backend'
          and not pg_has_role(r.oid, 'USAGE') and (r.rolsuper or not pg_has_role('pg_signal_backend', 'USAGE'))) as strangers,
       (select coalesce(json_agg(p.gid order by p.gid), '[]') from pg_prepared_xacts p where p.database = d.datname) as prepared,
       (select coalesce(json_agg(s.slot_name order by s.slot_name), '[]') from pg_replication_slots s
        where s.database = d.datname and s.active) as slots,
       (select coalesce(json_agg(s.subname order by s.subname), '[]') from pg_subscription s
        where s.subdbid = d.oid) as subscriptions
from pg_database d
where d.datname = any ($1::text[])
