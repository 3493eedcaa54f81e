//! Transactions that are open at once, one of which changes what the other one tells of.
use super::{cut_over_alike, following, following_as};
use crate::driver::{session, sql, until, value};

/// `open` tells, `between` is committed, `end` is told yet before the first commits.
async fn together(schema: &str, open: &str, between: &str, end: &str) {
    let (source, target, mut driver) = following(schema).await;
    let client = session(&source, "shop").await;
    client.batch_execute(&format!("begin; {open}")).await.unwrap();
    sql(&source, "shop", between).await;
    client.batch_execute(&format!("{end}; commit")).await.unwrap();
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// A command locks no more than an index, or a parent, and tells the table's form, or the heirs'.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_was_told_before_another_ones_commit_takes_nothing_away() {
    let schema = "create table par (id int primary key, v text); create table c1 (primary key (id)) inherits (par);
        create index c1_v on c1 (v); insert into c1 select g, 'x' from generate_series(1, 5) g";
    let adds = "alter table c1 add column extra int; update c1 set extra = 5";
    for open in [
        "comment on index c1_v is 'x'",
        "alter index c1_v rename to c1_w",
        "comment on table par is 'x'",
        "alter table only par set (fillfactor = 90)",
    ] {
        together(schema, open, adds, "insert into c1 (id) values (6)").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indexes_that_are_made_at_once_are_all_there() {
    let schema = "create table p (id int, v text, w text) partition by range (id);
        create table p1 partition of p for values from (0) to (10);
        create table t (id int primary key, v text, w text); insert into t values (1, 'a', 'b'); insert into p values (1, 'a', 'b')";
    let first = "create index t_v on t (v); create index p1_v on p1 (v)";
    let second = "create index t_w on t (w); create index p_w on p (w)";
    together(schema, first, second, "select 1").await;
    together(schema, second, first, "select 1").await;
}

/// It has written by a label, or an attribute, that is another value's when it commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_are_told_by_what_their_type_was_when_they_were_written() {
    let schema = "create type mood as enum ('a', 'b'); create type pair as (a int, b int);
        create table t (id int primary key, m mood[], p pair);
        insert into t select g, '{a,b}', '(1,1)' from generate_series(1, 3) g";
    let written = "insert into t values (7, '{a}', '(3,3)'); update t set m = '{a}', p = '(4,4)' where id = 1";
    for between in [
        "alter type mood rename value 'a' to 'x'; alter type mood rename value 'b' to 'a'",
        "alter type pair drop attribute b; alter type pair add attribute c int",
    ] {
        together(schema, written, between, "update t set m = null where id = 2").await;
    }
}

/// Without event triggers the stream tells its columns again, and which of them are the key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_one_run_go_by_the_key_that_each_has() {
    let schema = "create table t (a int primary key, b int not null, v text); alter table t alter v set storage external;
        insert into t select g, g * 10, g || repeat('x', 3000) from generate_series(1, 5) g; create table u (id int primary key)";
    let (source, target, mut driver) = following_as(schema, false).await;
    sql(
        &source,
        "shop",
        "begin; insert into u select generate_series(1, 40); insert into t values (9, 90, 'n');
         alter table t drop constraint t_pkey; alter table t add primary key (b); update t set a = 3 - a where a in (1, 2); commit",
    )
    .await;
    until(&target, "shop", "select count(*) from u").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// In such a transaction an event trigger's eyes are those of its first statement; the commands themselves see the catalog of now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_a_kept_snapshot_has_told_takes_nothing_away() {
    let schema = "create table c1 (id int primary key, v text); create index c1_v on c1 (v);
        create table par (id int primary key); create table heir (primary key (id)) inherits (par);
        insert into c1 select g, 'x' from generate_series(1, 5) g; insert into heir select g from generate_series(1, 5) g";
    let adds = "alter table c1 add column extra int; update c1 set extra = 5;
        alter table heir add column extra int; update heir set extra = 5";
    for isolation in ["repeatable read", "serializable"] {
        for end in [
            "comment on index c1_v is 'x'; insert into c1 (id) values (6)",
            "alter index c1_v rename to c1_w; insert into c1 (id) values (6)",
            "alter table c1 add column late int default 7; insert into c1 (id) values (6)",
            "alter table c1 add column late int default 7",
            "alter table c1 alter v set not null, alter v set default 'd'; insert into c1 (id, v) values (6, 'w')",
            "alter table par add column late int default 8; insert into heir (id) values (6)",
            "alter table c1 rename column v to w; insert into c1 (id) values (6)",
        ] {
            let open = format!("set transaction isolation level {isolation}; select");
            together(schema, &open, adds, end).await;
        }
    }
}

/// ATTACH PARTITION names the parent's index alone, and locks the partitions no more than a query does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_attached_while_another_is_made_is_attached() {
    let schema = "create table p (id int, v text) partition by list (id);
        create table p1 partition of p for values in (1); create table p2 partition of p for values in (2);
        create index pi on only p (v); create index p1i on p1 (v); create index p2i on p2 (v)";
    let attach = "alter index pi attach partition p1i; alter index pi attach partition p2i";
    let (source, target, mut driver) = following(schema).await;
    let client = session(&source, "shop").await;
    client.batch_execute(&format!("begin; {attach}")).await.unwrap();
    sql(&source, "shop", "create index p1x on p1 (id)").await;
    client.batch_execute("commit").await.unwrap();
    cut_over_alike(&source, &target, &mut driver, 1).await;
    let attached = "select string_agg(inhrelid::regclass || ' ' || indisvalid, ',' order by 1) from pg_inherits \
        join pg_index on indexrelid = inhparent";
    assert_eq!(value(&target, "shop", attached).await, "p1i true,p2i true");
}

/// A type's name and its labels are changed by commands that do not wait for each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_gets_its_name_and_its_labels_whoever_commits_first() {
    let schema = "create type st as enum ('a', 'b');
        create table f (id int primary key, s st); insert into f values (1, 'a'), (2, 'b')";
    let (name, label) =
        ("alter type st rename to feeling", "alter type st rename value 'a' to 'x'");
    let (owner, added) =
        ("alter type st owner to pg_monitor", "alter type st add value 'c' before 'b'");
    for (first, second) in
        [(name, label), (label, name), (owner, label), (label, owner), (name, added)]
    {
        together(schema, first, second, "insert into f values (6, 'b')").await;
    }
}

/// What changes an index alone, or locks a table no more than a writer does, keeps none of the other kind away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_commands_make_of_parts_of_a_table_is_there() {
    let schema =
        "create table f (id int primary key, n int, m int unique); create index f_i on f (n);
        alter table f add constraint ck check (n > 0) not valid; insert into f values (1, 1)";
    let column = "alter table f add column z int default 5; insert into f values (2, 2)";
    let index = "alter index f_i rename to g";
    let key = "alter index f_m_key rename to f_key";
    for (open, between) in [
        (key, column),
        ("alter index f_pkey rename to f_key", column),
        ("alter table f validate constraint ck", index),
        ("alter table f validate constraint ck", key),
        (index, "alter table f validate constraint ck"),
        ("alter table f set (fillfactor = 70); alter table f alter n set statistics 7", index),
        ("alter table f add constraint c2 foreign key (n) references f not valid", key),
        (
            "create trigger tr before update on f for each row execute function suppress_redundant_updates_trigger()",
            index,
        ),
    ] {
        together(schema, open, between, "insert into f (id) values (6)").await;
    }
}
