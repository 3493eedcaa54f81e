//! What `migration create` asks for: the properties file, and the options that win over it. Pure; passwords are still
//! to be resolved.
use prost_types::Timestamp;
use whimbrel_proto::v1::{
    Endpoint, MigrationMode, MigrationOption, MigrationSpec, Selection, SslMode,
};

use crate::{
    args::{
        SecretArg, SourceArg,
        migration::{Create, SelectionArgs},
    },
    failure::Failure,
    properties::Properties,
    secret::{self, Password},
    verb::agent_name,
};

/// A specification without its passwords, and where those come from.
pub(super) struct Draft {
    /// Without passwords.
    pub(super) spec: MigrationSpec,
    /// The source's.
    pub(super) source_password: Option<Given>,
    /// The target's, for this migration.
    pub(super) target_password: Option<Given>,
}

/// Where a password comes from.
pub(super) enum Given {
    /// A SECRET of the command line.
    Option(SecretArg),
    /// A reference that stands in the file.
    Reference(whimbrel_proto::v1::Secret),
    /// A password that stands in the file.
    File(Password),
}

/// Puts the two together.
///
/// # Errors
/// A source that is not `HOST:PORT@USER`.
pub(super) fn draft(args: Create, file: Properties) -> Result<Draft, Failure> {
    let source = source(&args, &file)?;
    let file_overwrite = file.overwrite.unwrap_or_default();
    let file_roles = file.migrate_roles.unwrap_or_default();
    let option = args.option.map(Into::into).or(file.option);
    let spec = MigrationSpec {
        mode: args.mode.map(Into::into).or(file.mode).unwrap_or(MigrationMode::Unspecified).into(),
        option: option.unwrap_or(MigrationOption::Unspecified).into(),
        source_type: args.source_type.or(file.source_type).unwrap_or_default(),
        source: Some(source),
        target_override: target_override(file.target_host, file.target_user),
        databases: match args.databases {
            named if named.is_empty() => file.databases.unwrap_or_default(),
            named => named,
        },
        selection: Some(selection(args.selection, file.selection)),
        overwrite: args.overwrite.unwrap_or(file_overwrite),
        migrate_roles: args.migrate_roles.unwrap_or(file_roles),
        agent: args.agent.or(file.agent).map(|name| agent_name(&name)).unwrap_or_default(),
        source_agent: args.source_agent.map(|name| agent_name(&name)).unwrap_or_default(),
        setup_logical_replication: file.setup_logical_replication.unwrap_or_default(),
        follow_schema_changes: file.follow_schema_changes,
        limits: file.limits,
        window_start_time: file.window_start.map(timestamp),
        window_end_time: file.window_end.map(timestamp),
    };
    Ok(Draft {
        spec,
        source_password: given(args.source_password, file.source_password),
        target_password: given(args.target_password, file.target_password),
    })
}

/// Each kind of patterns by itself: the options, or the file's.
fn selection(args: SelectionArgs, file: Selection) -> Selection {
    let either = |args: Vec<String>, file| if args.is_empty() { file } else { args };
    Selection {
        include_schemas: either(args.include_schemas, file.include_schemas),
        exclude_schemas: either(args.exclude_schemas, file.exclude_schemas),
        include_tables: either(args.include_tables, file.include_tables),
        exclude_tables: either(args.exclude_tables, file.exclude_tables),
    }
}

/// The option's host, port and user win; what it leaves out is the file's.
fn source(args: &Create, file: &Properties) -> Result<Endpoint, Failure> {
    let parse = |text: &Option<String>, from: &str| match text {
        None => Ok(None),
        Some(text) => text
            .parse::<SourceArg>()
            .map(Some)
            .map_err(|error| Failure::Usage(format!("{from}: {error}"))),
    };
    let option = parse(&args.source, "--source")?;
    let in_file = parse(&file.source, "sourceDbServerResourceId");
    let in_file = match &option {
        // Only its user can still count; it may be a cloud's resource id, which the option is there to replace.
        Some(_) => in_file.unwrap_or_default(),
        None => in_file?,
    };
    let file_host = if option.is_some() { None } else { file.source_host.clone() };
    let option_user = option.as_ref().and_then(|source| source.user.clone());
    let file_user = file
        .source_user
        .clone()
        .or_else(|| in_file.as_ref().and_then(|source| source.user.clone()));
    let server = option.or(in_file);
    let ssl_mode = args.ssl_mode.map(SslMode::from).or(file.ssl_mode);
    Ok(Endpoint {
        port: server.as_ref().map_or(0, |server| server.port),
        host: file_host.or(server.map(|server| server.host)).unwrap_or_default(),
        user: option_user.or(file_user).unwrap_or_default(),
        password: None,
        ssl_mode: ssl_mode.unwrap_or(SslMode::Unspecified).into(),
    })
}

