//! Lists that are fetched: `revoked.from` and `clients_from`.

use super::fields::{CLIENTS_FROM, REVOKED_FROM};
use super::node::{Fields, Node};
use super::remote::{cluster, read_schedule, read_uri};
use super::value::one_of;
use crate::list::source::{Content, ListSource, OnOutage};

/// How many revocation lists a policy may have: each is asked for every credential.
const MOST: usize = 8;

/// Reads where revocation lists are fetched from.
pub(super) fn revoked(node: &Node<'_>) -> Vec<ListSource> {
    let items = node.some_items("leave it out, or say where the list is: { uri, cluster }");
    if items.len() > MOST {
        node.error(format!("has {} lists, at most {MOST} are taken", items.len()));
    }
    let named = |(index, item): (usize, &Node<'_>)| {
        let name = if items.len() == 1 { String::from("revoked") } else { format!("revoked_{}", index + 1) };
        let fields = item.fields(REVOKED_FROM)?;
        let formats = [("lines", Content::Revoked), ("json", Content::RevokedJson)];
        let content = fields.scalar("format").and_then(|node| one_of(&node, "format", &formats));
        read(item, &fields, name, content.unwrap_or(Content::Revoked))
    };
    items.iter().enumerate().filter_map(named).collect()
}

/// Reads where the store of clients is fetched from.
pub(super) fn clients(node: &Node<'_>) -> Option<ListSource> {
    read(node, &node.fields(CLIENTS_FROM)?, String::from("clients"), Content::Clients)
}

fn read(node: &Node<'_>, fields: &Fields<'_>, name: String, content: Content) -> Option<ListSource> {
    let uri = match fields.scalar("uri") {
        Some(node) => read_uri(&node, "whoever is between can say who may call and who may not"),
        None => {
            node.error_cure("has no uri", "`uri` says where the list is");
            None
        }
    };
    let cluster = cluster(node, fields);
    let schedule = read_schedule(fields, "is more than 24h: somebody who was removed would count for too long");
    let choices = [("keep", OnOutage::Keep), ("deny", OnOutage::Deny)];
    let on_outage = fields.scalar("on_outage").and_then(|node| one_of(&node, "on_outage", &choices));
    Some(ListSource {
        name,
        cluster: cluster?,
        uri: uri?,
        schedule,
        on_outage: on_outage.unwrap_or(OnOutage::Deny),
        content,
    })
}
