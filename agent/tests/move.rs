//! The engine without a controller: a supervisor, driven by commands, moves a database that is written to.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::sync::Arc;

use cluster::{Cluster, PASSWORD};
use driver::{Driver, HBA, batch, database, moved_alike, rows_alike, sql, value};
use whimbrel_proto::agent::v1::{Step, report::Kind};

const SCHEMA: &str = "
create table account (id int primary key, branch int not null, balance numeric(12,2) not null, note text);
create table branch (id int generated always as identity primary key, name text unique);
alter table account add foreign key (branch) references branch;
create table ledger (id bigserial primary key, account int references account, delta numeric(12,2), at timestamptz default now());
create table history (who int, what text);
create table history_full (who int, what text, amount numeric); alter table history_full replica identity full;
create table empty_columns ();
create table \"Odd \"\"name\" (\"Key col\" int primary key, v jsonb, a int[], x xml);
create table seen (n int);
create function see() returns trigger language plpgsql as 'begin insert into seen values (1); return new; end';
create trigger see after insert or update on account for each row execute function see();
create table swap (id int primary key, place int unique deferrable, cost money);
insert into swap values (1, 1, 12.34), (2, 2, -0.05);
create sequence loose start 7 increment 3;
create view rich as select * from account where balance > 100;
create index account_branch on account (branch);
insert into branch (name) select 'b' || g from generate_series(1, 10) g;
insert into account select g, 1 + g % 10, 100, repeat('x', 3000) from generate_series(1, 5000) g;
-- More than a megabyte: copied by itself, as frozen rows. The other tables travel in a batch.
insert into ledger (account, delta) select 1 + g % 5000, 1 from generate_series(1, 40000) g;
insert into history select g, 'h' from generate_series(1, 1000) g;
insert into history_full select g % 10, 'same', 1.0 from generate_series(1, 100) g;
insert into empty_columns default values;
insert into \"Odd \"\"name\" values (1, '{\"a\":1.0}', '[0:1]={1,2}', '<a/>');
select nextval('loose');
create role reader;
alter database shop set search_path to '$user', public, \"odd name\";
alter database shop set app.greeting to 'it''s';
alter role reader in database shop set work_mem to '7MB';
alter role reader in database shop set search_path to '';
alter role reader in database shop set temp_tablespaces to '', 'Odd';
revoke connect on database shop from public; grant connect, create on database shop to reader;
comment on database shop is 'the shop';
";

