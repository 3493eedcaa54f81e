, page as (
    select e.oid, quote_ident(e.evtname) collate "C" as name
    from given g cross join pg_event_trigger e
    where e.evtname not like 'whimbrel\_%' and quote_ident(e.evtname) collate "C" > g.after
      and not exists (select from members m where m.classid = 'pg_event_trigger'::regclass and m.objid = e.oid)
    order by 2
    limit (select page from given)
)
select p.name, array[
    'event: ' || e.evtevent,
    'function: ' || e.evtfoid::regproc,
    'tags: ' || e.evttags::text,
    'enabled: ' || case e.evtenabled when 'D' then 'disabled' when 'R' then 'replica' when 'A' then 'always' end,
    'owner: ' || pg_get_userbyid(e.evtowner),
    'comment: ' || obj_description(p.oid, 'pg_event_trigger')
] as facts
from page p
join pg_event_trigger e on e.oid = p.oid
order by 1
