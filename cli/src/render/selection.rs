//! Which objects of the databases are moved: keys of `properties`, each there when it has a pattern, and a line of the page.
use serde::Serialize;
use whimbrel_proto::v1;

/// Patterns, with the keys of the properties file.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Selection {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    include_schemas: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exclude_schemas: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    include_tables: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exclude_tables: Vec<String>,
}

impl From<&v1::Selection> for Selection {
    fn from(selection: &v1::Selection) -> Self {
        let v1::Selection { include_schemas, exclude_schemas, include_tables, exclude_tables } =
            selection.clone();
        Self { include_schemas, exclude_schemas, include_tables, exclude_tables }
    }
}

impl Selection {
    /// "schemas app; tables public.a, public.b; without tables app.log*"; `None`: everything.
    pub(crate) fn sentence(&self) -> Option<String> {
        let parts: Vec<String> = [
            ("schemas", &self.include_schemas),
            ("tables", &self.include_tables),
            ("without schemas", &self.exclude_schemas),
            ("without tables", &self.exclude_tables),
        ]
        .into_iter()
        .filter(|(_, patterns)| !patterns.is_empty())
        .map(|(kind, patterns)| format!("{kind} {}", patterns.join(", ")))
        .collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_needs_no_words() {
        assert_eq!(Selection::default().sentence(), None);
        assert_eq!(serde_json::to_string(&Selection::default()).unwrap(), "{}");
        let some = v1::Selection {
            include_schemas: vec!["app".into()],
            exclude_tables: vec!["app.log*".into(), "t".into()],
            ..v1::Selection::default()
        };
        let some = Selection::from(&some);
        assert_eq!(some.sentence().as_deref(), Some("schemas app; without tables app.log*, t"));
        let json = serde_json::to_string(&some).unwrap();
        assert_eq!(json, r#"{"includeSchemas":["app"],"excludeTables":["app.log*","t"]}"#);
    }
}
