//! What PostgreSQL writes of an object is not always what it was made of: the same in other words holds no cutover, and what
//! is something else does.
use whimbrel_proto::agent::v1::Step;

use super::{between, cut_over, cut_over_alike, following};
use crate::{
    cluster::{Cluster, programs_of},
    driver::{HBA, moved_alike, sql, value},
};

/// A varchar in a list: `ANY ((ARRAY[…])::text[])` there, and `ANY (ARRAY[(…)::text, …])` of that text here.
const LISTED: &str = "create domain mark as varchar check (value in ('x', 'y'));
    create table item (id int primary key, status varchar default 'a' check (status in ('a', 'b')), m mark,
        early boolean generated always as (status in ('a', 'c')) stored);
    create index on item (id) where status in ('a', 'b');
    create view open_items as select id from item where status in ('a', 'b');
    create materialized view counted as select count(*) as n from item where status in ('a', 'b');
    insert into item select g, 'a', 'x' from generate_series(1, 20) g";

/// Every schema of Rails and Hibernate has such checks: any change held the cutover. What is new has them too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_in_other_words_holds_no_cutover() {
    let (source, target, mut driver) = following(LISTED).await;
    sql(
        &source,
        "shop",
        "alter table item add column n int;
         update item set n = 1;
         alter table item rename column status to state;
         create table made (id int primary key, kind varchar default 'k' check (kind in ('k', 'l')),
             old boolean default ('x'::varchar in ('x', 'y')), exclude using btree (id with =) where (kind in ('k', 'l')));
         create unique index on made (id) where kind not in ('k', 'm');
         create view kinds as select id from made where kind in ('k', 'l') union select id from item where state in ('a', 'b');
         create function is_kind(k varchar default case when 'k'::varchar in ('k', 'l') then 'k' end) returns boolean
             language sql begin atomic select k in ('k', 'l'); end;
         create domain stamp as varchar check (value in ('s', 't'));
         insert into made values (1)",
    )
    .await;
    cut_over(&mut driver, 1).await;
    moved_alike(&source, &target, "shop").await;
}

/// Another version writes what is new there in words of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_words_of_another_version_hold_no_cutover() {
    let (Some(older), Some(newer)) = (programs_of(14), programs_of(17)) else {
        eprintln!("NOT TESTED: 14 to 17: this machine has not both servers (tests/servers)");
        return;
    };
    let servers = (Cluster::start_of(older, HBA, ""), Cluster::start_of(newer, HBA, ""));
    let schema = "create table item (id int primary key, status varchar default 'a' check (status in ('a', 'b')));
         insert into item select g, 'a' from generate_series(1, 20) g";
    let (source, target, mut driver) = between(servers.0, servers.1, schema, |_| {}).await;
    sql(
        &source,
        "shop",
        "alter table item add column n int;
         create table made (id int primary key, kind varchar check (kind in ('k', 'l')), at timestamptz default now());
         create index on made (id) where kind in ('k', 'l');
         create view kinds as select m.id, extract(year from at) as y from made m where kind in ('k', 'l');
         create procedure tidy_up(a int) language sql as 'delete from item where id = a';
         insert into made values (1, 'k')",
    )
    .await;
    cut_over(&mut driver, 1).await;
    moved_alike(&source, &target, "shop").await;
}

