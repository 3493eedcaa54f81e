-- What the oldest version has: no identity, no partitions, sequences with their parameters in themselves.
create schema zoo;
create type zoo.mood as enum ('sad', 'ok');
create domain zoo.even as integer check (value % 2 = 0);
create type zoo.pair as (n integer, label text);
create table zoo.valued (
    id serial primary key, a_real real, a_double double precision, a_numeric numeric, some_doubles double precision[], a_point point,
    a_time timestamptz, an_interval interval, a_jsonb jsonb, a_bytea bytea, an_inet inet, a_mood zoo.mood, an_even zoo.even,
    a_pair zoo.pair, a_range int8range, a_text text
);
insert into zoo.valued (a_real, a_double, a_numeric, some_doubles, a_point, a_time, an_interval, a_jsonb, a_bytea, an_inet, a_mood,
                        an_even, a_pair, a_range, a_text)
select n / 3.0, n / 7.0, n / 11.0, array[n / 3.0, 'NaN'::double precision], point(n / 3.0, -n),
       timestamptz '2000-01-01 00:00+00' + n * interval '1.000001 s', n * interval '1 day 1.1 s', jsonb_build_object('n', n),
       decode(md5(n::text), 'hex'), '10.0.0.1/8', 'ok', n * 2, row (n, 'x,"y')::zoo.pair, int8range(n, n + 1), E'tab\t \\N ' || n
from generate_series(1, 300) n;
do $$ begin
    for n in 1..10 loop
        execute format('create table zoo.table_%s (id integer primary key, v integer references zoo.valued)', n);
        execute format('insert into zoo.table_%s select x, x from generate_series(1, 20) x', n);
    end loop;
end $$;
create table zoo.keyless (v double precision);
insert into zoo.keyless values (0.1), (1 / 3.0::double precision);
create unlogged table zoo.unlogged (id integer primary key);
create table zoo.parent (id integer primary key, note text);
create table zoo.child (more integer, primary key (id)) inherits (zoo.parent);
insert into zoo.child values (2, 'child', 3);
create sequence zoo.of_nobody start 10 minvalue -100 maxvalue 10 increment -5 cache 3;
select nextval('zoo.of_nobody');
create function zoo.note() returns trigger language plpgsql as $$ begin new.note := 'noted'; return new; end $$;
create trigger noting before insert on zoo.parent for each row execute procedure zoo.note();
create aggregate zoo.longest (text) (sfunc = textcat, stype = text, initcond = '');
create index a_gin on zoo.valued using gin (a_jsonb);
create view zoo.a_view as select id, note from zoo.parent where id > 0;
create materialized view zoo.a_summary as select count(*) from zoo.valued;
create rule a_view_write as on update to zoo.a_view do instead update zoo.parent set note = new.note where id = old.id;
alter table zoo.parent enable row level security;
create policy mine on zoo.parent for select using (id > 0);
create extension hstore;
create table zoo.of_extension (id integer primary key, v hstore);
insert into zoo.of_extension values (1, 'a=>1');
comment on table zoo.parent is 'it''s commented';
