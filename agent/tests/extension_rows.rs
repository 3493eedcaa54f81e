//! Rows of the user's in tables of extensions: copied, followed by comparison, and nothing else of those tables touched.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::{path::Path, process::Command, sync::Arc};

use cluster::Cluster;
use driver::{Driver, HBA, database, sql, value};
use whimbrel_proto::agent::v1::{Step, report::Kind};

/// An extension with a table that has rows of its own and of the user's, one that refers to it, one that is wholly the user's,
/// and one of which nothing is. Its script is in the server's folder as long as the test runs.
struct Extension;

const NAME: &str = "whimbrel_test_settings";

const SCRIPT: &str = "
create table setting (id serial primary key, name text unique, standard boolean not null default false);
create table choice (id int primary key, of_setting int references setting, value float8, twice float8 generated always as (value * 2) stored);
create table note (body text);
create table seen (body text);
insert into setting (name, standard) values ('theirs', true);
select pg_catalog.pg_extension_config_dump('choice', '');
select pg_catalog.pg_extension_config_dump('setting', 'where not standard');
select pg_catalog.pg_extension_config_dump('setting_id_seq', '');
select pg_catalog.pg_extension_config_dump('note', '');
";

fn folder() -> String {
    let output = Command::new("/usr/lib/postgresql/15/bin/pg_config").arg("--sharedir").output();
    format!("{}/extension", String::from_utf8(output.unwrap().stdout).unwrap().trim())
}

impl Extension {
    fn make() -> Self {
        let control = "default_version = '1'\nrelocatable = false\nschema = kept\n";
        std::fs::write(Path::new(&folder()).join(format!("{NAME}.control")), control).unwrap();
        std::fs::write(Path::new(&folder()).join(format!("{NAME}--1.sql")), SCRIPT).unwrap();
        Self
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        for end in [".control", "--1.sql"] {
            // Somebody has taken it away already.
            std::fs::remove_file(Path::new(&folder()).join(format!("{NAME}{end}"))).ok();
        }
    }
}

const ROWS: &str = "select string_agg(r, ' ' order by r) from (
    select s::text from kept.setting s union all select c::text from kept.choice c union all select n::text from kept.note n
) rows(r)";

#[tokio::test]
async fn they_arrive_and_what_changes_later_is_carried_in_the_cutover() {
    let _extension = Extension::make();
    let (source, target) = (Arc::new(Cluster::start(HBA, "")), Arc::new(Cluster::start(HBA, "")));
    database(&source, "create database shop").await;
    sql(
        &source,
        "shop",
        &format!(
            "create extension {NAME};
             insert into kept.setting (name) values ('mine'), ('o\\ther\t');
             insert into kept.choice values (1, 2, 0.1), (2, 1, 'NaN');
             insert into kept.note values (null), ('twice'), ('twice');
             insert into kept.seen values ('not declared');
             create table keeps (id int primary key, choice int references kept.choice on delete cascade);
             insert into keeps values (1, 1)"
        ),
    )
    .await;
    let mut driver = Driver::new(&source, &target, "shop").await;
    driver.begin(1, 0).await;
    driver.wait(|kind| matches!(kind, Kind::StreamStarted(_))).await;
    assert_eq!(value(&source, "shop", ROWS).await, value(&target, "shop", ROWS).await);
    // Before rows are brought again, foreign keys go; those of the extension would not come back with a dump.
    let go =
        include_str!("../src/target/sql/drop_foreign_keys.sql").trim_end().trim_end_matches(';');
    let go = format!("select string_agg(key, ', ') from ({go}) go(statement, key)");
    assert_eq!(value(&target, "shop", &go).await, "keeps_choice_fkey of public.keeps");
    sql(
        &source,
        "shop",
        "update kept.setting set name = 'renamed' where name = 'mine';
         insert into kept.choice values (3, 3, -0.0);
         delete from kept.note where body = 'twice';
         update kept.setting set name = 'theirs, changed' where standard;
         insert into keeps values (2, 3)",
    )
    .await;
    let end = driver.step(Step::MarkEnd, 1, &[], 0).await.unwrap().lsn;
    driver.step(Step::Drain, 1, &[], end).await.unwrap();
    let done = driver.step(Step::Complete, 1, &[], end).await.unwrap();
    assert!(done.note.contains("kept.choice") && done.note.contains("kept.note"), "{done:?}");
    driver.step(Step::Sequences, 1, &[], end).await.unwrap();
    // What is written now is seen, as any other row.
    sql(&source, "shop", "insert into kept.note values ('late')").await;
    let failure = driver.step(Step::Verify, 1, &[], end).await.unwrap_err();
    assert_eq!(failure.code, "SourceStillWritten", "{failure:?}");
    driver.back(1).await;
    let end = driver.step(Step::MarkEnd, 2, &[], 0).await.unwrap().lsn;
    for step in [
        Step::Drain,
        Step::Complete,
        Step::Sequences,
        Step::Verify,
        Step::Switch,
        Step::RemoveSource,
        Step::RemoveLedger,
    ] {
        driver.step(step, 2, &[], end).await.unwrap();
    }
    let theirs = "select name from kept.setting where standard";
    assert_eq!(value(&target, "shop", theirs).await, "theirs");
    sql(&source, "shop", "update kept.setting set name = 'theirs' where standard").await;
    assert_eq!(value(&source, "shop", ROWS).await, value(&target, "shop", ROWS).await);
    assert_eq!(value(&target, "shop", "select count(*) from keeps").await, "2");
    assert_eq!(value(&target, "shop", "select count(*) from kept.seen").await, "0");
    assert_eq!(value(&target, "shop", "select nextval('kept.setting_id_seq')").await, "4");
}
