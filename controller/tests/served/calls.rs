//! Calls that must be refused, calls that are repeated, and what is told to whom.
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use whimbrel_proto::v1;

use crate::{
    agent::{Agent, join, join_with},
    host::{Clients, Host, MIGRATION, order},
};

fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().expect("every error has an ErrorInfo");
    assert_eq!(info.domain, "whimbrel");
    info.reason.clone()
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, why: &str) -> Status {
    let status = answer.expect_err("must be refused");
    assert_eq!((status.code(), reason(&status).as_str()), (code, why), "{status:?}");
    status
}

async fn set_up() -> (Host, Clients) {
    let host = Host::new();
    let mut clients = host.clients().await;
    let token = clients.token().await;
    join(&host, &token, "worker").await.unwrap();
    clients.target().await;
    (host, clients)
}

#[tokio::test]
async fn join_tokens_are_good_once() {
    let host = Host::new();
    let mut clients = host.clients().await;
    let token = clients.token().await;
    join(&host, &token, "first").await.unwrap();
    let used = join(&host, &token, "second").await.map(drop);
    assert_refused(used, Code::Unauthenticated, "JoinTokenUsed");
    let other = clients.token().await;
    let taken = join(&host, &other, "first").await.map(drop);
    assert_refused(taken, Code::AlreadyExists, "AgentNameTaken");
    let bad = join(&host, &other, "a_b").await.map(drop);
    assert_refused(bad, Code::InvalidArgument, "InvalidName");
    join(&host, &other, "second").await.unwrap();
}

#[tokio::test]
async fn who_did_not_hear_that_it_has_joined_asks_again() {
    let host = Host::new();
    let mut clients = host.clients().await;
    let token = clients.token().await;
    let key = rcgen::KeyPair::generate().unwrap();
    drop(join_with(&host, &token, "worker", &key).await.unwrap());
    let again = join_with(&host, &token, "worker", &key).await.unwrap();
    let other = join_with(&host, &token, "other", &key).await.map(drop);
    assert_refused(other, Code::Unauthenticated, "JoinTokenUsed");
    let stolen = join(&host, &token, "worker").await.map(drop);
    assert_refused(stolen, Code::Unauthenticated, "JoinTokenUsed");
    let listed = clients.agents.list_agents(v1::ListAgentsRequest::default()).await.unwrap();
    assert_eq!(listed.into_inner().agents.len(), 1);
    // What it got the second time is good.
    let agent = Agent::new(again);
    let connected = async {
        let get = v1::GetAgentRequest { name: "agents/worker".to_owned() };
        while clients.agents.get_agent(get.clone()).await.unwrap().into_inner().state()
            != v1::agent::State::Connected
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        ended = agent.session(&host) => panic!("{ended:?}"),
        () = connected => {}
    }
}

#[tokio::test]
async fn who_says_nothing_takes_no_place() {
    let (host, _clients) = set_up().await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(tokio::net::TcpStream::connect(&host.address).await.unwrap());
    }
    let answered = tokio::time::timeout(std::time::Duration::from_secs(4), host.clients()).await;
    assert!(answered.is_ok(), "a client waits behind those that say nothing");
}

