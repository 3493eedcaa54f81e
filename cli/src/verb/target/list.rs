//! `target list`.
use whimbrel_proto::v1::ListTargetsRequest;

use crate::{
    client::{PAGE_SIZE, call},
    failure::Failure,
    render::server::{Target, targets},
    verb::Session,
};

pub(super) async fn run(session: &Session) -> Result<(), Failure> {
    let mut found: Vec<Target> = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListTargetsRequest { page_size: PAGE_SIZE, page_token };
        let page = session.client.targets().list_targets(call(request)).await?.into_inner();
        found.extend(page.targets.into_iter().map(Into::into));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    session.screen.print(&found, || targets(&found, &session.screen))
}
