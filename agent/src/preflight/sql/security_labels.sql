-- Providers of security labels, each with what has one. pg_dump carries them; the provider's library must be loaded to make
-- them.
select l.provider, count(*) as labels, min(l.objtype || ' ' || l.objname) as example
from pg_seclabels l
where l.classoid not in ('pg_database'::regclass, 'pg_tablespace'::regclass, 'pg_authid'::regclass)
  and case l.classoid
          when 'pg_class'::regclass then {relation l.objoid}
          when 'pg_namespace'::regclass then {schema (select n.nspname from pg_namespace n where n.oid = l.objoid)}
          when 'pg_proc'::regclass then {schema (select n.nspname from pg_proc p join pg_namespace n on n.oid = p.pronamespace where p.oid = l.objoid)}
          when 'pg_type'::regclass then {schema (select n.nspname from pg_type t join pg_namespace n on n.oid = t.typnamespace where t.oid = l.objoid)}
          else true
      end
group by l.provider
order by 1
