//! Forms that came here before the stream has come to what made them: with another table's, from the catalog of a later moment.
use crate::{
    cut_over_alike,
    driver::{session, sql},
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
