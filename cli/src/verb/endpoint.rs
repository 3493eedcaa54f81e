//! Servers that verbs name: an `Endpoint` from options, and what a test of one found.
use whimbrel_proto::v1::{self, Endpoint, SslMode};

use super::{
    Session,
    password::{Asked, Found, find, seal_to},
};
use crate::{
    args::server::ServerArgs, failure::Failure, render::server::ServerTest, secret::Reader,
};

/// The endpoint, its password sealed to `agent` if it is read here.
pub(super) async fn endpoint(
    session: &Session,
    args: ServerArgs,
    agent: &str,
) -> Result<Endpoint, Failure> {
    let asked = Asked {
        option: "--password",
        whose: &format!("Password of {} at {}", args.user, args.host),
        text: &args.password,
    };
    let password = match find(&mut Reader::default(), &asked)? {
        Found::Reference(secret) => secret,
        Found::Password(password) => seal_to(session, &password, agent).await?,
    };
    Ok(Endpoint {
        host: args.host,
        port: args.port.map_or(0, u32::from),
        user: args.user,
        password: Some(password),
        ssl_mode: args.ssl_mode.map_or(SslMode::Unspecified, Into::into).into(),
    })
}

/// Prints what was found; a server that can't be used is a bad end.
pub(super) fn print_test(session: &Session, test: v1::ServerTest) -> Result<(), Failure> {
    let test = ServerTest::from(test);
    session.screen.print(&test, || test.page(&session.screen))?;
    if test.ok {
        return Ok(());
    }
    Err(Failure::BadEnd {
        message: test.message.unwrap_or_else(|| "the server can't be used".to_owned()),
        code: test.code.unwrap_or_default(),
        remedy: test.remedy.unwrap_or_default(),
    })
}
