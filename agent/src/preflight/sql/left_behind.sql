-- What migrations have made in this database whose slot nobody reads now, by migration; and the statements that take it away. First the
-- triggers, which would tell of the rest.
with made as (
    select 1 as place, evtname::text as name, format('drop event trigger %I;', evtname) as drop from pg_event_trigger
    union all
    select 2, p.proname, format('drop function %I.%I();', n.nspname, p.proname)
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'whimbrel'
    union all -- since 10
    select 3, pubname, format('drop publication %I;', pubname) from pg_publication -- since 10
), of_migrations as (
    select substring(name from '^whimbrel_[0-9a-f]{12}_[0-9]+') as slot, place, drop from made
)
select slot, string_agg(drop, ' ' order by place, drop) as drops
from of_migrations
where slot is not null and slot not in (select slot_name from pg_replication_slots where active)
group by slot order by slot
