//! Forms that came here before the stream has come to what made them: with another table's, from the catalog of a later moment.
use crate::{
    cut_over_alike,
    driver::{session, sql, value},
    following_as,
};

/// The stream tells a table's columns once, and its next rows have still the form that was told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_a_form_that_was_told_before_another_came_ahead_are_taken() {
    let (source, target, mut driver) = following_as(
        "create table par (id int primary key, v text);
         create table h1 (primary key (id)) inherits (par); create table h2 (primary key (id)) inherits (par);
         create table gate (id int primary key)",
        false,
    )
    .await;
    sql(&source, "shop", "insert into h1 values (1, 'a'); insert into h2 values (2, 'b')").await;
    let locked = session(&target, "shop").await;
    locked.batch_execute("begin; lock table gate in access exclusive mode").await.unwrap();
    for script in [
        "insert into gate values (1)",
        "alter table h1 add column own int; insert into h1 (id, own) values (3, 3)",
        "insert into h2 values (4, 'c'); update h2 set v = 'd' where id = 2",
        "alter table par rename column v to w",
        "insert into h2 values (5, 'e')",
    ] {
        sql(&source, "shop", script).await;
    }
    locked.batch_execute("commit").await.unwrap();
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// It is chosen, and nothing has told it: it is made as it is there, not as a place for the table alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_a_table_is_moved_to_is_made_as_it_is_there() {
    let schema = "create table t (id int primary key); insert into t values (1)";
    let (source, target, mut driver) = following_as(schema, false).await;
    let moved = "create schema n authorization pg_monitor; alter table t set schema n; insert into n.t values (2)";
    sql(&source, "shop", moved).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
    let is = "select nspowner::regrole || coalesce(obj_description(oid, 'pg_namespace'), '') from pg_namespace where nspname = 'n'";
    assert_eq!(value(&target, "shop", is).await, "pg_monitor");
}
