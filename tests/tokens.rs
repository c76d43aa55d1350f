//! Service to service, with real parts: a client shows its key to a gateway, gets a token, and shows that to a service that
//! another gatekey guards, and to one in Python that checks tokens on its own.

mod support;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::bootstrap::HELD;
use support::echo::Echo;
use support::envoy::{AfterTrap, Envoy, Launch, Setup, available, turn};
use support::http::{Client, Response, get};
use support::keys::{self, text};
use support::service::{Service, pyjwt};
use support::{now_seconds, say};

const KEY: &str = "gk_live_0123456789abcdef";
const OTHER: &str = "gk_live_fedcba9876543210";
const SECRET: &str = "a-secret-that-gateway-and-service-share";
const ISSUER: &str = "https://gateway.example.com";

fn setup(module: &[u8], echo: &Echo, policies: Vec<(String, Value)>, clusters: Vec<(String, SocketAddr)>) -> Setup {
    let env = [
        ("SIGNING_KEY", text("p256.pem")),
        ("OLD_KEY", text("ed25519.pem")),
        ("RSA_KEY", text("rsa2048.pem")),
        ("SHARED", SECRET.into()),
    ];
    Setup {
        module: module.to_vec(),
        policies,
        env: env.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        after_trap: AfterTrap::FailReload,
        workers: 2,
        upstream: echo.address,
        clusters,
        offload: true,
        tls: false,
    }
}

/// A gateway that gives tokens, signed in this way.
fn gateway(sign: Value) -> Value {
    json!({
        "clients": {
            "acme": { "key": { "plain": KEY }, "scopes": ["orders:read"], "claims": { "tier": "gold" } },
            "other": { "key": { "plain": OTHER } },
        },
        "token_endpoint": {
            "path": "/oauth/token", "issuer": ISSUER, "audience": ["orders", "billing"], "ttl": "10s", "sign": sign,
            "claims": { "tier": "claims.tier" },
        },
    })
}

/// A service's own gatekey, which takes tokens of the gateway that are for it and tell the tier.
fn guard(keys: Value) -> Value {
    let mut issuer = json!({
        "issuer": ISSUER, "audience": "orders", "type": "at+jwt", "leeway": "0s", "require": { "tier": ["gold", "free"] },
    });
    issuer.as_object_mut().expect("an object").extend(keys.as_object().expect("an object").clone());
    json!({ "issuers": { "gateway": issuer }, "upstream": { "set": { "X-Client": "client" } } })
}

