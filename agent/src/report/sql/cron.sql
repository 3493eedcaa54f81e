-- Without its command, which is the application's.
select coalesce(to_jsonb(j) ->> 'jobname', 'job ' || jobid) as object,
       format('%s in database %s%s', schedule, j.database, case when active then '' else ', not active' end) as detail,
       '-- schedule it on the target: cron.schedule_in_database(...)' as remedy
from cron.job j
