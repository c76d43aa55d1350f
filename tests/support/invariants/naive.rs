//! A second reading of requests, written to be obvious rather than quick, that shares nothing with the crate.

/// Decodes every escape it can, once.
pub fn unescape(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let escape = text.get(at + 1..at + 3).filter(|_| text[at] == b'%');
        let octet = escape
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        decoded.push(octet.unwrap_or(text[at]));
        at += if octet.is_some() { 3 } else { 1 };
    }
    decoded
}

/// Whether different readers of this target may see different paths.
pub fn is_ambiguous(target: &[u8]) -> bool {
    let path = target.split(|b| *b == b'?').next().unwrap_or_default();
    let mut escapes = path.split(|b| *b == b'%');
    let raw = escapes.next().unwrap_or_default();
    let odd = |text: &[u8]| text.iter().any(|b| *b <= b' ' || *b >= 0x7f || b";\\#".contains(b));
    let bad_escape = |after: &[u8]| match after {
        [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
            let digits = String::from_utf8(vec![*a, *b]).unwrap().to_ascii_lowercase();
            digits.as_str() < "20" || ["2f", "5c", "25", "3b", "3f", "23", "7f"].contains(&digits.as_str())
        }
        _ => true,
    };
    if path.len() > 8192 || !raw.starts_with(b"/") || odd(path) || escapes.any(bad_escape) {
        return true;
    }
    let bad = |segment: Vec<u8>| segment == b".." || str::from_utf8(&segment).is_err();
    path.split(|b| *b == b'/').any(|segment| bad(unescape(segment)))
}

/// The decoded segments that mean something.
pub fn segments(target: &[u8]) -> Vec<Vec<u8>> {
    let path = target.split(|b| *b == b'?').next().unwrap_or_default();
    path.split(|b| *b == b'/').map(unescape).filter(|segment| segment != b"" && segment != b".").collect()
}

/// The value of each pair of all Cookie headers that has this name, quotes left on.
pub fn cookies(pairs: &[(&[u8], &[u8])], name: &str) -> Vec<Vec<u8>> {
    cookie_texts(pairs)
        .into_iter()
        .filter(|pair| cookie_name(pair) == name.as_bytes())
        .map(|pair| pair.iter().skip_while(|b| **b != b'=').skip(1).copied().collect())
        .collect()
}

/// The pairs of all Cookie headers, one text each.
pub fn cookie_texts(pairs: &[(&[u8], &[u8])]) -> Vec<Vec<u8>> {
    values(pairs, "cookie")
        .flat_map(|v| v.split(|b| *b == b';').map(|p| p.trim_ascii().to_vec()).collect::<Vec<_>>())
        .collect()
}

/// The name of a cookie pair.
pub fn cookie_name(pair: &[u8]) -> &[u8] {
    pair.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii()
}

/// The parameters of the target, one text each.
pub fn parameters(pairs: &[(&[u8], &[u8])]) -> Vec<Vec<u8>> {
    let target = values(pairs, ":path").next().unwrap_or_default();
    match target.iter().position(|b| *b == b'?') {
        Some(at) => target[at + 1..].split(|b| *b == b'&').map(<[u8]>::to_vec).collect(),
        None => Vec::new(),
    }
}

/// The name of a parameter.
pub fn parameter_name(parameter: &[u8]) -> Vec<u8> {
    unescape(parameter.split(|b| *b == b'=').next().unwrap_or_default())
}

/// All values of a header.
pub fn values<'a>(pairs: &[(&'a [u8], &'a [u8])], name: &str) -> impl Iterator<Item = &'a [u8]> {
    pairs
        .iter()
        .filter(|(n, _)| n.to_ascii_lowercase() == name.as_bytes())
        .map(|(_, v)| *v)
        .collect::<Vec<_>>()
        .into_iter()
}

/// Whether any part of an Authorization value is of the Bearer scheme.
pub fn has_bearer(value: &[u8]) -> bool {
    value.split(|b| *b == b',').any(|part| {
        let part = part.trim_ascii().to_ascii_lowercase();
        let after = part.strip_prefix(b"bearer");
        let longer = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
        after.is_some_and(|after| !after.first().is_some_and(longer))
    })
}

/// A header name as the least careful service reads it.
pub fn folded(name: &[u8]) -> Vec<u8> {
    name.iter().map(|b| if b.is_ascii_alphanumeric() { b.to_ascii_lowercase() } else { b'-' }).collect()
}

/// Whether one text is in another.
pub fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}
