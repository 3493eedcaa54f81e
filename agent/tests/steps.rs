//! Each numbered step of the cutover, interrupted and done again by another agent that knows nothing of it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::sync::Arc;

use cluster::Cluster;
use driver::{Driver, HBA, database, moved_alike, sql, value};
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
create table keyless (v int);
create materialized view sums as select count(*) from child;
create function touch() returns trigger language plpgsql as 'begin new.v := new.v || chr(33); return new; end';
create trigger touch before update on parent for each row execute function touch();
insert into parent select g, 'p' from generate_series(1, 100) g;
insert into child (parent) select 1 + g % 100 from generate_series(1, 500) g;
insert into keyless select g from generate_series(1, 50) g;
";

const WRITES: &str = "
update parent set v = 'q' where id <= 10;
delete from parent where id = 50;
insert into child (parent) values (1), (2);
update keyless set v = -v where v > 40;
";

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
async fn run(driver: &mut Driver, steps: &[Step], mut end: u64) -> u64 {
    for step in steps {
        let done = driver.step(*step, 1, &[], end).await;
        let done = done.unwrap_or_else(|failure| panic!("{step:?}: {failure:?}"));
        if *step == Step::MarkEnd {
            end = done.lsn;
        }
    }
    end
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_was_done_and_not_told_is_done_again() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    for (at, step) in STEPS.iter().enumerate() {
        let name = format!("at_{}", step.as_str_name().to_lowercase());
        let mut driver = streaming(&source, &target, &name).await;
        let end = run(&mut driver, &STEPS[..=at], 0).await;
        driver.kill().await;
        let mut next = Driver::another(&driver).await;
        // The controller knows of the switch only once it was told.
        let switched = at > STEPS.iter().position(|s| *s == Step::Switch).unwrap();
        next.begin_as(2, driver.target_oid(), switched).await;
        run(&mut next, &STEPS[at..], end).await;
        moved_alike(&source, &target, &name).await;
        next.kill().await;
    }
}

