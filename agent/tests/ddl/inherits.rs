//! Tables that inherit, whose columns a dump makes in an order of its own: it holds no cutover, a true difference does.
use whimbrel_proto::agent::v1::Step;

use super::{between, cut_over, cut_over_alike, following, following_as, steps};
use crate::{
    cluster::{Cluster, programs_of},
    driver::{HBA, moved_alike, sql, value},
};

/// A dump makes c, d and e as (a, b, x).
const SCHEMA: &str = "
    create table p (a int);
    create table c (x int, primary key (a)) inherits (p);
    create table d (x int, primary key (a)) inherits (p);
    create table e (x int, primary key (a)) inherits (p);
    alter table p add column b text default 'b';
    insert into c select g, g, 'c' from generate_series(1, 20) g;
    insert into d select g, g, 'd' from generate_series(1, 20) g";

const ORDER: &str = "select string_agg(attname, ',' order by attnum) from pg_attribute
    where attrelid = 'c'::regclass and attnum > 0 and not attisdropped";

/// By the columns' names.
const ROWS: &str = "select string_agg(t::text, ' ' order by t::text)
    from (select 'c', a, b, x, 0 from c union all select 'd', a, b, x, y from d union all select 'e', a, b, x, 0 from e
          union all select 'p', a, b, 0, 0 from p) t";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_of_columns_that_cant_be_had_holds_no_cutover() {
    let (source, target, mut driver) = following(SCHEMA).await;
    assert_eq!(value(&source, "shop", ORDER).await, "a,x,b");
    assert_eq!(value(&target, "shop", ORDER).await, "a,b,x");
    // One that has nothing to do with them; one of them; one that inherits no more.
    sql(
        &source,
        "shop",
        "create table other (id int primary key);
         alter table d add column y int default 7;
         insert into d values (21, 21, 'new', 8);
         alter table e no inherit p;
         insert into e values (1, 1, 'own')",
    )
    .await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    steps(&mut driver, 1, end, &[Step::Drain, Step::Complete]).await;
    driver.back(1).await;
    // By the dump that the first attempt took.
    sql(&source, "shop", "create table another (id int primary key)").await;
    cut_over(&mut driver, 2).await;
    let rows = value(&source, "shop", ROWS).await;
    assert!(rows.contains("(d,21,new,21,8)") && rows.contains("(e,1,own,1,0)"), "{rows}");
    assert_eq!(value(&target, "shop", ROWS).await, rows);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_true_difference_of_a_table_that_inherits_holds_it() {
    let (source, target, mut driver) = following(SCHEMA).await;
    sql(&source, "shop", "create table other (id int primary key)").await;
    sql(&target, "shop", "alter table c alter x type bigint; alter table d drop column x").await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    steps(&mut driver, 1, end, &[Step::Drain]).await;
    let failure = driver.step(Step::Complete, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "SourceSchemaChanged", "{failure:?}");
    let named = |table: &str| failure.message.contains(table);
    assert!(named("public.c") && named("public.d") && !named("public.e"), "{failure:?}");
}

/// Before 18 a parent's NOT NULL need not be its heirs'.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_heir_may_have_null_where_its_parent_may_not() {
    let Some(programs) = programs_of(18) else {
        eprintln!("NOT TESTED: PostgreSQL 18: this machine has no server of it (tests/servers)");
        return;
    };
    let schema = "create table p (a int, b int); create table h (x int primary key) inherits (p);
        create table hh () inherits (h)";
    let target = Cluster::start_of(programs, HBA, "");
    let (source, target, mut driver) =
        between(Cluster::start(HBA, ""), target, schema, |_| {}).await;
    sql(
        &source,
        "shop",
        "alter table only p alter a set not null, alter b set not null;
         insert into h values (null, 1, 1); insert into hh values (null, 2, 2);
         alter table h alter b set not null",
    )
    .await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    steps(&mut driver, 1, end, &[Step::Drain]).await;
    driver.back(1).await;
    let of = "select string_agg(concat_ws(' ', attrelid::regclass, attname, attnotnull), ', ' order by attrelid::regclass::text, attname)
        from pg_attribute where attrelid in ('p'::regclass, 'h'::regclass, 'hh'::regclass) and attname in ('a', 'b')";
    assert_eq!(value(&target, "shop", of).await, value(&source, "shop", of).await);
    sql(&source, "shop", "delete from h where a is null; alter table h alter a set not null").await;
    cut_over(&mut driver, 2).await;
    assert_eq!(value(&target, "shop", of).await, value(&source, "shop", of).await);
    moved_alike(&source, &target, "shop").await;
    let alone = "select count(*) from pg_constraint where contype = 'n' and connoinherit";
    assert_eq!(value(&target, "shop", alone).await, "0");
}

