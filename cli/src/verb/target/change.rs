//! `target update`: what is given changes, the rest stays.
use prost_types::FieldMask;
use whimbrel_proto::{
    name,
    v1::{Endpoint, GetTargetRequest, Secret, Target, UpdateTargetRequest},
};

use crate::{
    args::{SecretArg, target::TargetUpdate},
    client::{call, request_id},
    failure::Failure,
    render::server,
    secret::Reader,
    verb::{
        Session, agent_name,
        password::{Asked, Found, find, seal_to},
    },
};

pub(super) async fn run(session: &Session, args: TargetUpdate) -> Result<(), Failure> {
    let target = name::target(&args.name);
    let password = args.change.password.clone();
    let (mut change, mut paths) = changed(args);
    if let Some(text) = password {
        let secret = read(session, &text, &target, &change.agent).await?;
        change.endpoint.get_or_insert_default().password = Some(secret);
        paths.push("endpoint.password".to_owned());
    }
    if paths.is_empty() {
        return Err(Failure::Usage(
            "nothing to change: give at least one of --host, --port, --user, --password, --ssl-mode, --agent".into(),
        ));
    }
    change.name = target;
    let request = UpdateTargetRequest {
        target: Some(change),
        update_mask: Some(FieldMask { paths }),
        request_id: request_id(),
    };
    let target = session.client.targets().update_target(call(request)).await?.into_inner();
    let target = server::Target::from(target);
    session.screen.hint(&format!("changed; next: whimbrel target test {}", target.name));
    session.screen.print(&target, || target.page())
}

/// The target with what changes, and the mask that says what that is; without the password.
fn changed(args: TargetUpdate) -> (Target, Vec<String>) {
    let mut paths = Vec::new();
    let mut endpoint = Endpoint::default();
    let mut target = Target::default();
    if let Some(host) = args.change.host {
        endpoint.host = host;
        paths.push("endpoint.host".to_owned());
    }
    if let Some(port) = args.change.port {
        endpoint.port = u32::from(port);
        paths.push("endpoint.port".to_owned());
    }
    if let Some(user) = args.change.user {
        endpoint.user = user;
        paths.push("endpoint.user".to_owned());
    }
    if let Some(mode) = args.change.ssl_mode {
        endpoint.set_ssl_mode(mode.into());
        paths.push("endpoint.ssl_mode".to_owned());
    }
    if let Some(agent) = args.agent {
        target.agent = agent_name(&agent);
        paths.push("agent".to_owned());
    }
    target.endpoint = Some(endpoint);
    (target, paths)
}

/// A password that is read here is sealed to the new agent, else to the target's present one.
async fn read(
    session: &Session,
    text: &SecretArg,
    target: &str,
    new_agent: &str,
) -> Result<Secret, Failure> {
    let asked = Asked { option: "--password", whose: "Password of the target", text };
    let password = match find(&mut Reader::default(), &asked)? {
        Found::Reference(secret) => return Ok(secret),
        Found::Password(password) => password,
    };
    if !new_agent.is_empty() {
        return seal_to(session, &password, new_agent).await;
    }
    let request = call(GetTargetRequest { name: target.to_owned() });
    let present = session.client.targets().get_target(request).await?.into_inner();
    seal_to(session, &password, &present.agent).await
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command, target::TargetCommand};

    #[test]
    fn the_mask_names_what_was_given_and_nothing_else() {
        let line = "whimbrel target update t --port 5433 --ssl-mode require --agent b";
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Command::Target(TargetCommand::Update(args)) = cli.command else { panic!("{line}") };
        let (target, paths) = changed(args);
        assert_eq!(paths, ["endpoint.port", "endpoint.ssl_mode", "agent"]);
        assert_eq!((target.agent.as_str(), target.endpoint.unwrap().port), ("agents/b", 5433));
    }
}
