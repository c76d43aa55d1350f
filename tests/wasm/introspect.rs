//! Tokens that their issuer is asked about, on hosts whose clock and issuer the test plays: one question for many
//! requests, callers that leave, issuers that are away, and a host where a question belongs to a request.

use serde_json::{Value, json};

use crate::lab::get;
use crate::support::{Request, now_seconds};
use crate::wasm_host::background::HttpCall;
use crate::wasm_host::state::Pairs;
use crate::wasm_host::vm::Stream;
use crate::wasm_host::{End, Profile, Root, Vm};

type Answer = Option<(Pairs, Vec<u8>)>;

struct Scene {
    vm: Vm,
    root: Root,
    now: u64,
}

fn ask(token: &str) -> Request {
    get("/x", &[("Authorization", &format!("Bearer {token}")), ("X-User", "mallory")])
}

fn says(document: &Value) -> Answer {
    Some((vec![(b":status".to_vec(), b"200".to_vec())], document.to_string().into_bytes()))
}

fn active(sub: &str) -> Answer {
    says(&json!({ "active": true, "sub": sub }))
}

fn status(status: &str) -> Answer {
    Some((vec![(b":status".to_vec(), status.as_bytes().to_vec())], b"no".to_vec()))
}

impl Scene {
    fn new(profile: Profile) -> Self {
        let now = now_seconds() * 1000;
        let mut vm = Vm::start(profile, &[], now / 1000).unwrap_or_else(|error| panic!("{error}"));
        vm.background().clusters = vec!["id".into()];
        let policy = json!({
            "issuers": { "id": { "introspect": {
                "uri": "https://id.test/introspect?a=b", "cluster": "id", "client": { "id": "gate", "secret": { "value": "s&cret" } },
            } } },
            "upstream": { "set": { "X-User": "sub" } },
        });
        let root = vm.root(policy.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        assert!(root.configured, "{:?}", vm.logs());
        Self { vm, root, now }
    }

    fn begin(&mut self, token: &str) -> Stream {
        self.vm.begin(self.root, &ask(token)).unwrap_or_else(|error| panic!("{error}"))
    }

    fn calls(&mut self) -> Vec<HttpCall> {
        self.vm.background().calls.clone()
    }

    /// Answers the question that was asked first.
    fn answer(&mut self, answer: Answer) {
        let token = self.calls().first().expect("a question").token;
        self.vm.answer(self.root, token, answer).unwrap_or_else(|error| panic!("{error}"));
    }

    fn pass(&mut self, millis: u64) {
        self.now += millis;
        self.vm.set_now_millis(self.now);
    }

    /// How a request ended: what the service was told of the caller, or the reason of the refusal.
    fn end(&mut self, stream: Stream) -> Result<String, String> {
        let outcome = self.vm.end(stream).unwrap_or_else(|error| panic!("{error}"));
        let Some(reason) = outcome.reason else {
            let sent = outcome.upstream.expect("passed on");
            assert!(sent.iter().all(|(name, _)| name != "authorization"), "{sent:?}");
            let user = sent.into_iter().find(|(name, _)| name == "x-user").expect("a user");
            return Ok(String::from_utf8(user.1).expect("text"));
        };
        Err(reason)
    }

    /// A request that is decided without a question.
    fn at_once(&mut self, token: &str) -> Result<String, String> {
        let stream = self.begin(token);
        assert_ne!(self.vm.stands(stream), End::Stalled);
        self.end(stream)
    }
}

fn ok(sub: &str) -> Result<String, String> {
    Ok(sub.into())
}

fn no(reason: &str) -> Result<String, String> {
    Err(reason.into())
}

#[test]
fn one_question_for_all_who_show_a_token() {
    let mut scene = Scene::new(Profile::Envoy);
    let waiting: Vec<Stream> = (0..5).map(|_| scene.begin("opaque-1")).collect();
    let other = scene.begin("opaque-2");
    let calls = scene.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].body, b"token=opaque-1&token_type_hint=access_token");
    let header = |name: &str| calls[0].header(name).unwrap_or_default();
    assert_eq!([header(":method"), header(":path")], ["POST", "/introspect?a=b"]);
    assert_eq!(header("authorization"), "Basic Z2F0ZTpzJTI2Y3JldA==");
    scene.answer(active("alice"));
    scene.answer(says(&json!({ "active": false, "sub": "alice" })));
    for stream in waiting {
        assert_eq!(scene.end(stream), ok("alice"));
    }
    assert_eq!(scene.end(other), no("token_inactive"));
    // Both answers are remembered, the bad one shortly.
    scene.pass(9_000);
    assert_eq!(scene.at_once("opaque-1"), ok("alice"));
    assert_eq!(scene.at_once("opaque-2"), no("token_inactive"));
    scene.pass(2_000);
    let other = scene.begin("opaque-2");
    scene.answer(active("bob"));
    assert_eq!(scene.end(other), ok("bob"));
    assert_eq!(scene.at_once("opaque-1"), ok("alice"));
    scene.pass(20_000);
    let again = scene.begin("opaque-1");
    scene.answer(says(&json!({ "active": false })));
    assert_eq!(scene.end(again), no("token_inactive"), "an answer counts for half a minute");
    assert_eq!(scene.vm.take_wrongs(), Vec::<String>::new());
}