const HEIRS: &str = "create table base (id int primary key, a text not null, gone int, kept int);
    create table heir (x int default 5, primary key (id)) inherits (base);
    create table other (x int, primary key (id)) inherits (base);
    insert into heir values (1, 'h', 1, 1, 1);
    insert into other values (2, 'o', 1, 1, 1)";

/// By the columns' names: one that is made anew comes last.
const HEIRS_ROWS: &str = "select string_agg(r::text, ' ' order by r::text) from
    (select to_jsonb(heir) r from heir union all select to_jsonb(other) from other) both_of";

async fn heirs_arrive(follow: bool, script: &str) {
    let (source, target, mut driver) = following_as(HEIRS, follow).await;
    sql(&source, "shop", script).await;
    cut_over(&mut driver, 1).await;
    let rows = value(&source, "shop", HEIRS_ROWS).await;
    assert_eq!(value(&target, "shop", HEIRS_ROWS).await, rows);
    let own = "select string_agg(its, ' ' order by its) from
        (select attrelid::regclass || '.' || attname its from pg_attribute
         where attrelid in ('heir'::regclass, 'other'::regclass) and attislocal and attnum > 0 and not attisdropped) own";
    assert_eq!(value(&target, "shop", own).await, value(&source, "shop", own).await);
}

/// The heirs keep it, with its values, as their own.
const DROP_ALONE: &str = "alter table only base drop gone;
    insert into heir values (3, 'h', 2, 2, 2);
    insert into other values (4, 'o', 2, 2, 2)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_a_parent_alone_drops_stays_with_its_heirs() {
    heirs_arrive(true, DROP_ALONE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_a_parent_alone_drops_stays_with_its_heirs_untold() {
    heirs_arrive(false, DROP_ALONE).await;
}

/// It keeps them also when it does not come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_heir_that_left_for_good_keeps_its_columns() {
    let script = "alter table heir no inherit base; alter table base drop gone;
                  insert into heir values (3, 'h', 2, 2, 2)";
    for follow in [false, true] {
        heirs_arrive(follow, script).await;
    }
}

/// The heirs lose the older one with the parent, or keep it and take it for the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parents_column_may_be_made_anew() {
    for drop in ["alter table base drop gone", "alter table only base drop gone"] {
        let script = format!(
            "{drop}; alter table base add gone int;
             update heir set a = 'new'; update other set gone = 4"
        );
        for follow in [false, true] {
            heirs_arrive(follow, &script).await;
        }
    }
}

