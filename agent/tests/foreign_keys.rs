//! Foreign keys: made beside each other, left for later where rows violate them, made anew after a cut.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::sync::Arc;

use cluster::Cluster;
use driver::{Driver, HBA, database, moved_alike, sql, until, value};
use whimbrel_proto::agent::v1::{Step, report::Kind};

/// Every foreign key's definition, whether it is checked, and its share of partitions.
const KEYS: &str = "
select string_agg(format('%s %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated), e'\\n'
    order by conrelid::regclass::text, conname, confrelid::regclass::text)
from pg_constraint where contype = 'f' and connamespace <> coalesce(to_regnamespace('whimbrel'), 0)";

const AFTER_MARK: [Step; 5] =
    [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch];

async fn servers(schema: &str) -> (Arc<Cluster>, Arc<Cluster>) {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(&source, "shop", schema).await;
    (source, target)
}

/// Large tables that refer to each other, to themselves, to small ones and to partitioned ones, and small ones among them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_large_tables_are_made_as_they_were() {
    let (source, target) = servers(
        "create table small (id int primary key, up int references small); insert into small values (1, null), (2, 1);
         create table parted (id int primary key) partition by range (id);
         create table parted_1 partition of parted for values from (0) to (10);
         create table parted_2 partition of parted for values from (10) to (20);
         insert into parted select generate_series(1, 19);
         create schema \"S p\";
         create table \"S p\".\"A \"\"t\" (\"I d\" int primary key, other int, small int references small on delete set null,
            part int references parted, pad text);
         create table b (id int primary key, other int, self int references b deferrable initially deferred,
            small int, pad text);
         alter table b add constraint unlooked foreign key (small) references small on update cascade not valid;
         insert into \"S p\".\"A \"\"t\" select g, g, 1 + g % 2, 1 + g % 19, repeat('p', 1500) from generate_series(1, 6000) g;
         insert into b select g, g, 6001 - g, null, repeat('p', 1500) from generate_series(1, 6000) g;
         alter table \"S p\".\"A \"\"t\" add constraint \"REFERENCES x.y(\" foreign key (other) references b;
         alter table b add constraint k foreign key (other) references \"S p\".\"A \"\"t\" match full;
         create table parted_child (id int references \"S p\".\"A \"\"t\", n int) partition by list (n);
         create table parted_child_1 partition of parted_child default; insert into parted_child values (5, 1)",
    )
    .await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let pages = "select min(relpages) > 1100 from pg_class where relname in ('A \"t', 'b')";
    assert_eq!(value(&target, "shop", pages).await, "true", "they are to be large");
    let theirs = value(&source, "shop", KEYS).await;
    assert_eq!(value(&target, "shop", KEYS).await, theirs, "before the stream already");
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    for step in AFTER_MARK {
        driver.step(step, 1, &[], end).await.unwrap();
    }
    moved_alike(&source, &target, "shop").await;
    assert_eq!(value(&target, "shop", KEYS).await, theirs);
}

/// Rows that were written while triggers were off: the stream flows, so that what mends them can come.
async fn violated_waits_until_its_rows_are_mended(rows: u32, pages: &str) {
    let (source, target) = servers(&format!(
        "create table parent (id int primary key);
         create table child (id int primary key, parent int references parent, other int references parent, pad text);
         set session_replication_role = replica;
         insert into child select g, case g when 1 then 7 end, null, repeat('p', 1500) from generate_series(1, {rows}) g"
    ))
    .await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    let told = |kind: &Kind| matches!(kind, Kind::Milestone(m) if m.r#type == "ForeignKeyViolated");
    driver.wait(told).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    assert_eq!(value(&target, "shop", pages).await, "true", "the table is to be of that size");
    let keys =
        "select count(*) from pg_constraint where contype = 'f' and conrelid = 'child'::regclass";
    assert_eq!(value(&target, "shop", keys).await, "1");
    let checked = "select count(*) from pg_constraint where contype = 'f' and conrelid = 'child'::regclass and convalidated";
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    let failure = driver.step(Step::Complete, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "ConstraintViolated");
    assert!(failure.message.contains("child_parent_fkey"), "{}", failure.message);
    driver.back(1).await;
    // Once the stream flows again, what it makes as it begins is made, or is not.
    sql(&source, "shop", "insert into parent values (100)").await;
    until(&target, "shop", "select count(*) from parent where id = 100").await;

    // As one leaves it that was cut off between making and checking it.
    let cut = "alter table child add constraint child_parent_fkey foreign key (parent) references parent not valid";
    if rows > 1 {
        sql(&target, "shop", cut).await;
    }
    sql(&source, "shop", "insert into parent values (7)").await;
    let end = driver.step(Step::MarkEnd, 2, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 2, &[], end).await.unwrap();
    driver.kill().await;
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    assert_eq!(value(&target, "shop", checked).await, "1", "at the marker it is the cutover's");
    for step in AFTER_MARK {
        driver.step(step, 2, &[], end).await.unwrap();
    }
    moved_alike(&source, &target, "shop").await;
    assert_eq!(value(&target, "shop", KEYS).await, value(&source, "shop", KEYS).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_violated_key_of_a_small_table_waits_until_its_rows_are_mended() {
    let pages = "select relpages < 1000 from pg_class where relname = 'child'";
    violated_waits_until_its_rows_are_mended(1, pages).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_violated_key_of_a_large_table_waits_until_its_rows_are_mended() {
    let pages = "select relpages > 1100 from pg_class where relname = 'child'";
    violated_waits_until_its_rows_are_mended(6000, pages).await;
}
