//! Fetched lists: whatever a server answers, what serves is a document of it from the first line to the last, and once it
//! keeps its word again the right one serves soon.

use gatekey::jwks::fetch::{Answer, Request};
use gatekey::jwks::source::{Schedule, Uri};
use gatekey::list::life::{ListLife, Next, Progress};
use gatekey::list::lists::{List, Lists, Standing};
use gatekey::list::load::{self, PIECE};
use gatekey::list::revoked::Kind;
use gatekey::list::source::{Content, ListSource, OnOutage};
use gatekey::time::Time;

const START: Time = Time::from_seconds(1_800_000_000);
const REFRESH: i64 = 10_000;

/// The document of a version: an entry at its beginning, one at its end, and as much between them as takes three pieces.
fn document(version: usize) -> Vec<u8> {
    let padding = format!("# {}\n", "-".repeat(60_000)).repeat(20);
    format!("gatekey-revoked 1 2\njti first-{version}\n{padding}jti last-{version}\nend\n").into_bytes()
}

struct Server {
    versions: Vec<Vec<u8>>,
    answers: usize,
}

impl Server {
    fn document(&self) -> &[u8] {
        self.versions.last().expect("a version")
    }

    fn honest(&self, request: &Request) -> Answer {
        let etag = format!("\"v{}\"", self.versions.len()).into_bytes();
        if request.etag == etag {
            return Answer { status: Some(304), ..Answer::default() };
        }
        let document = self.document();
        let whole = |document: &[u8]| Answer {
            status: Some(200),
            etag: etag.clone(),
            body: (document.len() <= load::LONGEST_WHOLE).then(|| document.to_vec()),
            ..Answer::default()
        };
        match &request.part {
            Some(part) if part.of.is_empty() || part.of == etag => {
                let (first, total) = (usize::try_from(part.first).expect("small"), document.len());
                if first >= total {
                    return Answer { status: Some(416), ..Answer::default() };
                }
                let end = (usize::try_from(part.last).expect("small") + 1).min(total);
                Answer {
                    status: Some(206),
                    etag,
                    body: Some(document[first..end].to_vec()),
                    content_range: format!("bytes {first}-{}/{total}", end - 1).into_bytes(),
                }
            }
            _ => whole(document),
        }
    }

    /// An answer with something wrong, by a number.
    fn wrong(&mut self, request: &Request, fault: u8) -> Answer {
        self.answers += 1;
        let mut answer = self.honest(request);
        match fault % 18 {
            0 => Answer::default(),
            1 => Answer { status: Some(500), ..answer },
            2 => Answer { status: Some(302), ..Answer::default() },
            3 => Answer { status: Some(304), ..Answer::default() },
            4 => Answer { etag: Vec::new(), ..answer },
            5 => Answer { etag: [b"W/", answer.etag.as_slice()].concat(), ..answer },
            6 => Answer { etag: format!("\"{}\"", self.answers).into_bytes(), ..answer },
            7 => Answer { content_range: Vec::new(), ..answer },
            8 => Answer { content_range: b"bytes 0-9/10".to_vec(), ..answer },
            9 => Answer { content_range: b"bytes 0-524287/18446744073709551615".to_vec(), ..answer },
            10 => {
                answer.body.iter_mut().for_each(|body| body.truncate(body.len().saturating_sub(1)));
                answer
            }
            11 => {
                answer.body.iter_mut().for_each(|body| body.push(b'x'));
                answer
            }
            // The first piece again.
            12 => self.honest(&Request {
                part: request.part.clone().map(|part| gatekey::jwks::fetch::Part { first: 0, last: PIECE - 1, ..part }),
                ..request.clone()
            }),
            13 => Answer { body: None, ..answer },
            // Whole, and longer than is taken.
            14 => Answer { status: Some(200), body: None, ..answer },
            // Whole, but cut off.
            15 => {
                let document = self.document();
                let cut = document.len() / 256 * (self.answers % 256);
                Answer { status: Some(200), body: Some(document[..cut].to_vec()), ..answer }
            }
            16 => {
                answer.body.iter_mut().flatten().skip(1_000).take(1).for_each(|octet| *octet = 0xff);
                answer
            }
            _ => Answer { status: Some(200), body: Some(b"<html>no list</html>\n".repeat(9)), ..answer },
        }
    }
}

