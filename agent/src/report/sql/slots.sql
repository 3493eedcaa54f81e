select slot_name as object, concat_ws(' ', slot_type, plugin, database) as detail,
       case slot_type
           when 'physical' then format('select pg_create_physical_replication_slot(%L);', slot_name)
           else format('-- when its reader is pointed to the target, in database %s: select pg_create_logical_replication_slot(%L, %L);',
                       database, slot_name, plugin)
       end as remedy
from pg_replication_slots
where slot_name not like 'whimbrel\_%'
