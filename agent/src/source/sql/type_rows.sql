-- The catalog's rows that these types' texts are made of, with who wrote them: one that was changed and changed back is another.
-- A composite's count stands with each of its rows: one more is another, too. A label that is added is in no row of before.
select e.enumtypid as type_oid, format('%s %s %s', e.oid, e.xmin, e.enumlabel) as line
from pg_enum e where e.enumtypid = any($1)
union all
select t.oid, format('%s %s of %s', a.attnum, a.xmin, count(*) over (partition by t.oid))
from pg_type t join pg_attribute a on a.attrelid = t.typrelid and a.attnum > 0
where t.oid = any($1) and t.typtype = 'c'
