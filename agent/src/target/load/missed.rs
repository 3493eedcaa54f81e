//! What the source has changed while there was no slot: no message tells of it, and it is in no row of the stream.
use std::collections::HashSet;

use whimbrel_proto::Lsn;

use super::made_since::parents_first;
use crate::{
    fault::{Fault, Policy},
    postgres::Client,
    target::{
        apply::bring,
        ledger::Ledger,
        receive::Receiver,
        schema::Plan,
        structure,
        untold::{is_here, is_same, names_of_gone},
    },
    wire::{Answer, Ask, RelationKind, Structure, unexpected_answer},
};