#[test]
fn an_answer_counts_no_longer_than_the_token() {
    let mut scene = Scene::new(Profile::Envoy);
    let stream = scene.begin("opaque-1");
    let exp = scene.now / 1000 + 5;
    scene.answer(says(&json!({ "active": true, "sub": "alice", "exp": exp })));
    assert_eq!(scene.end(stream), ok("alice"));
    // The leeway of 30 s counts too, and the answer only for 30 s.
    scene.pass(29_000);
    assert_eq!(scene.at_once("opaque-1"), ok("alice"));
    scene.pass(7_000);
    let stream = scene.begin("opaque-1");
    scene.answer(says(&json!({ "active": true, "sub": "alice", "exp": exp })));
    assert_eq!(scene.end(stream), no("token_expired"));
}

#[test]
fn an_answer_counts_no_longer_where_the_clock_is_put_back() {
    let mut scene = Scene::new(Profile::Envoy);
    let stream = scene.begin("opaque-1");
    scene.answer(active("alice"));
    assert_eq!(scene.end(stream), ok("alice"));
    assert_eq!(scene.at_once("opaque-1"), ok("alice"));
    scene.now -= 3_600_000;
    scene.pass(0);
    let stream = scene.begin("opaque-1");
    scene.answer(says(&json!({ "active": false })));
    assert_eq!(scene.end(stream), no("token_inactive"), "what lies in the future does not count");
}

#[test]
fn what_is_no_answer_refuses_and_is_not_remembered() {
    let mut scene = Scene::new(Profile::Envoy);
    for (at, answer) in [
        None,
        status("500"),
        status("503"),
        status("401"),
        status("302"),
        says(&json!([])),
        says(&json!({ "active": "true" })),
        Some((vec![(b":status".to_vec(), b"200".to_vec())], vec![b' '; 300_000])),
        Some((vec![(b":status".to_vec(), b"200".to_vec())], vec![b'['; 60_000])),
        Some((vec![(b":status".to_vec(), b"200".to_vec())], Vec::new())),
        Some((Vec::new(), Vec::new())),
    ]
    .into_iter()
    .enumerate()
    {
        let stream = scene.begin("opaque-1");
        assert_eq!(scene.vm.stands(stream), End::Stalled, "{at}");
        scene.answer(answer);
        assert_eq!(scene.end(stream), no("issuer_unavailable"), "{at}");
    }
    let stream = scene.begin("opaque-1");
    scene.answer(active("alice"));
    assert_eq!(scene.end(stream), ok("alice"));
    assert_eq!(scene.vm.take_wrongs(), Vec::<String>::new());
}

