-- Options are left out: they can hold secrets.
select rule as object, rule as detail, '-- add to the target''s pg_hba.conf, then select pg_reload_conf(): ' || rule as remedy
from (
    select concat_ws(' ', type, array_to_string(database, ','), array_to_string(user_name, ','), address, netmask,
                     auth_method) as rule
    from pg_hba_file_rules
    where type <> 'local' and error is null
) r
