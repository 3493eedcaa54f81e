-- Changes to all of it while it is followed.
select current_setting('server_version_num')::int >= 110000 as v11, current_setting('server_version_num')::int >= 120000 as v12,
       current_setting('server_version_num')::int >= 140000 as v14, current_setting('server_version_num')::int >= 150000 as v15,
       current_setting('server_version_num')::int >= 180000 as v18 \gset

insert into zoo.valued (id, a_real, a_double, some_doubles, a_point, a_mood, a_pair, a_range)
select n, n / 3.0, 1 / (n / 7.0), array[n / 9.0], point(n / 7.0, 0.1), 'sad', row (n, null)::zoo.pair, int8range(n, n + 1)
from generate_series(1001, 1100) n;
update zoo.valued set a_double = a_double / 3, a_jsonb = null, id = id + 5000 where id % 7 = 0;
delete from zoo.valued where id % 11 = 0;
update zoo.full_identity set b = b / 3 where a = 3;
delete from zoo.full_identity where a = 5;
insert into zoo.full_identity values (null, 'NaN', ''), (null, -0.0, null);
update zoo.by_index set b = b || 'x', c = c / 3 where a % 3 = 0;
delete from zoo.by_index where a % 5 = 0;
insert into zoo.keyless values (1000, 1 / 3.0, null, 'inserted');
update zoo.listed set year = 2000, note = note || '+' where id % 5 = 0 and year <> 2000 and current_setting('server_version_num')::int >= 110000;
update zoo.listed set note = note || '*' where id % 4 = 0;
delete from zoo.listed where id % 9 = 0;
update zoo.ranged set line = line || '+' where at < '2020-02-01';
insert into zoo.ranged values ('2020-12-24', 'late');
update only zoo.parent set note = 'after';
insert into zoo.child values (5, 'later child', 6);
truncate zoo.emptied;
insert into zoo.emptied values (1001, 'after');
update zoo.referred set note = note / 3 where id % 2 = 0;
begin; insert into zoo.refers values (1000, 1000); insert into zoo.referred values (1000, 0.1); commit;
insert into zoo.numbered default values;
select nextval('zoo.small'), setval('zoo.numbered_other_seq', 1000, false);
update zoo.unlogged set note = 0.2;
-- Rows that came to this server by replication are the application's as well.
select pg_replication_origin_create('elsewhere') is null, pg_replication_origin_session_setup('elsewhere');
insert into zoo.valued (id, a_numeric) select n, n from generate_series(9001, 9020) n;
update zoo.listed set note = 'from elsewhere' where id in (20, 21);
select pg_replication_origin_session_reset(), pg_replication_origin_drop('elsewhere');
\if :v11
insert into zoo.hashed select n, 'late ' || n from generate_series(101, 150) n;
update zoo.hashed set note = note || '+' where id % 3 = 0;
truncate zoo.rest;
insert into zoo.listed values (9999, 1900, 'default');
call zoo.proceed(77);
update zoo.fast_default set added = id / 3.0 where id < 5;
\endif
\if :v12
insert into zoo.generated (id, a) values (100, 1);
update zoo.generated set a = a + 1 where id < 10;
\endif
\if :v14
update zoo.ranges set many = many + '{[20,30)}';
insert into zoo.compressed select n, repeat('x', n * 1000) from generate_series(1, 5) n;
\endif
\if :v15
update zoo.nulls set a = 2 where id = 2;
\endif
\if :v18
update zoo.virtual set a = a + 1 where id < 10;
delete from zoo.virtual where id > 40;
update zoo.virtual_full set b = 'c' where a < 10;
delete from zoo.virtual_full where a > 40;
update zoo.temporal set during = '[2021-01-01,2023-01-01)' where during @> date '2021-06-01';
\endif
