//! What time does to the keys of clients: which have ended, which end soon, and when a client has none that counts.

use std::collections::BTreeMap;

use gatekey::credential::key::{Clients, KeyRecord, NOTICE};
use gatekey::time::Time;

/// Everything that is odd now or shortly, a line each.
pub(super) fn warnings(clients: &Clients, now: Time) -> Vec<String> {
    let mut by_client: BTreeMap<usize, Vec<&KeyRecord>> = BTreeMap::new();
    for record in clients.records() {
        by_client.entry(record.client).or_default().push(record);
    }
    let names = clients.iter().enumerate();
    let of = |index: usize| by_client.get(&index).map(Vec::as_slice).unwrap_or_default();
    names
        .flat_map(|(index, client)| {
            told(of(index), now).into_iter().map(move |line| format!("clients.{}: {line}", client.name))
        })
        .collect()
}

fn told(keys: &[&KeyRecord], now: Time) -> Vec<String> {
    let ended: Vec<Time> = keys.iter().filter_map(|key| key.expires).filter(|end| *end <= now).collect();
    if let Some(last) = ended.iter().max().filter(|_| ended.len() == keys.len()) {
        return vec![format!("no key counts any more, the last ended at {last}")];
    }
    let mut lines: Vec<String> =
        ended.iter().map(|end| format!("a key ended at {end}, and can be taken out")).collect();
    let mut at = now;
    loop {
        let counts =
            |key: &&&KeyRecord| key.not_before.is_none_or(|from| from <= at) && key.expires.is_none_or(|end| end > at);
        // `None` is later than any end.
        match keys.iter().filter(counts).map(|key| key.expires.ok_or(())).max() {
            Some(Err(())) => return lines,
            Some(Ok(end)) => at = end,
            None => match keys.iter().filter_map(|key| key.not_before).filter(|from| *from > at).min() {
                Some(from) => {
                    lines.push(format!("no key counts from {at} to {from}"));
                    at = from;
                }
                None => {
                    if at < now.plus(NOTICE) {
                        lines.push(format!("its last key ends at {at}"));
                    }
                    return lines;
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_keys_through_time() {
        let day = |day: i64| Time::FLOOR.plus(day * 86_400_000);
        let told = |keys: &[(Option<i64>, Option<i64>)]| {
            let keys: Vec<KeyRecord> = keys
                .iter()
                .map(|(from, end)| KeyRecord { client: 0, not_before: from.map(day), expires: end.map(day) })
                .collect();
            super::told(&keys.iter().collect::<Vec<_>>(), day(100))
        };
        let none: [String; 0] = [];
        assert_eq!(told(&[(None, None)]), none);
        assert_eq!(told(&[(None, Some(200))]), none);
        assert_eq!(told(&[(None, Some(110)), (Some(105), None)]), none);
        assert_eq!(told(&[(None, Some(110)), (Some(110), Some(200))]), none);
        assert_eq!(told(&[(None, Some(110))]), [format!("its last key ends at {}", day(110))]);
        assert_eq!(
            told(&[(None, Some(90)), (None, Some(100))]),
            [format!("no key counts any more, the last ended at {}", day(100))]
        );
        assert_eq!(
            told(&[(None, Some(90)), (None, None)]),
            [format!("a key ended at {}, and can be taken out", day(90))]
        );
        assert_eq!(
            told(&[(None, Some(110)), (Some(120), None)]),
            [format!("no key counts from {} to {}", day(110), day(120))]
        );
        assert_eq!(told(&[(Some(101), None)]), [format!("no key counts from {} to {}", day(100), day(101))]);
    }
}
