-- Whether an object of this server says what `definition` says, once this server has read that: it is made beside it, under
-- another name, in a block that is rolled back. Without rows nothing is computed, and nobody waits for a lock of it. What
-- can't be made so is not alike.
create function pg_temp.whimbrel_functions(schema text, name text) returns text
language sql as $whimbrel$
    select string_agg(pg_get_functiondef(p.oid), e'\n' order by p.oid)
    from pg_proc p
    where p.pronamespace = to_regnamespace(quote_ident(schema)) and p.proname = name
      and p.oid not in (select aggfnoid from pg_aggregate)
$whimbrel$;
create function pg_temp.whimbrel_reads_alike(kind text, schema text, relation text, name text, definition text) returns boolean
language plpgsql as $whimbrel$
-- Names are looked up anew each time (to_reg...): a constant would be the one of the object before, which is gone.
declare
    of text := format('%I.%I', schema, relation);
    there text;
    here text;
begin
    begin
        if kind = 'view' then
            execute format('create temp view whimbrel_read as %s', definition);
            there := pg_get_viewdef(to_regclass('pg_temp.whimbrel_read'));
            here := pg_get_viewdef(of::regclass);
        elsif kind = 'function' then
            here := pg_temp.whimbrel_functions(schema, name);
            -- It takes the place of the one that is here; one more would be seen.
            execute definition;
            there := pg_temp.whimbrel_functions(schema, name);
        elsif kind = 'domain' then
            execute format('create domain pg_temp.whimbrel_read as %s constraint %I %s',
                           (select format_type(t.typbasetype, t.typtypmod) from pg_type t where t.oid = of::regtype), name, definition);
            there := (select pg_get_constraintdef(k.oid) from pg_constraint k
                      where k.contypid = to_regtype('pg_temp.whimbrel_read') and k.conname = name);
            here := (select pg_get_constraintdef(k.oid) from pg_constraint k where k.contypid = of::regtype and k.conname = name);
        else
            execute format('create temp table whimbrel_read (like %s)', of);
        end if;
        if kind in ('constraint', 'exclusion') then
            execute format('alter table pg_temp.whimbrel_read add constraint %I %s', name, definition);
            there := (select pg_get_constraintdef(k.oid) from pg_constraint k
                      where k.conrelid = to_regclass('pg_temp.whimbrel_read') and k.conname = name);
            here := (select pg_get_constraintdef(k.oid) from pg_constraint k where k.conrelid = of::regclass and k.conname = name);
        elsif kind in ('index', 'unique index') then
            execute format('create %s whimbrel_read_index on pg_temp.whimbrel_read %s', kind, definition);
            -- Behind the names.
            there := (select kind || substr(d.words, strpos(d.words, ' USING '))
                      from pg_get_indexdef(to_regclass('pg_temp.whimbrel_read_index')) as d(words));
            here := (select case when i.indisunique then 'unique index' else 'index' end || substr(d.words, strpos(d.words, ' USING '))
                     from pg_index i join pg_class x on x.oid = i.indexrelid
                     cross join pg_get_indexdef(i.indexrelid) as d(words)
                     where i.indrelid = of::regclass and x.oid = format('%I.%I', schema, name)::regclass
                       and (i.indisvalid or x.relkind = 'I'));
        elsif kind in ('default', 'generated') then
            if kind = 'default' then
                execute format('alter table pg_temp.whimbrel_read alter column %I set default %s', name, definition);
            else
                execute format('alter table pg_temp.whimbrel_read add column whimbrel_read %s generated always as (%s) stored',
                               (select format_type(a.atttypid, a.atttypmod) from pg_attribute a where a.attrelid = of::regclass and a.attname = name),
                               definition);
            end if;
            there := (select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d where d.adrelid = to_regclass('pg_temp.whimbrel_read'));
            here := (select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
                     where d.adrelid = of::regclass and a.attname = name);
        end if;
        raise exception 'all of it goes';
    exception when others then
        null;
    end;
    return coalesce(there = here, false);
end
$whimbrel$;