#[tokio::test]
async fn a_request_that_is_repeated_while_it_is_under_way_is_done_once() {
    let (_host, mut clients) = set_up().await;
    let request_id = uuid::Uuid::new_v4().to_string();
    let request = v1::CreateMigrationRequest { request_id, ..order("m") };
    let mut same = Vec::new();
    for _ in 0..8 {
        let (mut migrations, request) = (clients.migrations.clone(), request.clone());
        same.push(tokio::spawn(async move { migrations.create_migration(request).await }));
    }
    for answer in same {
        assert_eq!(answer.await.unwrap().unwrap().into_inner().name, MIGRATION);
    }
    let request_id = uuid::Uuid::new_v4().to_string();
    let cancel = v1::CancelMigrationRequest {
        name: MIGRATION.to_owned(),
        request_id,
        ..v1::CancelMigrationRequest::default()
    };
    let mut same = Vec::new();
    for _ in 0..8 {
        let (mut migrations, cancel) = (clients.migrations.clone(), cancel.clone());
        same.push(tokio::spawn(async move { migrations.cancel_migration(cancel).await }));
    }
    for answer in same {
        // A cancel of what is canceled would be refused.
        answer.await.unwrap().unwrap();
    }
    let events = clients.events().await;
    assert_eq!(events.iter().filter(|event| event.r#type == "CancelRequested").count(), 1);
}

#[tokio::test]
async fn orders_are_checked() {
    let (_host, mut clients) = set_up().await;
    let mut create = async |change: &dyn Fn(&mut v1::CreateMigrationRequest)| {
        let mut request = order("m");
        change(&mut request);
        clients.migrations.create_migration(request).await
    };
    let bad = create(&|r| r.migration_id = "a_b".to_owned()).await;
    assert_refused(bad, Code::InvalidArgument, "InvalidName");
    let none = create(&|r| r.spec.as_mut().unwrap().databases.clear()).await;
    let status = assert_refused(none, Code::InvalidArgument, "InvalidArgument");
    let details = status.get_error_details();
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "spec.databases");
    let host = create(&|r| r.spec.as_mut().unwrap().source = None).await;
    assert_refused(host, Code::InvalidArgument, "InvalidArgument");
    let target = create(&|r| r.parent = "targets/x".to_owned()).await;
    assert_refused(target, Code::NotFound, "TargetNotFound");
    let agent = create(&|r| r.spec.as_mut().unwrap().agent = "agents/x".to_owned()).await;
    assert_refused(agent, Code::NotFound, "AgentNotFound");
    create(&|r| r.validate_only = true).await.unwrap();
    create(&|_| {}).await.unwrap();
    let taken = create(&|_| {}).await;
    assert_refused(taken, Code::AlreadyExists, "MigrationNameTaken");
    let busy = create(&|r| r.migration_id = "other".to_owned()).await;
    let status = assert_refused(busy, Code::FailedPrecondition, "DatabaseBusy");
    assert!(status.message().contains(MIGRATION));
}

#[tokio::test]
async fn acts_tell_the_state_and_what_is_allowed() {
    let (_host, mut clients) = set_up().await;
    let cutover =
        || v1::CutoverMigrationRequest { name: MIGRATION.to_owned(), ..Default::default() };
    let nobody = clients.migrations.cutover_migration(cutover()).await;
    assert_refused(nobody, Code::NotFound, "MigrationNotFound");
    clients.migrations.create_migration(order("m")).await.unwrap();
    let early = clients.migrations.cutover_migration(cutover()).await;
    let status = assert_refused(early, Code::FailedPrecondition, "NothingWaitsForCutover");
    let details = status.get_error_details();
    let metadata = &details.error_info().unwrap().metadata;
    assert_eq!(metadata["state"], "InProgress/PerformingPreRequisiteSteps");
    assert_eq!(metadata["allowed"], "cancel");
    let stale = v1::CancelMigrationRequest {
        name: MIGRATION.to_owned(),
        etag: "v99".to_owned(),
        ..Default::default()
    };
    let stale = clients.migrations.cancel_migration(stale).await;
    assert_refused(stale, Code::Aborted, "EtagMismatch");
    let delete = || v1::DeleteMigrationRequest { name: MIGRATION.to_owned(), ..Default::default() };
    let early = clients.migrations.delete_migration(delete()).await;
    assert_refused(early, Code::FailedPrecondition, "MigrationNotOver");
    let target = v1::DeleteTargetRequest { name: "targets/t".to_owned(), ..Default::default() };
    let busy = clients.targets.delete_target(target).await;
    assert_refused(busy, Code::FailedPrecondition, "TargetBusy");
    let cancel = v1::CancelMigrationRequest { name: MIGRATION.to_owned(), ..Default::default() };
    let answer = clients.migrations.cancel_migration(cancel.clone()).await.unwrap().into_inner();
    assert_eq!(answer.status.unwrap().state(), v1::migration_status::State::Canceled);
    let over = clients.migrations.cancel_migration(cancel).await;
    assert_refused(over, Code::FailedPrecondition, "MigrationIsOver");
    clients.migrations.delete_migration(delete()).await.unwrap();
}

#[tokio::test]
async fn a_request_id_makes_a_call_happen_once() {
    let (mut host, mut clients) = set_up().await;
    let id = uuid::Uuid::new_v4().to_string();
    let request = v1::CreateMigrationRequest { request_id: id.clone(), ..order("m") };
    let first = clients.migrations.create_migration(request.clone()).await.unwrap().into_inner();
    host.kill();
    host.restart();
    let mut clients = host.clients().await;
    let second = clients.migrations.create_migration(request).await.unwrap().into_inner();
    assert_eq!(first.uid, second.uid);
    let other = v1::CreateMigrationRequest { request_id: id, ..order("n") };
    let other = clients.migrations.create_migration(other).await;
    assert_refused(other, Code::InvalidArgument, "RequestIdReused");
    let id = uuid::Uuid::new_v4().to_string();
    let token = v1::CreateJoinTokenRequest { request_id: id, ..Default::default() };
    let first = clients.agents.create_join_token(token.clone()).await.unwrap().into_inner();
    let second = clients.agents.create_join_token(token).await.unwrap().into_inner();
    assert_eq!(first.token, second.token, "told again, though it is kept nowhere");
}

#[tokio::test]
async fn no_answer_carries_a_ciphertext() {
    let (_host, mut clients) = set_up().await;
    let copy = v1::SealedCopy {
        agent: "agents/worker".to_owned(),
        sealing_key: vec![7; 32],
        ciphertext: b"sealed".to_vec(),
    };
    let kind = v1::secret::Kind::Sealed(v1::SealedSecret { copies: vec![copy] });
    let mut request = order("m");
    let source = request.spec.as_mut().unwrap().source.as_mut().unwrap();
    source.password = Some(v1::Secret { kind: Some(kind) });
    let answer = clients.migrations.create_migration(request).await.unwrap().into_inner();
    let password = answer.spec.unwrap().source.unwrap().password.unwrap();
    let Some(v1::secret::Kind::Sealed(sealed)) = password.kind else { panic!("{password:?}") };
    assert!(sealed.copies.iter().all(|copy| copy.ciphertext.is_empty()));
}

#[tokio::test]
async fn pages_follow_one_another() {
    let (_host, mut clients) = set_up().await;
    for (name, database) in [("m1", "a"), ("m2", "b"), ("m3", "c")] {
        let mut request = order(name);
        request.spec.as_mut().unwrap().databases = vec![database.to_owned()];
        clients.migrations.create_migration(request).await.unwrap();
    }
    let mut names = Vec::new();
    let mut request = v1::ListMigrationsRequest {
        parent: "targets/-".to_owned(),
        page_size: 2,
        ..Default::default()
    };
    loop {
        let page = clients.migrations.list_migrations(request.clone()).await.unwrap().into_inner();
        names.extend(page.migrations.into_iter().map(|m| m.name));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
        let other = v1::ListMigrationsRequest { parent: "targets/t".to_owned(), ..request.clone() };
        let other = clients.migrations.list_migrations(other).await;
        assert_refused(other, Code::InvalidArgument, "InvalidArgument");
    }
    let expected = ["m3", "m2", "m1"].map(|m| format!("targets/t/migrations/{m}"));
    assert_eq!(names, expected);
}

#[tokio::test]
async fn health_and_reflection_are_open_and_the_rest_is_not() {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let host = Host::new();
    let channel = host.channel(None).await;
    let service = "whimbrel.v1.MigrationService".to_owned();
    let health = HealthClient::new(channel.clone()).check(HealthCheckRequest { service }).await;
    assert_eq!(health.unwrap().into_inner().status, 1);
    let question = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let answers = ServerReflectionClient::new(channel.clone())
        .server_reflection_info(tokio_stream::once(question))
        .await;
    let answer = answers.unwrap().into_inner().message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}")
    };
    let names: Vec<_> = list.service.into_iter().map(|s| s.name).collect();
    assert!(names.contains(&"whimbrel.agent.v1.LinkService".to_owned()), "{names:?}");
    let mut client = whimbrel_proto::v1::agent_service_client::AgentServiceClient::new(channel);
    let answer = client.list_agents(v1::ListAgentsRequest::default()).await;
    assert_refused(answer, Code::Unauthenticated, "NotAuthenticated");
}

#[tokio::test]
async fn an_agent_that_is_away_is_named() {
    let (_host, mut clients) = set_up().await;
    let shown = clients.migrations.create_migration(order("m")).await.unwrap().into_inner();
    let operation = &shown.status.unwrap().databases[0].operation;
    assert!(operation.contains("agents/worker is not connected"), "{operation}");
}

#[tokio::test]
async fn one_controller_a_data_directory() {
    let (host, _clients) = set_up().await;
    let second = host.second();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("in use by another controller"), "{said}");
}

/// A shell's and systemd's soft limit is 1,024 files: as many agents, and no more.
#[tokio::test]
async fn a_controller_may_have_as_many_connections_as_the_machine_lets_it() {
    let mut host = Host::new();
    host.kill();
    let (soft, hard) = host.restart_with_few_files(64);
    assert_ne!(hard, "64", "the machine itself allows no more: the test can't tell");
    assert_eq!(soft, hard);
    let mut clients = host.clients().await;
    clients.agents.list_agents(v1::ListAgentsRequest::default()).await.unwrap();
}
