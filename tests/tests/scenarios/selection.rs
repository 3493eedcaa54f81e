//! A part of a database: the options of `create` and the keys of the properties file, what is shown of them, and that what is
//! left out is no difference.
use serde_json::json;
use whimbrel_tests::{
    Context as _, Outcome, ensure,
    stage::{self, Plan, TARGET},
};

const SCHEMA: &str = "create schema app; create schema old;
    create table app.kept (id serial primary key, v text); create table app.log_2020 (id serial primary key);
    create table old.gone (id serial primary key); create view app.seen as select * from app.kept;
    create function old.f() returns int language sql as 'select 1';
    create table app.refers (id int primary key references app.log_2020);
    insert into app.kept (v) select 'row ' || g from generate_series(1, 100) g;
    insert into app.log_2020 default values; insert into app.refers values (1)";

#[test]
fn what_is_left_out_is_shown_and_is_no_difference() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        stage.source.create_database("shop")?;
        stage.source.psql("shop", SCHEMA)?;
        let words = ["--database", "shop", "--mode", "online", "--exclude-schema", "old"];
        let words = [&words[..], &["--exclude-table", "app.log*"]].concat();
        stage.create("part", &words)?;
        stage.wait_for("part", "WaitingForCutoverTrigger")?;
        let shown = stage.cli.show("part")?;
        let properties = &shown["properties"];
        ensure!(properties["excludeSchemas"] == json!(["old"]), "{shown:#}");
        ensure!(properties["excludeTables"] == json!(["app.log*"]), "{shown:#}");
        ensure!(properties["includeTables"].is_null(), "{shown:#}");
        ensure!(shown.to_string().contains("ForeignKeyLeftOut"), "{shown:#}");
        let page = stage.migration("show", "part", &["-o", "table"])?;
        ensure!(page.contains("without schemas old; without tables app.log*"), "{page}");

        stage.source.psql(
            "shop",
            "insert into app.kept (v) values ('later'); insert into app.log_2020 default values",
        )?;
        let compare = ["migration", "compare", "part", "--target", TARGET];
        stage.cli.ok(&compare)?;
        stage.migration("cutover", "part", &["--wait"])?;
        stage.cli.ok(&compare)?;
        let there = "select string_agg(n.nspname || '.' || c.relname, ' ' order by 1) from pg_class c \
                     join pg_namespace n on n.oid = c.relnamespace where n.nspname in ('app', 'old') and c.relkind in ('r', 'v')";
        let there = stage.target.psql("shop", &format!("copy ({there}) to stdout"))?;
        ensure!(there.split_whitespace().count() == 3, "{there}");
        for name in ["app.kept", "app.refers", "app.seen"] {
            ensure!(there.contains(name), "{there}");
        }
        let rows = stage.target.psql("shop", "copy (select count(*) from app.kept) to stdout")?;
        ensure!(rows.trim() == "101", "{rows}");
        Ok(())
    })
}

#[test]
fn a_selection_that_can_not_be_is_refused_before_anything_is_done() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        stage.source.create_database("shop")?;
        stage.source.psql("shop", SCHEMA)?;
        let from = stage.from_source();
        let from: Vec<&str> = from.iter().map(String::as_str).collect();
        let create = ["migration", "create", "bad", "--database", "shop"];
        let create = [&create[..], &from[..], &["--include-table", "a.b.c"]].concat();
        let said = stage.cli.run(&create)?;
        ensure!(said.status == 2 && said.stderr.contains("include_tables"), "{}", said.describe());

        // Nothing of the source's is there without app.kept.
        let file = stage.folder().join("part.json");
        let body = json!({"dbsToMigrate": ["shop"], "excludeTables": ["app.kept"], "migrationMode": "Offline"});
        std::fs::write(&file, body.to_string()).context(|| "writing the properties".to_owned())?;
        stage.create("needs", &["--properties", &file.display().to_string()])?;
        stage.wait_for("needs", "Failed")?;
        let shown = stage.cli.show("needs")?.to_string();
        ensure!(shown.contains("DependsOnLeftOut") && shown.contains("view app.seen"), "{shown}");
        ensure!(shown.contains("--exclude-table"), "{shown}");
        Ok(())
    })
}
