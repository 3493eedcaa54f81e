-- Since 15.
select distinct format('publication %I for tables in schema', p.pubname) as what
from pg_publication_namespace n
join pg_publication p on p.oid = n.pnpubid
