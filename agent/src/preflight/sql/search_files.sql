-- Dictionaries that read files of the server's machine (PostgreSQL manual, "Dictionaries"): each file with its ending, as
-- the templates of PostgreSQL's own look for it.
select format('%I.%I', n.nspname, d.dictname) as dictionary,
       json_agg(distinct lower(o.value) || '.' || case
           when lower(o.name) = 'stopwords' then 'stop'
           when lower(o.name) = 'afffile' then 'affix'
           when lower(o.name) = 'synonyms' then 'syn'
           when t.tmplname = 'thesaurus' then 'ths'
           else 'dict'
       end) as files
from pg_ts_dict d
join pg_namespace n on n.oid = d.dictnamespace and {schema n.nspname}
join pg_ts_template t on t.oid = d.dicttemplate
cross join lateral (
    select m[1] as name, m[2] as value
    from regexp_matches(d.dictinitoption, '(\w+)\s*=\s*''([^'']+)''', 'g') m
) o
where d.oid >= 16384 and t.tmplnamespace = 'pg_catalog'::regnamespace
  and lower(o.name) in ('stopwords', 'afffile', 'dictfile', 'synonyms')
  and not exists (
      select from pg_depend e where e.classid = 'pg_ts_dict'::regclass and e.objid = d.oid and e.deptype = 'e'
  )
group by 1
order by 1
