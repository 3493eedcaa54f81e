//! Runs of changes, folded by key and written set-wise, come to the same as one by one.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::sync::Arc;

use cluster::Cluster;
use driver::{Driver, HBA, batch, database, moved_alike, sql};
use whimbrel_proto::agent::v1::{Step, report::Kind};

/// Odd keys, odd types, values out of line, a unique column that is swapped, a tree, ranges that may not overlap.
const SCHEMA: &str = r#"
create extension if not exists btree_gist;
create type mood as enum ('sad', 'so, so', 'ha"ppy');
create type pair as (a int, b text);
create domain short as varchar(20);
create table t (a int, b text, place int unique, far text, tags text[], grid int[], m mood, p pair, d short,
                n numeric(12,3), j jsonb, y bytea, c char(5), ts timestamptz, bits bit(4), g int generated always as (a * 2) stored,
                id int generated always as identity, primary key (a, b));
alter table t alter far set storage external;
create table swap (id int primary key, place int not null unique deferrable initially immediate);
create table chain (id int primary key, place int not null unique);
insert into chain select g, g from generate_series(1, 200) g;
create table tree (id int primary key, parent int references tree);
create table booked (id int primary key, room int, during int4range, exclude using gist (room with =, during with &&));
create table only_key (id int primary key);
create table full_rows (v int, w text);
alter table full_rows replica identity full;
create table keyless (v int);
insert into t (a, b, place, far, n) select g, 'k' || g, g, repeat('far', 2000), g from generate_series(1, 300) g;
insert into swap select g, g from generate_series(1, 100) g;
insert into tree select g, nullif(g / 2, 0) from generate_series(1, 100) g;
insert into booked select g, g % 5, int4range(g * 10, g * 10 + 10) from generate_series(1, 100) g;
insert into only_key select g from generate_series(1, 100) g;
insert into full_rows select g % 7, 'w' from generate_series(1, 100) g;
"#;

/// One transaction of some thousand changes: random ones from a seed, then those that a fold could get wrong.
fn writes(seed: u32) -> String {
    format!(
        r#"
do $$ declare k int; begin
perform setseed({seed} / 100.0);
for i in 1..1500 loop
  k := 1 + (random() * 400)::int;
  case (random() * 9)::int
    when 0 then insert into t (a, b, place, far, tags, grid, m, p, d, n, j, y, c, ts, bits) values (k, 'k' || k, 10000 + i, repeat('x', i), array['a,b', null, '"\'],
        '[2:3]={{7,8}}', 'ha"ppy', row(k, 'q"\,'), 'it''s', k / 3.0, '{{"a": "\\\""}}', '\x00ff5c22', 'ab', now(), b'1010') on conflict do nothing;
    when 1 then delete from t where a = k;
    when 2 then update t set n = n + 1 where a = k;
    when 3 then update t set far = far || 'y' where a = k;
    when 4 then update t set b = b || '!' || i where a = k;
    when 5 then update t set tags = null, m = null, p = null, j = null where a = k;
    when 6 then delete from only_key where id = k; insert into only_key values (k);
    when 7 then update full_rows set w = w || 'z' where ctid in (select ctid from full_rows where v = k % 7 limit 1);
    when 8 then delete from tree where id = k and not exists (select from tree c where c.parent = k);
    else insert into keyless values (k);
  end case;
end loop;
update t set place = -1000000 * {seed} - place where place > 0;
update chain set place = id + 10000; update chain set place = id;
update chain set place = -1 where id = 1;
for i in 2..200 loop update chain set place = i - 1 where id = i; end loop;
update swap set place = 101 - place;
delete from booked where id % 3 = 0;
insert into booked select id + 1000, room, during from (values (3, 3, int4range(30, 40)), (6, 1, int4range(60, 70))) as v(id, room, during);
update booked set room = room + 10;
insert into tree values (1000, null); insert into tree values (1001, 1000); delete from tree where id = 1001; delete from tree where id = 1000;
insert into tree values (1001, null);
end $$;
"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folded_runs_come_to_the_same() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(&source, "shop", SCHEMA).await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    for seed in 1..=4 {
        batch(&source, "shop", &writes(seed)).await;
        sql(&source, "shop", "delete from booked where id > 1000; update booked set room = room - 10; delete from tree where id = 1001").await;
    }
    sql(
        &source,
        "shop",
        "truncate keyless; insert into keyless select g from generate_series(1, 5000) g",
    )
    .await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    for step in [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch] {
        driver.step(step, 1, &[], end).await.unwrap();
    }
    moved_alike(&source, &target, "shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_missing_is_named_in_a_long_run_too() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(&source, "shop", "create table a (id int primary key, v int); create table b (id int primary key, v int);
                          insert into a select g, 0 from generate_series(1, 200) g; insert into b select g, 0 from generate_series(1, 200) g").await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(&target, "shop", "delete from b where id = 77").await;
    sql(&source, "shop", "begin; update a set v = 1; update b set v = 1; commit").await;
    let report = driver.wait(|kind| matches!(kind, Kind::TableHeld(_))).await;
    let Some(Kind::TableHeld(held)) = report.kind else { panic!("not a held table") };
    assert_eq!(held.table, "public.b");
    let failure = held.failure.unwrap();
    assert_eq!(failure.code, "RowMissing");
    assert!(failure.message.contains("public.b"), "{}", failure.message);
}

/// Small transactions that lie ready when the target lets go: full groups, each closed while the next one is received.
async fn pile_up(source: &Cluster, target: &Cluster, table: &str, backlog: &str) {
    let holder = driver::session(target, "shop").await;
    let lock = format!("begin; lock table {table} in access exclusive mode");
    holder.batch_execute(&lock).await.unwrap();
    batch(source, "shop", backlog).await;
    holder.batch_execute("commit").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_groups_come_to_the_same() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(
        &source,
        "shop",
        "create table log (id int primary key, n int, later text, never numeric);
                          create table chain (id int primary key, place int not null unique);
                          insert into chain select g, g from generate_series(1, 100) g",
    )
    .await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    // Two swaps that no set-wise update can do: one in a group that is closed, one in the last. A column is used from the
    // middle on, and another never.
    let backlog = "do $$ begin
        for i in 1..5000 loop
            insert into log (id, n) values (i, i);
            update log set n = n + 1, later = case when i > 2500 then 'used ' || i end where id = i;
            if i in (1990, 4990) then
                update chain set place = 0 where id = 1;
                update chain set place = 3 - place where id = 2;
                update chain set place = 3 - (select place from chain where id = 2) where id = 1;
            end if;
            commit;
        end loop;
        end $$";
    pile_up(&source, &target, "log", backlog).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    for step in [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch] {
        driver.step(step, 1, &[], end).await.unwrap();
    }
    moved_alike(&source, &target, "shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_missing_is_named_in_a_closed_group_too() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(&source, "shop", "create table a (id int primary key, v int); create table b (id int primary key, v int);
                          insert into a select g, 0 from generate_series(1, 200) g; insert into b select g, 0 from generate_series(1, 200) g").await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(&target, "shop", "delete from b where id = 77").await;
    let backlog = "do $$ begin
        for i in 1..5000 loop
            update a set v = i where id = 1 + i % 200; update b set v = i where id = 1 + i % 200; commit;
        end loop;
        end $$";
    pile_up(&source, &target, "a", backlog).await;
    let report = driver.wait(|kind| matches!(kind, Kind::TableHeld(_))).await;
    let Some(Kind::TableHeld(held)) = report.kind else { panic!("not a held table") };
    assert_eq!(held.table, "public.b");
    assert_eq!(held.failure.unwrap().code, "RowMissing");
}
