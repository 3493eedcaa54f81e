//! What the source's databases have and the target no longer takes, or does not know.
use std::sync::Arc;

use serde_json::json;
use whimbrel_proto::v1::FindingState;

use crate::{
    bench::{Bench, HBA, ROLE_PASSWORD},
    cluster::{Cluster, programs_of},
    target_server::{elsewhere, facts_with},
};

/// From a real server of another version; each remedy mends it.
async fn moved(from: u32, to: u32, schema: &str, told: &[&str]) {
    let (Some(older), Some(newer)) = (programs_of(from), programs_of(to)) else {
        eprintln!("NOT TESTED: {from} to {to}: this machine has not both servers (tests/servers)");
        return;
    };
    let source = Bench::of(Arc::new(Cluster::start_of(older, HBA, ""))).await;
    let target = Bench::of(Arc::new(Cluster::start_of(newer, HBA, ""))).await;
    source.sql("postgres", "create database moved").await;
    source.sql("moved", schema).await;
    let look = async || {
        let looked = source.source(&source.superuser(), &["moved"]).await;
        let seen = target.target(&target.superuser(), &["moved"], &looked.0.facts).await;
        // What differs between the servers themselves is not what this is about.
        let told = seen.told().into_iter().filter(|line| line.starts_with("moved: ")).collect();
        (seen, told)
    };
    let (seen, found): (_, Vec<String>) = look().await;
    assert_eq!(found, told, "{from} to {to}: {:#?}", seen.0);
    for remedy in
        told.iter().map(|line| line.trim_start_matches("moved: ").split_once(' ').unwrap())
    {
        source.sql("moved", &seen.finding_of(remedy.0, remedy.1).remedy).await;
    }
    let (seen, found): (_, Vec<String>) = look().await;
    assert_eq!(found, Vec::<String>::new(), "{:#?}", seen.0);
}

#[tokio::test]
async fn what_a_later_version_dropped() {
    moved(
        13,
        15,
        "create function public.twice(int) returns int language sql immutable as 'select $1 * 2';
         create operator public.!! (leftarg = int, procedure = public.twice);
         create aggregate public.gathered (anyelement) (sfunc = array_append, stype = anyarray, initcond = '{}');
         create function public.f() returns int language sql set operator_precedence_warning = off as 'select 1';
         create conversion public.conv for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
         alter database moved set \"my-app.tenant-id\" = 'x'",
        &[
            "moved: EncodingConversionChanged public.conv",
            "moved: PolymorphicFunctionChanged public.gathered(anyelement)",
            "moved: PostfixOperator public.!! (integer, none)",
            "moved: SettingRefused database moved",
            "moved: SettingUnknown function public.f()",
        ],
    )
    .await;
    moved(
        15,
        18,
        "create table public.parent (a int); create table public.child (b int primary key) inherits (public.parent);
         alter table only public.parent alter a set not null;
         alter table public.parent replica identity full;
         create table public.plain (a int primary key, b int);
         create table public.derived (a int primary key, b int generated always as (a * 2) stored) inherits (public.plain);
         create view public.writes as select buffers_backend from pg_stat_bgwriter",
        &[
            "moved: GeneratedInChildOnly public.derived.b",
            "moved: NotNullNotInherited public.child.a",
            "moved: SystemColumnMissing public.writes",
        ],
    )
    .await;
}