/// The old server's database may be dropped as soon as the application is at the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_gone_after_the_switch_is_clean() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let mut driver = streaming(&source, &target, "gone").await;
    let end = run(&mut driver, &STEPS[..8], 0).await;
    driver.lose_slot().await;
    database(&source, "drop database gone with (force)").await;
    let mut next = Driver::another(&driver).await;
    next.begin_as(2, driver.target_oid(), true).await;
    run(&mut next, &[Step::RemoveSource, Step::RemoveLedger], end).await;
    let left =
        value(&target, "gone", "select count(*) from pg_namespace where nspname = 'whimbrel'");
    assert_eq!(left.await, "0");

    // One that has only another name is not gone, and its slot would keep the source's WAL for ever.
    let mut driver = streaming(&source, &target, "moved").await;
    let end = run(&mut driver, &STEPS[..8], 0).await;
    driver.kill().await;
    database(
        &source,
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'moved'",
    )
    .await;
    database(&source, "alter database moved rename to moved_old").await;
    let mut next = Driver::another(&driver).await;
    next.begin_as(2, driver.target_oid(), true).await;
    run(&mut next, &[Step::RemoveSource, Step::RemoveLedger], end).await;
    let ours = "select (select count(*) from pg_replication_slots) + (select count(*) from pg_publication) \
                + (select count(*) from pg_event_trigger)";
    assert_eq!(value(&source, "moved_old", ours).await, "0");

    // Before it the same is no end.
    let mut early = streaming(&source, &target, "lost").await;
    early.lose_slot().await;
    database(&source, "drop database lost with (force)").await;
    let mut next = Driver::another(&early).await;
    next.begin(2, early.target_oid()).await;
    assert_eq!(next.failure().await.code, "DatabaseDoesNotExist");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_behind_the_marker_is_seen_by_an_agent_that_never_saw_the_marker() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let mut driver = streaming(&source, &target, "late").await;
    let end = run(&mut driver, &STEPS[..5], 0).await;
    driver.kill().await;
    sql(&source, "late", "insert into parent values (1000, 'late')").await;
    let mut next = Driver::another(&driver).await;
    next.begin(2, driver.target_oid()).await;
    run(&mut next, &[Step::Complete, Step::Sequences], end).await;
    let failure = next.step(Step::Verify, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "SourceStillWritten", "{}", failure.message);
    next.back(1).await;
    let mut second = |step| (step, 2);
    let mut end = 0;
    for (step, attempt) in STEPS.map(&mut second) {
        let done = next.step(step, attempt, &[], end).await.unwrap();
        if step == Step::MarkEnd {
            end = done.lsn;
        }
    }
    moved_alike(&source, &target, "late").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_later_stays_behind_only_when_that_is_accepted() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let mut driver = streaming(&source, &target, "accepted").await;
    let end = run(&mut driver, &STEPS[..4], 0).await;
    sql(&source, "accepted", "insert into parent values (1000, 'late')").await;
    for step in &STEPS[4..] {
        driver.accept_writes(*step, 1, end).await.unwrap();
    }
    sql(&source, "accepted", "delete from parent where id = 1000").await;
    moved_alike(&source, &target, "accepted").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_two_markers_of_one_attempt_is_the_end() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let mut driver = streaming(&source, &target, "twice").await;
    run(&mut driver, &STEPS[..3], 0).await;
    // The controller did not hear of that one, and orders it again; the application has not stopped writing.
    sql(&source, "twice", "insert into parent values (1000, 'between')").await;
    let end = run(&mut driver, &[Step::MarkEnd], 0).await;
    run(&mut driver, &STEPS[3..], end).await;
    moved_alike(&source, &target, "twice").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_switch_itself_sees_what_was_written_since_it_was_verified() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let mut driver = streaming(&source, &target, "since").await;
    let end = run(&mut driver, &STEPS[..7], 0).await;
    sql(&source, "since", "insert into parent values (1000, 'since')").await;
    let failure = driver.step(Step::Switch, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "SourceStillWritten", "{}", failure.message);
    driver.back(1).await;
    // The lost command comes again, after its attempt is over: nothing is done, and nothing hangs.
    driver.order(Step::Switch, 1, &[], end).await;
    driver.order(Step::Drain, 1, &[], end).await;
    let end = driver.step(Step::MarkEnd, 2, &[], 0).await.unwrap().lsn;
    for step in &STEPS[3..8] {
        driver.step(*step, 2, &[], end).await.unwrap();
    }
    moved_alike(&source, &target, "since").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_stream_does_not_tell_is_compared_again_before_the_switch() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let mut driver = streaming(&source, &target, "silent").await;
    let end = run(&mut driver, &STEPS[..5], 0).await;
    sql(&source, "silent", "update keyless set v = 0 where v = 1").await;
    driver.step(Step::Sequences, 1, &[], end).await.unwrap();
    let failure = driver.step(Step::Verify, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "SourceStillWritten", "{}", failure.message);
    assert!(failure.message.contains("keyless"), "{}", failure.message);
    driver.back(1).await;
    // Writes are stopped as they often are: that must not follow the database to its new home.
    sql(&source, "silent", "insert into child (parent) values (3)").await;
    sql(&source, "silent", "alter database silent set default_transaction_read_only = on").await;
    let end = driver.step(Step::MarkEnd, 2, &[], 0).await.unwrap().lsn;
    for step in &STEPS[3..8] {
        driver.step(*step, 2, &[], end).await.unwrap();
    }
    moved_alike(&source, &target, "silent").await;
    // Refreshed at this attempt, not at the first one.
    let count = value(&source, "silent", "select count(*) from child").await;
    assert_eq!(value(&target, "silent", "select count from sums").await, count);
    sql(&target, "silent", "insert into keyless values (1)").await;
}

