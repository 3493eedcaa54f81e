-- Enabled ones that publications make fire. An extension knows what it does, and a migration's own do no harm.
select e.evtname as name, e.evtevent as event, e.evtfoid::regproc::text as function
from pg_event_trigger e
where e.evtenabled in ('O', 'A') and e.evtname !~ '^whimbrel_[0-9a-f]{12}_[0-9]+_'
  and (e.evtevent = 'login'
       or e.evtevent in ('ddl_command_start', 'ddl_command_end')
          and (e.evttags is null or e.evttags && '{CREATE PUBLICATION,ALTER PUBLICATION,DROP PUBLICATION}')
       or e.evtevent = 'sql_drop' and (e.evttags is null or 'DROP PUBLICATION' = any (e.evttags)))
  and not exists (
      select from pg_depend d
      where d.classid = 'pg_event_trigger'::regclass and d.objid = e.oid and d.deptype = 'e'
  )
order by 1
