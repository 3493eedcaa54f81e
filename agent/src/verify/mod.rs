//! Facts for comparing the two sides: each side asks its own server, and nothing but facts crosses between.
use crate::selection::Selected;

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

/// The CTEs that make one JSON document of what each touched object is made of ([`crate::wire::Structure`]), if it is chosen;
/// a CTE `touched` stands before them, and `documents` is their result. `followed`: a condition on a relation `c`, under
/// which it is told all the same.
pub fn structure_sql(selected: &Selected, followed: &str) -> String {
    let text = with_columns(include_str!("structure.sql"), Some("select oid from units"));
    selected.sql(&text.replace("{followed}", followed))
}

mod checksum;
mod large_objects;
mod rights;
mod sequences;
mod shape;
mod traits;

pub use checksum::{checksum_where, table_checksum};
pub use large_objects::{LARGE_OBJECTS, PIECE_BYTES, large_objects};
pub use rights::{
    Alike, Held, MAINTAIN_SINCE, Right, Wider, lacking, lacking_here, missing, rights_by_object,
    rights_of, wider,
};
pub use sequences::{jumped, sequence_difference, sequence_values};
pub use shape::{disabled_keys, schema_changed, schema_not_carried, shape_difference, shape_of};
pub use traits::traits_of;