/// A role that may not set `session_replication_role`: foreign keys come in the cutover, and must go when it steps back, or
/// their cascades would act beside the stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_keys_go_again_where_their_triggers_cannot_be_switched_off() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let password = cluster::PASSWORD.replace('\'', "''");
    database(&source, &format!("create role mover superuser login password '{password}'")).await;
    database(&target, &format!("create role mover createdb login password '{password}'")).await;
    database(&source, "create database plain owner mover").await;
    sql(&source, "plain", &format!("set role mover;\n{SCHEMA}")).await;
    let mut driver = Driver::new(&source, &target, "plain").await;
    driver.user = "mover".into();
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let foreign_keys =
        "select count(*) from pg_constraint where contype = 'f' and conname like 'child%'";
    assert_eq!(value(&target, "plain", foreign_keys).await, "0");
    run(&mut driver, &STEPS[..5], 0).await;
    assert_eq!(value(&target, "plain", foreign_keys).await, "1");
    driver.back(1).await;
    // On the source the cascade deletes the children; the stream tells of them too.
    sql(&source, "plain", "delete from parent where id <= 2").await;
    let end = driver.step(Step::MarkEnd, 2, &[], 0).await.unwrap().lsn;
    for step in &STEPS[3..8] {
        driver.step(*step, 2, &[], end).await.unwrap();
    }
    moved_alike(&source, &target, "plain").await;
    assert_eq!(value(&target, "plain", foreign_keys).await, "1");
}

/// Keys that a changed schema has made early: a table of which no deletes come was emptied and copied again below them, and took
/// the rows along that refer to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_copied_again_in_the_cutover_takes_no_rows_along() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let password = cluster::PASSWORD.replace('\'', "''");
    database(&source, &format!("create role mover superuser login password '{password}'")).await;
    database(&target, &format!("create role mover createdb login password '{password}'")).await;
    database(&source, "create database plain owner mover").await;
    let schema = "set role mover;
        create table a (id int primary key); alter table a replica identity nothing;
        create table gone (id int primary key, a int references a on delete cascade);
        create table lost (id int primary key, a int references a on delete set null);
        insert into a select generate_series(1, 9);
        insert into gone select g, g from generate_series(1, 9) g; insert into lost select * from gone";
    sql(&source, "plain", schema).await;
    let mut driver = Driver::new(&source, &target, "plain").await;
    driver.user = "mover".into();
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(&source, "plain", "delete from gone where id = 9").await;
    sql(&source, "plain", "delete from a where id = 9").await;
    sql(&source, "plain", "create index on lost (a)").await;
    let keys = "select count(*) from pg_constraint where contype = 'f' and conname like any ('{gone%,lost%}')";
    for attempt in [1, 2] {
        let end = driver.step(Step::MarkEnd, attempt, &[], 0).await.unwrap().lsn;
        driver.step(Step::Drain, attempt, &[], end).await.unwrap();
        driver.step(Step::Complete, attempt, &[], end).await.unwrap();
        moved_alike(&source, &target, "plain").await;
        assert_eq!(value(&target, "plain", keys).await, "2");
        if attempt == 1 {
            driver.back(1).await;
            sql(&source, "plain", "delete from gone where id = 8").await;
            sql(&source, "plain", "delete from a where id = 8").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_at_another_marker_says_so_and_the_next_attempt_has_its_own() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let mut driver = streaming(&source, &target, "elsewhere").await;
    let end = run(&mut driver, &STEPS[..7], 0).await;
    for marker in ["null", "7"] {
        sql(&target, "elsewhere", &format!("update whimbrel.ledger set marker = {marker}")).await;
        let failure = driver.step(Step::Switch, 1, &[], end).await.unwrap_err();
        assert_eq!(failure.code, "NotDrained", "{}", failure.message);
        assert!(failure.message.contains("attempt 1"), "{}", failure.message);
    }
    driver.back(1).await;
    let end = driver.step(Step::MarkEnd, 2, &[], 0).await.unwrap().lsn;
    for step in &STEPS[3..8] {
        driver.step(*step, 2, &[], end).await.unwrap();
    }
    moved_alike(&source, &target, "elsewhere").await;
}

/// Its acknowledgement was lost, and it comes again before the word that its attempt is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_that_failed_is_not_made_by_its_command_that_comes_again() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let mut driver = streaming(&source, &target, "again").await;
    let end = run(&mut driver, &STEPS[..7], 0).await;
    sql(&target, "again", "update whimbrel.ledger set marker = null").await;
    driver.order_as("switch of 1", Step::Switch, 1, end).await;
    let failure = driver.result(Step::Switch).await.unwrap_err();
    assert_eq!(failure.code, "NotDrained", "{}", failure.message);
    sql(&target, "again", "update whimbrel.ledger set marker = 1").await;
    driver.order_as("switch of 1", Step::Switch, 1, end).await;
    driver.back(1).await;
    let end = driver.step(Step::MarkEnd, 2, &[], 0).await.unwrap().lsn;
    // Orders are done one after the other: the one that came again is behind us.
    driver.step(Step::Drain, 2, &[], end).await.unwrap();
    assert_eq!(value(&target, "again", "select phase from whimbrel.ledger").await, "stream");
}

