update toast_key set v = v + 1; update toast_full set v = v + 1 where id = 1; update toast_full_key set v = v + 1 where id < 5;

update toast_key set k = 'x' || k where v % 2 = 0; update toast_key set far = far || '!' where v % 3 = 0;
delete from toast_key where v % 5 = 0;

update toast_full set id = id + 10 where v < 20; update toast_full_key set id = id + 1000;
update toast_full set far = null where v % 7 = 0; update toast_full_key set far = far || '!', v = null where id % 3 = 0;
delete from toast_full where v % 5 = 0; delete from toast_full_key where id % 5 = 0;

delete from root where id < 10;

insert into root select g from generate_series(100, 150) g on conflict do nothing; truncate root, branch restart identity cascade;
insert into root select g from generate_series(1, 20) g; insert into branch (root) select g from generate_series(1, 20) g;
insert into leaf select g, g from generate_series(1, 20) g; insert into loose_leaf values (1, 1)

begin; insert into leaf values (99, 1); truncate leaf; insert into leaf select g, g from generate_series(1, 10) g; commit

truncate root cascade


update by_kind set kind = kind % 4 + 1; update by_kind set v = v || kind; update by_kind set id = id + 50 where id % 3 = 0 and id < 100;

delete from by_kind where id % 4 = 0; insert into by_kind select g, 9, 'new' from generate_series(1000, 1050) g;

begin; truncate by_kind_1; truncate by_kind_rest; insert into by_kind select g, 1 + g % 4, 'again' from generate_series(2000, 2050) g; commit

update by_index set v = v + 100 where a % 2 = 0; update by_index set b = b || 'x' where a % 3 = 0; delete from by_index where a % 5 = 0;

update nothing set v = v + 1 where id < 10; delete from nothing where id > 40; insert into nothing select g, 1 from generate_series(1000, 1010) g on conflict do nothing

update generated set a = a + 1, b = b || 'y'; update generated set id = id + 1000 where id % 2 = 0; delete from generated where id % 7 = 0;
update generated_full set a = a + 1 where id = 1; delete from generated_full where ctid in (select min(ctid) from generated_full group by id);
insert into generated_full (id, a) values (1, 1), (1, 1), (null, null), (null, null); update generated_full set id = 0 where id is null

update numbered set v = v + 1, kept = null where id % 2 = 0; insert into numbered (v) select g from generate_series(1, 40) g;
insert into numbered (id, v) overriding system value values ((select max(id) from numbered) + 1000, 1); delete from numbered where id % 9 = 0

update swap set place = -place; update swap set place = -place; update swap set later = 101 - later

begin; delete from swap where id in (1, 2); insert into swap values (1, 2, -1), (2, 1, -2); commit

begin; update swap set place = -1 where id = 10; update swap set place = 10 where id = 11; update swap set place = 11 where id = 12; update swap set place = 12 where id = 10; commit

do $$ begin for i in 1..40 loop
    delete from swap where id = 20; delete from swap where id = 21; insert into swap values (20, 2100 + i % 2, 5000), (21, 2101 - i % 2, 5001);
end loop; end $$

do $$ begin for i in 1..100 loop update partial set live = not live where place = i % 10 and live;
    update partial set live = true where id = (select min(id) from partial where place = i % 10 and not live); end loop; end $$

delete from tree where id = 5; delete from tree where id < 0; update tree set parent = id where id > 100; insert into tree select g, g + 1 from generate_series(-50, -2) g union all values (-1, null::int)

begin; set constraints all deferred; update booked set room = (room + 1) % 5; update booked set during = int4range(lower(during) + 5, upper(during) + 5); commit

update audited set v = v + 1; update audited set v = v; insert into audited select g, g from generate_series(1000 + (select count(*) from audit)::int, 1060 + (select count(*) from audit)::int) g

delete from no_columns where ctid = (select min(ctid) from no_columns); insert into no_columns select from generate_series(1, 3); insert into only_generated default values

delete from only_key where id % 2 = 0; insert into only_key select g * 2 from generate_series(1, 25) g on conflict do nothing; update only_key set id = id + 1000 where id > 10

delete from widest where id < 0; update widest set c1 = 1, c1599 = id; update widest set id = -id; insert into widest (id) select g from generate_series(1000, 1040) g on conflict do nothing; delete from widest where id % 4 = 0

begin; savepoint a; insert into log (tx) values ('gone'); savepoint b; insert into log (tx) values ('gone too'); rollback to a; insert into log (tx) values ('stays'); savepoint c; release c; commit

begin; insert into log (tx) values ('never'); update audited set v = 0; rollback

begin; insert into log (tx) values ('prepared'); prepare transaction 'one'

insert into log (tx) values ('before the prepared one')

commit prepared 'one'

begin; insert into log (tx) values ('prepared, then not'); prepare transaction 'two'

rollback prepared 'two'

begin; select pg_logical_emit_message(true, 'app', repeat('x', 3000000)); insert into log (tx) values ('with a message'); select pg_logical_emit_message(false, 'app', 'now'); commit

begin; select pg_logical_emit_message(true, 'whimbrel', 'not ours'); rollback

select pg_logical_emit_message(false, 'whimbrel', 'whimbrel_test_kinds/end/77')

create temp table passing as select 1; drop table passing; analyze log

do $$ begin for i in 1..200 loop begin insert into log (tx) values ('sub'); if i % 3 = 0 then raise 'x'; end if; exception when raise_exception then null; end; end loop; end $$
