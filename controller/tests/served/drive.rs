//! A whole migration, with the controller killed in the middle.
use std::time::{Duration, Instant};

use whimbrel_proto::{agent::v1 as link, v1};

use crate::{
    agent::{Agent, join},
    host::{Clients, Host, MIGRATION, order},
};

type SubState = v1::migration_status::SubState;

/// Dials again whenever the session ends, until the scene is over.
async fn serve(agent: Agent, host: &Host) {
    loop {
        drop(agent.session(host).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Everything that is remembered; progress is not.
fn remembered(mut migration: v1::Migration) -> v1::Migration {
    for database in &mut migration.status.as_mut().unwrap().databases {
        database.progress = None;
        database.operation = String::new();
    }
    migration
}

fn assert_without_gaps(events: &[v1::MigrationEvent]) {
    let numbers: Vec<_> = events.iter().map(|e| e.sequence).collect();
    let first = numbers.first().copied().unwrap_or(1);
    let expected: Vec<_> = (first..first + numbers.len() as u64).collect();
    assert_eq!(numbers, expected);
}

async fn set_up(host: &Host) -> (Agent, Clients) {
    let mut clients = host.clients().await;
    let token = clients.token().await;
    let agent = Agent::new(join(host, &token, "worker").await.unwrap());
    clients.target().await;
    (agent, clients)
}

// Several threads: the clients must hear the goodbye while the test waits for the process.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_survives_kills_to_its_end() {
    let mut host = Host::new();
    let (agent, mut clients) = set_up(&host).await;
    clients.migrations.create_migration(order("m")).await.unwrap();
    let resume_token = tokio::select! {
        () = serve(agent.clone(), &host) => unreachable!("serves for ever"),
        (_, resume) = clients.watch_until(SubState::WaitingForCutoverTrigger, String::new()) => resume,
    };
    let before = clients.get().await;
    let status = &before.status.as_ref().unwrap().databases[0];
    assert_eq!(status.progress.as_ref().unwrap().copied_rows, 3);

    host.kill();
    host.restart();
    let mut clients = host.clients().await;
    assert_eq!(remembered(clients.get().await), remembered(before));

    // Killed again, in the middle of the cutover.
    agent.hold_at(link::Step::Drain).await;
    let cutover = v1::CutoverMigrationRequest { name: MIGRATION.to_owned(), ..Default::default() };
    clients.migrations.cutover_migration(cutover).await.unwrap();
    tokio::select! {
        () = serve(agent.clone(), &host) => unreachable!("serves for ever"),
        () = agent.until_held() => {}
    }
    let before = clients.get().await;
    host.kill();
    host.restart();
    let mut clients = host.clients().await;
    assert_eq!(remembered(clients.get().await), remembered(before));
    agent.let_go().await;
    let (events, _) = tokio::select! {
        () = serve(agent.clone(), &host) => unreachable!("serves for ever"),
        done = clients.watch_until(SubState::Completed, resume_token) => done,
    };
    assert_without_gaps(&events);
    let all = clients.events().await;
    assert_eq!(all[0].sequence, 1);
    assert_without_gaps(&all);
    assert_eq!(all.last().unwrap().r#type, "MigrationSucceeded");
    assert!(all.ends_with(&events), "what was watched is what is listed");
    let steps = &clients.get().await.status.unwrap().databases[0].cutover.clone().unwrap().steps;
    assert_eq!(steps.iter().map(|s| s.number).collect::<Vec<_>>(), Vec::from_iter(1..=10));
    assert_eq!(host.terminate(), Some(0));
}

/// Progress comes four times a second at most; nobody waits for a state that long.
#[tokio::test]
async fn a_new_state_is_watched_sooner_than_progress() {
    let host = Host::new();
    let (agent, mut clients) = set_up(&host).await;
    clients.migrations.create_migration(order("m")).await.unwrap();
    let mut seen: Vec<(Instant, i32, i32)> = Vec::new();
    let see = |message: &mut v1::WatchMigrationResponse| {
        let status = message.migration.as_ref().unwrap().status.as_ref().unwrap();
        seen.push((Instant::now(), status.state, status.sub_state));
    };
    tokio::select! {
        () = serve(agent.clone(), &host) => unreachable!("serves for ever"),
        _ = clients.watch(SubState::WaitingForCutoverTrigger, String::new(), see) => {}
    }
    let states = seen.windows(2).filter(|two| (two[0].1, two[0].2) != (two[1].1, two[1].2));
    let soonest = states.map(|two| two[1].0 - two[0].0).min();
    assert!(soonest.is_some_and(|gap| gap < Duration::from_millis(200)), "{seen:?}");
}

#[tokio::test]
async fn a_cancel_cleans_the_source_when_its_agent_is_back() {
    let host = Host::new();
    let (agent, mut clients) = set_up(&host).await;
    clients.migrations.create_migration(order("m")).await.unwrap();
    tokio::select! {
        () = serve(agent.clone(), &host) => unreachable!("serves for ever"),
        _ = clients.watch_until(SubState::WaitingForCutoverTrigger, String::new()) => {}
    }
    let cancel = v1::CancelMigrationRequest { name: MIGRATION.to_owned(), ..Default::default() };
    let answer = clients.migrations.cancel_migration(cancel).await.unwrap().into_inner();
    assert_eq!(answer.status.unwrap().state(), v1::migration_status::State::CleaningUp);
    // Another life of the agent: it knows nothing of what was before.
    let reborn = agent.reborn();
    tokio::select! {
        () = serve(reborn, &host) => unreachable!("serves for ever"),
        () = async {
            while clients.get().await.status.unwrap().state()
                != v1::migration_status::State::Canceled
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        } => {}
    }
    // The life before it must go.
    let ended = agent.session(&host).await.unwrap_err();
    assert!(ended.message().contains("newer process"), "{ended}");
}

#[tokio::test]
async fn a_revoked_agent_is_cut_off() {
    let host = Host::new();
    let (agent, mut clients) = set_up(&host).await;
    let name = "agents/worker".to_owned();
    let (ended, revoked) = tokio::join!(agent.session(&host), async {
        let get = v1::GetAgentRequest { name: name.clone() };
        while clients.agents.get_agent(get.clone()).await.unwrap().into_inner().state()
            != v1::agent::State::Connected
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let revoke = v1::RevokeAgentRequest { name: name.clone(), ..Default::default() };
        clients.agents.revoke_agent(revoke).await.unwrap().into_inner()
    });
    assert_eq!(revoked.state(), v1::agent::State::Revoked);
    assert!(ended.unwrap_err().message().contains("revoked"));
    let again = agent.session(&host).await.unwrap_err();
    assert_eq!(again.code(), tonic::Code::PermissionDenied);
}

/// Killed at any moment of it: the target and all its migrations have the change, or none of them has.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_target_is_whole() {
    for (point, changed) in [("target.committing", false), ("target.committed", true)] {
        let mut host = Host::new();
        let (_, mut clients) = set_up(&host).await;
        for name in ["m", "n"] {
            let mut order = order(name);
            order.spec.as_mut().unwrap().databases = vec![format!("of-{name}")];
            clients.migrations.create_migration(order).await.unwrap();
        }
        host.kill();
        // A point that it does not come to is one of a commit of its own, of one of them.
        host.restart_to_die(&format!("{point}=kill,commit.done=kill"));
        let mut clients = host.clients().await;
        let moved = v1::Endpoint { host: "moved".to_owned(), ..Default::default() };
        let target = v1::Target {
            name: "targets/t".to_owned(),
            endpoint: Some(moved),
            ..Default::default()
        };
        let update = || v1::UpdateTargetRequest {
            target: Some(target.clone()),
            update_mask: Some(prost_types::FieldMask { paths: vec!["endpoint.host".to_owned()] }),
            ..Default::default()
        };
        clients.targets.update_target(update()).await.expect_err("it dies in the middle");
        host.has_died();
        host.restart();
        let mut clients = host.clients().await;
        assert_eq!(clients.changed("moved").await, [changed; 3], "{point}");
        clients.targets.update_target(update()).await.unwrap();
        assert_eq!(clients.changed("moved").await, [true; 3], "{point}");
    }
}

/// Nothing can be recorded then, so nothing moves, and an application waits for its cutover.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_the_store_is_shown_while_it_stops_everything() {
    let mut host = Host::new();
    let (agent, _) = set_up(&host).await;
    host.kill();
    host.restart_on_a_disk_that_fills();
    let mut clients = host.clients().await;
    clients.migrations.create_migration(order("m")).await.unwrap();
    tokio::select! {
        () = serve(agent.clone(), &host) => unreachable!("serves for ever"),
        _ = clients.watch_until(SubState::WaitingForCutoverTrigger, String::new()) => {}
    }
    agent.hold_at(link::Step::Drain).await;
    let cutover = v1::CutoverMigrationRequest { name: MIGRATION.to_owned(), ..Default::default() };
    clients.migrations.cutover_migration(cutover).await.unwrap();
    tokio::select! {
        () = serve(agent.clone(), &host) => unreachable!("serves for ever"),
        () = agent.until_held() => {}
    }
    host.disk_is_full(true);
    let cancel = v1::CancelMigrationRequest { name: MIGRATION.to_owned(), ..Default::default() };
    clients.migrations.cancel_migration(cancel).await.unwrap_err();
    let shown = clients.get().await.status.unwrap().databases[0].operation.clone();
    assert!(shown.contains("4/10: drain (the controller's store can't be written"), "{shown}");
    host.disk_is_full(false);
    agent.let_go().await;
    tokio::select! {
        () = serve(agent.clone(), &host) => unreachable!("serves for ever"),
        _ = clients.watch_until(SubState::Completed, String::new()) => {}
    }
    assert_eq!(clients.get().await.status.unwrap().databases[0].operation, "done");
}
