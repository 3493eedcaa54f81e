select slot_name as object, concat_ws(' ', slot_type, plugin, database) as detail,
       case
           -- Ours, of a migration that a controller forgot: it keeps the source's WAL for ever.
           when slot_name like 'whimbrel\_%' then
               format('-- on the source, if none of `whimbrel migration list` has it any more: select pg_drop_replication_slot(%L);', slot_name)
           when slot_type = 'physical' then format('select pg_create_physical_replication_slot(%L);', slot_name)
           else format('-- when its reader is pointed to the target, in database %s: select pg_create_logical_replication_slot(%L, %L);',
                       database, slot_name, plugin)
       end as remedy
from pg_replication_slots
where slot_name not like 'whimbrel\_%' or not active
