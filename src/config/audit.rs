//! The section `audit`: which decisions are written down.

use super::fields::AUDIT;
use super::node::{Fields, Node};
use super::value::{one_of, whole_numbers};
use crate::audit::Audit;
use crate::json::Json;
use crate::policy::{Mode, Policy};

/// The kinds of decision.
const KINDS: [(&str, usize); 4] = [("allow", 0), ("deny", 1), ("report", 2), ("serve", 3)];

/// Reads which decisions are written down.
pub(super) fn read(node: &Node<'_>) -> Option<Audit> {
    let fields = node.fields(AUDIT)?;
    let mut kinds = [false, true, true, false];
    if let Some(list) = fields.get("decisions") {
        kinds = [false; 4];
        for item in list.some_items("leave it out for deny and report") {
            if let Some(at) = one_of(&item, "decision", &KINDS).and_then(|at| kinds.get_mut(at)) {
                *at = true;
            }
        }
    }
    let [allow, deny, report, serve] = kinds;
    let every = fields.scalar("one_of").map_or(1, |node| match whole_numbers(node.value().clone()) {
        Json::Int(number) if (1..=1_000_000).contains(&number) => u64::try_from(number).unwrap_or(1),
        _ => {
            node.error_cure("is no number from 1 to 1000000", "write 100 for one of a hundred requests that pass");
            1
        }
    });
    if every > 1 && !allow {
        node.warn("`one_of` has no effect: only requests that pass are sampled, and these are not written down", None);
    }
    Some(Audit { allow, deny, report, serve, one_of: every })
}

/// Warns about one of the policies, whose own sections these are, if it writes down no refusal though it means to. `main`
/// holds all of them.
pub(super) fn warn(sections: &Fields<'_>, policy: &Policy, main: &Policy) {
    let list = sections.get("audit").and_then(|node| node.open_fields()).and_then(|fields| fields.get("decisions"));
    let (Some(list), Some(audit)) = (list, &policy.audit) else {
        return;
    };
    let reports = |policy: &Policy| policy.mode == Mode::Report;
    if audit.report && !audit.deny && !main.all().any(reports) {
        list.warn("no refusal is written down: what is refused is `deny`, since no policy only reports", Some(BOTH));
    }
    if audit.deny && !audit.report && main.all().all(reports) {
        list.warn("no refusal is written down: where policies only report it is `report`, not `deny`", Some(BOTH));
    }
}

/// What writes refusals down in either mode.
const BOTH: &str = "write both, or leave `decisions` out";
