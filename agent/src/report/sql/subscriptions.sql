-- Without its connection string, which can hold a password.
select subname as object, array_to_string(subpublications, ', ') as detail,
       format('-- on the target, when the source''s is dropped: create subscription %I connection ''…'' publication %s with (copy_data = false);',
              subname, array_to_string(subpublications, ', ')) as remedy
from pg_subscription
where subdbid = (select oid from pg_database where datname = current_database())
