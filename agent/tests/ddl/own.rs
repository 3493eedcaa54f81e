//! What a table has of its own where its columns are a parent's; and NOT NULL, which 18 keeps as constraints.
use std::sync::Arc;

use super::{between, cut_over, cut_over_alike, following, following_as};
use crate::{
    cluster::{Cluster, programs_of},
    driver::{Driver, HBA, moved_alike, sql, value},
};

/// Each not-null constraint as it is.
const NOT_NULL: &str = "select string_agg(concat_ws(' ', conrelid::regclass, conname, conkey, connoinherit, convalidated, conislocal, coninhcount), ', ' \
     order by conrelid::regclass::text, conkey) \
     from pg_constraint where contype = 'n' and connamespace = 'public'::regnamespace";

/// Between servers of 18; `None` where there is none.
async fn following_18(
    schema: &str,
    how: impl FnOnce(&mut Driver),
) -> Option<(Arc<Cluster>, Arc<Cluster>, Driver)> {
    let Some(programs) = programs_of(18) else {
        eprintln!("NOT TESTED: PostgreSQL 18: this machine has no server of it (tests/servers)");
        return None;
    };
    let server = || Cluster::start_of(programs.clone(), HBA, "");
    Some(between(server(), server(), schema, how).await)
}

async fn cut_over_alike_18(source: &Cluster, target: &Cluster, driver: &mut Driver) {
    cut_over(driver, 1).await;
    moved_alike(source, target, "shop").await;
    assert_eq!(value(target, "shop", NOT_NULL).await, value(source, "shop", NOT_NULL).await);
}

/// An heir's default, NOT NULL and identity of a column that is its parent's, made where no message tells it in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_heir_keeps_what_is_its_own_of_its_parents_columns() {
    let schema = "create table p (a int, b int default 1, c int default 2, d int)";
    let (source, target, mut driver) = following_as(schema, false).await;
    sql(
        &source,
        "shop",
        "create table heir (own int) inherits (p);
         alter table heir alter a set default 5, alter a set not null, alter b drop default,
             alter d set not null, alter d add generated always as identity;
         insert into heir values (1, 2, 3, default, 5)",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_keeps_what_is_its_own_of_its_parents_columns() {
    let schema = "create table p (a int default 1, b int, id int) partition by range (id)";
    let (source, target, mut driver) = following(schema).await;
    sql(
        &source,
        "shop",
        "create table part partition of p (a default 7, b not null) for values from (0) to (10);
         insert into part values (default, 2, 3)",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_heirs_own_not_null_is_a_constraint_of_its_own() {
    let schema = "create table p (a int, z int not null)";
    let Some((source, target, mut driver)) = following_18(schema, |_| {}).await else { return };
    sql(
        &source,
        "shop",
        "create table c1 (b int, not null a) inherits (p);
         create table c2 (constraint foo not null a) inherits (p);
         create table c3 (constraint foo not null a no inherit) inherits (p);
         create table c4 (b int, constraint foo not null z) inherits (p);
         create table c5 () inherits (p);
         create table part (a int, id int) partition by range (id);
         create table part1 partition of part (a default 7 not null) for values from (0) to (10);
         insert into c1 values (1, 2, 3);
         insert into part1 values (default, 3)",
    )
    .await;
    cut_over_alike_18(&source, &target, &mut driver).await;
}
