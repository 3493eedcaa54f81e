-- Of the files $1 in tsearch_data: those that are not there.
select w.file
from unnest($1::text[]) w(file), pg_config c
where c.name = 'SHAREDIR' and pg_stat_file(c.setting || '/tsearch_data/' || w.file, true) is null
order by 1