const WRITES: &str = "
update account set balance = balance - 1 where id = 1;
update account set id = 9001 where id = 2 and not exists (select from ledger where account = 2);
insert into account values (6000, 1, 5, null);
delete from account where id = 6000;
begin; insert into ledger (account, delta) values (1, -1); savepoint s; insert into ledger (account, delta) values (2, 5); rollback to s; commit;
insert into history values (1, 'late');
delete from history_full where ctid in (select ctid from history_full where who = 3 limit 2);
update history_full set amount = null where who = 4;
update history_full set amount = 1.00 where who = 5;
update \"Odd \"\"name\" set v = null, x = '<b/>';
insert into branch (name) values ('late');
truncate seen;
begin; set constraints all deferred; update swap set place = 2 where id = 1; update swap set place = 1, cost = cost * 3 where id = 2; commit;
select nextval('loose');
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_moved_while_it_is_written_to() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    database(&target, "create role reader").await;
    sql(&source, "shop", SCHEMA).await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::CopyFinished(_))).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(&source, "shop", WRITES).await;

    // Open when the cutover begins, without a transaction id; it writes and commits while the cutover waits for it.
    let open = driver::session(&source, "shop").await;
    open.batch_execute("begin; select 1").await.unwrap();
    let mark = driver.step(Step::Mark, 1, &[], 0).await.unwrap();
    assert_eq!(mark.open.len(), 1);
    driver.order(Step::Settle, 1, &mark.open, 0).await;
    open.batch_execute("insert into history values (2, 'straddles'); commit").await.unwrap();
    driver.result(Step::Settle).await.unwrap();
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    for step in [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch] {
        driver.step(step, 1, &[], end).await.unwrap();
    }
    driver.step(Step::RemoveSource, 1, &[], end).await.unwrap();
    driver.step(Step::RemoveLedger, 1, &[], end).await.unwrap();

    moved_alike(&source, &target, "shop").await;
    assert_eq!(
        value(&target, "shop", "select count(*) from history where what = 'straddles'").await,
        "1"
    );
    assert_eq!(value(&source, "shop", "select count(*) from pg_replication_slots").await, "0");
    assert_eq!(value(&source, "shop", "select count(*) from pg_publication").await, "0");
    assert_eq!(value(&target, "shop", "select to_regnamespace('whimbrel') is null").await, "true");
    for query in [
        "select string_agg(setconfig::text, $$ $$ order by setconfig::text) from pg_db_role_setting",
        "select datacl::text from pg_database where datname = 'shop'",
        "select shobj_description(oid, 'pg_database') from pg_database where datname = 'shop'",
    ] {
        let of_source = value(&source, "shop", query).await;
        assert_eq!(of_source, value(&target, "shop", query).await, "{query}");
    }
    // The trigger did not fire while rows were applied, and does now.
    assert_eq!(value(&target, "shop", "select count(*) from seen").await, "0");
    sql(&target, "shop", "update account set balance = 0 where id = 1").await;
    assert_eq!(value(&target, "shop", "select count(*) from seen").await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_still_written_to_steps_the_cutover_back_and_loses_nothing() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(
        &source,
        "shop",
        "create table t (id int primary key); create table k (v int); insert into k values (1)",
    )
    .await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    sql(&source, "shop", "insert into t values (1)").await;
    driver.step(Step::Complete, 1, &[], end).await.unwrap();
    driver.step(Step::Sequences, 1, &[], end).await.unwrap();
    let failure = driver.step(Step::Verify, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "SourceStillWritten");
    assert!(failure.message.contains("public.t"), "{}", failure.message);
    driver.back(1).await;
    // What came after the marker is applied now; a keyless table that was updated is found and copied again.
    sql(&source, "shop", "insert into t values (2); update k set v = 2").await;
    let end = driver.step(Step::MarkEnd, 2, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 2, &[], end).await.unwrap();
    let complete = driver.step(Step::Complete, 2, &[], end).await.unwrap();
    assert!(complete.note.contains("public.k"), "{}", complete.note);
    for step in [Step::Sequences, Step::Verify, Step::Switch] {
        driver.step(step, 2, &[], end).await.unwrap();
    }
    moved_alike(&source, &target, "shop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_epoch_goes_on_from_the_ledger_and_fences_the_older_one() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(&source, "shop", "create table t (id int primary key, v text); insert into t select g, 'a' from generate_series(1, 1000) g").await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let oid = driver.target_oid();
    // Another agent, without any state, takes the work over.
    let mut next = Driver::another(&driver).await;
    next.begin(2, oid).await;
    next.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(&source, "shop", "update t set v = 'b' where id <= 10; insert into t values (2000, 'c')")
        .await;
    let end = next.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    for step in [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch] {
        next.step(step, 1, &[], end).await.unwrap();
    }
    moved_alike(&source, &target, "shop").await;
}

/// A cloned machine, or a controller whose memory was set back: an epoch belongs to one life of one process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_with_one_epoch_the_second_is_turned_away() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(&source, "shop", "create table t (id int primary key, v text)").await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let holder = "select holder::text from whimbrel.ledger";
    let first = value(&target, "shop", holder).await;
    let mut clone = Driver::another(&driver).await;
    clone.begin(1, driver.target_oid()).await;
    let failure = clone.failure().await;
    assert_eq!(failure.code, "EpochOvertaken", "{}", failure.message);
    clone.kill().await;
    assert_eq!(value(&target, "shop", holder).await, first);
    sql(&source, "shop", "insert into t values (1, 'later')").await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    for step in [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch] {
        driver.step(step, 1, &[], end).await.unwrap();
    }
    moved_alike(&source, &target, "shop").await;
}

