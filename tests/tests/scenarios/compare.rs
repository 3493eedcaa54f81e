//! `migration compare` and `source compare`: equal says equal, also under a write load; a difference is found and named.
use serde_json::Value;
use whimbrel_tests::{
    Context as _, Outcome, ensure, pgbench,
    stage::{self, Plan, Stage, TARGET},
};

use crate::{create_everything, migrate_until_cutover, start_bank};

/// The document of `compare NAME -o json`, with the exit status that it must have.
fn compare(stage: &Stage, words: &[&str], status: i32) -> Outcome<Value> {
    let said = stage.cli.run(&[words, &["-o", "json"]].concat())?;
    ensure!(said.status == status, "{}", said.describe());
    serde_json::from_str(&said.stdout).context(|| said.describe())
}

/// "Verdict kind name" of what differs, in order.
fn differing(told: &Value) -> Vec<String> {
    let database = &told["databases"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let objects = database["objects"].as_array().into_iter().flatten();
    let objects = objects.filter(|object| object["verdict"] != "Pending").map(|object| {
        format!("{} {} {}", text(&object["verdict"]), text(&object["kind"]), text(&object["name"]))
    });
    let tables = database["tables"].as_array().into_iter().flatten();
    let tables = tables.filter(|table| table["verdict"] != "Equal").map(|table| {
        format!(
            "{} rows {}.{}",
            text(&table["verdict"]),
            text(&table["schema"]),
            text(&table["table"])
        )
    });
    objects.chain(tables).collect()
}

#[test]
fn a_followed_database_is_equal_under_load_and_what_is_not_is_named() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_everything(&stage.source, "app", 3)?;
        let load = pgbench::Load::start(&stage.source, "app")?;
        let bank = start_bank(&stage.source, "app");
        migrate_until_cutover(stage, "side", "app")?;
        let words = ["migration", "compare", "side", "--target", TARGET];
        for _ in 0..3 {
            let told = compare(stage, &words, 0)?;
            ensure!(told["equal"] == true && differing(&told).is_empty(), "{told:#}");
            ensure!(told["databases"][0]["comparedTables"].as_u64() > Some(10), "{told:#}");
        }

        stage.target.psql(
            "app",
            "update odd.every_type set a_double = '-0' where id = 0; delete from odd.by_year where id = 7; \
             update odd.by_year set note = 'other' where id = 9; insert into odd.no_columns default values; \
             drop index odd.shouted; alter table odd.parent alter note set default 'x'; create table odd.more (n int)",
        )?;
        let told = compare(stage, &words, 1)?;
        let expected = [
            "OnlyOnTarget table odd.more",
            "Differs table odd.parent",
            "Differs table odd.child",
            "OnlyOnSource index odd.shouted",
            "Differs rows odd.by_year_1999",
            "Differs rows odd.by_year_rest",
            "Differs rows odd.every_type",
            "OnlyOnTarget rows odd.more",
            "Differs rows odd.no_columns",
        ];
        let mut found = differing(&told);
        found.sort();
        let mut expected = expected.map(str::to_owned).to_vec();
        expected.sort();
        ensure!(found == expected, "{found:#?}");
        load.stop(&stage.source)?;
        bank.stop()?;
        Ok(())
    })
}