/// `json` is a name like any other before 16, and can name no parameter since; `system_user` is reserved since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_a_later_version_keeps_for_itself_hold_nothing() {
    let (Some(older), Some(newer)) = (programs_of(15), programs_of(18)) else {
        eprintln!("NOT TESTED: 15 to 18: this machine has not both servers (tests/servers)");
        return;
    };
    let servers = (Cluster::start_of(older, HBA, ""), Cluster::start_of(newer, HBA, ""));
    let schema = "create table item (id int primary key, system_user text);
         create function known(json json) returns json language sql as 'select \"json\"';
         insert into item select g, 'a' from generate_series(1, 20) g";
    let (source, target, mut driver) = between(servers.0, servers.1, schema, |_| {}).await;
    sql(
        &source,
        "shop",
        "create function f(json json, variadic \"Rest\" text[] default '{a}') returns json language sql set search_path = public, pg_temp
             as 'select \"json\"';
         alter function f(json, text[]) owner to app;
         grant execute on function f(json, text[]) to reader;
         create function rows_of(json_value int) returns table (json text) language sql
             begin atomic select system_user from item where id = json_value; end;
         create procedure put(inout json json, merge_action int) language plpgsql as 'begin null; end';
         create table merge_action (json int primary key, json_table text, system_user text);
         create view looked as select json, json_table as json_scalar, system_user from merge_action;
         alter function known(json) rename to renamed;
         insert into merge_action values (1, 'k', 'u')",
    )
    .await;
    cut_over(&mut driver, 1).await;
    moved_alike(&source, &target, "shop").await;
    let all = "select (f('1')::text, rows_of(1), renamed('2')::text)::text";
    assert_eq!(value(&target, "shop", all).await, "(1,a,2)");
    let may = "select has_function_privilege('reader', 'f(json, text[])', 'execute')";
    assert_eq!(value(&target, "shop", may).await, "true");
}

/// What is something else, in words as near as can be, is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn something_else_is_not_taken_for_other_words() {
    let (source, target, mut driver) = following(LISTED).await;
    sql(&source, "shop", "alter table item add column n int").await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    let check = "alter table item drop constraint item_status_check, add constraint item_status_check check (status in";
    let index = "drop index item_id_idx; create index item_id_idx on item (id) where status in";
    let view = "create or replace view open_items as select id from item where status in";
    for (object, spoilt, mended) in [
        (
            "constraint item_status_check of public.item",
            format!("{check} ('a', 'B'))"),
            format!("{check} ('a', 'b'))"),
        ),
        (
            "constraint item_status_check of public.item",
            format!("{check} ('a', 'b')) not valid"),
            format!("{check} ('a', 'b'))"),
        ),
        ("index public.item_id_idx", format!("{index} ('a')"), format!("{index} ('a', 'b')")),
        (
            "index public.item_id_idx",
            index.replace("create", "create unique") + " ('a', 'b')",
            format!("{index} ('a', 'b')"),
        ),
        ("view public.open_items", format!("{view} ('b', 'a')"), format!("{view} ('a', 'b')")),
        (
            "default of status of public.item",
            "alter table item alter status set default 'b'".into(),
            "alter table item alter status set default 'a'".into(),
        ),
        (
            "default of status of public.item",
            "alter table item alter status drop default".into(),
            "alter table item alter status set default 'a'".into(),
        ),
    ] {
        sql(&target, "shop", &spoilt).await;
        let told = driver.step(Step::Complete, 1, &[], end).await.unwrap_err();
        assert!(told.message.ends_with(&format!("as they are there: {object}")), "{told:?}");
        sql(&target, "shop", &mended).await;
    }
    driver.step(Step::Complete, 1, &[], end).await.unwrap();
}

