//! `migration wait`: 0 when the state was reached; 1 when it can't be any more, or needs a person first; 6 when the time
//! ran out.
use std::time::Duration;

use whimbrel_proto::v1::{
    Migration,
    migration_status::{State, SubState},
};

use super::{
    full_name, hint_next,
    standing::{ended, needs_person},
};
use crate::{
    args::migration::Wait,
    failure::Failure,
    follow::{Follower, is_over},
    render,
    verb::Session,
    words,
};

/// What is waited for. `Failed` names both a state and a substate: either will do.
#[derive(Debug, PartialEq, Eq)]
struct Awaited {
    state: Option<State>,
    sub_state: Option<SubState>,
}

pub(super) async fn run(session: &Session, args: &Wait) -> Result<(), Failure> {
    let awaited = parse(&args.awaited)?;
    let follower = Follower::new(&session.client, full_name(&args.migration)?, false);
    let mut last = None;
    let reached = follow(follower, &awaited, &mut last);
    let reached = match args.timeout.map(Duration::from) {
        None => reached.await,
        Some(bound) => match tokio::time::timeout(bound, reached).await {
            Ok(reached) => reached,
            Err(_) => return Err(timed_out(args, bound, last.as_ref())),
        },
    };
    let migration = reached?;
    let shown = render::migration::Migration::from(&migration);
    session.screen.print(&shown, || format!("{}: {}", shown.name, shown.where_it_is()))?;
    hint_next(session, &shown);
    Ok(())
}

async fn follow(
    mut follower: Follower,
    awaited: &Awaited,
    last: &mut Option<Migration>,
) -> Result<Migration, Failure> {
    while let Some(response) = follower.next().await? {
        let Some(migration) = response.migration else { continue };
        if let Some(verdict) = verdict(awaited, &migration) {
            return verdict.map(|()| migration);
        }
        *last = Some(migration);
    }
    // The follower ends only after a final state, and that has a verdict.
    Err(Failure::BadEnd {
        message: "the watch ended before a final state".to_owned(),
        code: String::new(),
        remedy: String::new(),
    })
}

/// `None`: go on waiting. A hold is never a success, whatever state it stands in.
fn verdict(awaited: &Awaited, migration: &Migration) -> Option<Result<(), Failure>> {
    let status = migration.status.as_ref()?;
    let matches =
        awaited.state == Some(status.state()) || awaited.sub_state == Some(status.sub_state());
    if is_over(migration) {
        return Some(if matches { Ok(()) } else { Err(ended(migration)) });
    }
    if let Some(held) = needs_person(migration) {
        return Some(Err(held));
    }
    matches.then_some(Ok(()))
}

fn timed_out(args: &Wait, after: Duration, last: Option<&Migration>) -> Failure {
    let name = &args.migration.name;
    let place = last.map(|migration| render::migration::Migration::from(migration).where_it_is());
    let place = place.unwrap_or_else(|| "unknown".to_owned());
    Failure::TimedOut { what: format!("{name} reaching {} (it is {place})", args.awaited), after }
}

fn parse(text: &str) -> Result<Awaited, Failure> {
    let given = text.trim();
    // The contract takes both spellings of this one.
    let given = if given.eq_ignore_ascii_case("Cancelled") { "Canceled" } else { given };
    let is = |word: Option<&str>| word.is_some_and(|word| word.eq_ignore_ascii_case(given));
    let awaited = Awaited {
        state: words::STATES.into_iter().find(|state| is(words::state(*state))),
        sub_state: words::SUB_STATES.into_iter().find(|state| is(words::sub_state(*state))),
    };
    if awaited.state.is_some() || awaited.sub_state.is_some() {
        return Ok(awaited);
    }
    let states: Vec<_> = words::STATES.into_iter().filter_map(words::state).collect();
    let sub_states: Vec<_> = words::SUB_STATES.into_iter().filter_map(words::sub_state).collect();
    Err(Failure::Usage(format!(
        "--for: no state is called {given:?}\n  states: {}\n  substates: {}",
        states.join(", "),
        sub_states.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use whimbrel_proto::v1::{DatabaseStatus, Hold, MigrationStatus, hold};

    use super::*;

    fn at(state: State, sub_state: SubState) -> Migration {
        let status =
            MigrationStatus { state: state.into(), sub_state: sub_state.into(), ..<_>::default() };
        Migration { status: Some(status), ..<_>::default() }
    }

    fn exit(awaited: &str, migration: &Migration) -> Option<u8> {
        let verdict = verdict(&parse(awaited).unwrap(), migration)?;
        Some(verdict.err().map_or(0, |failure| failure.exit()))
    }

    #[test]
    fn names_are_taken_in_any_case_and_both_spellings() {
        for word in words::STATES.into_iter().filter_map(words::state) {
            assert!(parse(&word.to_uppercase()).unwrap().state.is_some(), "{word}");
        }
        for word in words::SUB_STATES.into_iter().filter_map(words::sub_state) {
            assert!(parse(&word.to_lowercase()).unwrap().sub_state.is_some(), "{word}");
        }
        assert_eq!(parse("cancelled").unwrap().state, Some(State::Canceled));
        let both = parse("Failed").unwrap();
        assert_eq!((both.state, both.sub_state), (Some(State::Failed), Some(SubState::Failed)));
    }

    #[test]
    fn an_unknown_name_is_a_usage_error_that_lists_the_known() {
        let error = parse("Done").unwrap_err();
        assert_eq!(error.exit(), 2);
        assert!(error.to_string().contains("WaitingForTargetDBOverwriteConfirmation"));
    }

    #[test]
    fn the_state_or_the_substate_will_do() {
        let waiting = at(State::WaitingForUserAction, SubState::WaitingForCutoverTrigger);
        assert_eq!(exit("WaitingForUserAction", &waiting), Some(0));
        assert_eq!(exit("waitingforcutovertrigger", &waiting), Some(0));
        assert_eq!(exit("Succeeded", &waiting), None);
        let done = at(State::Succeeded, SubState::Completed);
        assert_eq!(exit("Completed", &done), Some(0));
    }

    #[test]
    fn another_final_state_is_a_bad_end() {
        let failed = at(State::Failed, SubState::Failed);
        assert_eq!(exit("Succeeded", &failed), Some(1));
        assert_eq!(exit("Failed", &failed), Some(0));
        let done = at(State::Succeeded, SubState::Completed);
        assert_eq!(exit("WaitingForCutoverTrigger", &done), Some(1));
    }

    #[test]
    fn a_hold_is_never_a_success() {
        let mut held = at(State::InProgress, SubState::MigratingData);
        let hold = |kind: hold::Kind| Some(Hold { kind: kind.into(), ..<_>::default() });
        held.status.as_mut().unwrap().hold = hold(hold::Kind::Held);
        assert_eq!(exit("MigratingData", &held), Some(1));
        held.status.as_mut().unwrap().hold = hold(hold::Kind::Unspecified);
        assert_eq!(exit("MigratingData", &held), Some(0));
        held.status.as_mut().unwrap().databases =
            vec![DatabaseStatus { hold: hold(hold::Kind::Paused), ..<_>::default() }];
        assert_eq!(exit("Succeeded", &held), Some(1));
    }
}