/// Unset unless something is: what is empty in it is the target's own.
fn target_override(host: Option<String>, user: Option<String>) -> Option<Endpoint> {
    if host.is_none() && user.is_none() {
        return None;
    }
    let (host, user) = (host.unwrap_or_default(), user.unwrap_or_default());
    Some(Endpoint { host, user, ..Endpoint::default() })
}

fn given(option: Option<SecretArg>, file: Option<Password>) -> Option<Given> {
    match (option, file) {
        (Some(option), _) => Some(Given::Option(option)),
        (None, Some(text)) => Some(match secret::reference(&text) {
            Some(reference) => Given::Reference(reference),
            None => Given::File(text),
        }),
        (None, None) => None,
    }
}

pub(super) fn timestamp(time: jiff::Timestamp) -> Timestamp {
    Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command, migration::MigrationCommand};

    fn drafted(options: &str, file: Properties) -> Result<Draft, Failure> {
        let line = format!("whimbrel migration create m --target t {options}");
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Migration(command) = cli.command else { panic!("{line}") };
        let MigrationCommand::Create(args) = *command else { panic!("{line}") };
        draft(args, file)
    }

    fn file() -> Properties {
        Properties {
            source: Some("old:5433@me".into()),
            source_user: Some("app".into()),
            source_password: Some(Password::new("hunter2".into())),
            databases: Some(vec!["a".into()]),
            overwrite: Some(true),
            mode: Some(MigrationMode::Online),
            ssl_mode: Some(SslMode::Require),
            ..Properties::default()
        }
    }

    #[test]
    fn what_is_not_said_is_sent_as_not_said() {
        let spec = drafted("--source h@u", Properties::default()).unwrap().spec;
        assert_eq!((spec.mode(), spec.option()), <_>::default());
        assert_eq!(spec.source.unwrap().ssl_mode(), SslMode::Unspecified);
        assert!(spec.target_override.is_none() && spec.agent.is_empty());
    }

    #[test]
    fn the_file_alone_is_enough() {
        let draft = drafted("", file()).unwrap();
        let source = draft.spec.source.clone().unwrap();
        assert_eq!((source.host.as_str(), source.port), ("old", 5433));
        assert_eq!(source.user, "app", "the user name has a key of its own, and that one counts");
        assert_eq!((draft.spec.mode(), draft.spec.overwrite), (MigrationMode::Online, true));
        assert!(matches!(draft.source_password, Some(Given::File(_))));
    }

    #[test]
    fn an_option_wins_over_the_file() {
        let options = "--source new:1@x --database b --database c --overwrite=false --mode offline \
                       --source-password env:X --ssl-mode disable";
        let draft = drafted(options, file()).unwrap();
        let source = draft.spec.source.clone().unwrap();
        assert_eq!((source.host.as_str(), source.port, source.user.as_str()), ("new", 1, "x"));
        assert_eq!(draft.spec.databases, ["b", "c"]);
        assert_eq!((draft.spec.mode(), draft.spec.overwrite), (MigrationMode::Offline, false));
        assert_eq!(source.ssl_mode(), SslMode::Disable);
        assert!(matches!(draft.source_password, Some(Given::Option(_))));
        let without_user = drafted("--source new:1", file()).unwrap().spec.source.unwrap();
        assert_eq!(without_user.user, "app");
        let file = Properties { source_user: None, ..file() };
        assert_eq!(drafted("--source new:1", file).unwrap().spec.source.unwrap().user, "me");
        let cloud = Properties { source: Some("/subscriptions/x".into()), ..Properties::default() };
        assert_eq!(drafted("--source h@u", cloud).unwrap().spec.source.unwrap().host, "h");
    }

    #[test]
    fn a_reference_in_the_file_stays_one() {
        let file = Properties { target_password: Some(Password::new("env:PW".into())), ..file() };
        let draft = drafted("", file).unwrap();
        assert!(matches!(draft.target_password, Some(Given::Reference(_))));
    }

    #[test]
    fn a_source_that_is_none_is_refused_with_where_it_stands() {
        let cloud = Properties { source: Some("/subscriptions/x".into()), ..Properties::default() };
        let error = drafted("", cloud).err().unwrap().to_string();
        assert!(error.contains("sourceDbServerResourceId"), "{error}");
        let error = drafted("--source postgres://u:hunter2@h", file()).err().unwrap();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert_eq!(error.exit(), 2);
    }
}
