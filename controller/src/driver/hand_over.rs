//! Before a migration goes to other agents: may they have it?
use super::{Driver, DriverError, create::refuse_two_agents};
use crate::{migration::HandOver, store::Record};

impl Driver {
    /// The order, complete: an agent that acted on both sides is replaced on both.
    pub(super) async fn planned(
        &self,
        mut order: HandOver,
        now: &Record,
    ) -> Result<HandOver, DriverError> {
        let migration = &now.migration;
        let mut spec = migration.spec.clone();
        let acted_on_both = spec.source_agent == spec.target_agent;
        if order.source_agent.is_none() && acted_on_both {
            order.source_agent.clone_from(&order.target_agent);
        }
        let before = [spec.source_agent.clone(), spec.target_agent.clone()];
        for (agent, new) in [
            (&mut spec.source_agent, &order.source_agent),
            (&mut spec.target_agent, &order.target_agent),
        ] {
            let Some(new) = new else { continue };
            agent.clone_from(new);
            if !before.contains(new) {
                self.takes_work(new).await?;
            }
        }
        refuse_two_agents(&spec)?;
        // From where another agent stands, the target's address can be one that another migration writes to.
        self.refuse_busy(&migration.target_id, &spec, Some(&migration.uid)).await?;
        order.incarnations = self.incarnations(&[spec.source_agent, spec.target_agent]);
        Ok(order)
    }
}
