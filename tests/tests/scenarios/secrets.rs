//! No password and no row's value is where it does not belong.
use whimbrel_tests::{
    Outcome,
    cluster::ClusterOptions,
    ensure,
    stage::{self, Plan, Stage},
    written,
};

use crate::create_bank;

const SOURCE_PASSWORD: &str = "canary-of-the-source";
const TARGET_PASSWORD: &str = "canary-of-the-target";
const WRONG_PASSWORD: &str = "canary-that-is-wrong";
const ROW: &str = "canary-in-a-row";

fn plan() -> Plan {
    let with = |password: &str| ClusterOptions {
        password: password.to_owned(),
        ..ClusterOptions::default()
    };
    Plan { source: with(SOURCE_PASSWORD), target: with(TARGET_PASSWORD), proxied: false }
}

#[test]
fn no_secret_is_in_a_log_a_file_or_an_answer() -> Outcome {
    stage::play(&plan(), |stage| {
        create_bank(&stage.source, "app")?;
        let set = format!("update bank.accounts set owner = '{ROW}' where id = 1");
        stage.source.psql("app", &set)?;

        // Sealed by the CLI: right, and wrong.
        let from = stage.from_source();
        let mut words = vec!["migration", "create", "sealed", "--database", "app"];
        words.extend(from.iter().map(String::as_str).filter(|word| *word != "env:SOURCE_PASSWORD"));
        let at = words.iter().position(|word| *word == "--source-password").unwrap_or_default();
        words.insert(at + 1, "stdin");
        words.extend(["--mode", "online"]);
        stage.cli.ok_with_stdin(&words, SOURCE_PASSWORD)?;
        stage.wait_for("sealed", "WaitingForCutoverTrigger")?;
        stage.source.psql("app", &set)?;
        stage.migration("cutover", "sealed", &["--wait"])?;
        words[2] = "wrong";
        stage.cli.ok_with_stdin(&words, WRONG_PASSWORD)?;
        stage.cli.shown_until("wrong", "its failure", |shown| {
            whimbrel_tests::cli::error(shown).contains("AuthenticationFailed")
        })?;
        for name in ["sealed", "wrong"] {
            stage.migration("events", name, &["-o", "json"])?;
        }
        stage.migration("show", "sealed", &["--tables", "-o", "json"])?;
        assert_silent(stage)
    })
}

/// Looks through every file that the programs wrote, and the servers' logs.
fn assert_silent(stage: &Stage) -> Outcome {
    let mut looked_at = 0;
    for (name, content) in written::files(stage.folder())? {
        assert_has_none(&name, &content)?;
        looked_at += 1;
    }
    ensure!(looked_at > 8, "only {looked_at} files were looked at");
    assert_has_none("the source's log", stage.source.log().as_bytes())?;
    assert_has_none("the target's log", stage.target.log().as_bytes())
}

fn assert_has_none(name: &str, content: &[u8]) -> Outcome {
    for canary in [SOURCE_PASSWORD, TARGET_PASSWORD, WRONG_PASSWORD, ROW] {
        let found = content.windows(canary.len()).any(|window| window == canary.as_bytes());
        ensure!(!found, "{name} has {canary}");
    }
    Ok(())
}
