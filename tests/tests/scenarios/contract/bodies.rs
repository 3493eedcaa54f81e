//! The service's own body files, with its traps: each does what the person who wrote it meant.
use std::{fs, path::PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use whimbrel_tests::{
    Outcome,
    cli::Said,
    cluster::SUPERUSER,
    ensure,
    place::scratch,
    stage::{self, Plan, Stage, TARGET},
    written,
};

use super::{OLD_TABLE, act, assert_stands, has_old_table};
use crate::create_bank;

/// Files with passwords, in a folder of their own: the stage's must not have them.
struct Bodies {
    folder: TempDir,
    values: [(&'static str, String); 4],
}

impl Bodies {
    fn new(stage: &Stage) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("whimbrel-bodies-").tempdir_in(scratch())?;
        let values = [
            ("<<source>>", format!("127.0.0.1:{}@{SUPERUSER}", stage.source.port())),
            ("<<source password>>", stage.source.password().to_owned()),
            ("<<target password>>", stage.target.password().to_owned()),
            ("<<target user>>", SUPERUSER.to_owned()),
        ];
        Ok(Self { folder, values })
    }

    /// The body with its placeholders filled in, as a person does.
    fn write(&self, name: &str, body: &str) -> Outcome<PathBuf> {
        let mut text = body.to_owned();
        for (placeholder, value) in &self.values {
            // JSON's escapes are YAML's too, in double quotes.
            let quoted = serde_json::to_string(value)?;
            text = text.replace(placeholder, quoted.trim_matches('"'));
        }
        ensure!(!text.contains("<<"), "{name} has a placeholder left: {text}");
        let path = self.folder.path().join(name);
        fs::write(&path, text)?;
        Ok(path)
    }
}

/// `migration create NAME --properties FILE`, and nothing else that says where from and how.
fn create(stage: &Stage, name: &str, file: &std::path::Path, more: &[&str]) -> Outcome<Said> {
    let file = file.display().to_string();
    let words = [&act("create", name)[..], &["--properties", &file], more].concat();
    let said = stage.cli.run(&words)?;
    ensure!(said.status == 0, "{words:?}: {}", said.describe());
    ensure!(said.stderr.contains("a password stands in the properties file"), "{}", said.stderr);
    Ok(said)
}

fn assert_properties(shown: &Value, wanted: &[(&str, Value)]) -> Outcome {
    for (key, value) in wanted {
        ensure!(shown["properties"][key] == *value, "{key} is not {value}: {shown:#}");
    }
    Ok(())
}

#[test]
fn do_what_their_writers_meant() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        for database in ["app", "hr"] {
            create_bank(&stage.source, database)?;
        }
        // Only what the file says of the target's user and password leads in.
        let wrong = ["--user", "nobody", "--password", "env:NOT_SET_ANYWHERE"];
        stage.cli.ok(&[&["target", "update", TARGET], &wrong[..]].concat())?;
        let bodies = Bodies::new(stage)?;
        online(stage, &bodies)?;
        offline(stage, &bodies)?;
        without_overwrite(stage, &bodies)?;
        bare_yaml(stage, &bodies)?;
        assert_passwords_stay_out(stage)
    })
}

/// The mode is in the file, the target's user one level up.
fn online(stage: &Stage, bodies: &Bodies) -> Outcome {
    let file = bodies.write("online.json", include_str!("tutorial_online.json"))?;
    create(stage, "online", &file, &[])?;
    stage.wait_for("online", "WaitingForCutoverTrigger")?;
    let wanted = [
        ("migrationMode", "Online".into()),
        ("migrationOption", "ValidateAndMigrate".into()),
        ("overwriteDbsInTarget", true.into()),
        ("sourceType", "AzureVM".into()),
        ("sslMode", "Prefer".into()),
        ("dbsToMigrate", ["app", "hr"].as_slice().into()),
        ("sourceServer", format!("127.0.0.1:{}", stage.source.port()).into()),
        ("sourceUser", SUPERUSER.into()),
    ];
    assert_properties(&stage.cli.show("online")?, &wanted)?;
    stage.cli.shown_until("online", "both databases waiting", |shown| {
        let waits = |name| {
            whimbrel_tests::cli::database(shown, name)["migrationState"]
                == "WaitingForCutoverTrigger"
        };
        waits("app") && waits("hr")
    })?;
    stage.migration("cutover", "online", &["--wait"])?;
    stage.assert_same("app")?;
    stage.assert_same("hr")
}

/// No mode: offline. `"True"`: what is there is replaced without a question.
fn offline(stage: &Stage, bodies: &Bodies) -> Outcome {
    stage.target.psql("app", OLD_TABLE)?;
    let file = bodies.write("offline.json", include_str!("tutorial_offline.json"))?;
    create(stage, "offline", &file, &["--wait"])?;
    let shown = assert_stands(stage, "offline", "Succeeded", "Completed")?;
    let wanted = [("migrationMode", "Offline".into()), ("overwriteDbsInTarget", true.into())];
    assert_properties(&shown, &wanted)?;
    ensure!(!has_old_table(&stage.target, "app")?, "the database was not replaced");
    stage.assert_same("app")?;
    stage.assert_same("hr")
}

/// A key that is not there allows nothing: somebody is asked.
fn without_overwrite(stage: &Stage, bodies: &Bodies) -> Outcome {
    stage.target.psql("hr", OLD_TABLE)?;
    let file = bodies.write("asks.json", include_str!("without_overwrite.json"))?;
    create(stage, "asks", &file, &[])?;
    stage.wait_for("asks", "WaitingForTargetDBOverwriteConfirmation")?;
    ensure!(has_old_table(&stage.target, "hr")?, "replaced before it was confirmed");
    stage.migration("confirm-overwrite", "asks", &[])?;
    stage.wait_for("asks", "Succeeded")?;
    ensure!(!has_old_table(&stage.target, "hr")?, "the database was not replaced");
    stage.assert_same("hr")
}

/// YAML without the outer object; an option of the command line wins.
fn bare_yaml(stage: &Stage, bodies: &Bodies) -> Outcome {
    let file = bodies.write("bare.yaml", include_str!("bare.yaml"))?;
    create(stage, "bare", &file, &["--wait", "--mode", "OFFLINE"])?;
    let shown = assert_stands(stage, "bare", "Succeeded", "Completed")?;
    let wanted = [
        ("migrationMode", "Offline".into()),
        ("migrationOption", "Validate".into()),
        ("overwriteDbsInTarget", true.into()),
        ("agent", stage::AGENT.into()),
    ];
    assert_properties(&shown, &wanted)
}

/// Sealed: in no file of the controller's or the agent's, in no log, in no answer.
fn assert_passwords_stay_out(stage: &Stage) -> Outcome {
    let passwords = [stage.source.password(), stage.target.password()];
    for (name, content) in written::files(stage.folder())? {
        for password in passwords {
            let found = content.windows(password.len()).any(|part| part == password.as_bytes());
            ensure!(!found, "{name} has a password of the body file");
        }
    }
    Ok(())
}
