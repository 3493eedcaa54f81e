-- Extensions in pg_catalog whose own control file does not want them there.
select e.extname as name, e.extrelocatable as relocatable
from pg_extension e
left join pg_available_extension_versions v on v.name = e.extname and v.version = e.extversion
where e.extnamespace = 'pg_catalog'::regnamespace and coalesce(v.schema, '') <> 'pg_catalog'
order by 1
