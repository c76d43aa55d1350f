//! Fetched key sets under events in any order.

use proptest::prelude::*;

use crate::cases;
use crate::invariants::life;

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn one_fetches_and_keys_serve_while_they_may(script in proptest::collection::vec(any::<u8>(), 0..400)) {
        life::check(&script);
    }

    /// Nobody writes over the board here, so that every rule counts to the end.
    #[test]
    fn rules_hold_among_honest_workers(events in proptest::collection::vec((0_u8..7, any::<u8>()), 0..200)) {
        let script: Vec<u8> = events.into_iter().flat_map(|(event, value)| [event, value]).collect();
        life::check(&script);
    }
}