/// An agent that was upgraded, or went back to the version before, while a migration ran.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_of_another_version_is_left_to_an_agent_of_that_version() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(&source, "shop", "create table t (id int primary key, v text)").await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    driver.kill().await;
    // One of before had no such column.
    let other = "update whimbrel.ledger set format = format - 1; alter table whimbrel.ledger rename copied_again to unknown";
    sql(&target, "shop", other).await;
    let mut next = Driver::another(&driver).await;
    next.begin(2, driver.target_oid()).await;
    let failure = next.failure().await;
    assert_eq!(failure.code, "LedgerFormat", "{}", failure.message);
    assert_eq!(value(&target, "shop", "select epoch from whimbrel.ledger").await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_cut_goes_on_under_another_snapshot() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(
        &source,
        "shop",
        "create table small (id int primary key, v int);
         insert into small select g, 0 from generate_series(1, 1000) g;
         create table large (id int primary key, v text);
         insert into large select g, repeat('x', 500) from generate_series(1, 300000) g",
    )
    .await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SchemaCreated")).await;
    // What is written between the snapshots is in one table's copy, and in the other's stream.
    sql(&source, "shop", "update small set v = v + 1; update large set v = 'y' where id % 100 = 0")
        .await;
    let mut next = Driver::another(&driver).await;
    next.begin(2, driver.target_oid()).await;
    sql(
        &source,
        "shop",
        "update small set v = v + 1; update large set v = v || 'z' where id % 1000 = 0",
    )
    .await;
    next.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(&source, "shop", "update small set v = v + 1; delete from large where id % 5000 = 0").await;
    let end = next.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    for step in [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch] {
        next.step(step, 1, &[], end).await.unwrap();
    }
    moved_alike(&source, &target, "shop").await;
    assert_eq!(value(&target, "shop", "select sum(v) from small").await, "3000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_left_the_publication_is_not_switched() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(&source, "shop", "create table t (id int primary key)").await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    driver.step(Step::Sequences, 1, &[], end).await.unwrap();
    // Where an attempt begins it would be copied again.
    sql(&source, "shop", "alter publication whimbrel_test_shop drop table t").await;
    let failure = driver.step(Step::Verify, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "TableNotPublished");
    assert!(failure.message.contains("public.t"), "{}", failure.message);
}

/// What CREATE DATABASE leaves out it takes from template0: a server that was made with ICU would sort by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_keeps_its_locale_whatever_the_servers_is() {
    const ICU: &str = "do $$ begin
        if current_setting('server_version_num')::int >= 170000 then
            update pg_database set datlocprovider = 'i', datlocale = 'de' where datname = 'template0';
        else
            update pg_database set datlocprovider = 'i', daticulocale = 'de' where datname = 'template0';
        end if; end $$";
    const LOCALE: &str =
        "select datcollate || ' ' || datlocprovider::text from pg_database where datname = 'shop'";
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    batch(&target, "postgres", ICU).await;
    database(&source, "create database shop").await;
    sql(&source, "shop", "create table t (v text primary key); insert into t values ('a'), ('B')")
        .await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    for step in [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch] {
        driver.step(step, 1, &[], end).await.unwrap();
    }
    assert_eq!(value(&target, "shop", LOCALE).await, "C c");
    assert_eq!(value(&target, "shop", "select min(v) from t").await, "B");
}

/// The server went down in our DROP of a half-made one. Since 15.4 it is left as invalid then: nobody can connect to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provisional_database_whose_drop_was_cut_is_dropped_and_made_anew() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(&source, "shop", "create table t (id int primary key); insert into t values (1)").await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    let provisional = "whimbrel_test_shop_new";
    database(&target, &format!("create database {provisional}")).await;
    let cut = format!("update pg_database set datconnlimit = -2 where datname = '{provisional}'");
    sql(&target, "postgres", &cut).await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    assert_eq!(value(&target, "shop", "select count(*)::text from t").await, "1");
    let left = "select count(*)::text from pg_database where datconnlimit = -2";
    assert_eq!(value(&target, "postgres", left).await, "0");
}

