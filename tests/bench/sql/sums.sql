select string_agg(line, E'\n' order by line)
from (
    select relname || ' ' || (xpath('//n/text()', query_to_xml(format(
        'select count(*) || '' '' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) as n from only public.%I t', relname), true, false, '')))[1]::text as line
    from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
) lines
