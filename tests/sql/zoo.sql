-- One of every kind of object that a database can hold, for databases of PostgreSQL 15 with contrib. Made by a superuser;
-- the roles are in zoo_roles.sql.

-- The database itself.
alter database zoo set timezone to 'Pacific/Auckland';
alter database zoo set app.motto to 'it''s all here';
alter database zoo connection limit 70;
alter database zoo owner to keeper;
revoke temporary on database zoo from public;
grant connect, create on database zoo to visitor with grant option;
comment on database zoo is 'animals'' home';

-- Schemas and their rights; public is not as it is made.
create schema aviary authorization keeper;
create schema "Odd schema
with a newline, a "" and a %";
create schema "ümläut_schema_with_a_name_that_has_just_as_many_as_63_bytes";
grant usage on schema aviary to visitor with grant option;
grant usage, create on schema public to visitor;
comment on schema public is 'not the standard one';
alter default privileges for role keeper in schema aviary grant select on tables to visitor;
alter default privileges for role keeper revoke execute on functions from public;
alter default privileges in schema aviary grant usage on sequences to visitor with grant option;
alter default privileges for role keeper grant usage on schemas to visitor;

-- Extensions, one of which has tables that hold rows of the user's, one in another schema, one with a comment of ours.
create extension citext with schema aviary;
create extension hstore;
create extension btree_gist;
create extension postgres_fdw;
create extension pg_trgm;
comment on extension hstore is 'pairs';

-- Types.
create type aviary.mood as enum ('sad', 'o''k', 'Very happy', 'ünhappy');
alter type aviary.mood add value 'between' before 'Very happy';
create type aviary.pair as (a int, "B b" text collate "C");
alter type aviary.pair owner to keeper;
comment on column aviary.pair."B b" is 'second';
create type aviary.span as range (subtype = float8, subtype_diff = float8mi, multirange_type_name = aviary.spans);
create domain aviary.positive as int default 7 not null constraint over_zero check (value > 0);
create domain aviary.evens as int[] check (value[1] % 2 = 0);
alter domain aviary.positive add constraint later check (value < 1000) not valid;
grant usage on type aviary.mood to visitor;
revoke usage on type aviary.pair from public;
create type aviary.shell;
create function aviary.shell_in(cstring) returns aviary.shell language internal immutable strict as 'int4in';
create function aviary.shell_out(aviary.shell) returns cstring language internal immutable strict as 'int4out';
create type aviary.shell (input = aviary.shell_in, output = aviary.shell_out, like = int4, category = 'U');

-- Functions, procedures, aggregates, operators and what is made of them.
create function aviary.twice(int) returns int language sql immutable strict parallel safe cost 7 as 'select $1 * 2';
create function aviary.many(inout a int, variadic b text[] default '{x}', out c text) returns setof record
    language plpgsql security definer set search_path = aviary, pg_temp set work_mem to '7MB' rows 11 as $body$
begin
    -- TOC entry 1 (class 1255 OID 10)
    -- Name: f(); Type: FUNCTION; Schema: public; Owner: me
    for a, c in select 1, '\copy' || $in$;$in$ loop return next; end loop;
end $body$;
create function aviary.atomic(a int default 1) returns int language sql begin atomic select a + 1; end;
create procedure aviary.act(inout n int) language plpgsql as 'begin n := n + 1; commit; end';
alter function aviary.twice(int) owner to keeper;
revoke execute on function aviary.twice(int) from public;
grant execute on function aviary.twice(int) to visitor;
comment on procedure aviary.act(int) is 'acts';
create aggregate aviary.total(int) (sfunc = int4pl, stype = int, initcond = '0', parallel = safe);
create aggregate aviary.best(order by int) (sfunc = array_append, stype = int[], initcond = '{}');
create function aviary.near(int, int) returns boolean language sql immutable as 'select abs($1 - $2) < 2';
create operator aviary.~~~ (leftarg = int, rightarg = int, function = aviary.near, commutator = operator(aviary.~~~));
create function aviary.cmp(int, int) returns int language sql immutable as 'select $2 - $1';
create operator family aviary.backwards using btree;
create operator class aviary.backward_ops for type int using btree family aviary.backwards as
    operator 1 >, operator 2 >=, operator 3 =, operator 4 <=, operator 5 <, function 1 aviary.cmp(int, int);
