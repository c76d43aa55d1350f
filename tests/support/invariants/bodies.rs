//! Bodies of requests: forms, the models in JSON, and private keys as text. What a lenient reader finds in a body that is
//! taken, must be what ours finds.

use gatekey::issue::form::{Form, decode, is_form};
use gatekey::issue::private;
use gatekey::jose::alg::Alg;
use gatekey::jose::offload::NoOffload;
use gatekey::provider::model::{in_body, in_path};

/// Everything that must hold of any octets in the place of a body.
pub fn bodies(data: &[u8]) {
    model(data);
    form(data);
    let _ = is_form(data);
    if let Ok(text) = std::str::from_utf8(data) {
        if let Some(model) = in_path(text, "models") {
            let lower = |text: &str| text.to_ascii_lowercase();
            assert!(lower(text).contains(&lower(&format!("models/{model}"))), "{text:?}: {model}");
        }
        if let Ok(key) = private::read(text) {
            // A key that is taken signs, and twice the same; with RSA, a host does.
            let signed = key.signature(b"x", &NoOffload);
            assert_eq!(signed.is_some(), key.alg() != Alg::Rs256);
            assert_eq!(signed, key.signature(b"x", &NoOffload));
        }
    }
}

fn model(data: &[u8]) {
    let Some(model) = in_body(data) else { return };
    // What is passed by may be deeper than serde_json goes, or hold numbers and escapes that it does not.
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    // serde_json takes the last of two members: there must not be two.
    assert_eq!(value["model"], model.as_str());
    let members = value.as_object().expect("an object");
    let alike = members.keys().filter(|name| name.eq_ignore_ascii_case("model")).count();
    assert_eq!(alike, 1);
}

fn form(data: &[u8]) {
    let Some(form) = Form::read(data) else { return };
    for name in ["grant_type", "scope", "client_id"] {
        let named = |pair: &&[u8]| {
            let name_of = pair.split(|b| *b == b'=').next().unwrap_or_default();
            decode(name_of).as_deref() == Some(name)
        };
        let all: Vec<&[u8]> = data.split(|b| *b == b'&').filter(named).collect();
        assert!(all.len() <= 1, "{name} stands {} times", all.len());
        let value = all.first().and_then(|pair| pair.splitn(2, |b| *b == b'=').nth(1)).and_then(decode);
        assert_eq!(form.get(name), value.as_deref().filter(|value| !value.is_empty()), "{name}");
    }
}
