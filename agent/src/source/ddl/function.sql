-- Tells in the change stream, at its place in its transaction, what a command has made of the objects that it touched; and
-- keeps our publications as the tables are. It runs inside the application's statement (DESIGN.md, law 5): every error is
-- swallowed, and no lock is waited for longer than lock_timeout says. What it can't tell is found by the comparison of the
-- catalogs.
create or replace function {function}() returns event_trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '10ms'
-- The application's session may print values as it likes: the target reads them as our own sessions print them.
set datestyle = 'ISO, MDY'
set intervalstyle = 'postgres'
set extra_float_digits = 3
set bytea_output = 'hex'
set lc_monetary = 'C'
set standard_conforming_strings = on
set quote_all_identifiers = off
-- A few objects of catalogs that may be large: by their indexes, whatever the statistics say, and without compiling.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
-- Planning takes ten times as long as all the rest (measured): once a session.
set plan_cache_mode = force_generic_plan
as $whimbrel$
declare
    note jsonb := jsonb_build_object('slot', {slot}, 'event', tg_event, 'tag', tg_tag);
    told jsonb;
    documents jsonb;
    snapshot text;
    classes oid[];
    oids oid[];
    relation record;
    filled boolean;
begin
    -- Somebody takes a table out of a publication of ours (pg_partman does, of all that there are, when it lets a partition go): it misses
    -- changes from here on, or from when it had a filter that it loses (SET TABLE takes it out and puts it in). Not where we move it.
    if tg_tag = 'ALTER PUBLICATION' and tg_event = 'sql_drop'
        and current_setting('whimbrel.moves', true) is distinct from 'on' and current_setting('application_name') not like 'whimbrel/%'
    then
        select note || jsonb_build_object('taken_out', jsonb_agg(c.oid::int8)) into told
        from pg_event_trigger_dropped_objects() d
        join pg_class c on c.oid = to_regclass(format('%I.%I', d.address_names[1], d.address_names[2]))
        where d.object_type = 'publication relation' and d.address_args[1] in ({publication}, {keyless}) and c.relpersistence = 'p'
        having count(*) > 0;
        if told is not null then
            perform pg_logical_emit_message(true, 'whimbrel_ddl', convert_to(told::text, 'UTF8'));
            perform pg_logical_emit_message(true, 'whimbrel_ddl', '');
        end if;
    end if;
    -- Our own, and what says nothing about objects that are carried.
    if tg_tag like '% PUBLICATION' or tg_tag like '% SUBSCRIPTION' then
        return;
    end if;
    begin
        if tg_event = 'ddl_command_end' then
            select array_agg(e.classid), array_agg(e.objid), jsonb_build_object('others', coalesce(
                       jsonb_agg(jsonb_build_object('type', e.object_type, 'identity', e.object_identity, 'class', e.classid::int8, 'oid', e.objid::int8))
                       filter (where e.schema_name is distinct from 'pg_temp' and (e.schema_name is null or {schema e.schema_name})), '[]'))
            into classes, oids, told
            from pg_event_trigger_ddl_commands() e
            where not e.in_extension;
        elsif tg_event = 'sql_drop' then
            select jsonb_build_object('dropped', jsonb_agg(jsonb_build_object(
                       'class', d.classid::int8, 'oid', d.objid::int8, 'part', d.objsubid, 'type', d.object_type, 'schema', d.schema_name,
                       'identity', d.object_identity, 'names', to_jsonb(d.address_names), 'arguments', to_jsonb(d.address_args),
                       'told', d.original or d.normal)))
            into told
            from pg_event_trigger_dropped_objects() d
            where not d.is_temporary and d.schema_name is distinct from 'pg_temp'
            having count(*) > 0;
            if told is null then
                return;
            end if;
            -- Tables that have lost something which hung on what was dropped, maybe their key: no command names them. A dropped
            -- index tells no table.
            if tg_tag like 'DROP %' then
                select array_agg('pg_class'::regclass::oid), array_agg(t.oid) into classes, oids
                from (
                    select to_regclass(format('%I.%I', d.address_names[1], d.address_names[2]))::oid as oid
                    from pg_event_trigger_dropped_objects() d
                    where d.object_type in ('table column', 'table constraint') and not d.is_temporary
                    union
                    select c.oid
                    from pg_publication p
                    join pg_publication_rel m on m.prpubid = p.oid
                    join pg_class c on c.oid = m.prrelid and c.relreplident = 'i'
                    where p.pubname = {publication}
                      and exists (select from pg_event_trigger_dropped_objects() d
                                  where d.object_type = 'index' and d.original and not d.is_temporary)
                      and not exists (select from pg_index i where i.indrelid = c.oid and i.indisreplident)
                ) t
                where t.oid is not null;
            end if;
        else
            note := note || (
                select jsonb_build_object('rewritten', c.oid::int8, 'reason', pg_event_trigger_table_rewrite_reason(), 'relkind', c.relkind)
                from pg_class c
                where c.oid = pg_event_trigger_table_rewrite_oid() and c.relpersistence <> 't'
                  and ({relation c.oid} or {followed}));
            if note is null then
                return;
            end if;
        end if;
        if oids is not null then
            with recursive touched as (
                select u.place, u.class, u.oid
                from unnest(classes, oids) with ordinality u(class, oid, place)
                where u.oid is not null
            ),
            {structure}
            -- With what it was read by: what another transaction has changed since, or before in one that keeps its snapshot
            -- (REPEATABLE READ), is not in it.
            select jsonb_agg(document order by place, depth), txid_current_snapshot()::text into documents, snapshot from documents;
        end if;
        if tg_event = 'ddl_command_end' and documents is null and (told -> 'others') = '[]' then
            return;
        end if;
        note := note || coalesce(told, '{}') || jsonb_build_object('objects', coalesce(documents, '[]'), 'snapshot', snapshot);
        for relation in
            select r.oid, r.schema, r.name, w.wanted,
                   array(select p.pubname::text from pg_publication_rel m join pg_publication p on p.oid = m.prpubid
                         where m.prrelid = r.oid::oid and p.pubname in ({publication}, {keyless})) as present
            from jsonb_to_recordset(coalesce(documents, '[]')) as
                 r(oid int8, schema text, name text, relkind text, persistence text, identity text, keyed boolean)
            cross join lateral (
                select case when r.persistence <> 'p' then null when r.identity = 'f' or r.keyed then {publication}
                            else {keyless} end as wanted) w
            where r.relkind = 'r'
        loop
            -- A table that lost its key must leave a publication of updates, or the application's updates of it fail. In first, then out:
            -- what is in none is told as such (above).
            begin
                if relation.wanted is not null and relation.present is distinct from array[relation.wanted] then
                    execute format('alter publication %I add table only %I.%I', relation.wanted, relation.schema, relation.name);
                    if relation.present = '{}' then
                        note := note || jsonb_build_object('published', coalesce(note -> 'published', '[]') || to_jsonb(relation.oid));
                        -- An event trigger of the application's may have filled a new table before this one: those rows are in no stream.
                        execute format('select exists (select from only %I.%I)', relation.schema, relation.name) into filled;
                        if filled then
                            note := note || jsonb_build_object('filled', coalesce(note -> 'filled', '[]') || to_jsonb(relation.oid));
                        end if;
                    end if;
                end if;
                if relation.present <> '{}' and relation.present is distinct from array[relation.wanted] then
                    perform set_config('whimbrel.moves', 'on', true);
                    execute format('alter publication %I drop table only %I.%I', relation.present[1], relation.schema, relation.name);
                    perform set_config('whimbrel.moves', 'off', true);
                end if;
            exception when others then
                note := note || jsonb_build_object('unpublished', sqlstate);
            end;
        end loop;
        perform pg_logical_emit_message(true, 'whimbrel_ddl', convert_to(note::text, 'UTF8'));
        -- A message is decoded where its record ends, a row where its begins (measured): without a record between them, the
        -- next row, of another subtransaction than this block's, could come first.
        perform pg_logical_emit_message(true, 'whimbrel_ddl', '');
    exception when others then
        note := jsonb_build_object('slot', {slot}, 'event', tg_event, 'tag', tg_tag, 'failed', sqlstate);
        -- Of a table's values nothing else tells that they are other ones.
        if tg_event = 'table_rewrite' then
            note := note || jsonb_build_object(
                'rewritten', pg_event_trigger_table_rewrite_oid()::int8, 'reason', pg_event_trigger_table_rewrite_reason());
        end if;
        perform pg_logical_emit_message(true, 'whimbrel_ddl', convert_to(note::text, 'UTF8'));
        perform pg_logical_emit_message(true, 'whimbrel_ddl', '');
    end;
exception when others then
    null;
end
$whimbrel$;
