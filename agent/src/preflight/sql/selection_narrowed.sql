-- What is chosen and arrives with less: foreign keys that refer to what is left out, publications with such tables, tables
-- that such tables inherit from.
select 'ForeignKeyLeftOut' as code, format('%I of %I.%I', k.conname, n.nspname, c.relname) as object,
       format('%I.%I', fn.nspname, f.relname) as about
from pg_constraint k
join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_class f on f.oid = k.confrelid
join pg_namespace fn on fn.oid = f.relnamespace
where k.contype = 'f'
  and k.conparentid = 0 -- since 11
  and {relation c.oid} and not {relation f.oid}
union all
select 'PublicationNarrowed', quote_ident(p.pubname), format('%I.%I', n.nspname, c.relname)
from pg_publication_rel r -- since 10
join pg_publication p on p.oid = r.prpubid -- since 10
from (select null::name as pubname, null::oid as prrelid where false) p -- before 10
join pg_class c on c.oid = r.prrelid -- since 10
join pg_class c on c.oid = p.prrelid -- before 10
join pg_namespace n on n.oid = c.relnamespace
where p.pubname not like 'whimbrel\_%' and not {relation c.oid}
union all
select 'HeirLeftOut', format('%I.%I', n.nspname, c.relname), format('%I.%I', hn.nspname, h.relname)
from pg_inherits i
join pg_class c on c.oid = i.inhparent and c.relkind = 'r'
join pg_namespace n on n.oid = c.relnamespace
join pg_class h on h.oid = i.inhrelid
join pg_namespace hn on hn.oid = h.relnamespace
where {relation c.oid} and not {relation h.oid}
order by 1, 2, 3
limit 1000
