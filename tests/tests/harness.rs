//! The harness proves itself on plain PostgreSQL: what it calls the same is the same, and what differs it sees.
use std::{process::Stdio, time::Duration};

use postgres::{Client, NoTls};
use whimbrel_tests::{
    Outcome,
    cluster::{Cluster, ClusterOptions},
    compare::{compare, compare_schemas},
    ensure, wait,
    workload::{self, Application},
};

const ODD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/every_type.sql");

/// Moves a database by `pg_dump | psql`.
fn move_with_pg_dump(source: &Cluster, target: &Cluster, database: &str) -> Outcome {
    target.create_database(database)?;
    let mut dump = source.client("pg_dump", database)?.stdout(Stdio::piped()).spawn()?;
    let mut load = target.client("psql", database)?;
    load.args(["-Xq", "-v", "ON_ERROR_STOP=1"]).stdout(Stdio::null());
    if let Some(pipe) = dump.stdout.take() {
        load.stdin(pipe);
    }
    ensure!(load.status()?.success() && dump.wait()?.success(), "pg_dump or psql failed");
    Ok(())
}

fn differences(source: &Cluster, target: &Cluster) -> Outcome<Vec<String>> {
    let mut found = compare(&mut source.connect("app")?, &mut target.connect("app")?)?;
    found.differences.extend(compare_schemas(
        source.client("pg_dump", "app")?,
        target.client("pg_dump", "app")?,
    )?);
    Ok(found.differences)
}

#[test]
fn a_wrong_password_is_refused_and_tls_is_offered() -> Outcome {
    let options = ClusterOptions { tls: true, password: "right".into(), ..Default::default() };
    let cluster = Cluster::start_with(&options)?;
    let login = |password| {
        let url =
            format!("host=127.0.0.1 port={} user=postgres password={password}", cluster.port());
        Client::connect(&url, NoTls).is_ok()
    };
    assert!(login("right"));
    assert!(!login("wrong"));
    assert_eq!(cluster.psql("postgres", "show ssl")?, "on");
    Ok(())
}

#[test]
fn compare_sees_what_differs() -> Outcome {
    let (source, target) = (Cluster::start()?, Cluster::start()?);
    source.create_database("app")?;
    source.psql_file("app", ODD.as_ref())?;
    move_with_pg_dump(&source, &target, "app")?;
    assert_eq!(differences(&source, &target)?, Vec::<String>::new());

    let spoils = [
        ("update odd.every_type set a_real = 0 where id = 1", "table odd.every_type"),
        ("delete from odd.by_year_2000_low where id = 6", "table odd.by_year_2000_low"),
        ("insert into odd.no_columns select", "table odd.no_columns"),
        ("select nextval('odd.never_called')", "sequence odd.never_called"),
        ("create table odd.stray ()", "table odd.stray"),
        ("alter table odd.parent alter note set not null", "schema"),
    ];
    let mut before = 0;
    for (spoil, seen) in spoils {
        target.psql("app", spoil)?;
        let found = differences(&source, &target)?;
        let new = found.iter().any(|difference| difference.contains(seen));
        assert!(new && found.len() > before, "{spoil}: {found:?}");
        before = found.len();
    }
    Ok(())
}

#[test]
fn the_application_moves_and_its_check_sees_what_is_lost() -> Outcome {
    let (source, target) = (Cluster::start()?, Cluster::start()?);
    source.create_database("app")?;
    workload::create(&mut source.connect("app")?, 50)?;
    let application = Application::start(&source.url("app"), 3, Duration::from_millis(1));
    wait::until("300 commits", || Ok((application.commits() > 300).then_some(())))?;
    application.stop()?;
    let commits = application.commits();
    move_with_pg_dump(&source, &target, "app")?;
    assert_eq!(application.commits(), commits, "nothing may be written while it stands");
    assert_eq!(differences(&source, &target)?, Vec::<String>::new());
    assert!(application.go_on(&target.url("app"))? > Duration::ZERO);
    wait::until("more commits", || Ok((application.commits() > commits + 100).then_some(())))?;
    let journal = application.end()?;
    let mut bank = target.connect("app")?;
    workload::check(&mut bank, &journal)?;

    for loss in [
        "delete from bank.ledger where entry = 5 and writer = 2",
        "update bank.accounts set balance = balance + 1 where id = 1",
        "delete from bank.ledger where writer = 1 and entry = (select max(entry) from bank.ledger where writer = 1)",
    ] {
        let mut transaction = bank.transaction()?;
        transaction.batch_execute(loss)?;
        transaction.commit()?;
        assert!(workload::check(&mut bank, &journal).is_err(), "{loss}");
    }
    Ok(())
}

#[test]
fn the_application_lives_through_a_crash_of_the_server() -> Outcome {
    let source = Cluster::start()?;
    source.create_database("app")?;
    workload::create(&mut source.connect("app")?, 50)?;
    let application = Application::start(&source.url("app"), 2, Duration::ZERO);
    wait::until("100 commits", || Ok((application.commits() > 100).then_some(())))?;
    source.stop("immediate")?;
    source.start_again()?;
    let commits = application.commits();
    wait::until("commits after it", || Ok((application.commits() > commits + 50).then_some(())))?;
    let journal = application.end()?;
    workload::check(&mut source.connect("app")?, &journal)
}