/// The catalogs' own columns, which no dependency records.
#[tokio::test]
async fn what_views_read_of_the_catalogs() {
    moved(
        10,
        15,
        "create view public.kinds as select proname from pg_proc where not proisagg;
         create view public.hidden as select count(*) from (select c.relhasoids from pg_class c) s;
         create view public.sources as select (select max(consrc) from pg_constraint k where k.conrelid = c.oid) from pg_class c;
         create view public.sound as select c.oid, c.relname, p.prosrc from pg_class c join pg_proc p on p.oid = c.oid;
         create view public.reads_a_view as select tablename, hasoids from pg_tables t cross join (select false as hasoids) x",
        &[
            "moved: SystemColumnMissing public.hidden",
            "moved: SystemColumnMissing public.kinds",
            "moved: SystemColumnMissing public.sources",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_server_without_icu() {
    let source = Bench::shared().await;
    let Some(programs) = programs_of(18) else {
        eprintln!("NOT TESTED: this machine has no server of PostgreSQL 18 (tests/servers)");
        return;
    };
    let target = Bench::of(Arc::new(Cluster::start_of(programs, HBA, ""))).await;
    let make = "create collation public.probe (provider = icu, locale = 'de')";
    if target.client("postgres").await.batch_execute(make).await.is_ok() {
        eprintln!("NOT TESTED: this machine's PostgreSQL 18 has ICU");
        return;
    }
    source
        .sql("postgres", "create database icu_own; create database icu_whole template template0 locale_provider icu icu_locale 'de'")
        .await;
    source.sql("icu_own", "create collation public.phone (provider = icu, locale = 'de')").await;
    let databases = ["icu_own", "icu_whole"];
    let looked = source.source(&source.superuser(), &databases).await;
    let seen = target.target(&target.superuser(), &databases, &looked.0.facts).await;
    let told: Vec<String> =
        seen.told().into_iter().filter(|line| line.contains("IcuMissing")).collect();
    assert_eq!(told, ["icu_own: IcuMissing public.phone", "icu_whole: IcuMissing de"]);
}

#[tokio::test]
async fn a_server_without_libxml() {
    let source = Bench::shared().await;
    let Some(programs) = programs_of(18) else {
        eprintln!("NOT TESTED: this machine has no server of PostgreSQL 18 (tests/servers)");
        return;
    };
    let target = Bench::of(Arc::new(Cluster::start_of(programs, HBA, ""))).await;
    let reads = target.client("postgres").await.batch_execute("select xml '<a/>'").await.is_ok();
    source.sql("postgres", "create database documents").await;
    source
        .sql(
            "documents",
            "create domain public.page as xml;
             create table public.t (id int primary key, x xml, many xml[], p public.page, v text)",
        )
        .await;
    let looked = source.source(&source.superuser(), &["documents"]).await;
    source
        .target(&source.superuser(), &["documents"], &facts_with(&looked, elsewhere))
        .await
        .assert_told(&[]);
    if reads {
        eprintln!("NOT TESTED: this machine's PostgreSQL 18 reads XML");
        return;
    }
    let seen = target.target(&target.superuser(), &["documents"], &looked.0.facts).await;
    let told = seen.only("XmlUnsupported");
    assert!(told.message.contains("public.t.many"), "{told:?}");
    assert!(told.message.contains("public.t.p") && told.message.contains("public.t.x"), "{told:?}");
}

/// As a source of an older version tells it.
#[tokio::test]
async fn objects_of_an_older_major_version() {
    let bench = Bench::shared().await;
    bench.sql("postgres", "create database aged").await;
    bench
        .sql("aged", "create view public.waits as select pid, wait_event from pg_stat_activity")
        .await;
    let source = bench.source(&bench.superuser(), &["aged"]).await;
    let sound = facts_with(&source, elsewhere);
    bench.target(&bench.superuser(), &["aged"], &sound).await.assert_told(&[]);

    let kinds = ["conversion", "not_null", "polymorphic", "postfix"];
    let facts = facts_with(&source, |facts| {
        elsewhere(facts);
        facts["server_version_num"] = json!(90_624);
        let broken =
            |kind| json!({"kind": kind, "object": format!("public.{kind}"), "remedy": "r;"});
        let database = &mut facts["databases"][0];
        database["breaks"] = kinds.map(broken).into();
        let columns = database["system_columns"].as_array_mut().unwrap();
        assert_eq!(columns.len(), 2, "{columns:?}");
        columns[1]["column"] = json!("waiting");
    });
    let looked = bench.target(&bench.superuser(), &["aged"], &facts).await;
    looked.assert_told(&[
        "aged: EncodingConversionChanged public.conversion",
        "aged: PolymorphicFunctionChanged public.polymorphic",
        "aged: PostfixOperator public.postfix",
        "aged: SystemColumnMissing public.waits",
    ]);
    looked.assert_status(FindingState::FindingFailed);
    assert!(looked.only("SystemColumnMissing").message.contains("pg_catalog.pg_stat_activity"));
}

#[tokio::test]
async fn settings_that_it_does_not_know_or_give() {
    let source = Bench::shared().await;
    source.sql("postgres", "create role tuned; create role set_mover login").await;
    source.sql("postgres", "create database tuned owner tuned").await;
    source
        .sql(
            "tuned",
            "alter schema public owner to tuned;
             alter database tuned set work_mem = '8MB'; alter database tuned set app.tenant = 'x';
             alter role tuned in database tuned set log_statement = 'all';
             create function public.f() returns int language sql set enable_seqscan = off as 'select 1';
             alter function public.f() owner to tuned",
        )
        .await;
    let looked = source.source(&source.superuser(), &["tuned"]).await;
    let target = Bench::other().await;
    target
        .sql(
            "postgres",
            &format!(
                "create role tuned; create role set_mover login createdb password '{ROLE_PASSWORD}' in role tuned;
                 grant set on parameter session_replication_role to set_mover"
            ),
        )
        .await;
    let facts = facts_with(&looked, |facts| {
        let settings = facts["databases"][0]["settings"].as_array_mut().unwrap();
        assert_eq!(settings.len(), 4, "{settings:?}");
        let function = settings.iter_mut().find(|one| one["name"] == "enable_seqscan").unwrap();
        function["name"] = json!("operator_precedence_warning");
    });
    let mover = target.as_role("set_mover");
    let seen = target.target(&mover, &["tuned"], &facts).await;
    seen.assert_told(&[
        "tuned: SettingNeedsSuperuser database tuned",
        "tuned: SettingUnknown function public.f()",
        "tuned: SettingNeedsSuperuser role tuned in database tuned",
    ]);
    let remedy = &seen.only("SettingUnknown").remedy;
    assert_eq!(remedy, "alter function public.f() reset enable_seqscan;");
    source.sql("tuned", remedy).await;
    assert!(
        seen.finding_of("SettingNeedsSuperuser", "database tuned").message.contains("app.tenant")
    );
    for object in ["database tuned", "role tuned in database tuned"] {
        target.sql("postgres", &seen.finding_of("SettingNeedsSuperuser", object).remedy).await;
    }
    target.target(&mover, &["tuned"], &looked.0.facts).await.assert_told(&[]);
    target.target(&target.superuser(), &["tuned"], &looked.0.facts).await.assert_told(&[]);
}

/// Before 15 there is no right to set one parameter.
#[tokio::test]
async fn an_applications_setting_that_only_a_superuser_gives() {
    let Some(older) = programs_of(14) else {
        eprintln!("NOT TESTED: this machine has no PostgreSQL 14 (tests/servers)");
        return;
    };
    let source = Bench::shared().await;
    source.sql("postgres", "create role modest; create database modest owner modest").await;
    source.sql("postgres", "alter database modest set app.tenant = 'x'").await;
    let looked = source.source(&source.superuser(), &["modest"]).await;
    let target = Bench::of(Arc::new(Cluster::start_of(older, HBA, ""))).await;
    target
        .sql(
            "postgres",
            &format!("create role modest; create role mover login createdb password '{ROLE_PASSWORD}' in role modest"),
        )
        .await;
    let seen = target.target(&target.as_role("mover"), &["modest"], &looked.0.facts).await;
    let remedy = &seen.finding_of("SettingNeedsSuperuser", "database modest").remedy;
    assert!(remedy.contains("make our role a superuser"), "{remedy}");
    let seen = target.target(&target.superuser(), &["modest"], &looked.0.facts).await;
    assert_eq!(seen.objects("SettingNeedsSuperuser"), [""; 0]);
}

/// PostgreSQL looks at a library only when a session begins, and at a value when it is set.
#[tokio::test]
async fn settings_that_it_refuses() {
    let source = Bench::shared().await;
    source.sql("postgres", "create role choosy; create database choosy owner choosy").await;
    let set = "alter database choosy set session_preload_libraries = 'auto_explain';
         alter role choosy in database choosy set local_preload_libraries = 'nor_there';
         alter database choosy set role = 'choosy'; alter database choosy set seed = 0.5;
         alter database choosy set default_tablespace = 'later';
         alter database choosy set timezone = 'UTC'; alter database choosy set my.tenant = 'hush'";
    source.sql("postgres", set).await;
    let target = Bench::other().await;
    target.sql("postgres", "create role choosy").await;
    let looked = source.source(&source.superuser(), &["choosy"]).await;
    let facts = facts_with(&looked, |facts| {
        let settings = facts["databases"][0]["settings"].as_array_mut().unwrap();
        for one in settings.iter_mut() {
            match one["name"].as_str().unwrap() {
                "TimeZone" => one["value"] = json!("Hush/Hush"),
                "session_preload_libraries" => {
                    one["value"] = json!("auto_explain, \"only here\"");
                }
                "my.tenant" => one["name"] = json!("my-app.tenant-id"),
                _ => {}
            }
        }
        assert!(!settings.iter().any(|one| one.to_string().contains("hush")), "{settings:?}");
    });
    let seen = target.target(&target.superuser(), &["choosy"], &facts).await;
    seen.assert_told(&[
        "choosy: SettingRefused database choosy",
        "choosy: SettingRefused database choosy",
        "choosy: PreloadedLibraryMissing role choosy in database choosy",
        "choosy: PreloadedLibraryMissing database choosy",
    ]);
    let refused = format!("{:?}", seen.0).to_lowercase();
    assert!(refused.contains("timezone") && refused.contains("my-app.tenant-id"), "{refused}");
    assert!(refused.contains("only here") && refused.contains("nor_there"), "{refused}");
    assert!(!refused.contains("hush"), "{refused}");
    for object in ["database choosy", "role choosy in database choosy"] {
        let remedy = &seen.finding_of("PreloadedLibraryMissing", object).remedy;
        source.sql("postgres", remedy.split_once(" -- ").unwrap().0).await;
    }
    let looked = source.source(&source.superuser(), &["choosy"]).await;
    target.target(&target.superuser(), &["choosy"], &looked.0.facts).await.assert_told(&[]);
    // Nothing of it stays.
    let left = "select count(*) from pg_db_role_setting where setrole = 'postgres'::regrole";
    assert_eq!(target.answer("postgres", left).await, "0");
}

#[tokio::test]
async fn labels_files_and_compression() {
    let source = Bench::shared().await;
    source.sql("postgres", "create database labelled").await;
    source
        .sql(
            "labelled",
            "create table public.t (id int primary key, v text compression lz4);
             insert into pg_seclabel values ('public.t'::regclass, 'pg_class'::regclass, 0, 'sealer', 'secret');
             create text search dictionary public.words (template = simple, stopwords = english)",
        )
        .await;
    let look = async || source.source(&source.superuser(), &["labelled"]).await;
    let looked = look().await;
    looked.assert_told(&[]);
    let target = Bench::other().await;
    let seen = target.target(&target.superuser(), &["labelled"], &looked.0.facts).await;
    seen.assert_told(&["labelled: SecurityLabelProviderMissing sealer"]);
    source.sql("labelled", &seen.only("SecurityLabelProviderMissing").remedy).await;

    let looked = look().await;
    target.target(&target.superuser(), &["labelled"], &looked.0.facts).await.assert_told(&[]);
    let facts = facts_with(&looked, |facts| {
        let files = &mut facts["databases"][0]["dictionaries"][0]["files"];
        assert_eq!(*files, json!(["english.stop"]));
        *files = json!(["english.stop", "klingon.stop"]);
    });
    let seen = target.target(&target.superuser(), &["labelled"], &facts).await;
    seen.assert_told(&["labelled: TextSearchFileMissing public.words"]);
    assert!(seen.only("TextSearchFileMissing").message.ends_with("have: klingon.stop"));
    target
        .sql(
            "postgres",
            &format!(
                "create role blind_mover login createdb password '{ROLE_PASSWORD}' in role postgres"
            ),
        )
        .await;
    let seen = target.target(&target.as_role("blind_mover"), &["labelled"], &looked.0.facts).await;
    assert!(
        seen.told().contains(&"labelled: TextSearchFileUnknown public.words".to_owned()),
        "{:?}",
        seen.told()
    );
}
