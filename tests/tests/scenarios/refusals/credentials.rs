//! Who may not: spent and late join tokens, certificates of another CA, calls without a credential.
use std::{fs, process::Command};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};
use tonic::{
    Code, Request, Status,
    transport::{Channel, Identity},
};
use whimbrel_proto::{
    agent::v1::{AgentMessage, Hello, agent_message, link_service_client::LinkServiceClient},
    v1::{ListAgentsRequest, agent_service_client::AgentServiceClient},
};
use whimbrel_tests::{
    Outcome, certificates, ensure,
    program::{Program, built},
    stage::{self, AGENT, Plan, Stage},
    wait,
};

use crate::dial::{channel, context};

/// An agent that must not get in: it ends with exit status 5 and says `word`.
fn assert_agent_refused(stage: &Stage, name: &str, token: &str, word: &str) -> Outcome {
    let file = stage.folder().join(format!("{name}-token"));
    fs::write(&file, token)?;
    let log = stage.folder().join(format!("{name}.log"));
    let mut command = Command::new(built("whimbrel-agent")?);
    command.arg("run").arg("--data-dir").arg(stage.folder().join(name));
    command.arg("--join-file").arg(&file).args(["--name", name]);
    let status = Program::start(command, name, &log)?.ended()?;
    let said = fs::read_to_string(&log)?;
    ensure!(status.code() == Some(5), "{name} ended with {status}: {said}");
    ensure!(said.contains(word), "{name} does not say {word}: {said}");
    let agents = stage.cli.ok(&["agent", "list", "-o", "json"])?;
    ensure!(!agents.contains(name), "{agents}");
    Ok(())
}

#[test]
fn join_tokens_are_good_once_and_for_a_time() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        // The stage's own agent has spent this one.
        let used = fs::read_to_string(stage.folder().join("join-token"))?;
        assert_agent_refused(stage, "second", &used, "JoinTokenUsed")?;

        let late = stage.cli.json(&["agent", "token", "create", "--ttl", "1s"])?;
        let expires = late["expiresAt"].as_str().unwrap_or_default().to_owned();
        let passed = format!("select now() > '{expires}'::timestamptz");
        wait::until("the token's end", || {
            Ok((stage.source.psql("postgres", &passed)? == "t").then_some(()))
        })?;
        let token = late["token"].as_str().unwrap_or_default();
        assert_agent_refused(stage, "late", token, "JoinTokenExpired")?;

        assert_agent_refused(stage, "forged", &forge(token)?, "JoinTokenUnknown")
    })
}

async fn list(channel: Channel, credential: Option<&str>) -> Outcome<Result<(), Status>> {
    let mut request = Request::new(ListAgentsRequest::default());
    if let Some(credential) = credential {
        request.metadata_mut().insert("authorization", credential.parse()?);
    }
    Ok(AgentServiceClient::new(channel).list_agents(request).await.map(drop))
}

async fn say_hello(channel: Channel) -> Result<(), Status> {
    let hello = Hello { protocol_min: 1, protocol_max: 1, ..Default::default() };
    let message = AgentMessage { kind: Some(agent_message::Kind::Hello(hello)) };
    let mut answers =
        LinkServiceClient::new(channel).session(tokio_stream::once(message)).await?.into_inner();
    answers.message().await?.map(drop).ok_or_else(|| Status::unauthenticated("ended at once"))
}

/// A token that is right in form, and was never given out.
fn forge(token: &str) -> Outcome<String> {
    let body = URL_SAFE_NO_PAD.decode(token.trim_start_matches("whj1."))?;
    let mut inner: serde_json::Value = serde_json::from_slice(&body)?;
    inner["secret"] = URL_SAFE_NO_PAD.encode([7; 32]).into();
    Ok(format!("whj1.{}", URL_SAFE_NO_PAD.encode(inner.to_string())))
}

#[test]
fn calls_need_a_credential_and_agents_our_certificate() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        tokio::runtime::Runtime::new()?.block_on(async {
            let right = format!("Bearer {}", context(stage)?["token"].as_str().unwrap_or_default());
            for wrong in [None, Some("Bearer wrong"), Some("Bearer "), Some(&right[7..])] {
                let answer = list(channel(stage, None).await?, wrong).await?;
                let code = answer.map_err(|status| status.code());
                ensure!(code == Err(Code::Unauthenticated), "{wrong:?} was answered {code:?}");
            }
            ensure!(list(channel(stage, None).await?, Some(&right)).await?.is_ok(), "refused");

            let none = say_hello(channel(stage, None).await?).await;
            let code = none.map_err(|status| status.code());
            ensure!(code == Err(Code::Unauthenticated), "without a certificate: {code:?}");
            assert_foreign_certificate_refused(stage, &right).await
        })
    })
}

/// A certificate that looks like our agent's, of a CA that is not ours: nothing is answered, open calls neither.
async fn assert_foreign_certificate_refused(stage: &Stage, credential: &str) -> Outcome {
    let uri = format!("spiffe://whimbrel/agent/{AGENT}");
    let foreign = certificates::Authority::new("whimbrel")?.issue(AGENT, Some(&uri))?;
    let identity = || Some(Identity::from_pem(&foreign.certificate, &foreign.key));
    // With TLS 1.3 the client hears of it at its first call, or at connect.
    if let Ok(channel) = channel(stage, identity()).await {
        ensure!(say_hello(channel).await.is_err(), "a foreign agent was let in");
    }
    if let Ok(channel) = channel(stage, identity()).await {
        let answer = list(channel, Some(credential)).await?;
        ensure!(answer.is_err(), "a foreign certificate was accepted beside a right token");
    }
    Ok(())
}

#[test]
fn the_cli_says_who_it_is_not() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        let mut wrong = context(stage)?;
        wrong["token"] = "wrong".into();
        let file = stage.folder().join("wrong.yaml");
        fs::write(&file, serde_yaml_ng::to_string(&wrong)?)?;
        stage.cli.with_context(&file).refused(&["agent", "list"], 5, &[])?;

        stage.kill_controller()?;
        stage.cli.refused(&["agent", "list"], 6, &[&stage.address()]).map(drop)
    })
}
