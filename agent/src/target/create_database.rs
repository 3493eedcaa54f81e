//! The statement that makes a database with the encoding and the locale that the source's has.
use crate::{
    fault::{Fault, Policy},
    postgres::{identifier, literal},
    wire::DatabaseProperties,
};

/// The first version whose databases have a locale provider. There the provider must be said: what is left out is
/// `template0`'s, and a server that was made with ICU would sort a libc database's text by ICU.
const LOCALE_PROVIDERS_SINCE: u32 = 15;

/// # Errors
/// `LocaleProviderNotCarried`: a provider that is not known here.
pub(super) fn create_statement(
    name: &str,
    properties: &DatabaseProperties,
    server_major: u32,
) -> Result<String, Fault> {
    let DatabaseProperties { encoding, collate, ctype, provider, locale, icu_rules, .. } =
        properties;
    let mut statement = format!(
        "create database {} template template0 encoding {} lc_collate {} lc_ctype {}",
        identifier(name),
        literal(encoding),
        literal(collate),
        literal(ctype)
    );
    let of_provider = match (provider.as_str(), locale) {
        ("c", _) if server_major < LOCALE_PROVIDERS_SINCE => String::new(),
        ("c", _) => " locale_provider libc".to_owned(),
        ("i", Some(locale)) => format!(" locale_provider icu icu_locale {}", literal(locale)),
        ("b", Some(locale)) => {
            format!(" locale_provider builtin builtin_locale {}", literal(locale))
        }
        (other, _) => {
            return Err(Fault::new(
                Policy::Fail,
                "LocaleProviderNotCarried",
                format!("creating database {name:?}: locale provider {other:?} is not known"),
            )
            .remedy("start again with a source database of provider libc, icu or builtin"));
        }
    };
    statement.push_str(&of_provider);
    if let Some(rules) = icu_rules {
        statement.push_str(&format!(" icu_rules {}", literal(rules)));
    }
    Ok(statement)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(provider: &str, locale: Option<&str>, server_major: u32) -> String {
        let properties = DatabaseProperties {
            encoding: "UTF8".into(),
            collate: "C".into(),
            ctype: "C".into(),
            provider: provider.into(),
            locale: locale.map(str::to_owned),
            icu_rules: None,
            owner: "o".into(),
            connection_limit: -1,
        };
        create_statement("d", &properties, server_major).unwrap()
    }

    #[test]
    fn the_provider_is_said_where_there_are_several() {
        assert!(statement("c", None, 14).ends_with("lc_ctype 'C'"));
        assert!(statement("c", None, 15).ends_with("locale_provider libc"));
        assert!(statement("i", Some("de"), 15).contains("locale_provider icu icu_locale 'de'"));
        let builtin = statement("b", Some("C.UTF-8"), 17);
        assert!(builtin.contains("locale_provider builtin builtin_locale 'C.UTF-8'"), "{builtin}");
    }
}
