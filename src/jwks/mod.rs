//! Key sets that are fetched: where from, when, and what to make of the answers. Nothing here calls anybody;
//! a shell carries the requests out, brings the answers, and lends a place where its workers meet.

pub mod board;
mod discovery;
pub mod fetch;
pub mod life;
pub mod record;
pub mod source;
