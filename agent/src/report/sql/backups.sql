-- Commands are left out: they can hold secrets.
select name as object, case when name like '%\_command' then 'a command' else reset_val end as detail,
       format('-- set up on the target what the source has it for: %s', name) as remedy
from pg_settings
where name in ('archive_mode', 'archive_command', 'archive_library', 'restore_command', 'synchronous_standby_names')
  and reset_val not in ('', 'off', '(disabled)')
