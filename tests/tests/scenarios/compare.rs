//! `migration compare` and `source compare`: equal says equal, also under a write load; a difference is found and named.
use serde_json::Value;
use whimbrel_tests::{
    Context as _, Failure, Outcome, ensure, pgbench,
    stage::{self, Plan, Stage, TARGET},
    wait,
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
        create_everything(&stage.source, "app", 1)?;
        let load = pgbench::Load::start(&stage.source, "app")?;
        let bank = start_bank(&stage.source, "app");
        migrate_until_cutover(stage, "side", "app")?;
        let words = ["migration", "compare", "side", "--target", TARGET];
        // A change of the schema that is on its way is no difference: the target can't take it until the lock goes.
        let mut blocks = stage.target.connect("app")?;
        blocks.batch_execute("begin; lock table odd.by_year in access share mode")?;
        stage.source.psql("app", "alter table odd.by_year add column on_its_way int")?;
        let mut watches = stage.target.connect("app")?;
        let unblocks = std::thread::spawn(move || -> Outcome {
            // The change waits for the lock, and the comparison for the change.
            let waiting = "select exists (select from pg_stat_activity where application_name = 'whimbrel/compare') \
                           and exists (select from pg_locks where relation = 'odd.by_year'::regclass and not granted)";
            wait::until("the comparison to wait for the change of the schema", || {
                Ok(watches.query_one(waiting, &[])?.get::<_, bool>(0).then_some(()))
            })?;
            Ok(blocks.batch_execute("rollback")?)
        });
        let told = compare(stage, &words, 0)?;
        unblocks.join().map_err(|_| Failure::new("the lock's thread panicked"))??;
        ensure!(told["equal"] == true && differing(&told).is_empty(), "{told:#}");
        ensure!(told["databases"][0]["comparedTables"].as_u64() > Some(10), "{told:#}");

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

#[test]
fn two_servers_are_compared_and_what_is_left_to_do_is_told() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_everything(&stage.source, "app", 1)?;
        stage.create("whole", &["--database", "app", "--mode", "offline"])?;
        stage.wait_for("whole", "Succeeded")?;
        let words = ["migration", "compare", "whole", "--target", TARGET, "--all"];
        let told = compare(stage, &words, 0)?;
        ensure!(told["databases"][0]["pendingObjects"] == 0, "{told:#}");

        let port = stage.source.port().to_string();
        let source =
            ["source", "compare", "--agent", stage::AGENT, "--host", "127.0.0.1", "--port"];
        let source = [&source[..], &[&port, "--user", "postgres"]].concat();
        let password = ["--password", "env:SOURCE_PASSWORD", "--target", TARGET];
        let words = [&source[..], &password, &["--database", "app"]].concat();
        compare(stage, &words, 0)?;
        stage
            .target
            .psql("app", "update pgbench_accounts set abalance = 5 where aid % 10000 = 3")?;
        let told = compare(stage, &[&words[..], &["--table", "pgbench_*"]].concat(), 1)?;
        ensure!(differing(&told) == ["Differs rows public.pgbench_accounts"], "{told:#}");
        let rows = &told["databases"][0]["tables"][0];
        ensure!(rows["rowsNotAlike"] == 10, "{rows:#}");
        let slip = [&words[..], &["--table", "pgbnch_*"]].concat();
        stage.cli.refused(&slip, 3, &["NothingMatches", "pgbnch_*"])?;
        stage.cli.refused(&[&words[..], &["--table", "a|b"]].concat(), 2, &["a|b"])?;

        left_to_do(stage)
    })
}

fn left_to_do(stage: &Stage) -> Outcome {
    stage.source.psql("postgres", "alter system set work_mem = '9MB'")?;
    stage.source.psql("postgres", "select pg_reload_conf()")?;
    stage.source.psql(
        "app",
        "create role logs_in login password 'hush'; select pg_create_physical_replication_slot('others'); \
         select pg_create_physical_replication_slot('whimbrel_0123456789ab_0'); \
         create subscription of_others connection 'host=nowhere password=hush' publication p with (connect = false)",
    )?;
    stage.target.psql("app", "grant delete on pgbench_branches to public")?;
    // Not the migration's business: a session of another database.
    let elsewhere = stage.source.connect("postgres")?;
    let still_there = stage.source.connect("app")?;
    let told = stage.cli.json(&["migration", "report", "whole", "--target", TARGET])?;
    drop((elsewhere, still_there));
    let items = told["items"].as_array().cloned().unwrap_or_default();
    for (code, object) in [
        ("ParameterDiffers", "work_mem"),
        ("SlotOfSource", "others"),
        ("SlotOfSource", "whimbrel_0123456789ab_0"),
        ("SubscriptionNotCarried", "of_others"),
        ("PasswordToSet", "logs_in"),
        ("RoleNotOnTarget", "logs_in"),
        ("RightLeft", "table public.pgbench_branches"),
    ] {
        let is = |item: &&Value| item["code"] == code && item["object"] == object;
        ensure!(items.iter().find(is).is_some(), "no {code} of {object} in {told:#}");
    }
    let connected = items.iter().filter(|item| item["code"] == "ConnectedToSource");
    let places: Vec<_> = connected.map(|item| item["database"].as_str().unwrap_or("")).collect();
    ensure!(places == ["app"], "sessions of {places:?}: {told:#}");
    ensure!(!told.to_string().contains("hush"), "a secret is told: {told:#}");
    stage.migration("report", "whole", &[]).map(drop)
}
