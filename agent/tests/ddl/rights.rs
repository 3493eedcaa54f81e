//! Rights, owners and default privileges that change while the stream runs.
use std::sync::Arc;

use whimbrel_agent::{
    postgres::{Programs, SslMode},
    report::{AdviceInput, advise, look_around},
};
use whimbrel_proto::agent::v1::{LookAround, report::Kind};

use super::{
    between, cut_over, cut_over_alike, difference, following, following_as, following_with,
    schema_of,
};
use crate::{
    cluster::{Cluster, PASSWORD},
    driver::{Driver, HBA, batch, database, moved_alike, sql, value},
};

const SCHEMA: &str = "
    create table t (id int primary key, v int);
    insert into t select g, g from generate_series(1, 20) g;
    create schema s;
    create view s.seen as select * from t;
    create materialized view s.kept as select * from t;
    create sequence s.numbers;
    create function s.plus(int) returns int language sql security definer as 'select $1 + 1';
    create aggregate s.total (int) (sfunc = int4pl, stype = int, initcond = '0');
    create type s.mood as enum ('sad');
    create type s.pair as (a int, b int);
    create domain s.few as int check (value < 10);
    create foreign data wrapper nothing;
    create server far foreign data wrapper nothing;
    create server other foreign data wrapper nothing;
    create user mapping for app server other options (password 'x');
    create function s.from_sql(internal) returns internal language internal immutable as 'int4recv';
    create transform for s.pair language sql (from sql with function s.from_sql(internal));
    create statistics of_t on id, v from t;
    alter default privileges in schema s grant select, insert on tables to reader;
    alter default privileges in schema s grant usage on sequences to app with grant option;
    alter default privileges revoke execute on functions from public;
    alter default privileges grant usage on types to app";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_on_every_kind_arrive() {
    let (source, target, mut driver) = following(SCHEMA).await;
    sql(
        &source,
        "shop",
        "grant usage on foreign server far to reader;
         grant usage on foreign data wrapper nothing to reader with grant option;
         grant execute on function s.total(int) to reader;
         revoke execute on function s.plus(int) from public;
         grant usage on type s.pair to reader;
         revoke usage on type s.few from public;
         grant usage on type s.few to reader;
         grant usage on language plpgsql to reader;
         create server near foreign data wrapper nothing;
         grant usage on foreign server near to app;
         create aggregate s.sum_of (int) (sfunc = int4pl, stype = int, initcond = '0');
         revoke execute on function s.sum_of(int) from public;
         grant execute on function s.sum_of(int) to app",
    )
    .await;
    // A right that was taken away and may be one to write is left, and told.
    sql(&target, "shop", "revoke execute on function s.plus(int) from public").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// A dump has them, so what changes of them later has to come too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_on_the_systems_own_objects_arrive() {
    let schema = "create table t (id int primary key);
        grant execute on function pg_stat_reset_shared(text) to app;
        revoke execute on function pg_size_pretty(bigint) from public";
    let (source, target, mut driver) = following(schema).await;
    // The target's own are its provider's.
    sql(&target, "shop", "grant select on pg_statistic to reader").await;
    sql(
        &source,
        "shop",
        "revoke execute on function pg_sleep(float8) from public;
         grant execute on function pg_sleep(float8) to app with grant option;
         revoke execute on function pg_stat_reset_shared(text) from app;
         grant execute on function pg_size_pretty(bigint) to public;
         grant select on pg_authid to reader; grant select (rolname) on pg_authid to app",
    )
    .await;
    let notes = cut_over(&mut driver, 1).await;
    let took = "revoke EXECUTE on routine pg_catalog.pg_sleep(double precision) from public";
    assert!(notes.contains(took) && !notes.contains("pg_statistic"), "{notes}");
    sql(&target, "shop", "revoke select on pg_statistic from reader").await;
    let (there, here) = (schema_of(&source), schema_of(&target));
    assert!(there == here, "{}", difference(&there, &here));
}

/// The only change, so that nothing else brings it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_alone_arrives() {
    let (source, target, mut driver) = following(SCHEMA).await;
    sql(&source, "shop", "grant usage on foreign server far to reader").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_arrive_that_no_message_tells() {
    let schema = format!("create role dev;\n{SCHEMA};\ngrant create on schema public, s to dev");
    let (source, target, mut driver) =
        following_with(&schema, |driver| driver.migrate_roles = true).await;
    sql(&source, "shop", "create table owned (id int primary key)").await;
    batch(&source, "shop", OWNED).await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// A lock for each, to a transaction's end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_and_sequences_by_the_thousand_need_few_locks() {
    let few = "max_locks_per_transaction = 10\nmax_connections = 20\n";
    let schema: String = (0..600)
        .map(|i| format!("create table t{i} (id int primary key);\n"))
        .chain((0..1500).map(|i| format!("create sequence s{i};\nselect nextval('s{i}');\n")))
        .collect();
    let (source, target) = (Cluster::start(HBA, ""), Cluster::start(HBA, few));
    let (source, target, mut driver) =
        between(source, target, &schema, |driver| driver.follow = false).await;
    let forced: String =
        (0..600).map(|i| format!("alter table t{i} force row level security;\n")).collect();
    sql(&source, "shop", &forced).await;
    cut_over(&mut driver, 1).await;
    let forced = "select count(*) from pg_class where relforcerowsecurity";
    assert_eq!(value(&target, "shop", forced).await, "600");
    moved_alike(&source, &target, "shop").await;
}

