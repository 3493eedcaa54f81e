//! Copies that are cut off and go on: parts that are there stay, whoever goes on, while everything is written to.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cluster::{Cluster, bin, programs_of};
use driver::{Driver, HBA, batch, database, rows_alike, session, sql, until, value};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use whimbrel_proto::agent::v1::{CopyLimits, Step, report::Kind};

/// `big`: values out of line that most updates leave as they are, a unique column whose values wander from row to row.
/// `named`: a key of two columns, one with a collation of its own. `full`: the stream tells whole old rows. `heap`: no key.
const SCHEMA: &str = "
create table big (id bigint primary key, place int unique deferrable initially deferred, n int not null, long text, pad text);
alter table big alter long set storage external;
insert into big select g, g, 0, case when g % 50 = 0 then repeat(md5(g::text), 100) end, repeat('p', 150) from generate_series(1, 12000) g;
create table named (who text collate \"C\", what int, n int, pad text, primary key (what, who));
insert into named select e'it''s \"\\\\' || g, g % 7, 0, repeat('p', 200) from generate_series(1, 6000) g;
create table \"Full\" (id int primary key, n int, pad text); alter table \"Full\" replica identity full;
insert into \"Full\" select g, 0, repeat('p', 200) from generate_series(1, 6000) g;
create table heap (v int, pad text);
insert into heap select g, repeat('p', 200) from generate_series(1, 6000) g;
create table small (id int primary key, n int); insert into small select g, 0 from generate_series(1, 10) g;
";

/// Which transaction has brought each part, by table and first page.
type Parts = BTreeMap<(u32, i64), i64>;

/// Small parts, one after the other, at a speed at which a test can step in.
const SLOW: CopyLimits = CopyLimits {
    jobs: 2,
    bytes_per_second: 2_500_000,
    snapshot_age: None,
    part_pages: 8,
    retained_wal_bytes: 0,
};

/// How often it is cut off: in each of the larger tables at least once.
const CUTS: u32 = 5;

/// Numbers that only the seed decides.
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// One statement or transaction of the application's.
fn write(dice: &mut Dice) -> String {
    let (id, other, new) =
        (1 + dice.up_to(12_000), 1 + dice.up_to(12_000), 100_000 + dice.up_to(1_000_000_000));
    let named = dice.up_to(6_000);
    match dice.up_to(10) {
        // Longer rows move to other pages.
        0 | 1 => format!(
            "update big set n = n + 1, pad = repeat('q', {}) where id between {id} and {id} + 20",
            dice.up_to(400)
        ),
        2 => format!("update big set id = {new} where id = {id}"),
        3 => format!("delete from big where id between {id} and {id} + 3"),
        4 => format!("insert into big values ({new}, {new}, 1, repeat('x', 9000), 'new')"),
        // Two rows change places: each takes what the other had.
        5 => format!(
            "update big b set place = o.place from big o where b.id in ({id}, {other}) and o.id in ({id}, {other}) and o.id <> b.id"
        ),
        6 => format!(
            "update named set n = n + 1, who = who || 'x' where what = {} and who like '%{}'",
            named % 7,
            dice.up_to(1000)
        ),
        7 => format!(
            "delete from named where what = {} and who like '%{}'",
            named % 7,
            dice.up_to(100)
        ),
        8 => format!(
            "update \"Full\" set n = n + 1, id = id + 100000 where id = {named}; insert into \"Full\" values ({named}, -1, 'again') on conflict do nothing"
        ),
        _ => format!("insert into heap values ({new}, 'new'); update small set n = n + 1"),
    }
}

/// Writes until it is told to stop.
fn writer(source: &Arc<Cluster>, seed: u64) -> (Arc<AtomicBool>, JoinHandle<u32>) {
    let (source, stop) = (Arc::clone(source), Arc::new(AtomicBool::new(false)));
    let told = Arc::clone(&stop);
    let work = async move {
        let (client, mut dice, mut count) = (session(&source, "half").await, Dice(seed), 0);
        while !told.load(Ordering::Relaxed) {
            let statement = write(&mut dice);
            match client.batch_execute(&statement).await {
                Ok(()) => count += 1,
                // Both wanted the same rows, or one number twice.
                Err(e) if ["40P01", "23505"].contains(&e.code().map_or("", |c| c.code())) => {}
                Err(e) => panic!("{statement}: {e:?}"),
            }
            // Not more than a part of the rows may change: else the table would rightly begin anew.
            sleep(Duration::from_millis(4)).await;
        }
        count
    };
    (stop, tokio::spawn(work))
}

async fn parts(target: &Cluster) -> Parts {
    let rows = session(target, "half")
        .await
        .query("select source_oid, page_from, xmin::text::int8 from whimbrel.part", &[])
        .await
        .unwrap();
    rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect()
}

/// Waits until so many parts are there; a task that fails meanwhile fails the test.
async fn wait_for_parts(target: &Cluster, driver: &Driver, at_least: usize) -> Parts {
    let end = Instant::now() + Duration::from_secs(180);
    while Instant::now() < end {
        let there = parts(target).await;
        if there.len() >= at_least {
            return there;
        }
        let told = driver.told();
        assert!(!told.iter().any(|kind| matches!(kind, Kind::TaskFailed(_))), "{told:?}");
        sleep(Duration::from_millis(10)).await;
    }
    panic!("not {at_least} parts came");
}

async fn prepare() -> (Arc<Cluster>, Arc<Cluster>) {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database half").await;
    sql(&source, "half", SCHEMA).await;
    (source, target)
}

async fn drained(driver: &mut Driver) {
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
}

/// Parts of tables with a key that were there stay as they are; only the first one of a table takes counts.
fn kept(before: &Parts, after: &Parts, heap: u32) {
    let later = before.iter().filter(|((table, page), _)| *table != heap && *page > 0);
    let mut seen = 0;
    for (part, xid) in later {
        assert_eq!(after.get(part), Some(xid), "part {part:?} was copied again");
        seen += 1;
    }
    assert!(seen > 5, "only {seen} parts were there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_goes_on_by_part_whoever_makes_it_while_rows_wander() {
    let seed: u64 = std::env::var("WHIMBREL_TEST_SEED").map_or(1, |seed| seed.parse().unwrap());
    eprintln!("WHIMBREL_TEST_SEED={seed}");
    let (source, target) = prepare().await;
    let heap = value(&source, "half", "'heap'::regclass::oid").await.parse().unwrap();
    let writers = [writer(&source, seed), writer(&source, seed + 1000)];

    let mut driver = Driver::new(&source, &target, "half").await;
    let (mut epoch, mut continued) = (1, 0);
    driver.limits = SLOW;
    driver.begin(epoch, 0).await;
    driver.wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SchemaCreated")).await;
    let mut there = wait_for_parts(&target, &driver, 12).await;
    let oid = "select oid::int8 from pg_database where datname = 'half'";
    let oid: u32 = value(&target, "postgres", oid).await.parse().unwrap();
    for round in 1..=CUTS {
        driver.kill().await;
        let before = parts(&target).await;
        kept(&there, &before, heap);
        // The same agent once more, and another one with nothing on its disk, in turn.
        if round % 2 == 0 {
            driver = Driver::another(&driver).await;
            driver.limits = SLOW;
        }
        epoch += 1;
        driver.begin(epoch, oid).await;
        there = wait_for_parts(&target, &driver, before.len() + 8).await;
        kept(&before, &there, heap);
        eprintln!("{} parts, {:?}", there.len(), driver.milestones("CopyContinued"));
        continued += u32::from(!driver.milestones("CopyContinued").is_empty());
    }
    // A cut can fall between two tables.
    assert!(continued >= CUTS / 2, "{continued} of {CUTS}");
    driver.limit(CopyLimits { bytes_per_second: 0, ..SLOW }).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    kept(&there, &parts(&target).await, heap);
    for (stop, work) in writers {
        stop.store(true, Ordering::Relaxed);
        assert!(work.await.unwrap() > 20);
    }
    drained(&mut driver).await;
    rows_alike(&source, &target, "half", &[]).await;
    let table = "select count(*) from whimbrel.relation r where not done or rows <= 0";
    assert_eq!(value(&target, "half", table).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_is_renewed_in_the_middle_of_tables_and_its_limits_hold_at_once() {
    let (source, target) = prepare().await;
    let (stop, work) = writer(&source, 7);
    let mut driver = Driver::new(&source, &target, "half").await;
    let age = prost_types::Duration { seconds: 1, nanos: 0 };
    driver.limits = CopyLimits { snapshot_age: Some(age), ..SLOW };
    driver.begin(1, 0).await;
    let schema = |kind: &Kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SchemaCreated");
    driver.wait(schema).await;
    let renewed = |kind: &Kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SnapshotRenewed");
    let before = wait_for_parts(&target, &driver, 12).await;
    driver.wait(renewed).await;
    // Nobody holds back the source's vacuum for longer than the limit and the parts on their way.
    let oldest = "select coalesce(max(age(backend_xmin)), 0) from pg_stat_activity where application_name like 'whimbrel/%'";
    let now = "select pg_current_xact_id()::text";
    let (oldest, now) = (value(&source, "half", oldest).await, value(&source, "half", now).await);
    eprintln!("the oldest snapshot is {oldest} transactions old, at {now}; {} parts", before.len());
    driver.limit(CopyLimits { bytes_per_second: 0, jobs: 4, ..driver.limits }).await;
    let fast = Instant::now();
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    eprintln!("the rest took {:?} without a limit", fast.elapsed());
    let heap = value(&source, "half", "'heap'::regclass::oid").await.parse().unwrap();
    kept(&before, &parts(&target).await, heap);
    stop.store(true, Ordering::Relaxed);
    assert!(work.await.unwrap() > 20);
    drained(&mut driver).await;
    rows_alike(&source, &target, "half", &[]).await;
}

/// Of what the source may keep for the slot.
const BUDGET: u64 = 64 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_is_let_go_before_the_source_keeps_more_than_it_may() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database half").await;
    sql(&source, "half", "create table t (id int primary key); insert into t values (1)").await;
    let mut driver = Driver::new(&source, &target, "half").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    // The stream can't go on, and the slot with it.
    let blocks = session(&target, "half").await;
    blocks.batch_execute("begin; lock table t").await.unwrap();
    let more = "select pg_logical_emit_message(false, 'x', repeat('x', 1 << 20)) from generate_series(1, 40)";
    sql(&source, "half", "insert into t values (2)").await;
    sql(&source, "half", more).await;
    driver.limit(CopyLimits { retained_wal_bytes: BUDGET, ..CopyLimits::default() }).await;
    let warned =
        driver.wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "WalRetained"));
    let Some(Kind::Milestone(warning)) = warned.await.kind else { panic!() };
    assert!(warning.message.contains("at 64 MB"), "{}", warning.message);
    sql(&source, "half", more).await;
    let spent = |told: &[Kind]| {
        told.iter().any(|kind| match kind {
            Kind::TaskFailed(failed) => {
                failed.failure.as_ref().is_some_and(|failure| failure.code == "WalBudgetSpent")
            }
            _ => false,
        })
    };
    let end = Instant::now() + Duration::from_secs(60);
    while !spent(&driver.told()) {
        assert!(Instant::now() < end, "{:?}", driver.told());
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(value(&source, "half", "select count(*) from pg_replication_slots").await, "0");
}

/// The window between two snapshots is read from the migration's own slot: nothing of it is acknowledged, for tables of the
/// older snapshot still need it, and so does the stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_what_changed_since_moves_no_slot_and_leaves_nothing_out() {
    let (source, target) = prepare().await;
    let mut driver = Driver::new(&source, &target, "half").await;
    driver.limits = SLOW;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SchemaCreated")).await;
    wait_for_parts(&target, &driver, 30).await;
    driver.kill().await;
    let slot = "select confirmed_flush_lsn::text from pg_replication_slots where not temporary";
    let before = value(&source, "half", slot).await;
    // Of many keys one after the other, and of one transaction with many: each changes a row that may be here.
    sql(&source, "half", "do $$ begin for i in 1..3000 loop update big set n = n + 1 where id = i; commit; end loop; end $$")
        .await;
    sql(
        &source,
        "half",
        "update big set n = n + 10 where id <= 3500; delete from big where id between 40 and 60",
    )
    .await;
    let mut next = Driver::another(&driver).await;
    next.limits = SLOW;
    next.begin(2, driver.target_oid()).await;
    let continued = |kind: &Kind| matches!(kind, Kind::Milestone(m) if m.r#type == "CopyContinued");
    next.wait(continued).await;
    assert_eq!(value(&source, "half", slot).await, before, "the slot has moved");
    next.limit(CopyLimits { bytes_per_second: 0, ..SLOW }).await;
    next.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    drained(&mut next).await;
    rows_alike(&source, &target, "half", &[]).await;
}

/// A table that has no key for a while leaves the publication of updates, so that the application's don't fail; once its key
/// is back, nothing but the change of its schema in the stream tells that some did not come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_had_no_key_for_a_while_is_copied_anew() {
    let (source, target) = prepare().await;
    let mut driver = Driver::new(&source, &target, "half").await;
    driver.limits = SLOW;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SchemaCreated")).await;
    wait_for_parts(&target, &driver, 12).await;
    driver.kill().await;
    batch(
        &source,
        "half",
        "begin; alter table big drop constraint big_pkey; update big set n = n + 10 where id <= 3000; \
         delete from big where id between 40 and 60; alter table big add primary key (id); commit",
    )
    .await;
    let mut next = Driver::another(&driver).await;
    next.begin(2, driver.target_oid()).await;
    next.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    drained(&mut next).await;
    rows_alike(&source, &target, "half", &[]).await;
}

/// Keys that are the same to their index, and not in their text: a row that gets another of them is found by both.
async fn here_once(servers: &Path, table: &str, change: &str) {
    let start = || Arc::new(Cluster::start_of(servers.to_owned(), HBA, ""));
    let (source, target) = (start(), start());
    database(&source, "create database half").await;
    sql(&source, "half", table).await;
    let mut driver = Driver::new(&source, &target, "half").await;
    // Slow enough for a cut in the midst of it on a machine that has much else to do.
    driver.limits = CopyLimits { bytes_per_second: 600_000, ..SLOW };
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "SchemaCreated")).await;
    wait_for_parts(&target, &driver, 40).await;
    driver.kill().await;
    sql(&source, "half", change).await;
    let mut next = Driver::another(&driver).await;
    next.begin(2, driver.target_oid()).await;
    next.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let continued = next.milestones("CopyContinued");
    assert!(continued.iter().any(|text| text.starts_with("1 tables")), "{continued:?}");
    drained(&mut next).await;
    rows_alike(&source, &target, "half", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_is_here_once_whose_numeric_key_gets_another_scale() {
    let table = "create table t (id numeric primary key, pad text) with (fillfactor = 45);
insert into t select g, repeat('p', 200) from generate_series(1, 9000) g";
    // With the keys of before more than one question asks for; the rows stay on their pages.
    here_once(&bin(), table, "update t set id = round(id, 2) where id <= 4000").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_is_here_once_whose_letters_change_their_case() {
    let table =
        "create collation ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
create table t (what int, who text collate ci, pad text, primary key (who, what)) with (fillfactor = 45);
insert into t select 1, 'a' || g, repeat('p', 200) from generate_series(1, 9000) g";
    here_once(&bin(), table, "update t set who = upper(who) where substr(who, 2)::int <= 4000")
        .await;
}

/// Each key overlaps the one before it, which is what the index of such a key asks for; the last not the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_is_here_once_whose_period_moves() {
    let Some(servers) = programs_of(18) else {
        eprintln!("NOT TESTED: PostgreSQL 18: this machine has no server of it (tests/servers)");
        return;
    };
    let table = "create table t (what int4range, during int4range, pad text, primary key (what, during without overlaps)) with (fillfactor = 30);
insert into t select int4range(g, g + 1), '[1,4)', repeat('p', 200) from generate_series(1, 9000) g";
    let change = "update t set during = '[3,6)' where lower(what) <= 1500;
update t set during = '[5,8)' where lower(what) <= 1500";
    here_once(&servers, table, change).await;
}

/// Parts that the target's server is taking at this moment: the source has sent a small one long before its pace lets it pass. Small
/// tables have a number of their own.
const COPIES: &str = "select count(*) from pg_stat_activity where application_name like 'whimbrel/%' and query ilike 'copy %' and query not ilike '%small%' and state = 'active'";

/// Sessions that do nothing but work, until they are dropped with what they belong to.
async fn busy(source: &Cluster, sessions: usize) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    for _ in 0..sessions {
        let client = session(source, "half").await;
        tasks.push(tokio::spawn(async move {
            // Ends with an error: it is told to.
            client
                .batch_execute(
                    "select count(g) from (select generate_series(1, 1000000000000) g) s",
                )
                .await
                .unwrap_err();
        }));
    }
    // From the first look on: a copy that begins before the source is busy has more parts under way for a while.
    let at_work = "select count(*) from pg_stat_activity where state = 'active' and query like '%1000000000000%' and pid <> pg_backend_pid()";
    until(source, "half", &format!("select ({at_work}) / {sessions}")).await;
    tasks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_short_statements_is_at_work() {
    let (source, _) = prepare().await;
    let (app, looks) = (session(&source, "half").await, session(&source, "half").await);
    let pid: i32 = app.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let seen = format!("count(*) filter (where a.pid = {pid})");
    let look = include_str!("../src/source/sql/load.sql").replacen("count(*)", &seen, 1);
    let look = looks.prepare(&look).await.unwrap();
    // On a busy machine the one look may come late after the other's statement.
    let caught = async {
        loop {
            app.batch_execute("select 1").await.unwrap();
            if looks.query_one(&look, &[]).await.unwrap().get::<_, i64>(0) == 1 {
                return;
            }
        }
    };
    timeout(Duration::from_secs(60), caught).await.unwrap();
    sleep(Duration::from_millis(20)).await;
    assert_eq!(looks.query_one(&look, &[]).await.unwrap().get::<_, i64>(0), 0, "it rests");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_makes_way_while_others_keep_the_source_busy_unless_it_was_told_its_jobs() {
    let (source, target) = prepare().await;
    let workers = std::thread::available_parallelism().unwrap().get().clamp(2, 8);
    let tasks = busy(&source, workers).await;
    let mut driver = Driver::new(&source, &target, "half").await;
    driver.limits = CopyLimits { jobs: 0, bytes_per_second: 500_000, ..SLOW };
    driver.begin(1, 0).await;
    let way = |kind: &Kind| matches!(kind, Kind::Milestone(m) if m.r#type == "CopyMakesWay");
    driver.wait(way).await;
    let (fewer, end) = ((workers / 2).max(1), Instant::now() + Duration::from_secs(60));
    let at_once = async || value(&target, "half", COPIES).await.parse::<usize>().unwrap();
    until(&target, "half", COPIES).await;
    let mut above = 0;
    for _ in 0..30 {
        // The server reads its sessions one by one: one that ends and one that begins may both be seen at work.
        above = if at_once().await > fewer { above + 1 } else { 0 };
        assert!(above < 3, "more than {fewer} at once");
        sleep(Duration::from_millis(20)).await;
    }
    // What an operator chooses counts at once, busy or not.
    driver.limit(CopyLimits { jobs: 6, ..driver.limits }).await;
    while at_once().await <= workers.min(5) {
        assert!(Instant::now() < end, "what was chosen did not count");
        sleep(Duration::from_millis(10)).await;
    }
    sql(&source, "half", "select pg_terminate_backend(pid) from pg_stat_activity where query like '%1000000000000%' and pid <> pg_backend_pid()").await;
    for task in tasks {
        task.await.unwrap();
    }
    driver.limit(CopyLimits { bytes_per_second: 0, ..driver.limits }).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    drained(&mut driver).await;
    rows_alike(&source, &target, "half", &[]).await;
}
