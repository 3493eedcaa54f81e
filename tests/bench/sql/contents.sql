select format(
    '%s tables, %s indexes, %s constraints, %s rows',
    count(*) filter (where relkind = 'r'),
    count(*) filter (where relkind = 'i'),
    (select count(*) from pg_constraint where connamespace = 'public'::regnamespace),
    sum((xpath('//n/text()', query_to_xml(format('select count(*) as n from only public.%I', relname), true, false, '')))[1]::text::bigint)
        filter (where relkind = 'r'))
from pg_class
where relnamespace = 'public'::regnamespace
