//! Passwords that are checked between requests, on a host whose clock the test plays: slices of work, requests that wait for
//! one verdict, callers that leave, and more passwords than can be checked.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::lab::get;
use crate::support::{Request, now_seconds};
use crate::wasm_host::vm::Stream;
use crate::wasm_host::{End, Profile, Root, Vm};

/// Of the password below, at a cost of 4.
const HASH: &str = "$2b$04$6UZew0fK7qFxcgAw1qrCheXcAiGolKQHa7vyPcujvirKhcp5bQNoK";
const PASSWORD: &str = "correct horse battery staple";

struct Scene {
    vm: Vm,
    root: Root,
    now: u64,
}

fn show(user: &str, password: &str, from: u8) -> Request {
    let pair = STANDARD.encode(format!("{user}:{password}"));
    let mut request = get("/x", &[("Authorization", &format!("Basic {pair}")), ("X-User", "mallory")]);
    request.peer.address = Some([10, 0, 0, from].into());
    request
}

impl Scene {
    fn new(profile: Profile) -> Self {
        let now = now_seconds() * 1000;
        let mut vm = Vm::start(profile, &[], now / 1000).unwrap_or_else(|error| panic!("{error}"));
        let users: serde_json::Map<_, _> = (0..40).map(|n| (format!("u{n}"), json!(HASH))).collect();
        let policy = json!({ "users": users, "upstream": { "set": { "X-User": "sub" } } });
        let root = vm.root(policy.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        assert!(root.configured, "{:?}", vm.logs());
        Self { vm, root, now }
    }

    fn begin(&mut self, request: &Request) -> Stream {
        self.vm.begin(self.root, request).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Time passes, and work is done.
    fn pass(&mut self, millis: u64) {
        self.now += millis;
        self.vm.set_now_millis(self.now);
        self.vm.tick(self.root).unwrap_or_else(|error| panic!("{error}"));
    }

    fn end(&mut self, stream: Stream) -> Result<String, String> {
        let outcome = self.vm.end(stream).unwrap_or_else(|error| panic!("{error}"));
        match (outcome.reason, outcome.upstream) {
            (Some(reason), _) => Err(reason),
            (None, Some(sent)) => {
                let user = sent.into_iter().find(|(name, _)| name == "x-user").expect("a user");
                Ok(String::from_utf8(user.1).expect("text"))
            }
            (None, None) => panic!("neither passed nor refused"),
        }
    }

    fn at_once(&mut self, request: &Request) -> Result<String, String> {
        let stream = self.begin(request);
        assert_ne!(self.vm.stands(stream), End::Stalled);
        self.end(stream)
    }
}

#[test]
fn a_password_is_checked_once_for_all_who_show_it() {
    let mut scene = Scene::new(Profile::Envoy);
    let good: Vec<Stream> = (0..5).map(|n| scene.begin(&show("u1", PASSWORD, n))).collect();
    let bad = scene.begin(&show("u1", "wrong", 9));
    let nobody = scene.begin(&show("nobody", PASSWORD, 10));
    assert!(good.iter().chain([&bad, &nobody]).all(|stream| scene.vm.stands(*stream) == End::Stalled));
    scene.pass(4);
    assert!(good.iter().all(|stream| scene.vm.stands(*stream) == End::Passed));
    assert_eq!(scene.vm.stands(bad), End::Stalled, "one after the other");
    scene.pass(4);
    scene.pass(4);
    for stream in good {
        assert_eq!(scene.end(stream), Ok("u1".into()));
    }
    assert_eq!((scene.end(bad), scene.end(nobody)), (Err("password_invalid".into()), Err("password_invalid".into())));
    // All three are remembered, the right one for each who showed it.
    for n in 0..5 {
        assert_eq!(scene.at_once(&show("u1", PASSWORD, n)), Ok("u1".into()));
    }
    let elsewhere = scene.begin(&show("u1", PASSWORD, 30));
    assert_eq!(scene.vm.stands(elsewhere), End::Stalled, "from elsewhere it is checked again");
    scene.pass(4);
    assert_eq!(scene.end(elsewhere), Ok("u1".into()));
    assert_eq!(scene.at_once(&show("u1", "wrong", 1)), Err("password_invalid".into()));
    assert_eq!(scene.at_once(&show("nobody", PASSWORD, 1)), Err("password_invalid".into()));
    // Another user with the same password is another.
    let other = scene.begin(&show("u2", PASSWORD, 1));
    assert_eq!(scene.vm.stands(other), End::Stalled);
    scene.pass(4);
    assert_eq!(scene.end(other), Ok("u2".into()));
    scene.pass(61_000);
    let again = scene.begin(&show("u1", PASSWORD, 1));
    assert_eq!(scene.vm.stands(again), End::Stalled, "forgotten after a minute");
    assert_eq!(scene.vm.take_wrongs(), Vec::<String>::new());
}

#[test]
fn a_caller_that_leaves_takes_its_password_along() {
    let mut scene = Scene::new(Profile::Envoy);
    let (gone, stays) = (scene.begin(&show("u1", "a", 1)), scene.begin(&show("u2", PASSWORD, 2)));
    scene.vm.end(gone).expect("an end");
    scene.pass(4);
    assert_eq!(scene.end(stays), Ok("u2".into()), "nobody waits for the first any more");
    assert_eq!(scene.vm.take_wrongs(), Vec::<String>::new());
}

#[test]
fn more_than_can_be_checked_is_refused_for_now() {
    let mut scene = Scene::new(Profile::Envoy);
    // Four of one user, and four of one source, and thirty-two in all.
    let mut waiting: Vec<Stream> = (0..4).map(|n| scene.begin(&show("u0", &format!("{n}"), n))).collect();
    let busy = || Err(String::from("passwords_busy"));
    assert_eq!(scene.at_once(&show("u0", PASSWORD, 77)), busy());
    waiting.extend((1..5).map(|n| scene.begin(&show(&format!("u{n}"), "x", 99))));
    assert_eq!(scene.at_once(&show("u9", PASSWORD, 99)), busy());
    waiting.extend((8..32).map(|n| scene.begin(&show(&format!("u{n}"), "x", n))));
    assert_eq!(scene.at_once(&show("u39", PASSWORD, 78)), busy());
    for _ in 0..32 {
        scene.pass(4);
    }
    for stream in waiting {
        assert_eq!(scene.end(stream), Err("password_invalid".into()));
    }
    let again = scene.begin(&show("u39", PASSWORD, 78));
    scene.pass(4);
    assert_eq!(scene.end(again), Ok("u39".into()));
    assert_eq!(scene.vm.take_wrongs(), Vec::<String>::new());
}

#[test]
fn nobody_waits_for_ever() {
    let mut scene = Scene::new(Profile::Envoy);
    let waiting = scene.begin(&show("u1", PASSWORD, 1));
    // The clock leaps: nothing was checked meanwhile.
    scene.pass(10_000);
    assert_eq!(scene.end(waiting), Err("passwords_busy".into()));
}

#[test]
fn guesses_end_for_a_source_and_for_a_user_and_not_for_who_is_logged_in() {
    let mut scene = Scene::new(Profile::Envoy);
    let first = scene.begin(&show("u1", PASSWORD, 1));
    scene.pass(4);
    assert_eq!(scene.end(first), Ok("u1".into()));
    for n in 0..20 {
        let guess = scene.begin(&show(&format!("u{}", 10 + n), "guess", 66));
        scene.pass(4);
        assert_eq!(scene.end(guess), Err("password_invalid".into()));
    }
    assert_eq!(
        scene.at_once(&show("u2", PASSWORD, 66)),
        Err("too_many_failures".into()),
        "this source has guessed enough"
    );
    for n in 0..20 {
        let guess = scene.begin(&show("u1", &format!("guess {n}"), 100 + n));
        scene.pass(4);
        assert_eq!(scene.end(guess), Err("password_invalid".into()));
    }
    assert_eq!(
        scene.at_once(&show("u1", "one more", 200)),
        Err("too_many_failures".into()),
        "this user was guessed enough"
    );
    assert_eq!(scene.at_once(&show("u1", PASSWORD, 1)), Ok("u1".into()), "who has logged in goes on");
    assert_eq!(scene.at_once(&show("u1", PASSWORD, 200)), Err("too_many_failures".into()), "nobody else does");
    assert_eq!(scene.at_once(&show("u1", PASSWORD, 66)), Err("too_many_failures".into()), "nor who guessed");
    let other = scene.begin(&show("u3", PASSWORD, 201));
    scene.pass(4);
    assert_eq!(scene.end(other), Ok("u3".into()), "others log in");
    // A minute later all is forgotten.
    scene.pass(61_000);
    let after = scene.begin(&show("u2", PASSWORD, 66));
    scene.pass(4);
    assert_eq!(scene.end(after), Ok("u2".into()));
}

#[test]
fn who_is_logged_in_goes_on_for_a_day_whatever_others_guess() {
    let mut scene = Scene::new(Profile::Envoy);
    let first = scene.begin(&show("u1", PASSWORD, 1));
    scene.pass(4);
    assert_eq!(scene.end(first), Ok("u1".into()));
    for hour in 0..3 {
        scene.pass(7_000_000);
        for n in 0..20 {
            let guess = scene.begin(&show("u1", &format!("guess {hour} {n}"), 66 + hour));
            scene.pass(4);
            assert_eq!(scene.end(guess), Err("password_invalid".into()));
        }
        // Passwords that others have checked do not stand before it either.
        let crowd: Vec<Stream> = (0..4).map(|n| scene.begin(&show("u2", &format!("{n}"), 90 + n))).collect();
        let again = scene.begin(&show("u1", PASSWORD, 1));
        let elsewhere = scene.at_once(&show("u1", PASSWORD, 2));
        assert_eq!(elsewhere, Err("too_many_failures".into()), "nobody else goes on");
        assert_eq!(scene.vm.stands(again), End::Stalled, "it is checked again");
        (0..5).for_each(|_| scene.pass(4));
        assert_eq!(scene.end(again), Ok("u1".into()));
        assert_eq!(scene.at_once(&show("u1", "another", 1)), Err("too_many_failures".into()), "only the right one");
        for stream in crowd {
            assert_eq!(scene.end(stream), Err("password_invalid".into()));
        }
    }
    assert_eq!(scene.vm.take_wrongs(), Vec::<String>::new());
}

#[test]
fn four_guesses_that_are_held_do_not_keep_out_who_is_logged_in() {
    let mut scene = Scene::new(Profile::Envoy);
    let first = scene.begin(&show("u1", PASSWORD, 1));
    scene.pass(4);
    assert_eq!(scene.end(first), Ok("u1".into()));
    scene.pass(61_000);
    let held: Vec<Stream> = (0..4).map(|n| scene.begin(&show("u1", &format!("held {n}"), 60 + n))).collect();
    let again = scene.begin(&show("u1", PASSWORD, 1));
    assert_eq!(scene.vm.stands(again), End::Stalled);
    assert_eq!(scene.at_once(&show("u1", "another", 2)), Err("passwords_busy".into()));
    (0..5).for_each(|_| scene.pass(4));
    assert_eq!(scene.end(again), Ok("u1".into()));
    drop(held);
}

#[test]
fn guesses_that_are_left_or_expire_count_for_the_source() {
    let mut scene = Scene::new(Profile::Envoy);
    let leave = |scene: &mut Scene, n: u32| {
        let guess = scene.begin(&show("u1", &format!("left {n}"), 66));
        assert_eq!(scene.vm.stands(guess), End::Stalled);
        scene.vm.end(guess).expect("an end");
    };
    (0..16).for_each(|n| leave(&mut scene, n));
    let late: Vec<Stream> = (0..3).map(|n| scene.begin(&show("u1", &format!("late {n}"), 66))).collect();
    // The clock leaps: nothing was checked meanwhile.
    scene.pass(10_000);
    for stream in late {
        assert_eq!(scene.end(stream), Err("passwords_busy".into()));
    }
    leave(&mut scene, 16);
    assert_eq!(scene.at_once(&show("u2", PASSWORD, 66)), Err("too_many_failures".into()));
    // Not for the user, who could be kept out for nothing.
    let user = scene.begin(&show("u1", PASSWORD, 1));
    scene.pass(4);
    assert_eq!(scene.end(user), Ok("u1".into()));
    assert_eq!(scene.vm.take_wrongs(), Vec::<String>::new());
}

#[test]
fn as_apisix_it_is_checked_within_the_request() {
    let mut scene = Scene::new(Profile::Apisix);
    assert_eq!(scene.at_once(&show("u1", PASSWORD, 1)), Ok("u1".into()));
    assert_eq!(scene.at_once(&show("u1", "wrong", 1)), Err("password_invalid".into()));
    assert_eq!(scene.at_once(&show("nobody", PASSWORD, 1)), Err("password_invalid".into()));
    assert_eq!(scene.vm.take_wrongs(), Vec::<String>::new());
}
