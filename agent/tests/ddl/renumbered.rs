//! A column that is dropped and added again under its name, where no event trigger tells it: the stream's word of the table is the
//! same, and what was here stayed, or was taken for the new one's.
use crate::{cut_over_alike, driver::sql, following_as};

/// What is done to `a`, of a key and a column `h` with a value in each of two rows.
const CHANGES: [&str; 7] = [
    "alter table a drop column h; alter table a add h text",
    "alter table a drop column h; alter table a add h text; update a set h = 'q' where id = 1",
    "alter table a drop column h; alter table a add h text default 'dd'; update a set h = 'q' where id = 1",
    "alter table a drop column g; alter table a add g text; update a set g = 'q' where id = 1",
    "alter table a add h2 text default 'new'; alter table a drop column h; alter table a rename h2 to h; alter table a alter h drop default",
    "drop collation co cascade; create collation co from \"C\"; alter table a add c text collate co; update a set c = 'q' where id = 1",
    "drop type pair cascade; create type pair as (x int, y text); alter table a add p pair; update a set p = '(3,c)' where id = 1",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_made_anew_under_its_name_has_its_own_values() {
    let table = |name: &str| {
        format!(
            "create collation co{name} from \"C\"; create type pair{name} as (x int, y text);
             create table {name} (id int primary key, g text, h text, c text collate co{name}, p pair{name});
             insert into {name} values (1, 'g', 'x', 'c', '(1,a)'), (2, 'g', 'y', 'd', '(2,b)')"
        )
    };
    let name = |at: usize| format!("a{at}");
    let schema: Vec<String> = (0..CHANGES.len()).map(|at| table(&name(at))).collect();
    let (source, target, mut driver) = following_as(&schema.join(";\n"), false).await;
    for (at, change) in CHANGES.iter().enumerate() {
        let change = change
            .replace(" a ", &format!(" {} ", name(at)))
            .replace(" co ", &format!(" co{} ", name(at)))
            .replace(" co;", &format!(" co{};", name(at)))
            .replace(" pair ", &format!(" pair{} ", name(at)))
            .replace(" pair;", &format!(" pair{};", name(at)));
        sql(&source, "shop", &change.replace("; ", ";\n")).await;
    }
    cut_over_alike(&source, &target, &mut driver, 1).await;
}
