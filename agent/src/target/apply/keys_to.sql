-- A statement for each foreign key that refers to one of the columns $2 of the table $1, but for a partition's share of its
-- parent's.
select format('alter table %s drop constraint %I', k.conrelid::regclass, k.conname)
from pg_constraint k
where k.contype = 'f' and k.confrelid = to_regclass($1) and k.conparentid = 0
  and exists (select from pg_attribute a
              where a.attrelid = k.confrelid and a.attnum = any (k.confkey) and a.attname = any ($2::text[]))