#[test]
fn an_issuer_that_is_away_is_asked_one_question_at_a_time() {
    let mut scene = Scene::new(Profile::Envoy);
    for number in 0..4 {
        let stream = scene.begin(&format!("opaque-{number}"));
        scene.answer(None);
        assert_eq!(scene.end(stream), no("issuer_unavailable"));
    }
    let probe = scene.begin("opaque-5");
    assert_eq!(scene.at_once("opaque-6"), no("issuer_unavailable"));
    scene.answer(active("alice"));
    assert_eq!(scene.end(probe), ok("alice"));
    let (one, two) = (scene.begin("opaque-7"), scene.begin("opaque-8"));
    scene.answer(active("bob"));
    scene.answer(active("carol"));
    assert_eq!((scene.end(one), scene.end(two)), (ok("bob"), ok("carol")));
    // Questions without number are not asked either.
    let many: Vec<Stream> = (0..256).map(|number| scene.begin(&format!("many-{number}"))).collect();
    assert_eq!(scene.at_once("one-more"), no("issuer_unavailable"));
    for _ in &many {
        scene.answer(active("dave"));
    }
    for stream in many {
        assert_eq!(scene.end(stream), ok("dave"));
    }
    assert_eq!(scene.vm.take_wrongs(), Vec::<String>::new());
}

#[test]
fn what_an_issuer_chokes_on_shuts_it_off_for_nobody() {
    let mut scene = Scene::new(Profile::Envoy);
    for number in 0..8 {
        // What is no bearer token never gets there.
        assert_eq!(scene.at_once(&format!("\u{e9}{number}")), no("token_malformed"));
        assert_eq!(scene.at_once(&format!("a={number}")), no("token_malformed"));
        let odd = scene.begin(&format!("odd-{number}"));
        scene.answer(status(if number % 2 == 0 { "500" } else { "400" }));
        assert_eq!(scene.end(odd), no("issuer_unavailable"));
    }
    let (odd, one, two) = (scene.begin("odd"), scene.begin("opaque-1"), scene.begin("opaque-2"));
    scene.answer(status("500"));
    scene.answer(active("alice"));
    scene.answer(active("bob"));
    assert_eq!((scene.end(odd), scene.end(one), scene.end(two)), (no("issuer_unavailable"), ok("alice"), ok("bob")));
    assert_eq!(scene.vm.take_wrongs(), Vec::<String>::new());
}

#[test]
fn a_caller_that_leaves_disturbs_nobody() {
    let mut scene = Scene::new(Profile::Envoy);
    let (first, second) = (scene.begin("opaque-1"), scene.begin("opaque-1"));
    scene.vm.end(first).expect("an end");
    scene.answer(active("alice"));
    assert_eq!(scene.end(second), ok("alice"));
    let alone = scene.begin("opaque-2");
    scene.vm.end(alone).expect("an end");
    scene.answer(active("bob"));
    assert_eq!(scene.at_once("opaque-2"), ok("bob"), "the answer is kept all the same");
    assert_eq!(scene.vm.take_wrongs(), Vec::<String>::new());
}

#[test]
fn as_apisix_each_request_asks_for_itself() {
    let mut scene = Scene::new(Profile::Apisix);
    let (first, second) = (scene.begin("opaque-1"), scene.begin("opaque-1"));
    assert_eq!(scene.calls().len(), 2);
    scene.answer(active("alice"));
    assert_eq!(scene.end(first), ok("alice"));
    scene.answer(None);
    assert_eq!(scene.end(second), ok("alice"), "what the first was told counts");
    let third = scene.begin("opaque-2");
    scene.answer(None);
    assert_eq!(scene.end(third), no("issuer_unavailable"));
    let gone = scene.begin("opaque-3");
    scene.vm.end(gone).expect("an end");
    let fourth = scene.begin("opaque-3");
    scene.answer(active("carol"));
    assert_eq!(scene.end(fourth), ok("carol"));
    assert_eq!(scene.vm.take_wrongs(), Vec::<String>::new());
}
