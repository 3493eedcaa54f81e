//! What a target can't make, or holds otherwise than the source.
use serde_json::json;
use whimbrel_proto::v1::FindingState;

use crate::{
    bench::{Bench, ROLE_PASSWORD},
    target_server::{elsewhere, facts_with},
};

#[tokio::test]
async fn objects_that_need_a_superuser() {
    let source = Bench::shared().await;
    source
        .sql("postgres", "create database privileged; create role priv_mover login createdb")
        .await;
    source
        .sql(
            "privileged",
            "create function public.on_ddl() returns event_trigger language plpgsql as 'begin end';
             create event trigger \"Watch\" on ddl_command_start execute function public.on_ddl();
             alter event trigger \"Watch\" disable;
             create publication all_of_it for all tables;
             create publication of_schema for tables in schema public;
             create type public.shell;
             create function public.shell_in(cstring) returns public.shell language internal strict immutable as 'int4in';
             create function public.shell_out(public.shell) returns cstring language internal strict immutable as 'int4out';
             create type public.shell (input = public.shell_in, output = public.shell_out, like = int4);
             create cast (public.shell as int4) without function;
             create type public.mood as enum ('a'); create cast (text as public.mood) with inout;
             create operator family public.fam using btree;
             create text search template public.tmpl (lexize = dsimple_lexize);
             create function public.sure() returns int language sql leakproof as 'select 1';
             grant select on pg_authid to priv_mover;
             revoke execute on function pg_catalog.version() from public;
             drop event trigger \"Watch\";
             create event trigger \"Watch\" on ddl_command_start execute function public.on_ddl()",
        )
        .await;
    let looked = source.source(&source.superuser(), &["privileged"]).await;
    looked.assert_told(&[
        "privileged: GrantsOnSystemCatalogs table pg_catalog.pg_authid",
        "privileged: EventTriggerFires Watch",
    ]);

    let target = Bench::other().await;
    target
        .sql(
            "postgres",
            &format!(
                "create role priv_mover login createdb password '{ROLE_PASSWORD}'; grant postgres to priv_mover;
                 grant set on parameter session_replication_role to priv_mover"
            ),
        )
        .await;
    let facts = &looked.0.facts;
    let looked = target.target(&target.as_role("priv_mover"), &["privileged"], facts).await;
    looked.assert_told(&[
        "privileged: SuperuserNeeded base type public.shell",
        "privileged: SuperuserNeeded cast (public.shell as integer)",
        "privileged: SuperuserNeeded event trigger \"Watch\"",
        "privileged: SuperuserNeeded function public.shell_in(cstring) in language internal",
        "privileged: SuperuserNeeded function public.shell_out(public.shell) in language internal",
        "privileged: SuperuserNeeded function public.sure() leakproof",
        "privileged: SuperuserNeeded operator family public.fam",
        "privileged: SuperuserNeeded publication all_of_it for all tables",
        "privileged: SuperuserNeeded text search template public.tmpl",
        "privileged: SuperuserNeeded publication of_schema for tables in schema",
        "privileged: SuperuserNeeded revoked right of public on function pg_catalog.version()",
        "privileged: SuperuserNeeded right of priv_mover on table pg_catalog.pg_authid",
    ]);
    looked.assert_status(FindingState::FindingFailed);
    target.target(&target.superuser(), &["privileged"], facts).await.assert_told(&[]);
    looked.paste_outside(&target).await;
    target.target(&target.as_role("priv_mover"), &["privileged"], facts).await.assert_told(&[]);
}

#[tokio::test]
async fn collations_that_are_missing() {
    let source = Bench::shared().await;
    source.sql("postgres", "create database collated").await;
    source
        .sql(
            "collated",
            "create collation pg_catalog.\"xx_XX\" (locale = 'C.utf8');
             create collation public.own (locale = 'C.utf8'); create collation public.unused (provider = icu, locale = 'de');
             create table public.\"T\" (id int primary key, \"Name\" varchar(20) collate \"xx_XX\", o text collate public.own,
                                        i text collate \"de-x-icu\")",
        )
        .await;
    let look = async || source.source(&source.superuser(), &["collated"]).await;
    let looked = look().await;
    looked.assert_told(&[]);
    let target = Bench::other().await;
    let superuser = target.superuser();
    let seen = target.target(&superuser, &["collated"], &looked.0.facts).await;
    seen.assert_told(&["collated: CollationMissing public.T.Name"]);
    assert!(seen.only("CollationMissing").message.contains("xx_XX"));
    source.sql("collated", &seen.remedies()[0]).await;
    target.target(&superuser, &["collated"], &look().await.0.facts).await.assert_told(&[]);

    let foreign = facts_with(&looked, |facts| {
        for collation in facts["databases"][0]["collations"].as_array_mut().unwrap() {
            if collation["name"] == "own" {
                collation["locale"] = json!("yy_YY.UTF-8");
            }
        }
    });
    let seen = target.target(&superuser, &["collated"], &foreign).await;
    assert!(
        seen.told().contains(&"collated: LocaleMissing public.own".to_owned()),
        "{:?}",
        seen.told()
    );
}

