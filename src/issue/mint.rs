//! What one worker needs to make tokens: ids that no other token has, and the tokens that are good for a while yet.

use std::collections::HashMap;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use foldhash::fast::FixedState;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::claims::TokenProfile;
use crate::jose::offload::Offload;
use crate::time::Time;

/// The most tokens that are kept, and how many octets they and what they say have together.
const MOST: usize = 1024;
const MOST_OCTETS: usize = 4 * 1024 * 1024;

/// What one worker makes tokens with.
pub struct Mint {
    key: Zeroizing<[u8; 32]>,
    count: u64,
    kept: HashMap<(usize, String), Kept, FixedState>,
    octets: usize,
}

struct Kept {
    token: Rc<str>,
    /// From when and until when it is handed out: some of its time must be left for whoever gets it.
    made: Time,
    fresh: Time,
    expires: Time,
}

/// What a kept token takes, in octets.
fn weight(said: &str, token: &str) -> usize {
    said.len() + token.len()
}

impl Mint {
    /// A mint that has made nothing. The seed should be another for each worker and start, and known to nobody.
    pub fn new(seed: &[u8]) -> Self {
        let key: [u8; 32] = Sha256::digest(seed).into();
        let (number, _) = key.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let state = FixedState::with_seed(u64::from_le_bytes(*number).rotate_left(17));
        Self { key: Zeroizing::new(key), count: 0, kept: HashMap::with_hasher(state), octets: 0 }
    }

    /// A token that nobody else gets; `None` if the host had to sign and did not.
    pub fn make(
        &mut self,
        profile: &TokenProfile,
        said: &str,
        now: Time,
        expires: Time,
        offload: &dyn Offload,
    ) -> Option<String> {
        let id = self.id(now);
        profile.sign(said, &id, now, expires, offload)
    }

    /// A token that says so, made now or a while ago; `place` tells profiles apart. It does not outlive `limit`, which
    /// is when what it stands for ends. `None` if the host had to sign and did not.
    pub fn keep(
        &mut self,
        place: usize,
        profile: &TokenProfile,
        said: String,
        now: Time,
        limit: Option<Time>,
        offload: &dyn Offload,
    ) -> Option<Rc<str>> {
        let key = (place, said);
        let within = |expires: Time| limit.is_none_or(|limit| expires <= limit);
        if let Some(kept) =
            self.kept.get(&key).filter(|kept| kept.made <= now && now < kept.fresh && within(kept.expires))
        {
            return Some(Rc::clone(&kept.token));
        }
        let full = now.plus(profile.ttl);
        let expires = limit.filter(|limit| *limit < full).unwrap_or(full);
        let id = self.id(now);
        let token: Rc<str> = profile.sign(&key.1, &id, now, expires, offload)?.into();
        // The last fifth of its time is for whoever gets it last.
        let fresh = expires.plus(-(expires.millis().saturating_sub(now.millis()) / 5));
        self.make_room(now);
        self.octets += weight(&key.1, &token);
        self.kept.insert(key, Kept { token: Rc::clone(&token), made: now, fresh, expires });
        Some(token)
    }

    /// Forgets tokens that nobody gets any more, and if they are still many, those that end first.
    fn make_room(&mut self, now: Time) {
        if self.kept.len() < MOST && self.octets < MOST_OCTETS {
            return;
        }
        self.kept.retain(|_, kept| now < kept.fresh);
        // Each round takes one away at least: whatever ends no later than they do on average.
        while self.kept.len() > MOST / 2 || self.weight() > MOST_OCTETS / 2 {
            let left = |kept: &Kept| kept.fresh.millis().saturating_sub(now.millis());
            let sum: i64 = self.kept.values().map(left).fold(0, i64::saturating_add);
            let middle = i64::try_from(self.kept.len()).ok().and_then(|count| sum.checked_div(count)).unwrap_or(0);
            self.kept.retain(|_, kept| left(kept) > middle);
        }
        self.octets = self.weight();
    }

    /// How many octets all take.
    fn weight(&self) -> usize {
        self.kept.iter().map(|((_, said), kept)| weight(said, &kept.token)).sum()
    }

    /// An id that no other token has (RFC 7519 section 4.1.7).
    fn id(&mut self, now: Time) -> String {
        self.count = self.count.wrapping_add(1);
        let mut hash = Sha256::new();
        hash.update(self.key.as_slice());
        hash.update(self.count.to_le_bytes());
        hash.update(now.millis().to_le_bytes());
        let digest = hash.finalize();
        URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issue::signer::{Signer, SigningKey};
    use crate::jose::alg::Alg;
    use crate::jose::offload::NoOffload;
    use crate::redact::Secret;

    fn profile() -> TokenProfile {
        let key = SigningKey::hmac(Alg::Hs256, &Secret::new(vec![7; 32])).unwrap();
        let signer = Rc::new(Signer::new(vec![key]).unwrap());
        TokenProfile { signer, issuer: "g".into(), audience: vec![], ttl: 100_000, claims: vec![] }
    }

    #[test]
    fn keeps_tokens_until_shortly_before_they_expire() {
        let (profile, mut mint) = (profile(), Mint::new(b"seed"));
        let start = Time::FLOOR;
        let mut at = |millis, limit: Option<i64>| {
            let limit = limit.map(|limit| start.plus(limit));
            mint.keep(0, &profile, "{\"a\":1".into(), start.plus(millis), limit, &NoOffload).unwrap()
        };
        let first = at(0, None);
        assert_eq!(first, at(79_999, None));
        let second = at(80_000, None);
        assert_ne!(first, second);
        // What it stands for ends sooner than the one that is kept.
        let third = at(81_000, Some(100_000));
        assert_ne!(second, third);
        assert_eq!(third, at(90_000, Some(100_000)));
        assert_eq!(mint.kept.len(), 1);
    }

    #[test]
    fn does_not_mix_profiles_or_grow() {
        let (profile, mut mint) = (profile(), Mint::new(b"seed"));
        let mut keep = |place, said: String| mint.keep(place, &profile, said, Time::FLOOR, None, &NoOffload).unwrap();
        assert_ne!(keep(0, "{\"a\":1".into()), keep(1, "{\"a\":1".into()));
        for number in 0..3 * MOST {
            keep(0, format!("{{\"a\":{number}"));
        }
        assert!(mint.kept.len() <= MOST);
        for number in 0..MOST {
            let said = format!("{{\"a\":\"{number}{}\"", "x".repeat(7_000));
            mint.keep(0, &profile, said, Time::FLOOR.plus(i64::try_from(number).unwrap()), None, &NoOffload).unwrap();
        }
        let octets = mint.weight();
        assert!(mint.octets == octets && octets < MOST_OCTETS + 20_000 && mint.kept.len() > 50, "{octets}");
    }

    #[test]
    fn no_two_ids_are_the_same() {
        let mut mint = Mint::new(b"seed");
        let ids: std::collections::BTreeSet<String> = (0..1000).map(|_| mint.id(Time::FLOOR)).collect();
        assert_eq!(ids.len(), 1000);
        assert!(!ids.contains(&Mint::new(b"other").id(Time::FLOOR)));
    }
}
