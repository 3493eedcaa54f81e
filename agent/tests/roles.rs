//! Roles: everything about them arrives that the target's role may give, and what is there already is left alone.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::sync::Arc;

use cluster::{Cluster, PASSWORD};
use driver::{Driver, HBA, batch, database, sql, value};
use whimbrel_proto::agent::v1::report::Kind;

const ROLES: &str = "
create role \"Group one\" noinherit connection limit 3;
create role owner login password 'hush' valid until '2031-01-01 00:00:00+00';
create role admin superuser createdb createrole replication bypassrls;
create role there login password 'source';
create role member login in role \"Group one\", there, pg_monitor;
grant \"Group one\" to owner with admin option;
set role owner; grant \"Group one\" to there; reset role;
comment on role owner is 'owns ''things''';
alter role owner set search_path to '$user', \"odd one\", public;
alter role owner set app.token = 'hush';
alter role member set search_path = '';
alter role owner in database shop set work_mem to '7MB';
set password_encryption = md5; create role old login password 'hush';
grant set on parameter session_replication_role to owner with grant option
";

const OBJECTS: &str = "
create schema things authorization owner;
create table things.t (id int primary key); alter table things.t owner to owner;
grant select on things.t to \"Group one\" with grant option;
alter default privileges for role owner in schema things grant insert on tables to member;
insert into things.t values (1);
alter database shop owner to owner
";

/// What is in `pg_dumpall --roles-only`, and the verifiers.
const SEEN: &str = "(select string_agg(line, e'\\n' order by line) from (
    select format('%s %s%s%s%s%s%s%s %s %s %s %s %s', rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb,
                  rolcanlogin, rolreplication, rolbypassrls, rolconnlimit, rolpassword, rolvaliduntil,
                  shobj_description(oid, 'pg_authid'), (select setconfig from pg_db_role_setting where setdatabase = 0 and setrole = oid))
    from pg_authid where rolname in ('Group one', 'owner', 'admin', 'member', 'old')
    union all
    select format('%s to %s by %s %s', g.rolname, m.rolname, b.rolname, admin_option)
    from pg_auth_members a join pg_roles g on g.oid = roleid join pg_roles m on m.oid = member join pg_roles b on b.oid = grantor
    where m.rolname !~ '^pg_'
    union all
    select paracl::text from pg_parameter_acl) l(line))";

async fn copied(driver: &mut Driver) -> Vec<String> {
    let mut told = Vec::new();
    let copied = driver.wait(|kind| {
        if let Kind::Milestone(milestone) = kind {
            told.push(format!("{}: {}", milestone.r#type, milestone.message));
        }
        matches!(kind, Kind::CopyFinished(_))
    });
    copied.await;
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_arrive_whole_and_those_that_are_there_stay_as_they_are() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    database(&source, "create database second").await;
    batch(&source, "postgres", ROLES).await;
    sql(&source, "shop", OBJECTS).await;
    sql(&source, "second", "create table t (id int primary key); alter table t owner to owner")
        .await;
    database(&target, "create role there login password 'target' connection limit 9").await;
    // Two databases of one migration make them at once.
    let (mut shop, mut second) = (
        Driver::new(&source, &target, "shop").await,
        Driver::new(&source, &target, "second").await,
    );
    for driver in [&mut shop, &mut second] {
        (driver.migrate_roles, driver.online) = (true, false);
    }
    tokio::join!(shop.begin(1, 0), second.begin(1, 0));
    let (one, other) = tokio::join!(copied(&mut shop), copied(&mut second));
    let told: Vec<String> = [one, other].concat();
    let made: Vec<&String> = told.iter().filter(|text| text.starts_with("RolesMade")).collect();
    assert_eq!(made, ["RolesMade: Group one, admin, member, old, owner"], "{told:?}");
    assert!(!told.iter().any(|text| text.starts_with("RolesIncomplete")), "{told:?}");
    assert!(!format!("{told:?}").contains("SCRAM"), "{told:?}");
    assert_eq!(value(&source, "postgres", SEEN).await, value(&target, "postgres", SEEN).await);
    let there = "select rolconnlimit from pg_roles where rolname = 'there'";
    assert_eq!(value(&target, "postgres", there).await, "9");
    let owner = "select pg_get_userbyid(relowner) from pg_class where relname = 't'";
    assert_eq!(value(&target, "shop", owner).await, "owner");
    assert_eq!(value(&target, "second", owner).await, "owner");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_superuser_roles_arrive_as_far_as_it_goes_and_the_rest_is_named() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    batch(&source, "postgres", ROLES).await;
    sql(&source, "shop", OBJECTS).await;
    let mover = format!(
        "create role mover login createdb createrole replication password '{}'",
        PASSWORD.replace('\'', "''")
    );
    // On the source it may read what is needed, and no passwords.
    database(&source, &mover).await;
    sql(
        &source,
        "shop",
        "grant usage on schema things to mover; grant select on things.t to mover",
    )
    .await;
    database(&target, &mover).await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    (driver.migrate_roles, driver.online, driver.user) = (true, false, "mover".into());
    driver.begin(1, 0).await;
    let told = copied(&mut driver).await;
    let left = told.iter().find(|text| text.starts_with("RolesIncomplete")).unwrap();
    for statement in [
        "alter role \"admin\" superuser;",
        "alter role \"admin\" replication;",
        "alter role \"admin\" bypassrls;",
        "grant SET on parameter \"session_replication_role\" to \"owner\" with grant option;",
    ] {
        assert!(left.contains(statement), "{statement}: {left}");
    }
    assert!(told.iter().any(|text| text.starts_with("RoleMembershipsLent")), "{told:?}");
    let owner = "select pg_get_userbyid(relowner) from pg_class where relname = 't'";
    assert_eq!(value(&target, "shop", owner).await, "owner");
    let attributes = "select rolcreatedb and rolcreaterole and not rolsuper from pg_roles where rolname = 'admin'";
    assert_eq!(value(&target, "postgres", attributes).await, "true");
    let passwords = "select count(*) from pg_authid where rolpassword is not null and rolname <> all ('{postgres,mover}')";
    assert_eq!(value(&target, "postgres", passwords).await, "0");
}
