//! Each kind of change, with rows before and after it.
use super::{cut_over, cut_over_alike, following, following_as};
use crate::driver::{sql, until, value};

const SCHEMA: &str = "
create table item (id int primary key, name text, price numeric(10,2) not null default 1, old int);
insert into item select g, 'n' || g, g, g from generate_series(1, 100) g;
create table wide (id int primary key, a int, b int, c text);
insert into wide select g, g, -g, 'c' from generate_series(1, 50) g;
create table gone (id int primary key);
insert into gone values (1);
create table moved (id int primary key);
insert into moved values (1);
create table keyless (v int);
insert into keyless select g from generate_series(1, 10) g;
create type mood as enum ('sad', 'happy');
create table felt (id int primary key, m mood);
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_come_go_and_change() {
    let (source, target, mut driver) = following(SCHEMA).await;
    sql(
        &source,
        "shop",
        "update item set name = 'before' where id = 1;
         alter table item add column plain text;
         update item set plain = 'p' where id = 2;
         alter table item add column fixed int not null default 7;
         insert into item (id, name) values (201, 'x');
         alter table item alter column fixed set default 8;
         insert into item (id, name) values (202, 'y');
         alter table item add column at timestamptz default now();
         alter table item add column tags text[] default '{a,\"b c\"}';
         alter table item add column quoted text default 'it''s \\ {x}';
         alter table item drop column old;
         update item set price = price + 1 where id < 10;
         alter table item rename column name to title;
         update item set title = title || '!' where id % 2 = 0;
         alter table wide rename column a to x;
         alter table wide rename column b to a;
         alter table wide rename column x to b;
         insert into wide values (60, 1, 2, 'swapped');
         alter table wide drop column c;
         alter table wide add column c text;
         update wide set c = 'again' where id < 5;
         alter table wide alter column a set not null;
         alter table wide alter column a type int8;
         insert into wide (id, a) values (61, 5000000000);
         alter table item alter column title type varchar(300);
         alter table item alter column title type text using upper(title);
         alter table item add column n serial;
         alter table item add column r float8 default random();
         alter table item add column doubled numeric generated always as (price * 2) stored;
         insert into item (id, title) values (203, 'after');
         alter table item add column always int generated always as identity;
         insert into item (id, title) values (204, 'after');
         update item set always = default where id = 204;
         delete from item where id = 3;
         alter table item alter column n drop default;
         alter table item alter column plain set storage external;
         alter table item alter column plain set statistics 77",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
    assert_eq!(value(&target, "shop", "select count(*) from item where fixed = 7").await, "100");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_come_go_and_are_renamed() {
    let (source, target, mut driver) = following(SCHEMA).await;
    sql(
        &source,
        "shop",
        "begin;
         create table fresh (id int primary key, v text);
         insert into fresh values (1, 'in the same transaction');
         commit;
         insert into fresh values (2, 'later');
         create table bare (v int);
         insert into bare values (1), (1);
         alter table bare add column id serial primary key;
         update bare set v = v + id;
         create table filled as select g as id, 'row ' || g as v from generate_series(1, 500) g;
         insert into filled values (501, 'x');
         alter table filled add primary key (id);
         update filled set v = 'y' where id = 7;
         create unlogged table quick (id int primary key);
         insert into quick values (1);
         alter table quick set logged;
         insert into quick values (2);
         drop table gone;
         create table gone (other text primary key);
         insert into gone values ('another');
         create schema apart authorization app;
         alter table moved set schema apart;
         insert into apart.moved values (2);
         alter table apart.moved rename to \"Moved it\";
         insert into apart.\"Moved it\" values (3);
         alter schema apart rename to \"a part\";
         insert into \"a part\".\"Moved it\" values (4);
         alter table keyless add primary key (v);
         update keyless set v = v + 100;
         alter table felt drop constraint felt_pkey;
         insert into felt values (1, 'sad');
         update felt set m = 'happy';
         alter table wide replica identity full;
         update wide set a = null where id = 1;
         alter table wide owner to app;
         alter table wide set (fillfactor = 70);
         create table dropped_again (id int primary key);
         insert into dropped_again values (1);
         drop table dropped_again",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_and_heirs() {
    let (source, target, mut driver) = following(
        "create table p (id int, at date, v text, primary key (id, at)) partition by range (at);
         create table p1 partition of p for values from ('2024-01-01') to ('2025-01-01');
         create table alone (id int not null, at date not null, v text);
         insert into p select g, '2024-06-01', 'v' from generate_series(1, 20) g;
         insert into alone select g, '2026-06-01', 'alone' from generate_series(1, 20) g;
         create table parent (id int primary key, v int);
         create table heir (extra int, primary key (id)) inherits (parent);
         insert into heir values (1, 1, 1)",
    )
    .await;
    sql(
        &source,
        "shop",
        "create table p2 partition of p for values from ('2025-01-01') to ('2026-01-01');
         insert into p values (100, '2025-06-01', 'in p2');
         create index p_v on p (v);
         alter table p add column n int default 5;
         insert into p values (101, '2025-06-01', 'n', 6);
         update p set at = '2025-07-01' where id = 1;
         alter table alone add column n int;
         alter table alone add primary key (id, at);
         alter table p attach partition alone for values from ('2026-01-01') to ('2027-01-01');
         update p set v = 'attached' where id = 3;
         create table p3 partition of p for values from ('2027-01-01') to ('2028-01-01') partition by list (id);
         create table p3a partition of p3 for values in (1, 2, 3);
         insert into p values (2, '2027-02-02', 'deep', 1);
         alter table p detach partition p1;
         insert into p1 values (500, '2024-02-02', 'detached', 1);
         alter table p rename column v to words;
         update p set words = words || '!';
         drop table p2;
         alter table p alter column words type varchar(50);
         insert into p values (3, '2027-02-02', 'typed', 1);
         alter table parent add column more text default 'm';
         insert into heir values (2, 2, 2, 'x');
         create table second_heir (own text) inherits (parent);
         insert into second_heir values (9, 9, 'q', 'own');
         alter table heir no inherit parent;
         alter table parent rename column v to value;
         update heir set v = 7;
         update second_heir set value = 8",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_built_on_tables() {
    let (source, target, mut driver) = following(SCHEMA).await;
    sql(
        &source,
        "shop",
        "create index concurrently item_name on item (name);
         create unique index item_lower on item (lower(name)) where id > 5;
         alter index item_name rename to item_by_name;
         drop index item_lower;
         alter table item add constraint positive check (price >= 0) not valid;
         alter table item validate constraint positive;
         alter table item add constraint one_name unique (name);
         create unique index taken on wide (b);
         alter table wide add constraint wide_b unique using index taken;
         alter table wide rename constraint wide_b to wide_b_once;
         create table line (id int primary key, item int references item on delete cascade);
         insert into line values (1, 1), (2, 2);
         alter table felt add column item int references item;
         create view names as select id, name from item;
         create or replace view names as select id, name, price from item;
         create view doomed as select * from names;
         drop view doomed;
         create materialized view totals as select count(*) as n from item;
         create unique index on totals (n);
         create function twice(a int) returns int language sql immutable as 'select a * 2';
         create or replace function twice(a int) returns int language sql immutable as 'select a + a';
         alter function twice(int) rename to double_it;
         create procedure tidy_up() language sql as 'delete from item where id < 0';
         create index item_double on item (double_it(id));
         create sequence loose start 5;
         select nextval('loose');
         alter sequence loose increment 3 owned by item.id;
         alter type mood add value 'so so' before 'happy';
         insert into felt values (1, 'so so');
         alter type mood rename value 'sad' to 'blue';
         insert into felt values (2, 'blue');
         create domain short as varchar(5) default 'x' check (value <> 'bad');
         alter table item add column s short;
         insert into item (id, s) values (300, 'good');
         alter domain short drop constraint short_check;
         insert into item (id, s) values (301, 'bad');
         create type pair as (a int, b text);
         alter type pair add attribute c int;
         create table pairs (id int primary key, p pair);
         insert into pairs values (1, (1, 'x', 2));
         create extension citext;
         create table loud (word citext primary key);
         insert into loud values ('Hey');
         update loud set word = 'HEY you'",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_with_the_switch() {
    let (source, target, mut driver) = following(
        "create table t (id int primary key, v int);
         create table seen (n int);
         create function see() returns trigger language plpgsql as 'begin insert into seen values (1); return new; end';
         create trigger early after insert on t for each row execute function see();
         create policy first on t using (id > 0);
         comment on table t is 'old';
         grant select on t to reader",
    )
    .await;
    sql(
        &source,
        "shop",
        "create trigger late before update on t for each row execute function see();
         drop trigger early on t;
         alter table t enable row level security;
         create policy second on t for select to reader using (v > 0);
         drop policy first on t;
         comment on table t is 'new';
         comment on column t.v is 'value';
         create rule quiet as on delete to seen do instead nothing;
         grant update (v), select (id) on t to app;
         grant insert on t to reader with grant option;
         create table u (id int primary key);
         grant select on u to public;
         create publication mine for table t;
         create statistics st (dependencies) on id, v from t;
         create aggregate total (int) (sfunc = int4pl, stype = int, initcond = '0');
         create operator ### (leftarg = int, rightarg = int, function = int4pl);
         alter default privileges in schema public grant select on tables to reader;
         insert into t values (1, 1);
         update t set v = 2",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
    assert_eq!(value(&target, "shop", "select count(*) from seen").await, "1");
}

/// No command of ours would disable them, and the application's rows must not fail there without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_keys_that_are_disabled_meanwhile_are_told() {
    for follow in [true, false] {
        let schema = "create table parent (id int primary key);
            create table child (id int primary key, of int constraint \"its parent\" references parent);
            create table plain (id int primary key)";
        let (source, target, mut driver) = following_as(schema, follow).await;
        sql(&source, "shop", "alter table child disable trigger all").await;
        let notes = cut_over_alike(&source, &target, &mut driver, 1).await;
        assert!(notes.contains("foreign keys \"its parent\" of public.child"), "{notes}");
        assert!(!notes.contains("taken over"), "{notes}");
    }
}

/// Writes are often stopped by taking rights away; the application must find them on the target.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_that_were_taken_away_stay_on_the_target() {
    let schema = "create table t (id int primary key); grant insert, update on t to reader";
    let (source, target, mut driver) = following(schema).await;
    sql(&source, "shop", "revoke insert on t from reader; grant delete on t to reader").await;
    cut_over(&mut driver, 1).await;
    for right in ["insert", "update", "delete"] {
        let has = format!("select has_table_privilege('reader', 't', '{right}')");
        assert_eq!(value(&target, "shop", &has).await, "true", "{right}");
    }
}

/// The command that moves a table tells the table alone, and takes its sequences with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequences_that_moved_with_their_table_are_found() {
    let (source, target, mut driver) = following(
        "create schema archive;
         create table t (id serial primary key, n int generated always as identity, v text);
         insert into t (v) values ('a'), ('b')",
    )
    .await;
    sql(
        &source,
        "shop",
        "alter table t set schema archive;
         create sequence t_id_seq;
         alter sequence archive.t_id_seq restart with 100;
         insert into archive.t (v) values ('c');
         alter sequence archive.t_n_seq increment by 5;
         alter sequence archive.t_id_seq maxvalue 1000;
         alter sequence archive.t_id_seq rename to renamed;
         insert into archive.t (v) values ('d')",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// The target makes extensions in its own version, which may be newer than what the source's is updated to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extensions_are_updated_where_the_target_has_an_older_one() {
    let (source, target, mut driver) = following(
        "create schema ext;
         create extension pg_stat_statements version '1.4';
         create extension citext version '1.4'",
    )
    .await;
    let here = "select string_agg(extname || extversion, ' ' order by extname) from pg_extension \
                where extname in ('citext', 'pg_stat_statements')";
    assert_eq!(value(&target, "shop", here).await, "citext1.6 pg_stat_statements1.10");
    sql(&target, "shop", "drop extension citext; create extension citext version '1.5'").await;
    sql(
        &source,
        "shop",
        "alter extension pg_stat_statements update to '1.8';
         alter extension pg_stat_statements set schema ext;
         alter extension pg_stat_statements update to '1.10';
         alter extension citext update to '1.6';
         create extension earthdistance schema ext cascade;
         alter extension cube set schema public",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
    assert_eq!(value(&target, "shop", here).await, "citext1.6 pg_stat_statements1.10");
}

/// They are in the schema of others, and go with the session that made them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_of_a_temporary_tables_type_is_temporary_too() {
    for follow in [true, false] {
        let schema = "create table t (id int primary key); insert into t values (1)";
        let (source, target, mut driver) = following_as(schema, follow).await;
        sql(
            &source,
            "shop",
            "create temp table pair (a int, b text);
             create function first_of(v pair) returns int language sql as 'select $1.a';
             create domain pairs as pair[];
             insert into t select first_of(row(2, 'x')::pair)",
        )
        .await;
        let gone =
            "select count(*) where not exists (select from pg_proc where proname = 'first_of')";
        until(&source, "shop", gone).await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
    }
}

/// A foreign table comes with the switch, and its sequences with the stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_tables_have_sequences() {
    for event_triggers in [true, false] {
        let (source, target, mut driver) = following_as(
            "create foreign data wrapper nothing; create server far foreign data wrapper nothing;
             create foreign table early (id serial, v text) server far;
             create table t (id int primary key)",
            event_triggers,
        )
        .await;
        sql(
            &source,
            "shop",
            "create foreign table late (id serial, v text) server far;
             create sequence given owned by early.id;
             alter foreign table early add column w int;
             insert into t values (1)",
        )
        .await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
        let told = "select string_agg(concat_ws(' ', d.objid::regclass, d.refobjid::regclass, d.refobjsubid,
                (select pg_get_expr(a.adbin, a.adrelid) from pg_attrdef a where a.adrelid = d.refobjid)), '; ' order by d.objid::regclass::text)
            from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
            where d.refclassid = 'pg_class'::regclass and d.deptype = 'a'";
        let theirs = value(&source, "shop", told).await;
        assert!(
            theirs.contains("given early 1") && theirs.contains("late_id_seq late 1"),
            "{theirs}"
        );
        assert_eq!(value(&target, "shop", told).await, theirs);
    }
}

/// Something uses it, so that it can't be dropped and made anew with the switch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_table_is_altered_under_what_uses_it() {
    for event_triggers in [true, false] {
        let (source, target, mut driver) = following_as(
            "create foreign data wrapper nothing; create server far foreign data wrapper nothing; create schema shelf;
             create foreign table ft (id int, v text, gone int, n int check (n > 0)) server far options (name 'x');
             create foreign table moved (id int) server far;
             create view seen as select id, v, n from ft;
             create view of_moved as select * from moved;
             create function first_of() returns ft language sql begin atomic select * from ft limit 1; end;
             create table holds (id int primary key, f moved);
             create table p (id int, v text) partition by range (id);
             create foreign table p1 partition of p for values from (0) to (10) server far;
             create foreign table p2 partition of p for values from (10) to (20) server far;
             create view of_p1 as select id, v from p1;
             create function fires() returns trigger language plpgsql as 'begin return new; end';
             create trigger fires before insert on moved for each row execute function fires()",
            event_triggers,
        )
        .await;
        for command in [
            "drop function first_of; alter foreign table ft add column w text default 'a' not null, drop column gone,
                 alter v set not null, add constraint low check (id < 100), alter n set statistics 7",
            "alter foreign table ft drop constraint ft_n_check; alter foreign table ft alter n drop not null",
            "alter foreign table ft rename v to words; alter foreign table ft rename to renamed",
            "alter foreign table renamed options (set name 'y', add more 'z'); alter foreign table renamed add v int",
            "drop view of_p1; alter table p detach partition p1; alter foreign table p1 alter v type varchar(9), add u int;
             create view of_p1 as select id, v, u from p1",
            "alter table p add added int default 7; alter table p rename v to named",
            "alter foreign table moved add column n int; alter foreign table moved set schema shelf",
            "create foreign table late (id int, v text) server far; alter foreign table late rename v to w",
            "create view of_late as select * from late; alter foreign table late add column z int",
            "insert into holds (id) values (1)",
        ] {
            sql(&source, "shop", command).await;
        }
        cut_over_alike(&source, &target, &mut driver, 1).await;
        let fires = "select count(*) from pg_trigger where tgname = 'fires'";
        assert_eq!(value(&target, "shop", fires).await, "1");
    }
}