/// A constraint trigger is two objects on the source, and comes with the switch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_constraint_trigger_holds_no_cutover() {
    let (source, target, mut driver) = following(
        "create table item (id int primary key);
         create function see() returns trigger language plpgsql as 'begin return null; end';
         create constraint trigger early after insert on item deferrable for each row execute function see()",
    )
    .await;
    sql(
        &source,
        "shop",
        "create constraint trigger late after update on item for each row execute function see();
         insert into item values (1)",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Foreign keys that are here already become what they are there; a renamed one was made once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_keys_are_altered_as_they_are_there() {
    let (source, target, mut driver) = following(
        "create table parent (id int primary key);
         insert into parent select generate_series(1, 20);
         create table child (id int primary key, a int constraint named references parent, b int references parent);
         alter table child add constraint late foreign key (id) references parent not valid;
         create table p (id int primary key, parent int references parent) partition by range (id);
         create table p1 partition of p for values from (1) to (100);
         insert into child select g, g, g from generate_series(1, 20) g",
    )
    .await;
    sql(
        &source,
        "shop",
        "alter table child rename constraint named to renamed;
         alter table child validate constraint late;
         alter table child alter constraint child_b_fkey deferrable initially deferred;
         alter table p rename constraint p_parent_fkey to whole;
         insert into p values (1, 1)",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// One is not made here and is no part of what must be; the other is made there by a command that does not tell of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_indexes_and_checks_of_detached_partitions_hold_no_cutover() {
    let (source, target, mut driver) = following(
        "create table twice (v int);
         insert into twice values (1), (1);
         create table p (id int primary key, v int) partition by range (id);
         create table p1 partition of p for values from (1) to (100);
         insert into p select g, g from generate_series(1, 20) g",
    )
    .await;
    let client = crate::driver::session(&source, "shop").await;
    client.batch_execute("create unique index concurrently failed on twice (v)").await.unwrap_err();
    sql(
        &source,
        "shop",
        "alter table p detach partition p1 concurrently;
         insert into p1 values (50, 50)",
    )
    .await;
    cut_over(&mut driver, 1).await;
    moved_alike(&source, &target, "shop").await;
    let checks =
        "select count(*) from pg_constraint where conrelid = 'p1'::regclass and contype = 'c'";
    assert_eq!(value(&target, "shop", checks).await, "1");
}

/// 18 keeps NOT NULL as constraints with names; what is made of a table takes them over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_not_null_constraints_come_with_the_stream() {
    let Some(programs) = programs_of(18) else {
        eprintln!("NOT TESTED: PostgreSQL 18: this machine has no server of it (tests/servers)");
        return;
    };
    let server = || Cluster::start_of(programs.clone(), HBA, "");
    let schema = format!(
        "{LISTED};
         create table p (id int primary key, v int not null) partition by range (id);
         create table p1 partition of p for values from (1) to (100);
         insert into p select g, g from generate_series(1, 20) g"
    );
    let (source, target, mut driver) = between(server(), server(), &schema, |_| {}).await;
    let file = "select pg_relation_filenode('item')";
    let before = value(&target, "shop", file).await;
    sql(
        &source,
        "shop",
        "create table p2 partition of p for values from (100) to (200);
         create table likewise (like p);
         alter table item add constraint filled not null status;
         alter table p add column w int constraint written not null default 1;
         create table above (a int, b int constraint alone not null no inherit);
         create table below () inherits (above);
         insert into below values (null, null);
         alter table only above add constraint late not null a no inherit;
         delete from below;
         alter table above alter constraint alone inherit;
         alter table above alter constraint alone no inherit;
         insert into p values (100, 1, 1);
         insert into likewise values (1, 1)",
    )
    .await;
    cut_over(&mut driver, 1).await;
    moved_alike(&source, &target, "shop").await;
    let names = "select string_agg(conname || ' ' || conrelid::regclass, ', ' order by conrelid::regclass::text, conname) \
                 from pg_constraint where contype = 'n' and connamespace = 'public'::regnamespace";
    assert_eq!(value(&target, "shop", names).await, value(&source, "shop", names).await);
    // Its expression is the same in other words: to set it again would have written every row anew.
    assert_eq!(value(&target, "shop", file).await, before);
}

/// An extension's members are as the server's version of it has them, and nobody can make others of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extension_of_another_version_holds_no_cutover() {
    let (source, target, mut driver) = following(
        "create schema own;
         create extension pg_stat_statements version '1.4' schema own;
         create extension hstore version '1.4' schema own;
         grant execute on function own.hstore_in(cstring) to public;
         create table item (id int primary key, v own.hstore)",
    )
    .await;
    sql(
        &source,
        "shop",
        "alter table item add column n int;
         insert into item values (1, 'a=>1', 1);
         grant select on own.pg_stat_statements to app;
         revoke execute on function own.hstore_out(own.hstore) from public;
         grant execute on function own.hstore_out(own.hstore) to reader;
         grant execute on function own.pg_stat_statements_reset() to app",
    )
    .await;
    let notes = cut_over(&mut driver, 1).await;
    moved_alike(&source, &target, "shop").await;
    for right in [
        "has_table_privilege('app', 'own.pg_stat_statements', 'select')",
        "has_function_privilege('reader', 'own.hstore_out(own.hstore)', 'execute')",
    ] {
        assert_eq!(value(&target, "shop", &format!("select {right}")).await, "true", "{right}");
    }
    assert!(
        notes.contains(
            "not granted: grant EXECUTE on routine own.pg_stat_statements_reset() to app"
        ),
        "{notes}"
    );
}