/// The first stream after it begins before the new timeline does, each later one behind that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_failed_over_is_followed_from_behind_its_new_timelines_beginning() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let mut driver = streaming(&source, &target, "failover").await;
    driver.kill().await;
    source.write("standby.signal", "");
    source.restart();
    database(&source, "select pg_promote()").await;
    let mut second = Driver::another(&driver).await;
    second.begin(2, driver.target_oid()).await;
    second.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(&source, "failover", "insert into parent values (1000, 'on the new timeline')").await;
    let end = run(&mut second, &STEPS[2..4], 0).await;
    second.kill().await;
    let mut third = Driver::another(&driver).await;
    third.begin(3, driver.target_oid()).await;
    run(&mut third, &STEPS[4..8], end).await;
    moved_alike(&source, &target, "failover").await;
}

/// Its sequences leap ahead, and nobody has drawn from them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_source_after_its_sequences_were_carried_is_no_write() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    // What a session has cached is behind last_value: the leap is no longer for it.
    let down = "create sequence down increment -3 cache 10; select nextval('down')";
    let drawn = "select nextval('child_id_seq')";
    for (name, then, code) in
        [("leap", "select 1", None), ("draw", drawn, Some("SourceStillWritten"))]
    {
        let mut driver = streaming(&source, &target, name).await;
        sql(&source, name, down).await;
        let end = run(&mut driver, &STEPS[..7], 0).await;
        driver.kill().await;
        let before = value(&source, name, "select last_value::text from child_id_seq").await;
        source.crash();
        let after = value(&source, name, "select last_value::text from child_id_seq").await;
        assert_ne!(before, after, "the crash should have made it leap");
        sql(&source, name, then).await;
        let mut next = Driver::another(&driver).await;
        next.begin(2, driver.target_oid()).await;
        let switched = next.step(Step::Switch, 1, &[], end).await;
        assert_eq!(switched.as_ref().err().map(|failure| failure.code.as_str()), code);
        if let Ok(done) = switched {
            assert!(done.note.contains("2 sequences"), "{}", done.note);
            moved_alike(&source, &target, name).await;
        }
        next.kill().await;
    }
}

