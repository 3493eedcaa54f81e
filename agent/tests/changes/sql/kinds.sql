-- Tables of every build, for the writes of kinds_writes.sql.
create extension btree_gist;
create table toast_key (k text primary key, v int, far text);
alter table toast_key alter k set storage external, alter far set storage external;
insert into toast_key select 'k' || g || repeat(chr(97 + g), 2500), g, repeat('far', 2000) from generate_series(1, 8) g;
create table toast_full (id int, v int, far text); alter table toast_full replica identity full;
alter table toast_full alter far set storage external;
insert into toast_full select g % 3, g, repeat('far' || g, 2000) from generate_series(1, 60) g;
create table toast_full_key (id int primary key, v int, far text); alter table toast_full_key replica identity full;
alter table toast_full_key alter far set storage external;
insert into toast_full_key select g, g, repeat('far' || g, 2000) from generate_series(1, 60) g;

create table root (id int primary key);
create table branch (id int primary key generated always as identity, root int references root on delete cascade);
create table leaf (id int primary key, branch int references branch on delete cascade);
create unlogged table loose_leaf (id int primary key, root int references root);
insert into root select g from generate_series(1, 50) g;
insert into branch (root) select g from generate_series(1, 50) g;
insert into leaf select g, g from generate_series(1, 50) g;

create table by_kind (id int, kind int, v text, primary key (id, kind)) partition by list (kind);
create table by_kind_1 partition of by_kind for values in (1);
create table by_kind_2 (v text, extra_dropped int, kind int not null, id int not null);
alter table by_kind_2 drop column extra_dropped;
alter table by_kind attach partition by_kind_2 for values in (2);
create table by_kind_rest partition of by_kind default partition by range (id);
create table by_kind_low partition of by_kind_rest for values from (minvalue) to (100);
create table by_kind_high partition of by_kind_rest for values from (100) to (maxvalue);
insert into by_kind select g, 1 + g % 4, 'v' from generate_series(1, 200) g;

create table by_index (a int not null, b text collate "C" not null, v int, unique nulls not distinct (v, a));
create unique index by_index_key on by_index (b text_pattern_ops, a) include (v);
alter table by_index replica identity using index by_index_key;
insert into by_index select g, 'b' || g, g from generate_series(1, 50) g;
create table nothing (id int primary key, v int); alter table nothing replica identity nothing;
insert into nothing select g, 0 from generate_series(1, 50) g;

create table generated (id int primary key, a int, twice int generated always as (a * 2) stored, b text,
                        up text generated always as (upper(b)) stored);
create table generated_full (id int, a int, twice int generated always as (a * 2) stored); alter table generated_full replica identity full;
create table numbered (id int generated always as identity primary key, gone int, v int, also_gone text, kept text);
alter table numbered drop column gone, drop column also_gone;
insert into generated (id, a, b) select g, g, 'b' || g from generate_series(1, 50) g;
insert into generated_full (id, a) select g % 5, g % 5 from generate_series(1, 50) g;
insert into numbered (v, kept) select g, 'kept' from generate_series(1, 50) g;

create table swap (id int primary key, place int unique, later int unique deferrable initially deferred);
insert into swap select g, g, g from generate_series(1, 100) g;
create table partial (id int primary key, place int, live bool); create unique index on partial (place) where live;
create unique index on partial (abs(id - 1000000));
insert into partial select g, g % 10, g <= 10 from generate_series(1, 100) g;
create table tree (id int primary key, parent int references tree on delete cascade);
insert into tree select g, nullif(g / 2, 0) from generate_series(1, 127) g;
create table booked (id int primary key, room int, during int4range, exclude using gist (room with =, during with &&) deferrable);
insert into booked select g, g % 5, int4range(g * 10, g * 10 + 10) from generate_series(1, 100) g;

create table audited (id int primary key, v int); create table audit (n bigserial primary key, id int, v int);
create function audit() returns trigger language plpgsql as $$ begin insert into audit (id, v) values (new.id, new.v); return new; end $$;
create trigger audit after insert or update on audited for each row execute function audit();
create trigger audit_always before update on audited for each row execute function suppress_redundant_updates_trigger();
alter table audited enable always trigger audit; alter table audited enable replica trigger audit_always;
insert into audited select g, g from generate_series(1, 50) g;
create table no_columns (); alter table no_columns replica identity full; insert into no_columns select from generate_series(1, 5);
create table only_generated (g int generated always as (7) stored);
create table only_key (id int primary key); insert into only_key select g from generate_series(1, 50) g;
do $$ begin
    execute 'create table widest (id int primary key, ' || (select string_agg(format('c%s int', g), ', ') from generate_series(1, 1599) g) || ')';
    execute 'insert into widest select g from generate_series(1, 40) g';
end $$;
create table log (n bigserial primary key, tx text);
