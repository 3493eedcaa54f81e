-- What became of the schema public, as JSON (wire::Public).
select to_json(case when n.oid is null then 'missing'
                    when obj_description(n.oid, 'pg_namespace') is null then 'no_comment'
                    else 'as_dumped' end)::text
from (select) as always
left join pg_namespace n on n.nspname = 'public';
