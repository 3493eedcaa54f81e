//! Certificates that expire.
use whimbrel_tests::{
    Outcome,
    stage::{self, Plan},
    wait,
};

use crate::create_bank;

/// What runs goes on; the agent says what to do, and with a new token it is who it was, and goes on with its work.
#[test]
fn an_agent_whose_certificate_expired_while_it_was_away_joins_again_as_itself() -> Outcome {
    stage::play(&Plan::default(), |stage| {
        create_bank(&stage.source, "app")?;
        stage.kill_controller()?;
        stage.controller_points = "agent-life=break".to_owned();
        stage.start_controller()?;
        let mut hand = stage.hire("hand", "")?;
        stage.create("tough", &["--database", "app", "--mode", "online", "--agent", "hand"])?;
        stage.wait_for("tough", "WaitingForCutoverTrigger")?;
        stage.logged("hand", "the certificate was renewed")?;

        stage.kill_controller()?;
        stage.logged("hand", "the agent's certificate has expired")?;
        stage.source.psql("app", "update bank.accounts set owner = 'alone' where id = 7")?;
        wait::until("the stream of an agent that is nobody any more", || {
            let owner = stage.target.psql("app", "select owner from bank.accounts where id = 7")?;
            Ok((owner == "alone").then_some(()))
        })?;

        stage.controller_points.clear();
        stage.start_controller()?;
        stage.logged("controller", "certificate expired")?;
        // As an agent hears it whose own clock says otherwise.
        stage.logged("hand", "the controller says that this agent's certificate has expired")?;
        hand.program.kill()?;
        let token = stage.cli.ok(&["agent", "token", "create"])?;
        let file = stage.folder().join("another-token");
        std::fs::write(&file, token.trim())?;
        let words = ["--join-file", &file.display().to_string()];
        let mut again = stage.launch_again_with("hand", &words)?;
        again.ready()?;
        stage.migration("cutover", "tough", &["--wait"])?;
        stage.assert_same("app")?;
        stage.assert_source_clean("app")
    })
}
