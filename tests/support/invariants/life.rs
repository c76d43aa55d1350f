//! Fetched key sets: however events come, one worker fetches at a time, unknown keys force one fetch per cooldown,
//! and keys serve while they may and no longer. A model that knows only the rules watches.

use gatekey::claims::ClaimPath;
use gatekey::jose::iss::Name;
use gatekey::jose::issuer::{Audience, Issuer, Issuers, Keys};
use gatekey::jose::keyring::Keyring;
use gatekey::jwks::board::{Board, OwnBoard};
use gatekey::jwks::fetch::{Answer, Outcome};
use gatekey::jwks::life::{Life, Next, Progress};
use gatekey::jwks::record::{COOLDOWN, LEASE, Want};
use gatekey::jwks::source::{Place, Schedule, Source, Uri};
use gatekey::time::Time;

const REFRESH: i64 = 60_000;
const STALE: i64 = 120_000;
const WORKERS: usize = 3;

/// Two key sets that can be used, and one that cannot.
const SETS: [&str; 3] = [
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"b","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    r#"{"keys":[]}"#,
];

fn issuers() -> Issuers {
    let uri = Uri::parse("https://id.test/keys").expect("an address");
    let schedule = Schedule { refresh: REFRESH, keep_stale: STALE };
    let source = Source { cluster: "idp".into(), place: Place::Set(uri), schedule, algorithms: None };
    Issuers::new(vec![Issuer {
        name: "id".into(),
        iss: Name::Others,
        audience: Audience::Any,
        algorithms: Vec::new(),
        keys: Keys::Remote(Box::new(source)),
        types: Vec::new(),
        leeway: 0,
        max_age: None,
        optional_exp: false,
        confirmation: Default::default(),
        require: Vec::new(),
        roles: ClaimPath::parse("roles").expect("a path"),
        scopes: None,
    }])
}

/// Takes a script: each pair of octets is an event and what goes with it.
pub fn check(data: &[u8]) {
    let issuers = issuers();
    let issuer = issuers.get(0).expect("one issuer");
    let board = OwnBoard::default();
    let mut now = Time::from_seconds(1_800_000_000);
    let mut workers: Vec<(Life, Keyring)> =
        (0..WORKERS).map(|_| (Life::new(0, issuer).expect("a remote set"), Keyring::new(&issuers))).collect();
    for (life, _) in &mut workers {
        life.enter(&board);
    }
    // What the rules allow, as far as it is known: who fetches since when, the last forced fetch, the last success.
    let mut pending: Vec<(usize, Time)> = Vec::new();
    let mut forced: Option<Time> = None;
    let mut confirmed: Option<Time> = None;
    // Once somebody wrote over the board, only the bound on staleness counts.
    let mut trusted = true;
    for pair in data.chunks(2).take(400) {
        let (event, value) = (pair[0], i64::from(pair.get(1).copied().unwrap_or(0)));
        let at = usize::try_from(value).unwrap_or(0) % WORKERS;
        let (life, keyring) = &mut workers[at];
        match event % 8 {
            0 => now = now.plus(value * 100),
            1 => now = now.plus(value * 2_000),
            2..=4 => {
                let want = [Want::Refresh, Want::Missing, Want::Newer][usize::from(event % 8 - 2)];
                if let Next::Fetch(_) = life.ask(want, &board, keyring, now) {
                    pending.retain(|(worker, _)| *worker != at);
                    let live = pending.iter().any(|(_, since)| now < since.plus(LEASE));
                    assert!(!live || !trusted, "two workers fetch at once");
                    if want == Want::Newer {
                        let early = forced.is_some_and(|last| now < last.plus(COOLDOWN));
                        assert!(!early || !trusted, "a fetch is forced within the cooldown");
                        forced = Some(now);
                    }
                    pending.push((at, now));
                }
            }
            5 => {
                life.sync(&board, keyring, now);
            }
            6 => {
                if let Some(index) = pending.iter().position(|(worker, _)| *worker == at) {
                    pending.remove(index);
                    let answer = match value / 3 % 6 {
                        0 => Answer::default(),
                        1 => Answer { status: Some(500), ..Answer::default() },
                        2 => Answer { status: Some(304), ..Answer::default() },
                        set => Answer {
                            status: Some(200),
                            etag: b"\"x\"".to_vec(),
                            body: usize::try_from(set - 3)
                                .ok()
                                .and_then(|set| SETS.get(set))
                                .map(|set| set.as_bytes().to_vec()),
                            ..Answer::default()
                        },
                    };
                    match life.answered(answer, &board, keyring, now) {
                        Progress::Ended(Outcome::Changed | Outcome::Unchanged) => confirmed = Some(now),
                        Progress::Ended(_) => {}
                        Progress::Fetch(_) => panic!("there are no metadata"),
                    }
                }
            }
            _ => {
                trusted = false;
                let name = match &issuer.keys {
                    Keys::Asked(_) => unreachable!("none is asked"),
                    Keys::Remote(source) => source.key(),
                    Keys::Fixed(_) => unreachable!(),
                };
                let octets = data.get(usize::try_from(value).unwrap_or(0)..).unwrap_or_default();
                board.write(&name, octets, 0);
            }
        }
        if trusted {
            for (_, keyring) in &workers {
                let serves = keyring.keys(0, issuer, now).is_some();
                let may = confirmed.is_some_and(|last| now < last.plus(REFRESH + STALE));
                assert!(!serves || may, "keys serve that were not confirmed for too long");
            }
            let (life, keyring) = &mut workers[at];
            life.sync(&board, keyring, now);
            let must = confirmed.is_some_and(|last| now < last.plus(REFRESH + STALE));
            assert_eq!(keyring.keys(0, issuer, now).is_some(), must, "a worker that looked has what there is");
        }
    }
}