/// No crash leaves these numbers: somebody wrote.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setval_that_is_no_crash_s_leap_is_a_write() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let mut online = streaming(&source, &target, "online").await;
    let end = run(&mut online, &STEPS[..6], 0).await;
    database(&source, "create database offline").await;
    sql(&source, "offline", SCHEMA).await;
    let mut offline = Driver::new(&source, &target, "offline").await;
    offline.online = false;
    offline.begin(1, 0).await;
    offline.wait(|kind| matches!(kind, Kind::CopyFinished(_))).await;
    run(&mut offline, &[Step::Complete, Step::Sequences], 0).await;
    for (driver, name, end) in [(&mut online, "online", end), (&mut offline, "offline", 0)] {
        let ahead = "select setval('child_id_seq', last_value + 33) from child_id_seq";
        sql(&source, name, ahead).await;
        let verified = driver.step(Step::Verify, 1, &[], end).await.unwrap_err();
        assert_eq!(verified.code, "SourceStillWritten", "{name}: {}", verified.message);
        assert!(verified.message.contains("child_id_seq"), "{name}: {}", verified.message);
        // The switch looks for itself: it verifies what nobody has verified.
        let switched = driver.step(Step::Switch, 1, &[], end).await.unwrap_err();
        assert_eq!(switched.code, "SourceStillWritten", "{name}: {}", switched.message);
        driver.back(1).await;
    }
    let end = run_again(&mut online).await;
    online.step(Step::Switch, 2, &[], end).await.unwrap();
    for step in [Step::Complete, Step::Sequences, Step::Verify, Step::Switch] {
        offline.step(step, 2, &[], 0).await.unwrap();
    }
    moved_alike(&source, &target, "online").await;
    moved_alike(&source, &target, "offline").await;
}

/// The second attempt, up to its verification; where its marker 2 is.
async fn run_again(driver: &mut Driver) -> u64 {
    let end = driver.step(Step::MarkEnd, 2, &[], 0).await.unwrap().lsn;
    for step in &STEPS[3..7] {
        driver.step(*step, 2, &[], end).await.unwrap();
    }
    end
}

/// The application stands still meanwhile: a step that waited for somebody's open transaction looked like one that hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_a_step_waits_for_is_told_while_it_waits() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let mut driver = streaming(&source, &target, "waits").await;

    let writing = driver::session(&source, "waits").await;
    writing.batch_execute("begin; insert into keyless values (99)").await.unwrap();
    let open = driver.step(Step::Mark, 1, &[], 0).await.unwrap().open;
    let who = format!("pid {} (app, user postgres)", open[0].pid);
    driver.order(Step::Settle, 1, &open, 0).await;
    told_once(&mut driver, "SETTLE: waiting on the source", &who).await;
    writing.batch_execute("commit").await.unwrap();
    driver.result(Step::Settle).await.unwrap();

    let end = run(&mut driver, &STEPS[2..7], 0).await;
    let reading = driver::session(&target, "waits").await;
    reading.batch_execute("begin; lock table parent in share mode").await.unwrap();
    let pid: i32 = reading.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    driver.order(Step::Switch, 1, &[], end).await;
    told_once(
        &mut driver,
        "SWITCH: waiting on the target",
        &format!("pid {pid} (app, user postgres)"),
    )
    .await;
    reading.batch_execute("commit").await.unwrap();
    driver.result(Step::Switch).await.unwrap();
    run(&mut driver, &STEPS[8..], end).await;
    moved_alike(&source, &target, "waits").await;
}

async fn told_once(driver: &mut Driver, step: &str, who: &str) {
    driver
        .wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "StepWaits" && m.message.contains(step)))
        .await;
    let told = driver.milestones("StepWaits");
    assert_eq!(told.iter().filter(|text| text.contains(step)).count(), 1, "{told:?}");
    assert!(told.last().unwrap().contains(who), "{told:?}");
}

/// What the controller is told to be switched must be so after the target's machine has stopped, whatever its default is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_outlives_a_crash_of_a_target_that_commits_asynchronously() {
    let lazy = "synchronous_commit = off\nwal_writer_delay = 10s";
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, lazy)));
    let mut driver = streaming(&source, &target, "lazy").await;
    run(&mut driver, &STEPS[..8], 0).await;
    driver.kill().await;
    target.crash();
    assert_eq!(value(&target, "lazy", "select phase from whimbrel.ledger").await, "live");
}