create function aviary.to_pair(text) returns aviary.pair language sql immutable as $$ select row(1, $1)::aviary.pair $$;
create cast (text as aviary.pair) with function aviary.to_pair(text) as assignment;
create cast (aviary.mood as bytea) with inout;
create transform for hstore language plpgsql (to sql with function hstore_recv(internal));
create access method heap_too type table handler heap_tableam_handler;
create conversion aviary.convert for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
create text search configuration aviary.words (copy = english);
create text search dictionary aviary.plain (template = simple, stopwords = english);
alter text search configuration aviary.words alter mapping for asciiword with aviary.plain, english_stem;
create text search template aviary.template (lexize = dsimple_lexize, init = dsimple_init);
create text search parser aviary.parser (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype);
create collation aviary.posix (provider = libc, locale = 'C');
create collation aviary.phone (provider = icu, locale = 'de-u-co-phonebk', deterministic = false);

-- Sequences of every kind.
create sequence aviary.down as smallint increment -3 minvalue -300 maxvalue 9 start 9 cache 5 cycle;
create sequence aviary.never_called start 42;
create unlogged sequence aviary.unlogged;
create sequence "Odd schema
with a newline, a "" and a %"."Se'q %s";
select nextval('aviary.down'), nextval('aviary.down'), setval('aviary.unlogged', 17, false);
grant usage on sequence aviary.down to visitor;

-- Tables of every kind.
create table aviary.bird (
    id int generated always as identity (start 10 increment 10) primary key,
    serial bigserial,
    small smallserial,
    by_default int generated by default as identity unique,
    name aviary.citext not null default 'o''Brien' constraint named check (name <> ''),
    mood aviary.mood, pair aviary.pair, pairs aviary.pair[], span aviary.span, spans aviary.spans,
    weight aviary.positive, even aviary.evens,
    twice int generated always as (aviary.twice(small)) stored,
    tags hstore, note text compression pglz collate "C", doc jsonb, bits bit(3), words tsvector,
    constraint unique_names unique nulls not distinct (name, mood) include (note) deferrable initially deferred,
    exclude using gist (span with &&) where (weight > 2)
) with (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_vacuum_threshold = 77);
alter table aviary.bird owner to keeper;
alter table aviary.bird add constraint lazy check (small > -5) not valid;
alter table aviary.bird add constraint hers check (small < 9999) no inherit;
alter table aviary.bird alter column doc set statistics 222, alter column note set (n_distinct = -0.5);
alter table aviary.bird alter column words set storage main, alter column tags set storage external;
create index birds_by_mood on aviary.bird using btree (mood desc nulls last, lower(name::text)) include (small) with (fillfactor = 50)
    where weight > 1;
create index on aviary.bird using gin (tags);
create index "an ""index"" with % and
newline" on aviary.bird using gist (note gist_trgm_ops (siglen = 32));
create index bird_backwards on aviary.bird (serial, by_default aviary.backward_ops);
alter index aviary.birds_by_mood alter column 2 set statistics 500;
alter table aviary.bird cluster on bird_backwards;
create statistics aviary.bird_stats (dependencies, mcv) on small, weight from aviary.bird;
create statistics aviary.bird_expression on (small * 2) from aviary.bird;
alter statistics aviary.bird_stats set statistics 77;
comment on statistics aviary.bird_stats is 'about birds';
comment on column aviary.bird.name is 'its name: ''%''';
comment on constraint lazy on aviary.bird is 'not checked';
comment on index aviary.birds_by_mood is 'moods';
grant select (id, name), update (note) on aviary.bird to visitor with grant option;
grant all on aviary.bird to "Dr. ""Who""";
set role visitor; grant select (name) on aviary.bird to public; reset role;
insert into aviary.bird (by_default, name, mood, pair, pairs, span, spans, weight, even, tags, note, doc, bits, words)
select g, 'bird ' || g, (enum_range(null::aviary.mood))[1 + g % 5], row(g, 'b"' || g)::aviary.pair, array[row(g, null)::aviary.pair, row(null, '(,)')::aviary.pair],
       aviary.span(g, g + 0.5), aviary.spans(aviary.span(0, g)), 3, array[2, g], hstore('k', g::text), repeat('long ', g * 40),
       jsonb_build_object('n', g), b'101', to_tsvector('english', 'birds that fly') from generate_series(1, 50) g;
