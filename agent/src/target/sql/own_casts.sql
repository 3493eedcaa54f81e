-- Types that a text becomes by a function of the database's own; with a string type that has none to them.
with recursive own as (
    select c.castsource::regtype as source, c.casttarget as type
    from pg_cast c
    join pg_type t on t.oid = c.casttarget
    join pg_proc i on i.oid = t.typinput
    -- Below are PostgreSQL's own. A text that is taken for a value as it is has not been read by the type's input function either,
    -- unless that is a text's.
    where c.oid >= 16384 and (c.castmethod = 'f' or c.castmethod = 'b' and i.prosrc <> 'textin')
),
-- To a domain goes the cast to what it is made of.
types(base, type) as (
    select type, type from own where source = 'text'::regtype
    union all
    select t.base, d.oid from types t join pg_type d on d.typtype = 'd' and d.typbasetype = t.type
)
select format_type(t.type, null),
       case when not exists (select from own o where o.type = t.base and o.source = 'varchar'::regtype) then 'varchar'
            when not exists (select from own o where o.type = t.base and o.source = 'bpchar'::regtype) then 'bpchar' end
from types t
