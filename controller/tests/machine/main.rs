//! The migration's machine: every edge is reached and no other, acts are refused where they must be, and laws hold
//! whatever happens in whatever order.
mod acts;
mod edges;
mod random;
mod recovery;
mod world;
