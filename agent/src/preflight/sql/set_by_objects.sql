-- Settings that are carried with the database: its own, those of roles in it, those of functions. Those with a dot are an
-- application's own, and can hold a secret: their values are not told.
select split_part(s.setting, '=', 1) as name, s.object,
       case when split_part(s.setting, '=', 1) not like '%.%' then substr(s.setting, strpos(s.setting, '=') + 1) end as value,
       format('%s reset %s;', s.alter,
              (select string_agg(quote_ident(part), '.' order by place)
               from unnest(string_to_array(split_part(s.setting, '=', 1), '.')) with ordinality p(part, place))) as remedy
from (
    select unnest(d.setconfig) as setting, format('database %I', b.datname) as object,
           format('alter database %I', b.datname) as alter
    from pg_db_role_setting d
    join pg_database b on b.oid = d.setdatabase
    where b.datname = current_database() and d.setrole = 0
    union all
    select unnest(d.setconfig), format('role %I in database %I', pg_get_userbyid(d.setrole), b.datname),
           format('alter role %I in database %I', pg_get_userbyid(d.setrole), b.datname)
    from pg_db_role_setting d
    join pg_database b on b.oid = d.setdatabase
    where b.datname = current_database() and d.setrole <> 0
    union all
    select unnest(p.proconfig), format('function %s', p.oid::regprocedure),
           format('alter %s %s', case p.prokind when 'p' then 'procedure' else 'function' end, p.oid::regprocedure) -- since 11
           format('alter function %s', p.oid::regprocedure) -- before 11
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace and {schema n.nspname}
    where p.oid >= 16384 and p.proconfig is not null
      and not exists (
          select from pg_depend e
          where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e'
      )
) s
order by 1, 2
limit 2000
