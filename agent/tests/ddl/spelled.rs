//! What PostgreSQL writes of an object is not always what it was made of: the same in other words holds no cutover, and what
//! is something else does.
use super::{cut_over_alike, following};
use crate::driver::sql;

/// A constraint trigger is two objects on the source, and comes with the switch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_constraint_trigger_holds_no_cutover() {
    let (source, target, mut driver) = following(
        "create table item (id int primary key);
         create function see() returns trigger language plpgsql as 'begin return null; end';
         create constraint trigger early after insert on item deferrable for each row execute function see()",
    )
    .await;
    sql(
        &source,
        "shop",
        "create constraint trigger late after update on item for each row execute function see();
         insert into item values (1)",
    )
    .await;
    cut_over_alike(&source, &target, &mut driver, 1).await;
}
