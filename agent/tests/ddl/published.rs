//! What a server refuses of a published table, and the ways out while a migration runs.
use whimbrel_proto::agent::v1::{Step, failure::Policy, report::Kind};

use super::{between, cut_over, cut_over_alike, following, following_as};
use crate::{
    cluster::{Cluster, programs_of},
    driver::{HBA, batch, moved_alike, session, sql, until, value},
};

/// Nothing else is in that transaction: the event trigger publishes what is to be published when the statement ends.
async fn unpublished(source: &Cluster, table: &str, statement: &str) {
    let client = session(source, "shop").await;
    assert!(client.batch_execute(statement).await.is_err(), "{statement}");
    let script = format!(
        "begin; alter publication whimbrel_test_shop drop table only {table}; {statement}; commit"
    );
    client.batch_execute(&script).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_becomes_unlogged_once_it_is_published_no_more() {
    let (source, target, mut driver) = following(
        "create table t (id int primary key, v text); insert into t select g, 'x' from generate_series(1, 20) g",
    )
    .await;
    sql(&source, "shop", "update t set v = 'y' where id < 9").await;
    unpublished(&source, "t", "alter table t set unlogged").await;
    sql(&source, "shop", "insert into t values (21, 'z'); delete from t where id = 1").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_expression_of_a_virtual_column_is_set_by_two_ways() {
    let Some(programs) = programs_of(18) else {
        eprintln!("NOT TESTED: PostgreSQL 18: this machine has no server of it (tests/servers)");
        return;
    };
    let server = || Cluster::start_of(programs.clone(), HBA, "");
    let schema = "
        create table a (id int primary key, w int, v int generated always as (w * 3));
        create table b (id int primary key, w int, v int generated always as (w * 3));
        insert into a select g, g from generate_series(1, 20) g; insert into b select id, w from a";
    let (source, target, mut driver) = between(server(), server(), schema, |_| {}).await;
    sql(&source, "shop", "update a set w = 0 where id < 9; update b set w = 0 where id < 9").await;
    unpublished(&source, "a", "alter table a alter v set expression as (w * 5)").await;
    let anew = "alter table b drop column v, add column v int generated always as (w * 5)";
    sql(&source, "shop", anew).await;
    sql(
        &source,
        "shop",
        "insert into a values (21, 21); insert into b values (21, 21); delete from a where id = 20; delete from b where id = 20",
    )
    .await;
    // Virtual columns too, by their expressions there.
    cut_over(&mut driver, 1).await;
    moved_alike(&source, &target, "shop").await;
    let sum = "select (select sum(v) from a) || ' ' || (select sum(v) from b)";
    assert_eq!(value(&target, "shop", sum).await, value(&source, "shop", sum).await);
}

/// As pg_partman does with a partition that it lets go: of all publications that there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_taken_out_of_our_publication_misses_nothing() {
    let taken_out = "do $$ declare r record; begin
        for r in select pubname, tablename from pg_publication_tables where tablename in ('p1', 't') loop
            execute format('alter publication %I drop table only %I', r.pubname, r.tablename);
        end loop; end $$";
    for follow in [true, false] {
        let (source, target, mut driver) = following_as(
            "create table p (id int primary key, v text) partition by range (id);
             create table p1 partition of p for values from (0) to (10);
             create table p2 partition of p for values from (10) to (20);
             insert into p select g, 'x' from generate_series(1, 15) g;
             create table t (id int primary key, v text);
             insert into t values (1, 'one'), (2, 'two');
             create table u (id int primary key, v text);
             insert into u values (1, 'one'), (2, 'two')",
            follow,
        )
        .await;
        let detached = format!("begin; alter table p detach partition p1; {taken_out}; commit");
        batch(&source, "shop", &detached).await;
        sql(
            &source,
            "shop",
            "update p1 set v = 'missed' where id = 3;
             insert into t values (3, 'missed');
             delete from t where id = 1;
             insert into u values (3, 'three')",
        )
        .await;
        // What tells it stops the stream for the copy at once.
        if follow {
            until(&target, "shop", "select count(*) from p1 where v = 'missed'").await;
        }
        // Back before anybody has looked: what is told of it now is all there is.
        sql(&source, "shop", "alter table t add column w int; update t set w = 1 where id = 2")
            .await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
    }
}

/// Nothing tells it, and by the time that anybody looks it is in again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_was_out_of_our_publication_for_a_while_misses_nothing() {
    let (source, target, mut driver) = following_as(
        "create table t (id int primary key, v text);
         create table f (id int primary key, v text);
         create table moves (id int primary key, v text);
         create table u (id int primary key, v text);
         insert into t values (1, 'one'); insert into f values (1, 'one'); insert into moves values (1, 'one'); insert into u values (1, 'one')",
        false,
    )
    .await;
    let (out, back) = (
        "alter publication whimbrel_test_shop drop table",
        "alter publication whimbrel_test_shop add table",
    );
    sql(&source, "shop", &format!("{out} t; {out} f")).await;
    sql(&source, "shop", "update t set v = 'missed'; insert into f values (2, 'missed')").await;
    sql(&source, "shop", &format!("{back} t; {back} f where (id > 100)")).await;
    sql(&source, "shop", "insert into f values (3, 'filtered')").await;
    // We move one ourselves when it loses its key.
    sql(
        &source,
        "shop",
        "alter table moves drop constraint moves_pkey; insert into moves values (2, 'two')",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publication_that_was_altered_for_a_while_is_known_by_that() {
    for follow in [true, false] {
        let (source, _target, mut driver) = following_as(
            "create table t (id int primary key, v text); insert into t values (1, 'one')",
            follow,
        )
        .await;
        sql(&source, "shop", "alter publication whimbrel_test_shop set (publish = 'insert')").await;
        sql(&source, "shop", "update t set v = 'missed'").await;
        let again = "alter publication whimbrel_test_shop set (publish = 'insert, update, delete, truncate')";
        sql(&source, "shop", again).await;
        let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
        driver.step(Step::Drain, 1, &[], end).await.unwrap();
        let failure = driver.step(Step::Complete, 1, &[], end).await.unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.policy()),
            ("PublicationAltered", Policy::Resync)
        );
    }
}