/// Asks a token endpoint.
fn post(to: SocketAddr, key: &str, form: &str) -> Response {
    let request = format!(
        "POST /oauth/token HTTP/1.1\r\nhost: g.test\r\nx-api-key: {key}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    Client::connect(to).expect("a connection").send(request.as_bytes(), false).expect("an answer")
}

fn token(to: SocketAddr, key: &str, audience: &str) -> String {
    let answer = post(to, key, &format!("grant_type=client_credentials&audience={audience}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(10)));
    body["access_token"].as_str().expect("a token").to_owned()
}

fn show(to: SocketAddr, token: &str) -> Response {
    get(to, "/orders", &[("authorization", &format!("Bearer {token}"))]).expect("an answer")
}

fn started(launch: &Launch, setup: &Setup) -> Envoy {
    Envoy::start(launch, setup).unwrap_or_else(|why| panic!("{why}"))
}

/// The same token with another octet in the part of this number.
fn altered(token: &str, part: usize) -> String {
    let mut parts: Vec<String> = token.split('.').map(String::from).collect();
    let other = if parts[part].as_bytes()[5] == b'A' { "B" } else { "A" };
    parts[part].replace_range(5..6, other);
    parts.join(".")
}

#[test]
fn services_take_tokens_that_a_key_was_shown_for() {
    let Some((launch, module)) = available() else { return };
    let _turn = turn();
    let module = std::fs::read(module).expect("the module");
    let echo = Echo::start();
    let keys =
        json!({ "keys": [ { "private_key": { "env": "SIGNING_KEY" } }, { "private_key": { "env": "OLD_KEY" } } ] });
    let exchange = json!({
        "clients": { "acme": { "key": { "plain": KEY }, "claims": { "tier": "gold" } } },
        "upstream": { "token": {
            "issuer": ISSUER, "audience": "orders", "ttl": "10s", "sign": { "private_key": { "env": "SIGNING_KEY" } },
            "claims": { "tier": "claims.tier" },
        } },
    });
    let policies = vec![
        ("public".into(), gateway(keys)),
        ("secret".into(), gateway(json!({ "secret": { "env": "SHARED" }, "algorithm": "HS256" }))),
        // Envoy signs these.
        ("rsa".into(), gateway(json!({ "private_key": { "env": "RSA_KEY" } }))),
        ("exchange".into(), exchange),
    ];
    let gates = started(&launch, &setup(&module, &echo, policies, Vec::new()));
    let (public, secret, rsa) = (gates.listener("public"), gates.listener("secret"), gates.listener("rsa"));
    let fetched = |cluster: &str| {
        guard(json!({ "jwks": {
            "uri": "http://g.test/.well-known/jwks.json", "cluster": cluster, "refresh": "5s",
        } }))
    };
    let policies = vec![
        ("a-public".into(), fetched("gateway")),
        ("a-rsa".into(), fetched("rsa")),
        ("a-secret".into(), guard(json!({ "secret": { "env": "SHARED" }, "algorithms": ["HS256"] }))),
    ];
    let services =
        started(&launch, &setup(&module, &echo, policies, vec![("gateway".into(), public), ("rsa".into(), rsa)]));
    let Some(packages) = pyjwt() else { return };
    let with_pyjwt = |gate: SocketAddr| {
        let keys = format!("http://{gate}/.well-known/jwks.json");
        Service::start("service.py", &[&keys, ISSUER, "orders", "tier"], &packages)
    };
    let (b, b_rsa) = (with_pyjwt(public), with_pyjwt(rsa));
    let doors = [
        ("A, by public key", public, services.listener("a-public")),
        ("A, by secret", secret, services.listener("a-secret")),
        ("B, with PyJWT", public, b.address),
        ("A, by RSA key", rsa, services.listener("a-rsa")),
        ("B, by RSA key", rsa, b_rsa.address),
    ];
    let mut figures = Vec::new();
    let mut leaked = Vec::new();
    for (name, gate, door) in doors {
        let good = token(gate, KEY, "orders");
        let end = Instant::now() + Duration::from_secs(5);
        // The keys may be on their way.
        while show(door, &good).status == 503 && Instant::now() < end {
            sleep(Duration::from_millis(50));
        }
        let good = token(gate, KEY, "orders");
        let answer = show(door, &good);
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        let told = answer.text();
        assert!(told.contains("acme"), "{name}: {told}");
        for (what, bad) in [
            ("altered header", altered(&good, 0)),
            ("altered claims", altered(&good, 1)),
            ("altered signature", altered(&good, 2)),
            ("another audience", token(gate, KEY, "billing")),
            ("without the claim", token(gate, OTHER, "orders")),
            ("the key itself", KEY.to_owned()),
        ] {
            assert_eq!(show(door, &bad).status, 401, "{name}: {what}");
        }
        leaked.push((name, door, good));
        figures.push(name);
    }
    // What the exchange hands on is a token for the same services.
    echo.take();
    let passed = get(gates.listener("exchange"), "/orders", &[("x-api-key", KEY)]).expect("an answer");
    let seen = echo.take().pop().expect("the service got it");
    let bearer = seen.headers.iter().find(|(name, _)| name == "authorization").expect("a token");
    let inner = String::from_utf8_lossy(&bearer.1).trim_start_matches("Bearer ").to_owned();
    assert_eq!(passed.status, 200);
    assert!(
        !seen.headers.iter().any(|(name, value)| name == "x-api-key" || value.windows(8).any(|w| w == b"gk_live_"))
    );
    for (name, _, door) in [doors[0], doors[2]] {
        assert_eq!(show(door, &inner).status, 200, "{name}: the token of the exchange");
    }
    leaked.push(("A, the token of the exchange", doors[0].2, inner));
    sleep(Duration::from_secs(11));
    for (name, door, token) in &leaked {
        assert_eq!(show(*door, token).status, 401, "{name}: after its ttl");
    }
    say(&format!(
        "TOKENS: {} take what is good, and refuse what is altered, for others, without the claim, or 11 s old",
        figures.join("; ")
    ));
    for envoy in [&gates, &services] {
        assert_eq!(envoy.crashes(), Vec::<String>::new());
        let log = envoy.log();
        for (_, _, token) in &leaked {
            assert!(!log.contains(token.as_str()), "a log shows a token");
        }
        for text in [KEY, SECRET, "PRIVATE KEY"] {
            assert!(!log.contains(text), "a log shows {text}");
        }
    }
}

#[test]
fn forms_come_in_pieces_and_hosts_that_hold_them_back_are_told_apart() {
    let Some((launch, module)) = available() else { return };
    let _turn = turn();
    let module = std::fs::read(module).expect("the module");
    let echo = Echo::start();
    let policy = gateway(json!({ "private_key": { "env": "OLD_KEY" } }));
    let policies = vec![("main".into(), policy.clone()), (HELD.into(), policy)];
    let envoy = started(&launch, &setup(&module, &echo, policies, Vec::new()));
    let head = format!(
        "POST /oauth/token HTTP/1.1\r\nhost: g.test\r\nx-api-key: {KEY}\r\n\
         content-type: application/x-www-form-urlencoded\r\ntransfer-encoding: chunked\r\n"
    );
    let chunks = ["grant_", "type=client_", "credentials", "&audience=", "orders"];
    for (trailers, more) in [(false, ""), (true, "x-last: 1\r\n")] {
        let mut client = Client::connect(envoy.listener("main")).expect("a connection");
        client
            .write(format!("{head}{}\r\n", if trailers { "trailer: x-last\r\n" } else { "" }).as_bytes())
            .expect("sent");
        for chunk in chunks {
            sleep(Duration::from_millis(30));
            client.write(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).expect("sent");
        }
        let answer = client.send(format!("0\r\n{more}\r\n").as_bytes(), false).expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // One that goes on and on is not read to its end.
    let mut client = Client::connect(envoy.listener("main")).expect("a connection");
    client.write(format!("{head}\r\n").as_bytes()).expect("sent");
    for _ in 0..3 {
        client.write(format!("1000\r\n{}\r\n", "a".repeat(4096)).as_bytes()).expect("sent");
    }
    assert_eq!(client.send(b"", false).expect("an answer").status, 413);
    let start = now_seconds();
    let answer = post(envoy.listener(HELD), KEY, "grant_type=client_credentials");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!((9..=17).contains(&(now_seconds() - start)));
    let cure = "allow_on_headers_stop_iteration";
    assert!(envoy.log_with(cure, 1).contains(cure));
    assert_eq!(echo.take().len(), 0, "no form reaches a service");
    assert_eq!(envoy.crashes(), Vec::<String>::new());
}

/// The sample of `envoy/`, whole but for ports and the hash of the key.
#[test]
fn the_sample_gives_tokens_that_its_service_takes() {
    let Some((launch, module)) = available() else { return };
    let _turn = turn();
    let echo = Echo::start();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/tokens.yaml");
    let mut text = std::fs::read_to_string(sample).expect("the sample");
    // The listeners ask each other, so their ports must be known beforehand.
    let free =
        || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    let (gateway, service) = (free(), free());
    for (port, to) in [(10000, gateway), (10001, service), (9901, 0), (8080, echo.address.port())] {
        let old = format!("port_value: {port} }}");
        assert!(text.contains(&old), "{old}");
        text = text.replace(&old, &format!("port_value: {to} }}"));
    }
    text = text.replace("address: 0.0.0.0,", "address: 127.0.0.1,");
    let digest: String = Sha256::digest(KEY).iter().map(|octet| format!("{octet:02x}")).collect();
    let at = text.find("key: sha256:").expect("a key") + "key: sha256:".len();
    text.replace_range(at..at + 64, &digest);
    let module = std::fs::read(module).expect("the module");
    let signing = keys::text("ed25519.pem");
    let envoy =
        Envoy::start_with(&launch, &module, &text, &[("SIGNING_KEY", &signing)]).unwrap_or_else(|why| panic!("{why}"));
    let (gate, door) = (envoy.listener("gateway"), envoy.listener("service"));
    let answer = post(gate, KEY, "grant_type=client_credentials&audience=orders");
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let token = body["access_token"].as_str().expect("a token");
    let end = Instant::now() + Duration::from_secs(5);
    while show(door, token).status == 503 && Instant::now() < end {
        sleep(Duration::from_millis(50));
    }
    assert_eq!(show(door, token).status, 200);
    assert_eq!(show(door, KEY).status, 401);
    let through = get(gate, "/orders/7", &[("x-api-key", KEY)]).expect("an answer");
    assert_eq!(through.status, 200, "{through:?}");
    let seen = echo.take().pop().expect("the service got it");
    assert!(seen.headers.iter().any(|(name, value)| name == "x-client" && value == b"billing"), "{seen:?}");
    assert_eq!(envoy.crashes(), Vec::<String>::new());
}
