//! The database `postgres`: its contents are replaced, it is never dropped.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::sync::Arc;

use cluster::Cluster;
use driver::{Driver, HBA, batch, moved_alike, value};
use whimbrel_proto::agent::v1::{Step, report::Kind};

const OID: &str = "select oid from pg_database where datname = 'postgres'";

const CONTENTS: &str = "
create table kept (id int primary key, v text); insert into kept values (1, 'one');
create extension hstore; create schema own; create view own.v as select * from public.kept;
select lo_from_bytea(70001, 'picture');
alter database postgres set work_mem to '9MB'; comment on database postgres is 'ours'";

const JUNK: &str = "
create role someone; create schema junk authorization someone; create table junk.t (v int); create table kept (other int);
create extension citext schema junk; create extension hstore; create type mood as enum ('a');
create cast (mood as bytea) with inout; create publication junk for all tables;
create foreign data wrapper junk; create server junk foreign data wrapper junk;
create function junk.f() returns event_trigger language plpgsql as 'begin end';
create event trigger junk on ddl_command_end execute function junk.f();
alter default privileges grant select on tables to someone; alter default privileges revoke execute on functions from public;
select lo_from_bytea(70001, 'junk'), lo_create(70002);
alter database postgres set work_mem to '1MB'; alter role someone in database postgres set work_mem to '2MB';
grant create on database postgres to someone; comment on database postgres is 'junk'; revoke all on schema public from public";

/// What the junk has left, beside what every database has.
const LEFT: &str = "select count(*) from (
    select 1 from pg_namespace where nspname = 'junk' union all select 1 from pg_extension where extname = 'citext'
    union all select 1 from pg_publication union all select 1 from pg_event_trigger union all select 1 from pg_default_acl
    union all select 1 from pg_foreign_data_wrapper union all select 1 from pg_cast where oid >= 16384 and castcontext = 'e' and castmethod = 'i'
    union all select 1 from pg_db_role_setting where setrole <> 0
    union all select 1 from pg_database, aclexplode(datacl) a where datname = 'postgres' and a.grantee = 'someone'::regrole) l";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_it_is_replaced_and_it_stays() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    batch(&source, "postgres", CONTENTS).await;
    batch(&target, "postgres", JUNK).await;
    let oid = value(&target, "postgres", OID).await;
    // Nobody said that it may be.
    let mut driver = Driver::new(&source, &target, "postgres").await;
    driver.begin(1, 0).await;
    assert_eq!(driver.failure().await.code, "TargetDatabaseExists");
    driver.kill().await;
    assert_eq!(value(&target, "postgres", "select count(*) from junk.t").await, "0");

    let mut driver = Driver::new(&source, &target, "postgres").await;
    driver.overwrite_oid = oid.parse().unwrap();
    driver.begin(2, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    // Another agent goes on from the ledger.
    let mut next = Driver::another(&driver).await;
    next.overwrite_oid = driver.overwrite_oid;
    next.begin(3, driver.target_oid()).await;
    next.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    batch(&source, "postgres", "insert into kept values (2, 'two')").await;
    let end = next.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    for step in [Step::Drain, Step::Complete, Step::Sequences, Step::Verify, Step::Switch] {
        next.step(step, 1, &[], end).await.unwrap();
    }
    next.step(Step::RemoveLedger, 1, &[], end).await.unwrap();
    next.step(Step::RemoveSource, 1, &[], end).await.unwrap();
    moved_alike(&source, &target, "postgres").await;
    assert_eq!(value(&target, "postgres", OID).await, oid);
    assert_eq!(value(&target, "postgres", LEFT).await, "0");
    for query in [
        "select string_agg(nspname || nspacl::text, ' ' order by nspname) from pg_namespace where nspname in ('public', 'own')",
        "select string_agg(oid || encode(lo_get(oid), 'escape'), ' ') from pg_largeobject_metadata",
        "select string_agg(setconfig::text, ' ') from pg_db_role_setting",
        "select shobj_description(oid, 'pg_database') from pg_database where datname = 'postgres'",
        "select v.v from own.v where id = 2",
    ] {
        let of_source = value(
            &source,
            "postgres",
            &format!("coalesce(({query}), 'none')").replace("select coalesce", "coalesce"),
        )
        .await;
        let query = format!("coalesce(({query}), 'none')");
        assert_eq!(of_source, value(&target, "postgres", &query).await, "{query}");
    }
}
