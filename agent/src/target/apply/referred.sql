-- Whether foreign keys of other tables refer to these.
select exists (
    select from pg_constraint
    where contype = 'f' and confrelid = any ($1::text[]::regclass[]) and conrelid <> all ($1::text[]::regclass[])
)
