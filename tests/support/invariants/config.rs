//! Policies: any text loads or is refused with reasons; what loads is stable, keeps its secrets and does not fall open.

use gatekey::config;
use gatekey::explain::explain;
use gatekey::head::Head;
use gatekey::json;

use super::fixture::NOW_TIME;
use super::naive;

/// What every variable of the environment holds.
const ENV_SECRET: &str = "invariant-env-secret-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGH";

/// Words without which no policy lets anybody through who shows nothing.
const OPENERS: [&str; 5] = ["public", "optional", "report", "preflight", "\\"];

/// Takes any octets as a policy.
pub fn check(data: &[u8]) {
    let env = |name: &str| (name.starts_with("SECRET")).then(|| String::from(ENV_SECRET));
    let loaded = match config::load(data, &env) {
        Ok(loaded) => loaded,
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a reason");
            return keeps_secrets(data, &errors.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
    };
    keeps_secrets(data, &loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>());
    let policy = loaded.policy;
    assert_eq!(policy.digest().len(), 16);

    // The canonical form is the same policy.
    if let Ok(value) = json::read(data, config::LIMITS)
        && value.as_str().is_none()
    {
        let text = config::canonical(&value).to_string();
        let again = config::load(text.as_bytes(), &env).map_err(|errors| errors[0].to_string());
        let again = again.map(|again| again.policy.digest().to_owned());
        assert_eq!(again.as_deref(), Ok(policy.digest()), "the canonical form is another policy: {text}");
        let twice = json::read(text.as_bytes(), config::LIMITS).expect("JSON");
        assert_eq!(config::canonical(&twice).to_string(), text, "the canonical form has a canonical form");
    }

    let closed = !OPENERS.iter().any(|word| naive::contains(data, word.as_bytes()));
    for (method, path) in [("GET", "/"), ("POST", "/a/b/c"), ("OPTIONS", "/public/x")] {
        let pairs: [(&[u8], &[u8]); 7] = [
            (b":method", method.as_bytes()),
            (b":path", path.as_bytes()),
            (b":authority", b"api.example.com"),
            (b"x-user", b"root"),
            (b"x_user", b"root"),
            (b"origin", b"https://web.test"),
            (b"access-control-request-method", b"POST"),
        ];
        let explanation = explain(&policy, &Head { pairs: &pairs, complete: true }, NOW_TIME);
        assert!(!closed || explanation.decision == "deny", "somebody who shows nothing gets in");
        assert!(explanation.identity == json::Json::Null, "somebody who shows nothing is somebody");
        for (name, _) in explanation.edits.apply(&pairs) {
            assert!(
                !policy.owns(&name) || explanation.edits.set.iter().any(|(n, _)| n.as_bytes() == name),
                "a header of ours gets through"
            );
        }
        keeps_secrets(data, &explanation.steps);
    }
}

/// No text shows a secret of the policy.
fn keeps_secrets(data: &[u8], texts: &[String]) {
    let text = String::from_utf8_lossy(data);
    let mut secrets = vec![ENV_SECRET];
    for opening in ["\"secret\":{\"value\":\"", "{\"plain\":\""] {
        let inline = text.split(opening).skip(1).filter_map(|after| after.split(['"', '\\']).next());
        // One that is made of our own words would be found in any message.
        let own_words = |secret: &str| secret.contains(' ');
        secrets.extend(
            inline.filter(|secret| secret.len() >= 12 && text.matches(secret).count() == 1 && !own_words(secret)),
        );
    }
    for secret in secrets {
        assert!(!texts.iter().any(|text| text.contains(secret)), "a secret is shown in {texts:?}");
    }
}