/// A new database has the schema `public`. No dump says that the source's has it no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_every_new_database_has_goes_where_the_source_dropped_it() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    let schema = "drop schema public; create schema s; create table s.t (id int primary key); insert into s.t values (1)";
    sql(&source, "shop", schema).await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    for step in [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch] {
        driver.step(step, 1, &[], end).await.unwrap();
    }
    let there = "select string_agg(nspname, ' ' order by nspname) from pg_namespace where nspname in ('public', 's')";
    assert_eq!(value(&target, "shop", there).await, "s");
    moved_alike(&source, &target, "shop").await;
}

/// Before 15 that schema is of the superuser who made the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_is_not_ours_to_drop_stays_and_is_told() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let mover =
        format!("create role mover login createdb password '{}'", PASSWORD.replace('\'', "''"));
    for server in [&source, &target] {
        database(server, &mover).await;
    }
    database(&source, "alter role mover superuser").await;
    database(&source, "create database shop owner mover").await;
    sql(&source, "shop", "drop schema public").await;
    database(&target, "alter database template0 allow_connections true").await;
    sql(&target, "template0", "alter schema public owner to postgres").await;
    database(&target, "alter database template0 allow_connections false").await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    (driver.online, driver.user) = (false, "mover".into());
    driver.begin(1, 0).await;
    let told = driver
        .wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SchemaPublicLeft"))
        .await;
    let Some(Kind::Milestone(left)) = told.kind else { panic!("{told:?}") };
    assert!(left.message.contains("drop schema public;"), "{}", left.message);
    driver.wait(|kind| matches!(kind, Kind::CopyFinished(_))).await;
    let there = "select count(*)::text from pg_namespace where nspname = 'public'";
    assert_eq!(value(&target, "shop", there).await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_are_made_beside_each_other_may_need_each_other() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    // Parents and children are far enough apart to be made by different sessions at the same time.
    let tables: String = (0..130)
        .map(|i| {
            format!(
                "create table parent{i} (id serial primary key, v text); insert into parent{i} (v) values ('{i}');\n\
                 create table zchild{i} (w text) inherits (parent{i}); insert into zchild{i} (v) values ('{i}');\n"
            )
        })
        .collect();
    sql(&source, "shop", &tables).await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    assert_eq!(value(&target, "shop", "select count(*) from pg_inherits").await, "130");
    rows_alike(&source, &target, "shop", &[]).await;
}

/// The target has room for the locks of 200 objects, and the schema has four times as many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_many_tables_needs_little_room_and_goes_on_where_it_was_cut() {
    let few = "max_locks_per_transaction = 10\nmax_connections = 20\n";
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, few)));
    database(&source, "create database shop").await;
    let tables: String = (0..400)
        .map(|i| format!("create table t{i} (id int generated by default as identity primary key, v text); insert into t{i} (v) values ('{i}');\n"))
        .collect();
    sql(&source, "shop", &tables).await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::Prepared(_))).await;
    // The first run of objects is there; the next ones are not, most likely.
    // One session looks: the target has room for few.
    let looks = driver::session(&target, "shop").await;
    let first = "select from pg_class where relname = 't0'";
    while looks.query_opt(first, &[]).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    drop(looks);
    let mut next = Driver::another(&driver).await;
    next.begin(2, driver.target_oid()).await;
    next.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(&source, "shop", "update t7 set v = 'later'; insert into t8 values (2, 'new')").await;
    let end = next.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    for step in [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch] {
        next.step(step, 1, &[], end).await.unwrap();
    }
    moved_alike(&source, &target, "shop").await;
}

/// Ten minutes without a word looked like a migration that hangs. It goes on by itself when the transaction ends, be it of
/// another database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_in_a_snapshots_way_is_told_while_it_waits() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(&source, "shop", "create table t (id int primary key)").await;
    sql(&source, "postgres", "create table other (id int)").await;
    let writing = driver::session(&source, "postgres").await;
    writing.batch_execute("begin; insert into other values (1)").await.unwrap();
    let pid: i32 = writing.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SnapshotWaits")).await;
    let told = driver.milestones("SnapshotWaits").concat();
    let who = format!("pid {pid} (app, user postgres, database postgres)");
    assert!(told.contains(&who), "{told}");
    writing.batch_execute("commit").await.unwrap();
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    assert_eq!(driver.milestones("SnapshotWaits").len(), 1);
    moved_alike(&source, &target, "shop").await;
}
