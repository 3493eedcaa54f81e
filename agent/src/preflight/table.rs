//! The checks there are, in the order in which they are told.
use super::{check::Check, locks, password_end, primary, room, source, synchronous, target};

/// All checks of both sides. Connecting is one too; it comes before any other (`session`).
pub(super) const CHECKS: &[Check] = &[
    // The source's server.
    source::version::CHECK,
    primary::OF_SOURCE,
    source::pg_dump::CHECK,
    source::server_parameters::CHECK,
    source::replication_privilege::CHECK,
    source::role_passwords::CHECK,
    source::prepared_transactions::ELSEWHERE,
    source::long_transactions::ELSEWHERE,
    source::wal_retention::CHECK,
    source::snapshots::CHECK,
    synchronous::OF_SOURCE,
    room::OF_SOURCE,
    password_end::OF_SOURCE,
    // Each of its databases.
    source::database_exists::CHECK,
    source::logical_slots::CHECK,
    source::replication_connection::CHECK,
    source::selection::CHECK,
    source::read_privilege::CHECK,
    source::row_security::CHECK,
    source::large_objects::CHECK,
    source::publication_privilege::CHECK,
    source::replica_identity::CHECK,
    source::generated_identity::CHECK,
    source::virtual_columns::CHECK,
    source::hash_of_enums::CHECK,
    source::encoded_texts::CHECK,
    source::unlogged_tables::CHECK,
    source::prepared_transactions::HERE,
    source::long_transactions::HERE,
    source::reserved_names::CHECK,
    source::system_schemas::CHECK,
    source::system_grants::CHECK,
    source::extension_schemas::CHECK,
    source::extension_data::CHECK,
    source::foreign_tables::CHECK,
    source::subscriptions::CHECK,
    source::removed_features::CHECK,
    source::reg_columns::CHECK,
    source::recursive_views::CHECK,
    source::event_triggers::CHECK,
    source::foreign_key_triggers::CHECK,
    source::search_path::CHECK,
    source::reads_tables::CHECK,
    source::invalid_indexes::CHECK,
    source::inherited_columns::CHECK,
    source::collation_versions::CHECK,
    source::checksums::CHECK,
    source::wraparound::CHECK,
    locks::OF_SOURCE,
    source::size_estimate::CHECK,
    // The target's server.
    target::version::CHECK,
    primary::OF_TARGET,
    target::same_server::CHECK,
    target::create_database::CHECK,
    target::roles::CHECK,
    target::role_attributes::CHECK,
    target::migrated_roles::CHECK,
    target::foreign_keys::CHECK,
    target::server_settings::CHECK,
    synchronous::OF_TARGET,
    room::OF_TARGET,
    password_end::OF_TARGET,
    target::differences::CHECK,
    // Each database that is to be there.
    target::overwrite::CHECK,
    target::extensions::CHECK,
    target::locale::CHECK,
    target::collations::CHECK,
    target::tablespaces::CHECK,
    target::privileged::CHECK,
    target::owners::CHECK,
    target::libraries::CHECK,
    target::version_breaks::CHECK,
    target::settings::CHECK,
    target::preload::CHECK,
    target::compression::CHECK,
    target::xml::CHECK,
    target::security_labels::CHECK,
    target::search_files::CHECK,
    locks::OF_TARGET,
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::preflight::check::{Level, Run};

    #[test]
    fn no_check_is_listed_twice_and_none_asks_where_there_is_no_session() {
        let mut seen = HashSet::new();
        for check in CHECKS {
            let side = matches!(check.run, Run::Source(_));
            let level = format!("{:?}", check.level);
            assert!(seen.insert((check.type_name, side, level)), "{} twice", check.type_name);
            let kind = ["Validation", "Report"].iter().any(|end| check.type_name.ends_with(end));
            assert!(kind, "{}", check.type_name);
            // A target's database is not there yet.
            assert!(side || check.level != Level::InDatabase, "{}", check.type_name);
        }
    }
}
