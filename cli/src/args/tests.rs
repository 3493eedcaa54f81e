//! Every line of the contract's "Verbs", and the traps around them.
use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

use super::{Cli, Color, Command, Format, migration::MigrationCommand};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("whimbrel").chain(line.split_whitespace()))
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_verb_of_the_contract_is_taken() {
    for line in include_str!("contract_verbs.txt").lines().filter(|line| !line.is_empty()) {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn values_of_options_are_taken_in_any_case() {
    let cli = parse(
        "migration create n --target t --mode ONLINE --option Validate-And-Migrate --ssl-mode VerifyFull -o JSON",
    )
    .unwrap();
    assert_eq!(cli.global.output, Some(Format::Json));
    let Command::Migration(command) = cli.command else { panic!("not a migration verb") };
    let MigrationCommand::Create(create) = *command else { panic!("not create") };
    assert_eq!(create.mode, Some(super::migration::ModeArg::Online));
    assert_eq!(create.option, Some(super::migration::OptionArg::ValidateAndMigrate));
    assert_eq!(create.ssl_mode, Some(super::server::SslModeArg::VerifyFull));
    assert!(parse("--color NEVER agent list").unwrap().global.color == Some(Color::Never));
    assert!(parse("migration create n --target t --option ValidateAndMigrate").is_ok());
    assert!(parse("migration list --filter ALL").is_ok());
}

#[test]
fn a_flag_can_be_taken_back() {
    for (line, expected) in [
        ("migration create n --target t", None),
        ("migration create n --target t --overwrite", Some(true)),
        ("migration create n --target t --overwrite=false", Some(false)),
    ] {
        let Command::Migration(command) = parse(line).unwrap().command else { panic!("{line}") };
        let MigrationCommand::Create(create) = *command else { panic!("{line}") };
        assert_eq!(create.overwrite, expected, "{line}");
    }
}

#[test]
fn what_is_missing_or_wrong_is_a_usage_error() {
    for (line, kind) in [
        ("migration create n", ErrorKind::MissingRequiredArgument),
        ("migration create n --target t --mode sideways", ErrorKind::InvalidValue),
        ("migration wait n --target t", ErrorKind::MissingRequiredArgument),
        ("migration delete n --target t --database d", ErrorKind::UnknownArgument),
        (
            "target create t --host h --port 0 --user u --password pgpass --agent a",
            ErrorKind::ValueValidation,
        ),
        ("migration frobnicate", ErrorKind::InvalidSubcommand),
    ] {
        assert_eq!(parse(line).unwrap_err().kind(), kind, "{line}");
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn a_password_typed_by_mistake_is_not_repeated() {
    let cli = parse("source test --agent a --host h --user u --password hunter2").unwrap();
    assert!(!format!("{cli:?}").contains("hunter2"));
    // A URL is refused later, by a message that does not repeat it.
    assert!(parse("migration create n --target t --source postgres://u:hunter2@h/d").is_ok());
}
