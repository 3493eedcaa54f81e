//! Large objects: they arrive with owners, rights and comments, and what is changed later is carried in the cutover.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::sync::Arc;

use cluster::Cluster;
use driver::{Driver, HBA, batch, database, sql, value};
use whimbrel_proto::agent::v1::{Step, report::Kind};

/// One that is empty, one of a byte, one of exactly a piece, one longer than two, one with a hole, and more than a page.
const OBJECTS: &str = "
select lo_create(100001);
select lo_from_bytea(100002, 'x');
select lo_from_bytea(100003, convert_to(repeat('abcdefgh', 32768), 'UTF8'));
select lo_from_bytea(100004, convert_to(repeat('0123456789', 70000), 'UTF8'));
select lo_create(100005); select lo_put(100005, 300000, 'far');
select lo_from_bytea(4294967295, 'the last oid');
select lo_from_bytea(200000 + g::oid::int8::int, convert_to('small ' || g, 'UTF8')) from generate_series(1, 2300) g;
alter large object 100002 owner to keeper;
grant select on large object 100002 to reader with grant option;
revoke update on large object 100002 from keeper;
set role reader; grant select on large object 100002 to public; reset role;
comment on large object 100003 is 'just ''one'' piece'
";

/// Each with its content, owner, rights and comment.
const SEEN: &str =
    "(select string_agg(format('%s %s %s %s %s', oid, md5(lo_get(oid)), lomowner::regrole, lomacl,
    obj_description(oid, 'pg_largeobject')), e'\\n' order by oid) from pg_largeobject_metadata)";

async fn alike(source: &Cluster, target: &Cluster) {
    let (ours, theirs) = (value(source, "shop", SEEN).await, value(target, "shop", SEEN).await);
    let differing = ours.lines().zip(theirs.lines()).find(|(ours, theirs)| ours != theirs);
    assert_eq!(differing, None);
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

async fn servers() -> (Arc<Cluster>, Arc<Cluster>) {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    for server in [&source, &target] {
        database(server, "create role keeper").await;
        database(server, "create role reader").await;
    }
    database(&source, "create database shop").await;
    batch(&source, "shop", OBJECTS).await;
    sql(
        &source,
        "shop",
        "create table t (id int primary key, picture oid); insert into t values (1, 100002)",
    )
    .await;
    (source, target)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_copied_and_what_is_changed_later_is_carried_in_the_cutover() {
    let (source, target) = servers().await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    alike(&source, &target).await;
    let changes = "select lo_put(100004, 500000, 'changed'); select lo_unlink(100001); select lo_unlink(200077);
        select lo_from_bytea(300001, 'new'); grant select on large object 100005 to reader";
    batch(&source, "shop", changes).await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    let complete = driver.step(Step::Complete, 1, &[], end).await.unwrap();
    assert!(complete.note.contains("3 that were changed or are new"), "{}", complete.note);
    assert!(complete.note.contains("2 removed"), "{}", complete.note);
    alike(&source, &target).await;
    driver.step(Step::Sequences, 1, &[], end).await.unwrap();
    // Written after the last marker: no stream shows it.
    batch(&source, "shop", "select lo_put(300001, 0, 'N')").await;
    let failure = driver.step(Step::Verify, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "SourceStillWritten");
    assert!(failure.message.contains("large object 300001"), "{}", failure.message);
    driver.back(1).await;
    let end = driver.step(Step::MarkEnd, 2, &[], 0).await.unwrap().lsn;
    for step in [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch] {
        driver.step(step, 2, &[], end).await.unwrap();
    }
    alike(&source, &target).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offline_copy_that_was_cut_is_made_whole_under_its_new_snapshot() {
    let (source, target) = servers().await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.online = false;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SchemaCreated")).await;
    driver.kill().await;
    // What is there already, or not yet: both are of the first snapshot.
    batch(&source, "shop", "select lo_put(100003, 0, 'X'); select lo_put(200001, 0, 'X')").await;
    let mut next = Driver::another(&driver).await;
    next.online = false;
    next.begin(2, driver.target_oid()).await;
    next.wait(|kind| matches!(kind, Kind::CopyFinished(_))).await;
    alike(&source, &target).await;
}