create table aviary.nothing ();
insert into aviary.nothing default values;
create table public."a table with a name of exactly sixty-three bytes, ünd %s ""q"" '" ("Key % """ int primary key, "select" text);
insert into public."a table with a name of exactly sixty-three bytes, ünd %s ""q"" '" values (1, 'x');
create unlogged table aviary.forgetful (id int primary key, v text);
insert into aviary.forgetful values (1, 'kept all the same');
create table aviary.other_method (id int primary key) using heap_too;
create table aviary.keyless (n int, what text);
insert into aviary.keyless values (1, 'one'), (1, 'one'), (null, null);
create table aviary.by_index (a int not null, b text, constraint by_index_a unique (a));
alter table aviary.by_index replica identity using index by_index_a;
create table aviary.whole (a int, b point, c json); alter table aviary.whole replica identity full;
insert into aviary.whole values (1, '(1,2)', '{"a": 1}'), (1, '(1,2)', '{"a": 1}');
create table aviary.silent (a int primary key); alter table aviary.silent replica identity nothing;
create type aviary.shape as (id int, corners int);
create table aviary.typed of aviary.shape (primary key (id), corners default 4);
create table aviary.dropped (a int primary key, gone text, b int); alter table aviary.dropped drop column gone;
insert into aviary.dropped values (1, 2);
create table aviary.keeps_invalid (id int primary key, v int);
insert into aviary.keeps_invalid values (1, 1);

-- Inheritance: columns in another order than the parents', several parents, a constraint of its own.
-- No column is added to a parent later: pg_dump would put it elsewhere in its heirs (ColumnOrderChanges).
create table aviary.parent (a int primary key, b text default 'p' check (b <> ''), late int default 5);
create table aviary.second_parent (c int, b text);
create table aviary.child (own int, check (a > -1)) inherits (aviary.parent, aviary.second_parent);
alter table aviary.child add primary key (a);
alter table aviary.child alter column b set default 'c';
insert into aviary.parent values (1, 'parent'); insert into aviary.child (a, own) values (2, 3);

-- Partitions: two levels, lists, hashes, defaults, leaves with columns in another order, one detached.
create table aviary.flight (at date not null, who int not null, km numeric, primary key (at, who)) partition by range (at);
create table aviary.flight_early partition of aviary.flight for values from (minvalue) to ('2020-01-01') partition by hash (who);
create table aviary.flight_early_0 partition of aviary.flight_early for values with (modulus 2, remainder 0);
create table aviary.flight_early_1 partition of aviary.flight_early for values with (modulus 2, remainder 1) with (fillfactor = 60);
create table aviary.flight_late (km numeric, dropped int, who int not null, at date not null);
alter table aviary.flight_late drop column dropped;
alter table aviary.flight attach partition aviary.flight_late for values from ('2020-01-01') to ('2030-01-01');
create table aviary.flight_rest partition of aviary.flight default;
create table aviary.flight_apart partition of aviary.flight for values from ('2030-01-01') to ('2040-01-01');
alter table aviary.flight detach partition aviary.flight_apart;
create index on aviary.flight (km);
create index only_on_parent on only aviary.flight (who);
create table aviary.kind (k text, constraint kinds check (k <> 'none')) partition by list (k);
create table aviary.kind_ab partition of aviary.kind for values in ('a', 'b', null);
insert into aviary.flight select date '2019-12-20' + g, g, g / 3.0 from generate_series(1, 40) g;
insert into aviary.flight values ('2050-01-01', 1, 2); insert into aviary.kind values ('a'), (null);
create table aviary.leg (id int primary key, at date, who int, bird int references aviary.bird on delete cascade deferrable,
    foreign key (at, who) references aviary.flight match full on update cascade);
insert into aviary.leg values (1, '2019-12-21', 1, 10), (2, null, null, null);
alter table aviary.leg add constraint some_bird foreign key (who) references aviary.bird (by_default) not valid;
create table aviary.node (id int primary key, up int references aviary.node on delete set null);
insert into aviary.node values (1, 2), (2, 1);

-- Views.
create view aviary.happy with (security_barrier, check_option = local) as
    select id, name, twice from aviary.bird where mood > 'sad';
