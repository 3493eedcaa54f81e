//! The house's borders, sizes and bans, held by a test. Each rule proves on a bad example that it can fail.
mod bans;
mod borders;
mod codes;
mod manifests;
mod protos;
mod sizes;
mod source;
mod statements;

use source::Source;

/// Fails with all that is wrong, one a line.
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} thing(s) wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn borders_are_kept() {
    assert_none(&Source::all().iter().flat_map(borders::check).collect::<Vec<_>>());
}

#[test]
fn crates_depend_as_drawn() {
    assert_none(&manifests::check_all());
}

#[test]
fn files_and_functions_are_of_a_size_to_read() {
    assert_none(&sizes::check_all(&Source::all()));
}

#[test]
fn nothing_banned_is_called() {
    assert_none(&Source::all().iter().flat_map(bans::check).collect::<Vec<_>>());
}

#[test]
fn the_border_is_commented() {
    assert_none(&protos::check_all());
}

#[test]
fn every_code_is_in_the_table() {
    assert_none(&codes::check_all(&Source::all()));
}

#[test]
fn statements_are_of_ascii() {
    assert_none(&statements::check_all());
}