#[tokio::test]
async fn tablespaces_libraries_and_preloaded_extensions() {
    let source = Bench::shared().await;
    let target = Bench::other().await;
    let (there, here) =
        (source.cluster.folder_of_server("fast"), target.cluster.folder_of_server("fast"));
    source.sql("postgres", &format!("create tablespace \"Fast\" location '{there}'")).await;
    source
        .sql("postgres", "create database spaced; create database lying tablespace \"Fast\"")
        .await;
    source
        .sql(
            "spaced",
            "create table public.t (id int primary key using index tablespace \"Fast\");
             create function public.c() returns trigger language c as '$libdir/refint', 'check_primary_key';
             update pg_proc set probin = '$libdir/gone_away' where proname = 'c';
             create extension pg_stat_statements",
        )
        .await;
    let databases = ["spaced", "lying"];
    let looked = source.source(&source.superuser(), &databases).await;
    looked.assert_told(&[]);
    let facts = &looked.0.facts;
    let superuser = target.superuser();
    let seen = target.target(&superuser, &databases, facts).await;
    seen.assert_told(&[
        "spaced: ExtensionNeedsPreload pg_stat_statements",
        "spaced: TablespaceMissing Fast",
        "spaced: LibraryMissing $libdir/gone_away",
        "lying: DatabaseTablespaceNotCarried Fast",
    ]);
    assert_eq!(seen.only("ExtensionNeedsPreload").state(), FindingState::FindingWarning);
    // Both servers are on one machine here.
    let remedy = seen.only("TablespaceMissing").remedy.replace(&there, &here);
    target.sql("postgres", &remedy).await;
    target
        .sql(
            "postgres",
            &format!("create role space_mover login createdb password '{ROLE_PASSWORD}'"),
        )
        .await;
    let seen = target.target(&target.as_role("space_mover"), &["spaced"], facts).await;
    let remedy = &seen.only("TablespaceNotPermitted").remedy;
    target.sql("postgres", remedy).await;
    let seen = target.target(&target.as_role("space_mover"), &["spaced"], facts).await;
    assert!(!seen.told().iter().any(|told| told.contains("Tablespace")), "{:?}", seen.told());
}

#[tokio::test]
async fn roles_that_are_not_the_same() {
    let source = Bench::shared().await;
    source
        .sql(
            "postgres",
            "create role twin_group; create role \"Twin\" login bypassrls connection limit 5 in role twin_group;
             set password_encryption = 'md5'; alter role \"Twin\" password 'x';
             alter role \"Twin\" set search_path = \"$user\", public; alter role \"Twin\" set work_mem = '8MB';
             alter role \"Twin\" set app.key = 'hidden'",
        )
        .await;
    source.sql("postgres", "create database twins owner \"Twin\"").await;
    source
        .sql(
            "twins",
            "create table public.t (id int primary key); grant select on public.t to twin_group",
        )
        .await;
    let facts = source.source(&source.superuser(), &["twins"]).await.0.facts;
    assert!(!String::from_utf8_lossy(&facts).contains("hidden"));

    let target = Bench::other().await;
    target.sql("postgres", "create role twin_group; create role \"Twin\"").await;
    let superuser = target.superuser();
    let looked = target.target(&superuser, &["twins"], &facts).await;
    looked.assert_told(&[
        ": RoleDiffers Twin",
        ": RoleMembershipMissing Twin",
        ": RoleSettingsNotCarried Twin.app.key",
        ": RoleSettingsNotCarried Twin.search_path",
        ": RoleSettingsNotCarried Twin.work_mem",
    ]);
    looked.assert_status(FindingState::FindingWarning);
    looked.paste_outside(&target).await;
    let mended = target.target(&superuser, &["twins"], &facts).await;
    mended.assert_told(&[": RoleSettingsNotCarried Twin.app.key"]);
    target.sql("postgres", "alter role \"Twin\" set app.key = 'hidden'").await;
    target.target(&superuser, &["twins"], &facts).await.assert_told(&[]);
    let carried = target
        .target_with(&superuser, &["twins"], &facts, |input| input.migrate_roles = true)
        .await;
    // It is there, so that nothing of it is made.
    carried.assert_told(&[]);
}

