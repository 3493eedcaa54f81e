-- Providers of security labels, each with what has one. pg_dump carries them; the provider's library must be loaded to make
-- them.
select l.provider, count(*) as labels, min(l.objtype || ' ' || l.objname) as example
from pg_seclabels l
where l.classoid not in ('pg_database'::regclass, 'pg_tablespace'::regclass, 'pg_authid'::regclass)
group by l.provider
order by 1
