//! Rows of the user's in tables of extensions: copied, followed by comparison, and nothing else of those tables touched.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod cluster;
mod driver;

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use cluster::{Cluster, bin};
use driver::{Driver, HBA, database, sql, value};
use tempfile::TempDir;
use whimbrel_proto::agent::v1::{Step, report::Kind};

/// An extension with a table that has rows of its own and of the user's, one that refers to it, one that is wholly the user's,
/// and one of which nothing is; and servers that have it. Only root may write to the folder of the installed ones, so these are a copy
/// of their programs elsewhere: a server looks for its files beside itself.
struct Servers {
    folder: TempDir,
}

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

/// A folder of the installed servers.
fn installed(what: &str) -> PathBuf {
    let output = Command::new(bin().join("pg_config")).arg(what).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().into()
}

/// Makes `to`, with links to all that is in `from`.
fn link_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        symlink(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

impl Servers {
    fn make() -> Self {
        let folder = tempfile::Builder::new().prefix("whp").tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let servers = Self { folder };
        // The programs themselves: through a link one would find the installed ones' files.
        fs::create_dir_all(servers.bin()).unwrap();
        for program in ["postgres", "initdb", "pg_ctl"] {
            fs::copy(bin().join(program), servers.bin().join(program)).unwrap();
        }
        let (library, share) = (installed("--pkglibdir"), installed("--sharedir"));
        link_all(&library, &servers.in_place_of(&library));
        let own = servers.in_place_of(&share);
        link_all(&share, &own);
        fs::remove_file(own.join("extension")).unwrap();
        link_all(&share.join("extension"), &own.join("extension"));
        let control = "default_version = '1'\nrelocatable = false\nschema = kept\n";
        fs::write(own.join(format!("extension/{NAME}.control")), control).unwrap();
        fs::write(own.join(format!("extension/{NAME}--1.sql")), SCRIPT).unwrap();
        servers
    }

    fn bin(&self) -> PathBuf {
        self.in_place_of(&installed("--bindir"))
    }

    fn in_place_of(&self, path: &Path) -> PathBuf {
        self.folder.path().join(path.strip_prefix("/").unwrap())
    }

    fn start(&self) -> Arc<Cluster> {
        Arc::new(Cluster::start_of(self.bin(), HBA, ""))
    }
}

const ROWS: &str = "select string_agg(r, ' ' order by r) from (
    select s::text from kept.setting s union all select c::text from kept.choice c union all select n::text from kept.note n
) rows(r)";

#[tokio::test]
async fn they_arrive_and_what_changes_later_is_carried_in_the_cutover() {
    let servers = Servers::make();
    let (source, target) = (servers.start(), servers.start());
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