/// Whoever was away has the parent's columns as its own: they stay when the parent drops them, and are not what it adds meanwhile.
const LEAVE_FOR_A_WHILE: &str = "alter table heir no inherit base;
    alter table base add y int default 9;
    alter table heir add y int default 10;
    alter table heir inherit base;
    alter table base drop gone;
    insert into heir values (3, 'h', 2, 2, 2, 2);
    insert into other values (4, 'o', 2, 2)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_heir_that_left_for_a_while_owns_its_columns() {
    heirs_arrive(true, LEAVE_FOR_A_WHILE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_heir_that_left_for_a_while_owns_its_columns_untold() {
    heirs_arrive(false, LEAVE_FOR_A_WHILE).await;
}

/// ANALYZE would ask the server of the foreign one, which only the source can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_heir_that_the_target_cant_read_holds_no_copy() {
    let (_source, target, _driver) = following(
        "create extension postgres_fdw;
         create server far foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1');
         create table p (a int);
         create foreign table f () inherits (p) server far;
         create table plain (a int);
         create table large (a int, v text);
         create foreign table of_large () inherits (large) server far;
         insert into p values (1);
         insert into plain values (1);
         insert into large select g, repeat('x', 1000) from generate_series(1, 2000) g",
    )
    .await;
    assert_eq!(value(&target, "shop", "select count(*) from only p").await, "1");
    assert_eq!(value(&target, "shop", "select count(*) from only large").await, "2000");
    let analyzed = "select string_agg(relname, ',' order by relname) from pg_class \
                    where relname in ('p', 'plain', 'large') and reltuples > 0";
    // Built with their rows: the others have them of no ANALYZE.
    let known = value(&target, "shop", analyzed).await;
    assert!(known.contains("plain"), "{known}");
}

/// Else it would go with a later drop of the parent's, and its comment does not come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_is_a_heirs_own_and_its_parents_stays_both() {
    for follow in [true, false] {
        let (source, target, mut driver) = following_as(
            "create table p (a text constraint c check (length(a) > 2) primary key, b text);
             comment on constraint c on p is 'the parent''s';
             create table later () inherits (p)",
            follow,
        )
        .await;
        sql(
            &source,
            "shop",
            "create table h (like p including constraints including comments) inherits (p);
             create table other (a text constraint c check (length(a) > 2)) inherits (p);
             comment on constraint c on other is 'the heir''s';
             alter table later add constraint c check (length(a) > 2);
             comment on constraint c on later is 'later';
             insert into h values ('abcd', 'e');
             insert into later values ('abcde', 'e')",
        )
        .await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
        let own = "select string_agg(conrelid::regclass::text || conislocal, ' ' order by conrelid::regclass::text)
            from pg_constraint where conname = 'c'";
        assert_eq!(value(&target, "shop", own).await, value(&source, "shop", own).await);
    }
}

/// On the source the heir's was there first; here the parent's comes first, and is not valid in the heir either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_heirs_valid_check_under_its_parents_that_is_not_comes_valid() {
    let schema = "create table p (id int primary key, v int);
        create table h (w int) inherits (p);
        insert into h values (1, 1, 1)";
    for event_triggers in [true, false] {
        let (source, target, mut driver) = following_as(schema, event_triggers).await;
        sql(
            &source,
            "shop",
            "alter table h add constraint more check (v > 0);
             alter table p add constraint more check (v > 0) not valid;
             insert into h values (2, 2, 2); insert into p values (3, 3)",
        )
        .await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
        let checks = "select string_agg(concat_ws(' ', conrelid::regclass, convalidated, conislocal), ', ' order by conrelid::regclass::text)
            from pg_constraint where conname = 'more'";
        let theirs = value(&source, "shop", checks).await;
        assert_eq!(theirs, "h t t, p f t");
        assert_eq!(value(&target, "shop", checks).await, theirs);
    }
}

/// With its parent gone PostgreSQL leaves it the checks that it had of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_heir_that_leaves_its_parent_keeps_the_parents_check() {
    for event_triggers in [true, false] {
        let schema = "create table ac (id int primary key, v text constraint has check (v is not null));
            create table bc (w text) inherits (ac); create table cc (w text) inherits (ac);
            create table de (id int, v text constraint has check (v is not null)); create table two (x int) inherits (ac, de);
            insert into bc values (1, 'x', 'y')";
        let (source, target, mut driver) = following_as(schema, event_triggers).await;
        sql(
            &source,
            "shop",
            "alter table bc no inherit ac;
             alter table cc no inherit ac; alter table cc add check (w <> ''); alter table cc inherit ac;
             alter table two no inherit de;
             insert into bc values (2, 'z', 'u')",
        )
        .await;
        cut_over_alike(&source, &target, &mut driver, 1).await;
    }
}
