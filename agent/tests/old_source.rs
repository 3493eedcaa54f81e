//! The cutover from a source before 14, whose change stream has no messages: its markers are known to the sender alone.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::sync::Arc;

use cluster::{Cluster, programs_of};
use driver::{Driver, HBA, database, moved_alike, session, sql, value};
use whimbrel_proto::agent::v1::{Step, report::Kind};

const STEPS: [Step; 10] = [
    Step::Mark,
    Step::Settle,
    Step::MarkEnd,
    Step::Drain,
    Step::Complete,
    Step::Sequences,
    Step::Verify,
    Step::Switch,
    Step::RemoveSource,
    Step::RemoveLedger,
];

const SCHEMA: &str = "
create table parent (id int primary key, v text);
create table child (id bigserial primary key, parent int references parent on delete cascade);
create table keyless (v numeric);
-- A dump that quotes all names, as one for another version does, forgets to say this.
comment on schema public is null;
insert into parent select g, 'p' from generate_series(1, 100) g;
insert into child (parent) select 1 + g % 100 from generate_series(1, 500) g;
insert into keyless select g / 3.0 from generate_series(1, 50) g;
";

const WRITES: &str = "
update parent set v = 'q' where id <= 10;
delete from parent where id = 50;
insert into child (parent) values (1), (2);
update keyless set v = -v where v > 10;
";

/// A source of this version, and a target of this machine's own.
fn servers(major: u32) -> Option<(Arc<Cluster>, Arc<Cluster>)> {
    let Some(programs) = programs_of(major) else {
        eprintln!(
            "NOT TESTED: PostgreSQL {major}: this machine has no server of it (tests/servers)"
        );
        return None;
    };
    Some((Arc::new(Cluster::start_of(programs, HBA, "")), Arc::new(Cluster::start(HBA, ""))))
}

async fn streaming(source: &Arc<Cluster>, target: &Arc<Cluster>, name: &str) -> Driver {
    database(source, &format!("create database {name}")).await;
    sql(source, name, SCHEMA).await;
    let mut driver = Driver::new(source, target, name).await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(source, name, WRITES).await;
    driver
}

/// Runs steps one after the other; where marker 2 is.
async fn run(driver: &mut Driver, attempt: u32, steps: &[Step], mut end: u64) -> u64 {
    for step in steps {
        let done = driver.step(*step, attempt, &[], end).await;
        let done = done.unwrap_or_else(|failure| panic!("{step:?}: {failure:?}"));
        if *step == Step::MarkEnd {
            end = done.lsn;
        }
    }
    end
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_was_done_and_not_told_is_done_again() {
    let Some((source, target)) = servers(13) else { return };
    for at in [3, 7] {
        let name = format!("at_{at}");
        let mut driver = streaming(&source, &target, &name).await;
        let end = run(&mut driver, 1, &STEPS[..=at], 0).await;
        driver.kill().await;
        let mut next = Driver::another(&driver).await;
        next.begin_as(2, driver.target_oid(), false).await;
        run(&mut next, 1, &STEPS[at..], end).await;
        moved_alike(&source, &target, &name).await;
        let comment = "select coalesce(obj_description('public'::regnamespace), 'none')";
        assert_eq!(value(&target, &name, comment).await, "none");
        next.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_behind_the_marker_leads_back_and_the_next_attempt_takes_it() {
    for major in [10, 13] {
        let Some((source, target)) = servers(major) else { continue };
        let mut driver = streaming(&source, &target, "late").await;
        let end = run(&mut driver, 1, &STEPS[..6], 0).await;
        sql(&source, "late", "insert into parent values (1000, 'late')").await;
        let failure = driver.step(Step::Verify, 1, &[], end).await.unwrap_err();
        assert_eq!(failure.code, "SourceStillWritten", "{}", failure.message);
        driver.back(1).await;
        run(&mut driver, 2, &STEPS, 0).await;
        moved_alike(&source, &target, "late").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marker_that_its_sender_forgot_leads_back() {
    let Some((source, target)) = servers(13) else { return };
    let mut driver = streaming(&source, &target, "lost").await;
    // Nothing behind this update can be applied, the marker neither.
    let mut blocker = session(&target, "lost").await;
    let blocking = blocker.transaction().await.unwrap();
    blocking.batch_execute("lock table parent in access exclusive mode").await.unwrap();
    sql(&source, "lost", "update parent set v = 'blocked' where id = 1").await;
    let end = run(&mut driver, 1, &STEPS[..3], 0).await;
    driver.kill().await;
    blocking.rollback().await.unwrap();
    drop(blocker);

    let mut next = Driver::another(&driver).await;
    next.begin(2, driver.target_oid()).await;
    let failure = next.step(Step::Drain, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "MarkerLost", "{}", failure.message);
    next.back(1).await;
    run(&mut next, 2, &STEPS, 0).await;
    moved_alike(&source, &target, "lost").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_10_emptied_unseen_is_copied_again() {
    let Some((source, target)) = servers(10) else { return };
    let mut driver = streaming(&source, &target, "emptied").await;
    sql(
        &source,
        "emptied",
        "truncate parent cascade;\ninsert into parent values (1000, 'after');\nvacuum full keyless",
    )
    .await;
    let end = run(&mut driver, 1, &STEPS[..4], 0).await;
    let complete = driver.step(Step::Complete, 1, &[], end).await.unwrap();
    for table in ["public.parent", "public.child", "public.keyless"] {
        assert!(complete.note.contains(table), "{}", complete.note);
    }
    run(&mut driver, 1, &STEPS[5..], end).await;
    moved_alike(&source, &target, "emptied").await;
    assert_eq!(value(&target, "emptied", "select count(*) from parent").await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_made_in_the_stream_is_copied_in_the_cutover() {
    for major in [10, 13] {
        let Some((source, target)) = servers(major) else { continue };
        let mut driver = streaming(&source, &target, "grown").await;
        let grown =
            "create table new (id int primary key, v text);\ninsert into new values (1, 'n')";
        sql(&source, "grown", grown).await;
        run(&mut driver, 1, &STEPS, 0).await;
        moved_alike(&source, &target, "grown").await;
        assert_eq!(value(&target, "grown", "select v from new").await, "n");
    }
}