#[tokio::test]
async fn settings_and_room_that_differ() {
    let source = Bench::start(
        "timezone = 'Asia/Tokyo'\nDateStyle = 'ISO, DMY'\nbytea_output = 'escape'\nwork_mem = '9MB'\n\
         max_prepared_transactions = 7\nmax_connections = 120\napp.key = 'hidden'\n",
    )
    .await;
    let target = Bench::start("max_connections = 20\nmax_locks_per_transaction = 10\n").await;
    source.sql("postgres", "create database app; create role forgotten").await;
    let tables: String = (0..210)
        .map(|i| {
            format!("create table public.t{i} (id int generated always as identity primary key);")
        })
        .collect();
    source.sql("app", &tables).await;
    source.sql("app", "create extension citext version '1.4'").await;
    let looked = source.source(&source.superuser(), &["app"]).await;
    looked.assert_told(&[]);
    let facts = &looked.0.facts;
    assert!(!String::from_utf8_lossy(facts).contains("hidden"));
    let superuser = target.superuser();
    let seen = target.target(&superuser, &["app"], facts).await;
    seen.assert_told(&[
        ": ServerParameterDiffers bytea_output",
        ": ServerParameterDiffers DateStyle",
        ": ServerParameterDiffers TimeZone",
        ": ServerParameterDiffers max_connections",
        ": ServerParameterDiffers max_prepared_transactions",
        "app: MaxLocksTooLow max_locks_per_transaction",
    ]);
    let noted = seen.noted();
    let has = |what: &str| noted.iter().any(|note| note.contains(what));
    assert!(has("work_mem is \"9216\" on the source, and not set on the target"), "{noted:#?}");
    assert!(has("RoleNotOnTarget forgotten"), "{noted:#?}");
    assert!(has("ExtensionVersion citext: extension citext is 1.4"), "{noted:#?}");
    seen.paste_outside(&target).await;
    target.cluster.restart();
    target.target(&superuser, &["app"], facts).await.assert_told(&[]);
}

/// The numbers of the check are the server's: one that is told to have room has it.
#[tokio::test]
async fn the_locks_that_are_counted_are_those_that_are_taken() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database locked").await;
    let client = bench.client("locked").await;
    client
        .batch_execute(
            "create table public.a (id serial primary key, t text); create view public.v as select 1 as a;
             create table public.p (id int) partition by list (id);
             create table public.p1 partition of public.p for values in (1);
             create table public.guarded (id int); create table public.told (id int);
             create table public.numbered (id int generated by default as identity);
             create table public.plain (id int primary key references public.a);
             create function public.f() returns trigger language plpgsql as 'begin return new; end'",
        )
        .await
        .unwrap();
    client
        .batch_execute(
            "begin;
             create trigger t before insert on public.a for each row execute function public.f();
             create trigger t after insert on public.p for each row execute function public.f();
             create rule r as on insert to public.v do instead nothing;
             create policy mine on public.guarded using (true);
             create publication others for table public.told;
             alter table public.numbered alter column id set generated always",
        )
        .await
        .unwrap();
    let row = client
        .query_one(
            "select count(distinct relation) from pg_locks where pid = pg_backend_pid() and relation >= 16384",
            &[],
        )
        .await
        .unwrap();
    let taken: i64 = row.get(0);
    let sql = include_str!("../../src/preflight/sql/locks.sql");
    let row = client.query_one(&sql.replace("{relation c.oid}", "true"), &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), taken);
}

#[tokio::test]
async fn facts_of_an_older_agent_can_be_read() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database elder").await;
    let looked = bench.source(&bench.superuser(), &["elder"]).await;
    let facts = facts_with(&looked, |facts| {
        elsewhere(facts);
        let facts = facts.as_object_mut().unwrap();
        for name in ["settings", "parameters", "role_attributes", "role_names"] {
            facts.remove(name);
        }
        let database = facts["databases"][0].as_object_mut().unwrap();
        for name in ["collations", "tablespaces", "privileged", "libraries", "locks"] {
            database.remove(name);
        }
    });
    bench.target(&bench.superuser(), &["elder"], &facts).await.assert_told(&[]);
}
