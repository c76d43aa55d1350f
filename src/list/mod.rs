//! Large lists that are fetched: who no longer counts, and whose keys count. Their documents, the compact tables that
//! they become, and their life in one worker. Nothing here calls anybody; a shell carries the requests out.

pub mod clients;
pub mod fault;
pub mod life;
pub mod lists;
pub mod load;
mod names;
mod reader;
pub mod revoked;
pub mod source;
mod table;
mod words;
