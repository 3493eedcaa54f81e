-- Of the settings $1: is each known here, and may our role set it? Names with a dot are placeholders of anybody's.
select w.name, s.name is not null or strpos(w.name, '.') > 0 as known,
       coalesce(s.context = 'superuser', false) as of_superuser
from unnest($1::text[]) w(name)
left join pg_settings s on lower(s.name) = lower(w.name)
