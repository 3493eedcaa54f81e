-- One round over each kind: rows updated in place, by a key that becomes its own twin, by keys that move, gone and there
-- again; of several equal rows one.
create function round(kind kind, nth integer) returns void language plpgsql as $$
declare one text; key text;
begin
    if kind.keyed then
        key := 'k_' || kind.n;
        execute format('update %I set v = %s', key, nth);
        foreach one in array kind.twins loop
            execute format('update %I set k = %L where k = %2$L::%s', key, one, kind.type);
            execute format('update %I set v = v + 10, pad = null where k = %L::%s', key, one, kind.type);
        end loop;
        foreach one in array kind.list loop
            execute format('update %I set k = %L where k = %2$L::%s', key, one, kind.type);
            execute format('delete from %I where k = %L::%s', key, one, kind.type);
            execute format('insert into %I values (%s, %L, %L)', key, nth, one, 'again');
            execute format('update %I set pad = pad || %L where k = %L::%s', key, '!', one, kind.type);
        end loop;
        execute format('delete from %I where k = %L::%s', key, kind.list[1], kind.type);
        if nth % 2 = 0 then execute format('insert into %I values (%s, %L)', key, nth, kind.list[1]); end if;
    end if;
    key := 'f_' || kind.n;
    execute format('delete from %I where ctid = (select max(ctid) from %1$I where k is not null)', key);
    execute format('update %I set v = coalesce(v, 0) + 1 where ctid = (select min(ctid) from %1$I where k is not null)', key);
    execute format('update %I set again = again || %L where again is not null and ctid = (select max(ctid) from %1$I where again is not null)', key, nth);
    execute format('update %I set k = null where ctid = (select min(ctid) from %1$I where v = 0 and k is not null)', key);
    execute format('delete from %I where ctid = (select min(ctid) from %1$I where k is null)', key);
    foreach one in array kind.list || kind.twins loop
        execute format('insert into %I values (%L, %s, null)', key, one, nth);
    end loop;
    execute format('delete from %I where ctid = (select max(ctid) from %1$I where v = %s)', key, nth);
end $$;
