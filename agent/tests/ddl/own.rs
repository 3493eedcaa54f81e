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

/// The command tells first that it is gone, and what it has made of the key and the identity that need it only then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_null_goes_behind_what_needs_it() {
    let schema = "create table t (id int primary key, a int);
         create table i8 (f5 int generated always as identity, f6 int not null, f7 int not null);
         create table heir (constraint mine not null f7) inherits (i8)";
    let Some((source, target, mut driver)) = following_18(schema, |_| {}).await else { return };
    sql(
        &source,
        "shop",
        "alter table t drop constraint t_pkey, alter id drop not null;
         alter table i8 alter f5 drop identity, alter f5 drop not null;
         alter table i8 drop constraint i8_f6_not_null;
         alter table i8 drop constraint i8_f7_not_null, add constraint other not null f7;
         insert into t values (null, 1)",
    )
    .await;
    cut_over_alike_18(&source, &target, &mut driver).await;
}

const NAMED: &str = "create table i8 (f5 int not null, f6 int not null);
     create table heir () inherits (i8);
     create table a (x int, y int);
     create table p (x int) partition by list (x);
     create table p1 partition of p for values in (1);
     create table p2 partition of p default;
     insert into a values (null, 1);
     insert into p values (1), (null)";

const NAMES: &str = "alter table i8 rename constraint i8_f5_not_null to nnn;
     alter table a add constraint nny not null x not valid, add constraint nnz not null y not valid;
     alter table p add constraint nnp not null x not valid;
     alter table p1 validate constraint nnp;
     create table late (a int);
     insert into late values (null);
     alter table late add b int, add constraint nna not null a not valid, add constraint nnb not null b not valid;
     alter table late rename constraint nna to nnc;
     create table q (a int, b int) partition by list (b);
     alter table q add constraint of_parent not null a not valid;
     create table q1 (a int, b int);
     alter table q1 add constraint own not null a not valid;
     alter table q attach partition q1 for values in (1)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_not_null_constraint_is_renamed_and_made_without_proof() {
    let Some((source, target, mut driver)) = following_18(NAMED, |_| {}).await else { return };
    sql(&source, "shop", NAMES).await;
    cut_over_alike_18(&source, &target, &mut driver).await;
    let unproven = "select count(*) from pg_constraint where contype = 'n' and not convalidated and connamespace = 'public'::regnamespace";
    assert_eq!(value(&target, "shop", unproven).await, "8");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_not_null_constraint_is_proven_later() {
    let Some((source, target, mut driver)) = following_18(NAMED, |_| {}).await else { return };
    sql(&source, "shop", NAMES).await;
    sql(
        &source,
        "shop",
        "delete from a; delete from p where x is null;
         alter table a validate constraint nny;
         alter table p validate constraint nnp;
         alter table a drop constraint nny, add constraint nny not null x not valid;
         alter table a alter y set not null",
    )
    .await;
    cut_over_alike_18(&source, &target, &mut driver).await;
}

/// No message tells them: the catalog is asked in the cutover.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_proofs_of_not_null_come_without_event_triggers() {
    let Some((source, target, mut driver)) =
        following_18(NAMED, |driver| driver.follow = false).await
    else {
        return;
    };
    // A table that is copied then has no older rows: its constraints are there before them.
    sql(&source, "shop", &NAMES.replace("insert into late values (null);", "")).await;
    cut_over_alike_18(&source, &target, &mut driver).await;
}

/// An heir that names its parent's column too has its NOT NULL from there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_heir_names_once_more_is_still_its_parents_not_null() {
    let schema =
        "create table p (a int not null, b int not null, c int not null, id int primary key);
        create table v (a int); alter table v add constraint v_a not null a not valid";
    let Some((source, target, mut driver)) = following_18(schema, |_| {}).await else { return };
    sql(
        &source,
        "shop",
        "create table h (a int, b int not null, d int not null) inherits (p);
         create table vh (a int) inherits (v);
         insert into h values (1, 2, 3, 4, 5)",
    )
    .await;
    cut_over_alike_18(&source, &target, &mut driver).await;
}

const OF_DOMAINS: &str = "select string_agg(concat_ws(' ', contypid::regtype, conname, obj_description(oid, 'pg_constraint')), ', ' order by contypid::regtype::text) \
     from pg_constraint where contype = 'n' and contypid <> 0";

/// Since 17 a domain's has a name too, and can have a comment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_not_null_of_a_domain_keeps_its_name() {
    for follow in [true, false] {
        let schema =
            "create domain old as text not null; create domain older as int constraint a not null;
             create domain oldest as int; create domain bare as int not null";
        let following = following_18(schema, |driver| driver.follow = follow).await;
        let Some((source, target, mut driver)) = following else { return };
        sql(
            &source,
            "shop",
            "create domain code as text constraint filled not null check (value <> '');
             comment on constraint filled on domain code is 'never empty';
             create domain plain as int not null;
             alter domain old rename constraint old_not_null to renamed;
             alter domain older drop not null; alter domain older add constraint b not null;
             alter domain oldest add constraint c not null;
             alter domain bare drop not null;
             create domain later as int; alter domain later set not null",
        )
        .await;
        cut_over(&mut driver, 1).await;
        let here = value(&target, "shop", OF_DOMAINS).await;
        assert_eq!(here, value(&source, "shop", OF_DOMAINS).await);
        assert!(here.contains("code filled never empty"), "{here}");
    }
}

/// The table waits for its rows, and its default has the new name on the source alone: no command tells the table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_copied_again_may_have_a_sequence_of_another_name() {
    let (source, target, mut driver) = following(
        "create table t (id serial primary key, a int);
         insert into t (a) select generate_series(1, 30)",
    )
    .await;
    let renamed = "begin; alter table t add column r text default md5(random()::text); \
         alter sequence t_id_seq rename to counts; commit";
    sql(&source, "shop", renamed).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}