/// SET TABLE takes it out and puts it in by one command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_had_a_filter_for_a_while_misses_nothing() {
    for follow in [true, false] {
        let (source, target, mut driver) = following_as(
            "create table t (id int primary key, v text); insert into t select g, 'x' from generate_series(1, 9) g;
             create table u (id int primary key); create table moves (id int primary key)",
            follow,
        )
        .await;
        let set = "alter publication whimbrel_test_shop set table";
        sql(&source, "shop", &format!("{set} t where (id > 3), u, moves")).await;
        sql(&source, "shop", "update t set v = 'missed' where id = 2").await;
        sql(&source, "shop", &format!("{set} t, u, moves")).await;
        // Our own trigger moves it.
        sql(
            &source,
            "shop",
            "alter table moves drop constraint moves_pkey; insert into moves values (1)",
        )
        .await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
    }
}

/// Decoding of older releases goes on leaving out a table that was published while a transaction that had written to it was open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_is_published_between_the_transactions_that_write_to_it_where_these_would_not_learn_of_it()
 {
    let Some(older) = programs_of(12) else {
        eprintln!("NOT TESTED: PostgreSQL 12: this machine has no server of it (tests/servers)");
        return;
    };
    let schema = "create table t (id int primary key, v text); create table u (id int primary key)";
    let (there, here) = (Cluster::start_of(older, HBA, ""), Cluster::start(HBA, ""));
    let (source, target, mut driver) = between(there, here, schema, |_| {}).await;
    driver.kill().await;
    sql(
        &source,
        "shop",
        "alter publication whimbrel_test_shop drop table t; insert into t values (1, 'missed')",
    )
    .await;
    let open = session(&source, "shop").await;
    open.batch_execute("begin; insert into t values (2, 'before')").await.unwrap();
    driver.begin(2, driver.target_oid()).await;
    until(&target, "shop", "select count(*) from whimbrel.relation where point is null").await;
    // It is published, or the agent has been turned away by the lock, and waits to look again.
    let tried = "select count(*) from (select from pg_publication_tables where tablename = 't' union all \
                 select from pg_stat_activity where application_name like 'whimbrel/publication%' and query = 'rollback') it";
    until(&source, "shop", tried).await;
    open.batch_execute("insert into t values (3, 'behind'); commit").await.unwrap();
    until(&target, "shop", "select count(*) from t").await;
    sql(&source, "shop", "insert into t values (4, 'later'); update t set v = 'changed' where id = 1; insert into u values (1)").await;
    cut_over(&mut driver, 1).await;
    moved_alike(&source, &target, "shop").await;
}

/// Sources of 15 and later lock the publication until a transaction that publishes a table ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_flow_while_a_table_cant_be_published() {
    let (source, target, mut driver) = following("create table t (id int primary key)").await;
    let open = session(&source, "shop").await;
    open.batch_execute("begin; create table long (id int primary key)").await.unwrap();
    sql(&source, "shop", "create table short (id int primary key); insert into short values (1)")
        .await;
    until(&target, "shop", "select count(*) from whimbrel.relation where point is null").await;
    let waits = "select count(*) from pg_stat_activity where application_name like 'whimbrel/publication%' and wait_event_type = 'Lock'";
    until(&source, "shop", waits).await;
    sql(&source, "shop", "insert into t values (1)").await;
    until(&target, "shop", "select count(*) from t").await;
    open.batch_execute("commit").await.unwrap();
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Nobody publishes an update of it meanwhile, and nothing but its publication tells that it had no key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_without_its_key_for_a_while_is_copied_again() {
    let schema = "create table t (id int primary key, v text); insert into t select g, 'old' from generate_series(1, 5) g;
        create table u (id int primary key)";
    let (source, target, mut driver) = following_as(schema, false).await;
    sql(&source, "shop", "alter table t drop constraint t_pkey").await;
    driver.kill().await;
    driver.begin(2, driver.target_oid()).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    let keyless = "select count(*) from pg_publication_tables where tablename = 't' and pubname like '%keyless%'";
    until(&source, "shop", keyless).await;
    sql(&source, "shop", "update t set v = 'new' where id = 1; delete from t where id = 2").await;
    sql(&source, "shop", "alter table t add primary key (id); insert into u values (1)").await;
    until(&target, "shop", "select count(*) from u").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}
