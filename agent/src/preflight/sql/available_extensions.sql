-- Of the extensions $1: which version would be made here, and by whom?
select w.name, a.default_version,
       coalesce(v.superuser and not coalesce((to_jsonb(v) ->> 'trusted')::boolean, false), false) as needs_superuser
from unnest($1::text[]) w(name)
left join pg_available_extensions a on a.name = w.name
left join pg_available_extension_versions v on v.name = a.name and v.version = a.default_version
