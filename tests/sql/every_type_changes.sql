-- Changes to the odd table while it is followed: every value again under new keys, keys that move, values out of line
-- that stay as they are, rows that go, a table emptied.
do $$
declare
    written text := (select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
        where attrelid = 'odd.every_type'::regclass and attnum > 1 and attgenerated = '' and not attisdropped);
begin
    execute format('insert into odd.every_type (id, %1$s) select id + 10, %1$s from odd.every_type', written);
end $$;
update odd.every_type set id = id + 100 where id = 12;
update odd.every_type set a_boolean = false where id in (1, 3);
update odd.every_type set a_text = a_text || ' and more', a_numeric = null where id = 13;
delete from odd.every_type where id = 0;
update odd.by_year set year = year + 1 where id % 7 = 0;
update odd."Ünïcode ""and"" spaces.dots" set "from" = 'zwei' where "select" = 2;
truncate odd.dropped_columns;
insert into odd.dropped_columns values (3, 'after', 9);
insert into odd.child values (5, 'later child', 6);
select nextval('odd.never_called'), setval('odd.of_nobody', -7, false);
insert into odd.numbered default values;
