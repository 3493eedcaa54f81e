-- The constraints that rows of the table $1 need not fit which are there already, and new ones must: a statement that takes each
-- away, and those that bring it back. An inherited one is its parent's to take.
with recursive unproven as (
    select k.oid, k.conrelid, k.conname, k.contype, k.coninhcount
    from pg_constraint k
    where k.conrelid = to_regclass($1) and not k.convalidated
      and (k.contype in ('c', 'n') or k.contype = 'f' and current_setting('session_replication_role') <> 'replica')
    union
    select k.oid, k.conrelid, k.conname, k.contype, k.coninhcount
    from unproven u
    join pg_inherits i on i.inhrelid = u.conrelid
    join pg_constraint k on k.conrelid = i.inhparent and (k.conname, k.contype) = (u.conname, u.contype)
    where u.coninhcount > 0
)
select format('alter table %s drop constraint %I', conrelid::regclass, conname),
       format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
       || coalesce(format('; comment on constraint %I on %s is %L', conname, conrelid::regclass,
                          obj_description(oid, 'pg_constraint')), '')
from unproven
where coninhcount = 0
