select trim(both ' "' from library) as object, 'shared_preload_libraries' as detail,
       format('-- add %s to shared_preload_libraries of the target, and restart it', trim(both ' "' from library)) as remedy
from pg_settings
cross join regexp_split_to_table(setting, ',') as library
where name = 'shared_preload_libraries' and trim(library) <> ''
