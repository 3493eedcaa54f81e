//! Where a source runs: a closed list of words, so that a slip is not carried on as if it meant something.
use super::InvalidField;

/// The field's own list, and the providers that it names.
const SOURCE_TYPES: &[&str] = &[
    "OnPremises",
    "AzureVM",
    "AWS",
    "AWS_RDS",
    "AWS_AURORA",
    "AWS_EC2",
    "GCP",
    "GCP_CloudSQL",
    "GCP_AlloyDB",
    "GCP_Compute",
    "EDB",
    "EDB_Oracle_Server",
    "EDB_PostgreSQL",
    "PostgreSQLSingleServer",
    "PostgreSQLFlexibleServer",
    "PostgreSQLCosmosDB",
    "ApsaraDB_RDS",
    "Crunchy_PostgreSQL",
    "Digital_Ocean_Droplets",
    "Digital_Ocean_PostgreSQL",
    "Heroku_PostgreSQL",
    "Huawei_Compute",
    "Huawei_RDS",
    "Supabase_PostgreSQL",
];

/// The list's own spelling of what was said in any case; nothing for nothing.
///
/// # Errors
/// A word that is not in the list.
pub(super) fn source_type_in(text: &str) -> Result<String, InvalidField> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let known = SOURCE_TYPES.iter().find(|known| known.eq_ignore_ascii_case(text.trim()));
    known.map(|known| (*known).to_owned()).ok_or_else(|| {
        let all = SOURCE_TYPES.join(", ");
        InvalidField::new("spec.source_type", format!("{text:?} is no source type: {all}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_type_is_taken_in_any_case_and_no_other_word() {
        assert_eq!(source_type_in("onpremises").unwrap(), "OnPremises");
        assert_eq!(source_type_in("AWS_aurora").unwrap(), "AWS_AURORA");
        assert_eq!(source_type_in("").unwrap(), "");
        let refused = source_type_in("Toaster").unwrap_err().to_string();
        assert!(refused.contains("Toaster") && refused.contains("GCP_AlloyDB"), "{refused}");
    }
}
