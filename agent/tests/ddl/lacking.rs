//! What is made of a kind that the stream does not carry: that is made before it is needed, not in the cutover.
use super::{cut_over_alike, difference, following, following_as, schema_of};
use crate::driver::{batch, sql, value};

const SCHEMA: &str = "create table t (id int primary key, v text); insert into t values (1, 'a')";

/// One of each kind, with what is made of it.
const MADE_OF: &str = "
    create collation co (locale = 'C');
    alter table t add c text collate co;
    create domain sorted as text collate co;
    insert into t values (2, 'b', 'c');
    create text search configuration tsc (copy = simple);
    create index on t using gin (to_tsvector('tsc', v));
    create operator === (leftarg = int, rightarg = int, procedure = int4eq);
    alter table t add check (id operator(public.===) id);
    create type comp as (a int, b text);
    create function tf(comp) returns text immutable language sql as 'select ($1).b';
    create cast (comp as text) with function tf(comp);
    create table k (id int primary key, c comp, d text generated always as ((c)::text) stored);
    insert into k (id, c) values (1, row(1, 'q'));
    create view cast_so as select c::text from k;
    create function add_one(int, int) returns int immutable language sql as 'select $1 + 1';
    create aggregate ag(int) (sfunc = add_one, stype = int, initcond = '0');
    comment on aggregate ag(int) is 'counts';
    grant execute on function ag(int) to reader;
    create view vv as select ag(id) from t;
    create function backwards(int, int) returns int immutable language sql as 'select btint4cmp($2, $1)';
    create operator class desc_ops for type int using btree as
        operator 1 >, operator 2 >=, operator 3 =, operator 4 <=, operator 5 <, function 1 backwards(int, int);
    create index on t (id desc_ops);
    create foreign data wrapper none;
    create server far foreign data wrapper none;
    create foreign table remote (a int) server far;
    create view of_far as select a from remote;
    insert into t values (3, 'c', 'd');
    create unique index on k (d collate co)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_made_of_it_is_carried() {
    let (source, target, mut driver) = following(SCHEMA).await;
    sql(&source, "shop", MADE_OF).await;
    let notes = cut_over_alike(&source, &target, &mut driver, 1).await;
    assert!(!notes.contains("by hand"), "{notes}");
    assert_eq!(value(&target, "shop", "select c from t where id = 3").await, "d");
    assert_eq!(value(&target, "shop", "select c from cast_so").await, "q");
}

/// What a script makes in one transaction is not here before that is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_one_transaction_too() {
    let (source, target, mut driver) = following(SCHEMA).await;
    batch(&source, "shop", &format!("begin; {MADE_OF}; commit")).await;
    // One more is another dump's, which has all of the first again.
    sql(
        &source,
        "shop",
        "create collation other (locale = 'C');
         create table u (id int primary key, v text collate other)",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Nothing but the table's own rows tells of it there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_event_triggers_too() {
    let (source, target, mut driver) = following_as(SCHEMA, false).await;
    sql(
        &source,
        "shop",
        "create collation co (locale = 'C');
         create operator === (leftarg = int, rightarg = int, procedure = int4eq);
         alter table t add c text collate co, add check (id operator(public.===) id);
         insert into t values (2, 'b', 'c');
         create text search configuration tsc (copy = simple);
         create aggregate ag(int) (sfunc = int4pl, stype = int);
         create index on t using gin (to_tsvector('tsc', v));
         create view vv as select ag(id) from t",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// It is known to the cutover as what the first dump had: altered since, it is made anew, and dropped, it is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_it_later_is_carried_too() {
    let (source, target, mut driver) = following(SCHEMA).await;
    sql(
        &source,
        "shop",
        "create text search configuration tsc (copy = simple);
         create collation co (locale = 'C');
         create collation gone (locale = 'C');
         alter table t add c text collate co, add g text collate gone;
         insert into t values (2, 'b', 'c')",
    )
    .await;
    let here = "select count(*) from pg_attribute where attrelid = 't'::regclass and attname = 'g'";
    let comes = async {
        while value(&target, "shop", here).await != "1" {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(120), comes)
        .await
        .expect("it did not come");
    sql(
        &source,
        "shop",
        "alter text search configuration tsc alter mapping for asciiword with english_stem;
         drop collation gone cascade;
         alter collation co owner to app",
    )
    .await;
    let notes = cut_over_alike(&source, &target, &mut driver, 1).await;
    assert!(!notes.contains("by hand"), "{notes}");
    let (there, now) = (schema_of(&source), schema_of(&target));
    assert!(now.contains("english_stem"), "{}", difference(&there, &now));
}

/// What is gone there when it is asked for is a person's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gone_by_then_holds_and_is_told() {
    let (source, target, mut driver) = following(SCHEMA).await;
    // New as well, and nothing to do with it.
    sql(&source, "shop", "create text search configuration tsc (copy = simple)").await;
    batch(
        &source,
        "shop",
        "begin;
         create collation co (locale = 'C');
         create collation stays (locale = 'C');
         alter table t add s text collate stays, add c text collate co;
         drop collation co cascade;
         commit",
    )
    .await;
    let failure = driver.failure().await;
    assert_eq!(failure.code, "SchemaChangeNotCarried");
    assert!(failure.message.contains("\"public.co\""), "{failure:?}");
    assert!(failure.remedy.contains("must be made first"), "{failure:?}");
    assert!(!failure.remedy.contains("TEXT SEARCH"), "{failure:?}");
    assert!(failure.remedy.contains("CREATE COLLATION public.stays"), "{failure:?}");
    sql(&target, "shop", "create collation co (locale = 'C')").await;
    driver.kill().await;
    let oid = driver.target_oid();
    driver.begin(2, oid).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Whoever has made the one must not take the other for the table's fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_may_lack_a_label_and_a_loosened_column() {
    let schema = "create type mood as enum ('sad');
        create table t (id int primary key, v text not null, m mood default 'sad');
        insert into t select g, 'x' from generate_series(1, 5) g";
    let (source, target, mut driver) = following_as(schema, false).await;
    let change = "alter type mood add value 'merry'; alter table t alter v drop not null;
        insert into t values (6, null, 'sad')";
    sql(&source, "shop", change).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}
