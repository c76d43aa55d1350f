//! Policies: every mistake is told in words that help, good ones load, and no text whatever makes the reader panic.

mod support;

use gatekey::config::{ConfigError, Loaded, load};

const D1: &str = "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f";
const D2: &str = "9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c9c";
const D3: &str = "7777777777777777777777777777777777777777777777777777777777777777";
const K32: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU";

fn env(name: &str) -> Option<String> {
    match name {
        "JWT_SECRET" => Some(String::from("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")),
        "NL" => Some(String::from("0123456789abcdef0123456789abcdef\n")),
        "EMPTY" => Some(String::new()),
        // The example of RFC 8037 appendix A.1, which serves for a provider's key too.
        "KEY" => {
            Some(String::from(r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#))
        }
        _ => None,
    }
}

fn read(policy: &str) -> Result<Loaded, Vec<ConfigError>> {
    load(policy.as_bytes(), &env)
}

/// The text that the shorthand of the golden files stands for.
fn expand(text: &str) -> String {
    let member = |key: &str, name: &str| support::keys::jwk(key)[name].as_str().expect("text").to_owned();
    let modulus = member("rsa2048", "n");
    // The last character holds the last bits: A makes the number even, and needs no other change.
    let even = format!("{}A", &modulus[..modulus.len() - 1]);
    let text = text.replace("<n1024>", &member("rsa1024", "n")).replace("<n2048>", &modulus).replace("<nEven>", &even);
    let text = text.replace("<x256>", &member("p256", "x")).replace("<y256>", &member("p256", "y"));
    let text = text.replace("<rsa1024>", &support::keys::text("rsa1024.pem").replace('\n', "\\n"));
    let text = text.replace("<x25519>", &member("ed25519", "x"));
    let text = text.replace("<D1>", &D1.to_uppercase()).replace("<d1>", D1).replace("<d2>", D2).replace("<d3>", D3);
    let text = text.replace("<k32>", K32);
    let mut expanded = String::new();
    let mut rest = text.as_str();
    // `<x*40>` is the only thing that is left with a star in the third place.
    while let Some(at) = rest.find('<').filter(|at| rest[*at..].chars().nth(2) == Some('*')) {
        let (count, after) = rest[at + 3..].split_once('>').unwrap();
        let (before, run) = rest.split_at(at);
        expanded.push_str(before);
        expanded.push_str(&run[1..2].repeat(count.parse().unwrap()));
        rest = after;
    }
    expanded + rest
}

fn policy(line: &str) -> String {
    const SECRET: &str = r#""secret":{"env":"JWT_SECRET"}"#;
    let both = format!(r#""issuers":{{"corp":{{{SECRET}}}}},"clients":{{"acme":"sha256:{D1}"}}"#);
    let line = expand(line);
    let (kind, body) = line.split_once(' ').unwrap_or((&line, ""));
    let (value, more) = match body.split_once(" with ") {
        Some((value, more)) => (value, format!(",{more}")),
        None => (body, String::new()),
    };
    match kind {
        "policy" => String::from(body),
        "issuer" => format!(r#"{{"issuers":{{"app":{{{SECRET},{value}}}}}}}"#),
        "secret" => format!(r#"{{"issuers":{{"app":{{"secret":{value}{more}}}}}}}"#),
        "keys" => format!(r#"{{"issuers":{{"app":{{"jwks":{{"keys":[{value}]}}{more}}}}}}}"#),
        "client" => format!(r#"{{"clients":{{"acme":{value}}}}}"#),
        "with" => format!("{{{both},{value}}}"),
        "route" => format!(r#"{{{both},"routes":[{value}]}}"#),
        "upstream" => format!(r#"{{{both},"upstream":{value}}}"#),
        _ => panic!("{line}"),
    }
}

/// Policies and the lines that are expected of them.
fn golden(text: &str) -> Vec<(String, Vec<String>)> {
    let mut cases: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("    ") {
            Some(told) => cases.last_mut().unwrap().1.push(expand(told)),
            None => cases.push((policy(line), Vec::new())),
        }
    }
    cases
}

#[test]
fn mistakes_are_told() {
    let cases = golden(include_str!("config/errors.txt"));
    let mut count = 0;
    for (policy, expected) in &cases {
        let told: Vec<String> = match read(policy) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(&told, expected, "\n{policy}");
        count += told.len();
    }
    assert!(count > 250, "only {count} mistakes");
    println!("{count} mistakes in {} policies", cases.len());
}

#[test]
fn oddities_are_told() {
    for (policy, expected) in golden(include_str!("config/warnings.txt")) {
        let told: Vec<String> = read(&policy)
            .unwrap_or_else(|errors| panic!("{policy}\n{errors:?}"))
            .warnings
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(told, expected, "\n{policy}");
    }
}

#[test]
fn no_message_tells_a_secret() {
    let cases = golden(include_str!("config/errors.txt"));
    for (policy, _) in &cases {
        let told: String = match read(policy) {
            Ok(_) => String::new(),
            Err(errors) => errors.iter().map(ToString::to_string).collect(),
        };
        for secret in ["hunter2", "0123456789ab", "s3cret", "not a name", "too short", "a key with", "MIIB"] {
            assert!(!told.contains(secret), "{policy}: {told}");
        }
    }
}

/// Every section and every form of every field.
fn full() -> String {
    format!(
        r#"{{"version":1,"mode":"report",
        "issuers":{{
          "corp":{{"issuer":"https://id.example.com/","audience":["orders"],"secret":[{{"env":"JWT_SECRET","encoding":"text"}}],
            "algorithms":["HS256","HS512"],"type":"application/at+jwt","max_age":"12h","leeway":"30s","optional_exp":false,"confirmation":"checked",
            "require":{{"tenant":["acme","globex"],"level":3}},"roles":"realm_access.roles","scopes":"[\"https://x/scopes\"]"}},
          "app":{{"any_audience":true,"jwks":{{"keys":[{{"kty":"oct","k":"{K32}","kid":"a","alg":"HS256","use":"sig","key_ops":["verify"]}}]}}}}}},
        "clients":{{"acme":"sha256:{D1}",
          "ci":{{"keys":["sha256:{D3}",{{"sha256":"{D2}","expires":"2026-12-31T00:00:00Z","not_before":"2026-01-01T00:00:00Z"}},
            {{"plain":"0123456789abcdef"}}],"roles":"bot","scopes":["a:b"],"claims":{{"tier":"gold","n":[1,null]}},"expires":"2030-01-01T00:00:00Z"}}}},
        "read":{{"token":["bearer","cookie:session"],"key":["header:X-Api-Key","query:key","bearer"]}},
        "routes":[
          {{"name":"public","path":["/healthz","/public/**"],"allow":"public"}},
          {{"path":"/admin/**","host":"*.example.com","header":{{"X-Env":["prod","stage"]}},"allow":{{"any":["corp"],"role":"admin"}}}},
          {{"path":"/orders/**","method":["POST","PUT"],"preflight":true,"allow":{{"any":["corp","clients"],"scope":"orders:write"}}}},
          {{"path":["/t/{{tenant}}/**","/u/{{tenant}}"],"allow":{{"any":"corp","claim":{{"tenant":["{{path.tenant}}","{{{{root}}}}"],"ok":true}}}}}},
          {{"path":"/both","allow":{{"all":["corp","acme"],"client":["acme"]}}}},
          {{"path":"/news","allow":{{"any":["issuers"],"optional":true}}}},
          {{"path":"/**","allow":["corp","app","clients"]}}],
        "upstream":{{"set":{{"X-User":"sub","X-Client":"client","X-Tier":"claims.tier","X-Odd":"claims[\"a.b\"].c","X-Tenant":"path.tenant",
            "X-Where":{{"value":"prod"}},"X-Text":{{"template":"{{{{user}}}}:{{sub}}/{{path.tenant}}"}}}},
          "strip":["x-internal","x-auth-*"],"keep_credential":false,"publish":"auth"}},
        "revoked":{{"jti":["a"],"sub":"b","client":["ci"]}},
        "deny":{{"body":"json","realm":"orders","detail":"code"}},"preflight":true}}"#
    )
}

#[test]
fn good_policies_load() {
    let loaded = read(&full()).unwrap_or_else(|errors| panic!("{errors:?}"));
    let labels: Vec<&str> = loaded.policy.routes().iter().map(|route| route.label.as_str()).collect();
    assert_eq!(labels, ["public", "routes[1]", "routes[2]", "routes[3]", "routes[4]", "routes[5]", "routes[6]"]);
    assert_eq!(loaded.policy.publish(), Some("auth"));
    for name in ["x-user", "X_Tier", "x-internal", "x-auth-anything", "x-original-url", "x-http-method-override"] {
        assert!(loaded.policy.owns(name.as_bytes()), "{name}");
    }
    for policy in [
        "secret {\"env\":\"JWT_SECRET\"}",
        "client \"sha256:<d1>\"",
        "with \"routes\":[{\"allow\":{\"role\":\"x\"}}]",
        "with \"upstream\":{}",
    ] {
        let loaded = read(&self::policy(policy)).unwrap_or_else(|errors| panic!("{policy}: {errors:?}"));
        assert!(!loaded.policy.owns(b"x-original-url"), "{policy}");
    }
}

#[test]
fn a_kind_without_anybody_is_read_nowhere() {
    let read = |line: &str| {
        let loaded = read(&policy(line)).unwrap_or_else(|errors| panic!("{errors:?}"));
        (loaded.policy.read().token.len(), loaded.policy.read().key.len())
    };
    assert_eq!(read("secret {\"env\":\"JWT_SECRET\"}"), (1, 0));
    assert_eq!(read("client \"sha256:<d1>\""), (0, 2));
    assert_eq!(read("with \"preflight\":true"), (1, 2));
}

/// What hosts do to a policy on its way does not change what it means.
#[test]
fn survives_the_hosts() {
    let plain = policy(
        r#"with "version":1,"mode":null,"upstream":{"strip":[]},"revoked":{"jti":[],"sub":["x"]},"routes":[{"path":"/a","allow":{"claim":{"level":3}}}]"#,
    );
    let mangled = policy(
        r#"with "version":1.0,"upstream":{"strip":{}},"revoked":{"jti":{},"sub":["x"]},"deny":{"realm":{},"body":null},"routes":[{"path":"/a","name":{},"allow":{"claim":{"level":3.0},"optional":null}}]"#,
    );
    let text = format!(" {} ", serde_json::to_string(&plain).unwrap());
    let digest = |policy: &str| {
        String::from(read(policy).unwrap_or_else(|errors| panic!("{policy}: {errors:?}")).policy.digest())
    };
    assert_eq!(digest(&plain), digest(&text));
    read(&mangled).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(digest(&plain).len(), 16);
}

#[test]
fn the_digest_tells_policies_apart_but_no_secrets() {
    let digest =
        |line: &str| String::from(read(&policy(line)).unwrap_or_else(|errors| panic!("{errors:?}")).policy.digest());
    let one = digest(r#"secret {"env":"JWT_SECRET"}"#);
    let value = digest(r#"secret {"value":"0123456789abcdef0123456789abcdef"}"#);
    assert_eq!(value, digest(r#"secret {"value":"0123456789abcdef0123456789abcdeF"}"#));
    // The name of a variable is no secret, and tells one step of a change of keys from the next.
    assert_ne!(one, value);
    assert_ne!(one, digest(r#"secret {"env":"NL"}"#));
    assert_ne!(one, digest(r#"secret [{"env":"JWT_SECRET"},{"env":"NL"}]"#));
    assert_ne!(one, digest(r#"secret {"env":"JWT_SECRET"} with "leeway":"1s""#));
    assert_eq!(
        digest(r#"client {"key":{"plain":"0123456789abcdef"}}"#),
        digest(r#"client {"key":{"plain":"0123456789abcdeF"}}"#)
    );
    assert_ne!(digest(r#"client "sha256:<d1>""#), digest(r#"client "sha256:<d2>""#));
}

#[test]
fn no_text_makes_it_panic() {
    let full = full();
    for cut in 0..full.len() {
        let _ = load(&full.as_bytes()[..cut], &env);
    }
    let value: serde_json::Value = serde_json::from_str(&full).unwrap();
    let spoils = [
        "null",
        "{}",
        "[]",
        "\"\"",
        "0",
        "true",
        "-1",
        "1e30",
        "[null]",
        "{\"\":null}",
        "\"\\u0000\"",
        "\"*\"",
        "[[]]",
    ];
    let spoils = spoils.map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
    let mut count = 0;
    for pointer in pointers(&value, "") {
        for spoil in &spoils {
            let mut spoilt = value.clone();
            *spoilt.pointer_mut(&pointer).unwrap() = spoil.clone();
            // Whatever it says of this, it says it in finite time and in lines that name a place.
            if let Err(errors) = load(spoilt.to_string().as_bytes(), &env) {
                assert!(!errors.is_empty() && errors.iter().all(|error| !error.message.is_empty()));
            }
            count += 1;
        }
    }
    assert!(count > 1000, "only {count}");
}

/// The way to every value of a document.
fn pointers(value: &serde_json::Value, here: &str) -> Vec<String> {
    let inner: Vec<(String, &serde_json::Value)> = match value {
        serde_json::Value::Object(members) => {
            members.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        serde_json::Value::Array(items) => {
            items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    let below = inner.into_iter().flat_map(|(step, value)| pointers(value, &format!("{here}/{step}")));
    std::iter::once(String::from(here)).chain(below).collect()
}

/// A mistake in every one of many entries is told, and in little time.
#[test]
fn large_policies_are_read() {
    let entry = |index: usize| format!(r#""c{index}":"sha256:{index:064x}""#);
    let clients: Vec<String> = (0..20_000).map(entry).collect();
    let revoked: Vec<String> = (0..100_000).map(|index| format!("\"{index}\"")).collect();
    let policy = |clients: &str| {
        let revoked = revoked.join(",");
        format!(
            r#"{{"clients":{{{clients}}},"issuers":{{"a":{{"secret":{{"env":"JWT_SECRET"}}}}}},"revoked":{{"jti":[{revoked}]}}}}"#
        )
    };
    let loaded = read(&policy(&clients.join(","))).unwrap_or_else(|errors| panic!("{}", errors[0]));
    assert!(loaded.warnings.is_empty());
    // What may be meant by each of so many unknown names is not looked for.
    let unknown: Vec<String> = (0..20_000).map(|index| format!("\"x{index}\"")).collect();
    let (clients, unknown) = (clients.join(","), unknown.join(","));
    let loaded = read(&format!(r#"{{"clients":{{{clients}}},"revoked":{{"client":[{unknown}]}}}}"#));
    assert_eq!(loaded.unwrap_or_else(|errors| panic!("{}", errors[0])).warnings.len(), 20_000);
    let same: Vec<String> = (0..1000).map(|index| format!(r#""c{index}":"sha256:{D1}""#)).collect();
    assert_eq!(read(&policy(&same.join(","))).err().map(|errors| errors.len()), Some(999));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(4 * 1024 * 1024));
    assert_eq!(read(&long).err().unwrap()[0].to_string(), "policy: is longer than 4194304 octets");
}

/// What a route or a condition looked at cannot come again as a trailer.
#[test]
fn trailers_bring_nothing_that_was_compared() {
    let policy = r#"{"clients":{"a":"sha256:<d1>"},"routes":[{"path":"/a","header":{"X-Edition":"web"},"allow":"public"},{"path":"/b","allow":{"any":"clients","claim":{"t":"{header.X-Tenant}"}}}]}"#;
    let loaded = read(&expand(policy)).unwrap();
    for (name, owned) in [("x-edition", true), ("X_Edition", true), ("x-tenant", true), ("x-tenants", false)] {
        assert_eq!(loaded.policy.owns_trailer(name.as_bytes()), owned, "{name}");
    }
}

/// Credentials go from trailers where they go from headers: not where they are kept, nor in report mode.
#[test]
fn trailers_follow_the_rule_of_headers() {
    for (rest, hidden) in [
        (r#""mode":"enforce""#, true),
        (r#""mode":"report""#, false),
        (r#""upstream":{"keep_credential":true}"#, false),
    ] {
        let loaded = read(&policy(&format!("with {rest}"))).unwrap_or_else(|errors| panic!("{rest}: {errors:?}"));
        assert_eq!(loaded.policy.owns_trailer(b"Authorization"), hidden, "{rest}");
        assert_eq!(loaded.policy.owns_trailer(b"x_api_key"), hidden, "{rest}");
    }
}

/// Nor can a trailer say that it is the token which the service gets.
#[test]
fn trailers_bring_no_token_for_the_service() {
    for (mode, header, name, hidden) in [
        ("enforce", "authorization", "Authorization", true),
        ("enforce", "authorization", "x-token", false),
        ("enforce", "X-Token", "x_token", true),
        ("report", "X-Token", "x-token", true),
        ("report", "authorization", "Authorization", false),
    ] {
        let text = format!(
            r#"{{"mode":"{mode}","clients":{{"a":"sha256:<d1>"}},"read":{{"key":"header:x-api-key"}},"upstream":{{"token":{{"header":"{header}","issuer":"g","audience":"a","sign":{{"private_key":{{"env":"KEY"}}}}}}}}}}"#
        );
        let loaded = read(&expand(&text)).unwrap_or_else(|errors| panic!("{errors:?}"));
        assert_eq!(loaded.policy.owns_trailer(name.as_bytes()), hidden, "{mode} {header} {name}");
    }
}

/// Whoever pastes a private key or a secret into the wrong place must not find it in a log.
#[test]
fn misplaced_keys_are_not_repeated() {
    const BODY: &str = "MHcCAQEEIF3vXywZv7IPJd8cfe1Z1eDk";
    let pem = format!("-----BEGIN EC PRIVATE KEY-----\\n{BODY}\\n-----END EC PRIVATE KEY-----");
    let places = [
        r#""issuers":{"app":{"secret":{"env":"JWT_SECRET"},"algorithms":["<>"]}}"#,
        r#""issuers":{"app":{"secret":{"env":"JWT_SECRET"},"algorithms":"<>"}}"#,
        r#""issuers":{"app":{"secret":{"env":"JWT_SECRET"},"issuer":"<>"}}"#,
        r#""issuers":{"app":{"secret":{"env":"JWT_SECRET"},"leeway":"<>"}}"#,
        r#""issuers":{"app":{"secret":{"env":"JWT_SECRET"},"type":"<>"}}"#,
        r#""issuers":{"app":{"secret":{"env":"<>"}}}"#,
        r#""issuers":{"app":{"secret":"<>"}}"#,
        r#""issuers":{"app":{"pem":"<>"}}"#,
        r#""issuers":{"app":{"pem":{"env":"<>"}}}"#,
        r#""issuers":{"app":{"jwks":"<>"}}"#,
        r#""issuers":{"app":{"jwks":{"keys":["<>"]}}}"#,
        r#""issuers":{"app":{"jwks":{"keys":[{"kty":"<>"}]}}}"#,
        r#""issuers":{"app":{"jwks":{"keys":[{"kty":"EC","crv":"<>"}]}}}"#,
        r#""issuers":{"app":{"jwks":{"keys":[{"kty":"EC","alg":"<>","crv":"P-256","x":"<>"}]}}}"#,
        r#""issuers":{"app":{"jwks":{"keys":[{"kty":"EC","kid":"<>","crv":"P-256","x":"AA","y":"<>","d":"<>"}]}}}"#,
        r#""issuers":{"app":{"jwks":{"uri":"<>","cluster":"idp"}}}"#,
        r#""issuers":{"app":{"jwks":{"uri":"https://id.example.com/keys","cluster":"<>"}}}"#,
        r#""issuers":{"app":{"jwks":{"uri":"https://id.example.com/keys","cluster":"idp","refresh":"<>"}}}"#,
        r#""issuers":{"app":{"jwks":{"uri":"https://id.example.com/keys","cluster":"idp","keep_stale":"<>"}}}"#,
        r#""issuers":{"app":{"jwks":{"uri":"https://id.example.com/keys","cluster":"idp","discovery":"<>"}}}"#,
        r#""issuers":{"<>":{"pem":"<>"}}"#,
        r#""clients":{"acme":"<>"}"#,
        r#""<>":1"#,
    ];
    let mut found = 0;
    for place in places {
        let policy = format!("{{{}}}", place.replace("<>", &pem));
        let told: Vec<String> = match read(&policy) {
            Ok(taken) => taken.warnings.iter().map(ToString::to_string).collect(),
            Err(errors) => errors.iter().map(ToString::to_string).collect(),
        };
        let told = told.join("\n");
        assert!(!told.contains(&BODY[..8]), "{policy}\n{told}");
        found += usize::from(!told.is_empty());
    }
    assert!(found > 20, "only {found} are told");
}
