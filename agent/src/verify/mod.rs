//! Facts for comparing the two sides: each side asks its own server, and nothing but facts crosses between.
/// Columns as they are copied and streamed, for two texts that need them alike.
const COLUMNS: &str = include_str!("columns.sql");

/// A text with the CTEs of columns in the place of `{columns}`: of all tables, or of those that the subquery `of` names.
pub fn with_columns(sql: &str, of: Option<&str>) -> String {
    let mut columns = COLUMNS.to_owned();
    for table in ["a.attrelid", "i.indrelid"] {
        let wanted = of.map_or_else(|| "true".to_owned(), |of| format!("{table} in ({of})"));
        columns = columns.replace(&format!("{{of {table}}}"), &wanted);
    }
    sql.replace("{columns}", &columns)
}

/// The CTEs that make one JSON document of what each touched object is made of ([`crate::wire::Structure`]); a CTE `touched`
/// stands before them, and `documents` is their result.
pub fn structure_sql() -> String {
    with_columns(include_str!("structure.sql"), Some("select oid from units"))
}

/// Rights on the objects of a database, as statements that grant them.
pub const RIGHTS: &str = include_str!("rights.sql");

mod checksum;
mod large_objects;
mod sequences;
mod shape;

pub use checksum::table_checksum;
pub use large_objects::{LARGE_OBJECTS, PIECE_BYTES, large_objects};
pub use sequences::{sequence_difference, sequence_values};
pub use shape::{schema_changed, schema_not_carried, shape_difference, shape_of};
