//! The section `cache`: how many verified tokens are kept, and how long.

use super::fields::CACHE;
use super::node::Node;
use super::value::{duration, whole_numbers};
use crate::cache::CacheSize;
use crate::json::Json;

/// What holds where the policy says nothing.
const DEFAULT: CacheSize = CacheSize { tokens: 2_048, ttl: 60_000 };
/// The most tokens that may be kept.
const MOST: usize = 65_536;
/// The longest that one may be kept, in milliseconds.
const LONGEST: i64 = 600_000;

/// Reads the size of the cache; `needed` if answers about tokens are to be kept in it.
pub(super) fn read(node: Option<&Node<'_>>, needed: bool) -> CacheSize {
    let Some(fields) = node.and_then(|node| node.fields(CACHE)) else {
        return DEFAULT;
    };
    let tokens = fields.scalar("tokens").map_or(DEFAULT.tokens, |node| tokens(&node));
    if let (true, 0, Some(node)) = (needed, tokens, fields.scalar("tokens")) {
        node.error_cure(
            "switches the cache off, and an issuer is asked about tokens",
            "name how many answers are kept",
        );
    }
    let ttl = fields.scalar("ttl").map_or(DEFAULT.ttl, |node| {
        let ttl = duration(&node).unwrap_or(DEFAULT.ttl);
        if !(1_000..=LONGEST).contains(&ttl) {
            node.error_cure("is less than 1s or more than 10m", "`tokens: 0` switches the cache off");
        }
        ttl
    });
    CacheSize { tokens, ttl }
}

fn tokens(node: &Node<'_>) -> usize {
    match whole_numbers(node.value().clone()) {
        Json::Int(tokens) => match usize::try_from(tokens) {
            Ok(tokens) if tokens <= MOST => tokens,
            _ => {
                node.error(format!("is not between 0 and {MOST}"));
                DEFAULT.tokens
            }
        },
        _ => {
            node.expected("a whole number");
            DEFAULT.tokens
        }
    }
}
