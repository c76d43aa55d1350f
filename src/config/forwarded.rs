//! The section `forwarded`: how many proxies of ours stand before the host.

use super::fields::FORWARDED;
use super::node::Node;
use super::value::whole_numbers;
use crate::json::Json;

/// The most that may be said.
const MOST: usize = 16;

/// Reads the number of trusted proxies; none where nothing is said.
pub(super) fn read(node: Option<&Node<'_>>) -> usize {
    let Some((node, fields)) = node.and_then(|node| Some((node, node.fields(FORWARDED)?))) else {
        return 0;
    };
    let Some(hops) = fields.scalar("hops") else {
        node.error_cure("says nothing", "write hops: 1 for one proxy that you trust before this one");
        return 0;
    };
    match whole_numbers(hops.value().clone()) {
        Json::Int(number) => match usize::try_from(number) {
            Ok(number) if number <= MOST => number,
            _ => {
                hops.error(format!("is not between 0 and {MOST}"));
                0
            }
        },
        _ => {
            hops.expected("a whole number");
            0
        }
    }
}
