-- Tables that the switch's transaction locks (triggers, rules, policies, publications and identities come in it), and those
-- that dumping the schema does.
select count(*) filter (where
           exists (select from pg_trigger t where t.tgrelid = c.oid and (t.tgconstraint = 0 or not t.tgisinternal))
           or exists (select from pg_rewrite r where r.ev_class = c.oid and r.rulename <> '_RETURN')
           or exists (select from pg_policy p where p.polrelid = c.oid) or c.relrowsecurity
           or exists (select from pg_publication_rel p where p.prrelid = c.oid) -- since 10
           or exists (select from pg_attribute a where a.attrelid = c.oid and a.attidentity = 'a') -- since 10
       )
       -- With an identity its sequence is locked.
       + coalesce(sum((select count(*) from pg_attribute a where a.attrelid = c.oid and a.attidentity = 'a')), 0)::int8 -- since 10
       as switch,
       count(*) filter (where c.relkind in ('r', 'p')) as dump
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'f') and c.relpersistence <> 't' and c.oid >= 16384
  and n.nspname not in ('pg_catalog', 'information_schema', 'whimbrel')
  and {relation c.oid}