fn source(on_outage: OnOutage) -> ListSource {
    ListSource {
        name: "revoked".into(),
        cluster: "lists".into(),
        uri: Uri::parse("https://lists.test/revoked").expect("an address"),
        schedule: Schedule { refresh: REFRESH, keep_stale: 5_000 },
        on_outage,
        content: Content::Revoked,
    }
}

/// Which version serves, which must be whole.
fn serving(lists: &Lists, source: &ListSource, versions: usize, now: Time) -> Option<usize> {
    let Standing::Serves(list) = lists.revoked(0, source, now) else {
        return None;
    };
    assert_eq!(list.len(), 2, "a list that no server had");
    let has = |at: &str, version: usize| list.has(Kind::Jti, &format!("{at}-{version}"), None);
    let whole: Vec<usize> = (0..versions).filter(|v| has("first", *v) && has("last", *v)).collect();
    assert_eq!(whole.len(), 1, "a mixture of documents");
    whole.first().copied()
}

/// Takes a script: each pair of octets is an event and what goes with it.
pub fn check(data: &[u8]) {
    let mut server = Server { versions: vec![document(0)], answers: 0 };
    let (keep, deny) = (source(OnOutage::Keep), source(OnOutage::Deny));
    let mut lists = Lists::new(1);
    let mut life = ListLife::new(0, &keep, 7, true);
    let mut now = START;
    let mut pending: Option<Request> = None;
    let mut best = None;
    for event in data.as_chunks::<2>().0 {
        let [kind, value] = *event;
        let progress = match kind % 5 {
            0 => {
                now = now.plus(i64::from(value) * 100);
                Progress::Idle
            }
            1 if server.versions.len() < 6 => {
                server.versions.push(document(server.versions.len()));
                Progress::Idle
            }
            2 => match (&pending, life.ask(now)) {
                (None, Next::Fetch(request)) => Progress::Fetch(request),
                (Some(_), Next::Fetch(_)) => panic!("two requests at once"),
                _ => Progress::Idle,
            },
            3 if value % 3 == 0 => match pending.take() {
                Some(request) => life.answered(server.wrong(&request, value / 3), &mut lists, now),
                None => Progress::Idle,
            },
            3 => match pending.take() {
                Some(request) => life.answered(server.honest(&request), &mut lists, now),
                None => Progress::Idle,
            },
            _ => {
                let mut progress = Progress::Idle;
                // Until something else is to be done, or not quite.
                for _ in 0..value {
                    progress = life.work(&mut lists, now);
                    if progress != Progress::Work {
                        break;
                    }
                }
                progress
            }
        };
        if let Progress::Fetch(request) = progress {
            pending = Some(request);
        }
        let serves = serving(&lists, &keep, server.versions.len(), now);
        assert!(serves >= best, "a list was lost, or an older one came back");
        best = serves;
    }
    // From here on, the server keeps its word.
    let latest = server.versions.len() - 1;
    for _ in 0..2_000 {
        now = now.plus(50);
        let mut progress = match pending.take() {
            Some(request) => life.answered(server.honest(&request), &mut lists, now),
            None => life.work(&mut lists, now),
        };
        if progress == Progress::Idle
            && let Next::Fetch(request) = life.ask(now)
        {
            progress = Progress::Fetch(request);
        }
        if let Progress::Fetch(request) = progress {
            pending = Some(request);
        }
    }
    assert_eq!(serving(&lists, &deny, latest + 1, now), Some(latest), "the right list does not serve again");
}

/// No document makes a reader panic, and none is taken but a whole one.
pub fn documents(text: &[u8]) {
    for content in [Content::Revoked, Content::RevokedJson, Content::Clients] {
        let Ok(list) = load::read(content, 3, text) else {
            continue;
        };
        let lines = text.split(|octet| *octet == b'\n').count();
        match (&list, content) {
            (List::Revoked(_), Content::RevokedJson) => assert!(list.len() <= text.len()),
            _ => {
                assert!(list.len() + 2 <= lines && text.ends_with(b"\n"), "{} entries", list.len());
                // Whatever is cut off at the end is missed.
                assert!(load::read(content, 3, &text[..text.len() - 1]).is_err());
            }
        }
    }
}