/// Of everything, as REASSIGN OWNED does, which can't be done to what the system itself needs.
const OWNED: &str = "
    do $$
    declare
        o record;
    begin
        for o in select * from (values ('schema s'), ('table t'), ('view s.seen'), ('materialized view s.kept'), ('sequence s.numbers'),
                     ('function s.plus(int)'), ('aggregate s.total(int)'), ('type s.mood'), ('type s.pair'), ('domain s.few'),
                     ('server far'), ('statistics of_t'), ('table owned')) o(name) loop
            execute format('alter %s owner to app', o.name);
        end loop;
    end $$;
    reassign owned by app to dev";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drops_and_default_privileges_that_are_taken_back_arrive() {
    let (source, target, mut driver) = following(SCHEMA).await;
    sql(
        &source,
        "shop",
        "drop user mapping for app server other;
         drop transform for s.pair language sql;
         alter default privileges in schema s revoke insert on tables from reader;
         alter default privileges in schema s revoke grant option for usage on sequences from app;
         alter default privileges grant execute on functions to public;
         alter default privileges revoke usage on types from app;
         alter default privileges revoke usage on types from public;
         alter default privileges grant select on tables to app",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

/// Nothing but this, of kinds that no message tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_no_message_tells_brings_the_dump_of_now() {
    let (source, target, mut driver) =
        following(&format!("{SCHEMA};\ncreate publication theirs for table t")).await;
    sql(&source, "shop", "alter publication theirs add tables in schema s").await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_on_the_database_later_is_told() {
    let (source, target, mut driver) = following(SCHEMA).await;
    sql(
        &source,
        "shop",
        "alter database shop set work_mem = '77MB';
         grant temporary on database shop to reader",
    )
    .await;
    let notes = super::cut_over(&mut driver, 1).await;
    assert!(
        notes.contains(
            "there: alter database shop set \"work_mem\"; grant TEMPORARY on database shop to reader"
        ),
        "{notes}"
    );
    let set = "select count(*) from pg_db_role_setting where setdatabase <> 0";
    assert_eq!(value(&target, "shop", set).await, "0");
}

const GIVEN: &str = "
    create table t (id int primary key);
    insert into t values (1);
    create table kept (id int primary key);
    create function kept() returns int language sql as 'select 1';
    grant select on t to reader;
    grant select, insert, update, delete on t, kept to app;
    alter default privileges in schema public grant all on tables to reader, app;
    alter default privileges in schema public grant all on sequences to reader";

/// Default privileges give them on the target, whether the source took them away one by one or never gave them.
const NARROWED: &str = "
    create table t2 (id serial primary key);
    revoke all on t2 from reader, app;
    grant select on t2 to reader;
    alter default privileges revoke execute on functions from public;
    do $$
    begin
        for i in 1..30 loop
            execute format('create function f%s(a int, b text) returns int language sql security definer as ''select 1''', i);
        end loop;
    end $$;
    create aggregate total (int) (sfunc = int4pl, stype = int, initcond = '0');
    create view v as select * from t;
    revoke insert, update, delete on v from app;
    revoke select on t from reader";

/// What a person has granted on the target is left.
async fn new_objects_are_as_narrow(follow: bool) {
    let (source, target, mut driver) = following_as(GIVEN, follow).await;
    batch(&source, "shop", NARROWED).await;
    sql(&target, "shop", "grant select on kept to reader").await;
    let notes = cut_over(&mut driver, 1).await;
    assert!(notes.contains("rights that the source has not (1) were left"), "{notes}");
    let remedies = rights_left(&source, &target).await;
    assert_eq!(remedies, ["revoke SELECT on table public.kept from reader;"]);
    sql(&target, "shop", &remedies.join("\n")).await;
    let (there, here) = (schema_of(&source), schema_of(&target));
    assert!(there == here, "{}", difference(&there, &here));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_on_what_is_new_are_as_narrow_as_on_the_source() {
    new_objects_are_as_narrow(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_on_what_is_new_and_untold_are_as_narrow_as_on_the_source() {
    new_objects_are_as_narrow(false).await;
}

/// Whoever stops writes takes them away from new tables too, and from those that are only read; the report tells of each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_that_stopped_the_source_are_left_and_all_of_them_reported() {
    let (source, target, mut driver) = following(GIVEN).await;
    let tables: String =
        (0..30).map(|i| format!("create table n{i} (id int primary key);\n")).collect();
    sql(&source, "shop", &tables).await;
    sql(&source, "shop", "revoke all on all tables in schema public from app").await;
    let notes = cut_over(&mut driver, 1).await;
    assert!(notes.contains("migration report"), "{notes}");
    let may = |privilege: &str| {
        format!(
            "select count(*) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace \
             and has_table_privilege('app', oid, '{privilege}')"
        )
    };
    for privilege in ["SELECT", "UPDATE"] {
        assert_eq!(value(&target, "shop", &may(privilege)).await, "32");
    }
    let remedies = rights_left(&source, &target).await.join("\n");
    sql(&target, "shop", &remedies).await;
    let (there, here) = (schema_of(&source), schema_of(&target));
    assert!(there == here, "{}\n{remedies}", difference(&there, &here));
    assert!(rights_left(&source, &target).await.is_empty());
}

/// Writes may be stopped that way too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_owner_has_taken_from_itself_is_left_and_reported() {
    let schema = "create table t (id int primary key); create table u (id int primary key);
        create table v (id int primary key); revoke delete on u, v from postgres";
    let (source, target, mut driver) = following(schema).await;
    sql(
        &source,
        "shop",
        "create table late (id int primary key); revoke update on late from postgres;
         revoke delete, truncate on t from postgres; grant delete on v to postgres",
    )
    .await;
    let notes = cut_over(&mut driver, 1).await;
    assert!(notes.contains("were left on the target"), "{notes}");
    let remedies = rights_left(&source, &target).await;
    assert_eq!(remedies, ["revoke DELETE, TRUNCATE on table public.t from postgres;"]);
    sql(&target, "shop", &remedies.join("\n")).await;
    let (there, here) = (schema_of(&source), schema_of(&target));
    assert!(there == here, "{}", difference(&there, &here));
    assert!(rights_left(&source, &target).await.is_empty());
}

/// The target's role is no superuser, and the language is the first role's there: a server only warns, and grants nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_that_our_role_may_not_grant_are_told() {
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    let password = PASSWORD.replace('\'', "''");
    for (cluster, how) in [(&source, "superuser"), (&target, "createdb")] {
        database(cluster, &format!("create role mover {how} login password '{password}'")).await;
        database(cluster, "create role app").await;
        database(cluster, "create role reader").await;
        database(cluster, "grant app, reader to mover").await;
    }
    database(&source, "create database shop owner mover").await;
    let schema = "set role mover;
        create table t (id int primary key);
        grant select on t to reader with grant option;
        set role reader;
        grant select on t to app;
        reset role;
        revoke usage on language plpgsql from public;
        grant usage on language plpgsql to reader";
    batch(&source, "shop", schema).await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.user = "mover".into();
    driver.begin(1, 0).await;
    let told = driver
        .wait(|kind| matches!(kind, Kind::Milestone(m) if m.r#type == "RightsIncomplete"))
        .await;
    let told = format!("{told:?}");
    assert!(told.contains("grant USAGE on language plpgsql to reader;"), "{told}");
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    sql(
        &source,
        "shop",
        "grant usage on language plpgsql to app;
         grant execute on function pg_sleep(float8) to app",
    )
    .await;
    let notes = cut_over(&mut driver, 1).await;
    let of_system = "grant EXECUTE on routine pg_catalog.pg_sleep(double precision) to app";
    for grant in ["grant USAGE on language plpgsql to app", of_system] {
        assert!(notes.contains(grant), "{grant}: {notes}");
    }
    let remedies = rights_left(&source, &target).await;
    let given = ["app", "reader"].map(|role| format!("grant USAGE on language plpgsql to {role};"));
    assert_eq!(remedies[..2], given);
    assert!(remedies[2].starts_with("grant ") && remedies[2].ends_with(" from public;"));
    sql(&target, "shop", &remedies.join("\n")).await;
    assert!(rights_left(&source, &target).await.is_empty());
    moved_alike(&source, &target, "shop").await;
}

/// The remedies that the report gives of rights.
async fn rights_left(source: &Cluster, target: &Cluster) -> Vec<String> {
    let programs = Programs::discover(&[source.programs().to_owned()]).await;
    let databases = ["shop".to_owned()];
    let wanted = LookAround { databases: databases.to_vec(), ..LookAround::default() };
    let seen = look_around(&source.endpoint(SslMode::Prefer), &wanted, &programs).await.unwrap();
    let input = AdviceInput {
        endpoint: &target.endpoint(SslMode::Prefer),
        databases: &databases,
        migrate_roles: false,
        seen: &seen,
    };
    let items = advise(&input).await.unwrap();
    let of_rights = items.into_iter().filter(|item| item.topic == "rights");
    let findings = of_rights.filter_map(|item| item.finding);
    findings
        .map(|finding| {
            let known = ["RightLeft", "RightMissing"];
            assert!(known.contains(&&*finding.code), "{}", finding.message);
            finding.remedy
        })
        .collect()
}
