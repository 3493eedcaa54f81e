, page as (
    select b.oid, quote_ident(b.pubname) collate "C" as name
    from given g cross join pg_publication b
    where b.pubname not like 'whimbrel\_%' and quote_ident(b.pubname) collate "C" > g.after
    order by 2
    limit (select page from given)
)
select p.name, array[
    'owner: ' || pg_get_userbyid(b.pubowner),
    'publishes: ' || concat_ws(', ', case when b.pubinsert then 'insert' end, case when b.pubupdate then 'update' end,
                               case when b.pubdelete then 'delete' end,
                               case when (to_jsonb(b) ->> 'pubtruncate')::bool then 'truncate' end,
                               case when (to_jsonb(b) ->> 'pubviaroot')::bool then 'via root' end),
    case when b.puballtables then 'tables: all'
         else 'tables: ' || (select string_agg(quote_ident(t.schemaname) || '.' || quote_ident(t.tablename), ', '
                                               order by t.schemaname, t.tablename)
                             from pg_publication_tables t
                             where t.pubname = b.pubname and t.schemaname <> 'whimbrel'
                               and {relation format('%I.%I', t.schemaname, t.tablename)::regclass}) end,
    'comment: ' || obj_description(p.oid, 'pg_publication')
] as facts
from page p
join pg_publication b on b.oid = p.oid
order by 1