create recursive view aviary.counted (n) as select 1 union all select n + 1 from counted where n < 5;
create view aviary.one with (security_invoker = true) as select 1 as "Column ""one""", 2 as two;
create view aviary.two as select * from aviary.one;
create or replace view aviary.one with (security_invoker = true) as select t.n as "Column ""one""", 2 as two from (values (1)) t(n);
alter view aviary.happy alter column name set default 'View';
create materialized view aviary.base_mat as select mood, count(*) as n from aviary.bird group by mood;
create unique index on aviary.base_mat (mood);
create materialized view aviary.a_mat_on_mat tablespace pg_default as select sum(n) as total from aviary.base_mat;
create materialized view aviary.empty_mat as select * from aviary.a_mat_on_mat with no data;
create view aviary.over_mat as select total from aviary.a_mat_on_mat;
comment on materialized view aviary.base_mat is 'moods';
grant select on aviary.base_mat to visitor;

-- Triggers in every state, rules, policies.
create table aviary.log (n int primary key generated by default as identity, what text);
create function aviary.note() returns trigger language plpgsql as $$
begin insert into aviary.log (what) values (tg_name); return coalesce(new, old); end $$;
create trigger plain after insert or update of note or delete on aviary.bird for each row when (pg_trigger_depth() < 2) execute function aviary.note();
create trigger always before insert on aviary.bird for each row execute function aviary.note();
create trigger replica after insert on aviary.bird referencing new table as fresh for each statement execute function aviary.note();
create trigger off after truncate on aviary.bird for each statement execute function aviary.note();
create constraint trigger later after insert on aviary.bird deferrable initially deferred for each row execute function aviary.note();
alter table aviary.bird enable always trigger always, enable replica trigger replica, disable trigger off;
create trigger of_parts after insert on aviary.flight for each row execute function aviary.note();
alter table aviary.flight_late disable trigger of_parts;
create trigger of_view instead of insert on aviary.happy for each row execute function aviary.note();
comment on trigger plain on aviary.bird is 'plainly';
create rule redirect as on insert to aviary.keyless where new.n = 77 do instead nothing;
create rule unused as on delete to aviary.keyless do also select 1; alter table aviary.keyless disable rule unused;
alter table aviary.leg enable row level security, force row level security;
create policy mine on aviary.leg as restrictive for select to visitor, "Dr. ""Who""" using (id > 0);
create policy all_of_it on aviary.leg to public using (true) with check (id < 1000);
create function aviary.watch() returns event_trigger language plpgsql as 'begin perform 1; end';
create event trigger watching on ddl_command_end when tag in ('CREATE TABLE', 'DROP VIEW') execute function aviary.watch();
create event trigger asleep on sql_drop execute function aviary.watch(); alter event trigger asleep disable;

-- Publications, a subscription, foreign data.
create publication of_all for all tables with (publish = 'insert');
create publication of_some for table aviary.bird (id, name) where (id > 5) with (publish_via_partition_root);
create publication of_schema for tables in schema public;
create subscription from_nowhere connection 'host=nowhere password=hush dbname=x' publication p with (connect = false, slot_name = 'their_slot');
create foreign data wrapper empty_wrapper options (debug 'true');
create server elsewhere type 'pg' version '9' foreign data wrapper postgres_fdw options (host 'nowhere', dbname 'x');
create user mapping for keeper server elsewhere options (user 'u', password 'hush''hush');
create user mapping for public server elsewhere options (user 'anybody');
create foreign table aviary.remote (id int options (column_name 'their id'), v text) server elsewhere options (schema_name 's');
grant usage on foreign server elsewhere to visitor;

-- Large objects, and comments on what has not had one.
select lo_from_bytea(90001, 'a picture'), lo_create(90002);
alter large object 90001 owner to keeper; grant select on large object 90001 to visitor; comment on large object 90001 is 'of a bird';
comment on operator aviary.~~~ (int, int) is 'near'; comment on type aviary.mood is 'mood'; comment on rule redirect on aviary.keyless is 'rule';
comment on domain aviary.positive is 'positive'; comment on constraint over_zero on domain aviary.positive is 'over zero';
comment on policy mine on aviary.leg is 'policy'; comment on event trigger watching is 'watches'; comment on publication of_all is 'all';
comment on text search configuration aviary.words is 'words'; comment on access method heap_too is 'heap';
comment on collation aviary.phone is 'phone book'; comment on aggregate aviary.total(int) is 'total'; comment on conversion aviary.convert is 'conversion';
comment on operator class aviary.backward_ops using btree is 'class'; comment on foreign data wrapper empty_wrapper is 'empty';
grant select on pg_catalog.pg_stat_activity to visitor; revoke execute on function pg_catalog.pg_sleep(float8) from public;
