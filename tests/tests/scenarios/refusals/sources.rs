//! Sources that can't be moved from.
use std::fs;

use whimbrel_tests::{
    Outcome, cli,
    cluster::ClusterOptions,
    ensure,
    place::free_port,
    stage::{self, Plan, Stage},
};

use super::create_from;
use crate::{create_bank, offline::assert_databases};

/// Creates a migration that must end badly at once, with a code, a remedy, and nothing done on either side.
fn fails(stage: &Stage, words: &[String], state: &str, says: &[&str]) -> Outcome {
    let mut all: Vec<&str> = words.iter().map(String::as_str).collect();
    all.push("--wait");
    stage.cli.refused(&all, 1, says)?;
    let shown = stage.cli.show(all[2])?;
    ensure!(cli::state(&shown) == state, "{shown:#}");
    for word in says {
        ensure!(shown.to_string().contains(word), "nothing of {word} in {shown:#}");
    }
    assert_databases(stage, "postgres")?;
    stage.assert_source_clean("app")
}

#[test]
fn that_do_not_let_us_in_or_are_not_there() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        let file = stage.folder().join("wrong-password");
        fs::write(&file, "wrong\n")?;
        let wrong = format!("file:{}", file.display());
        let here = format!("127.0.0.1:{}@postgres", stage.source.port());
        let nobody = format!("127.0.0.1:{}@postgres", free_port()?);
        let app = ["--database", "app", "--mode", "online"];

        let words = create_from("password", &here, &wrong, &app);
        fails(stage, &words, "Failed", &["AuthenticationFailed"])?;
        let words = create_from("absent", &nobody, "env:SOURCE_PASSWORD", &app);
        fails(stage, &words, "Failed", &["ConnectionRefused"])?;
        let words =
            create_from("no-db", &here, "env:SOURCE_PASSWORD", &["--database", "no_such_db"]);
        fails(stage, &words, "ValidationFailed", &["DatabaseDoesNotExist", "no_such_db"])?;

        let port = stage.source.port().to_string();
        let test =
            ["source", "test", "--agent", stage::AGENT, "--host", "127.0.0.1", "--port", &port];
        let with = |password| [&test[..], &["--user", "postgres", "--password", password]].concat();
        stage.cli.refused(&with(&wrong), 1, &["AuthenticationFailed"])?;
        stage.cli.ok(&with("env:SOURCE_PASSWORD")).map(drop)
    })
}

#[test]
fn that_do_not_write_what_decoding_needs() -> Outcome {
    let plan = Plan::default();
    let source = ClusterOptions { wal_level: "replica", ..plan.source.clone() };
    stage::play(&Plan { source, ..plan }, |stage| {
        create_bank(&stage.source, "app")?;
        let here = format!("127.0.0.1:{}@postgres", stage.source.port());
        let app = ["--database", "app", "--mode", "online"];
        let words = create_from("replica", &here, "env:SOURCE_PASSWORD", &app);
        fails(stage, &words, "ValidationFailed", &["WalLevelNotLogical", "alter system"])
    })
}
