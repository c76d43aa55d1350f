//! Paths: one meaning or none, however they are spelled.

use gatekey::path::{NormalPath, Pattern};

use super::naive;

/// Patterns that every readable path is matched against.
const PATTERNS: [&str; 7] = ["/", "/**", "/a", "/a/**", "/a/*", "/{x}/b/**", "/*/*"];

/// Takes any octets as a request target.
pub fn check(target: &[u8]) {
    let read = NormalPath::read(target);
    assert_eq!(read.is_err(), naive::is_ambiguous(target), "readers disagree whether the path is ambiguous");
    let Ok(path) = read else { return };

    let expected = naive::segments(target);
    let text = path.display();
    let segments: Vec<&[u8]> = text.as_bytes().split(|b| *b == b'/').skip(1).filter(|s| !s.is_empty()).collect();
    assert_eq!(segments, expected, "readers disagree about the segments");

    let plain =
        spelled(&expected, |b| matches!(b, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~'), "/");
    assert_same(&plain, &path, "normalising twice");
    // Growing past the longest path is a refusal of its own.
    assert_same(&spelled(&expected, |_| false, "/"), &path, "every octet escaped");
    assert_same(&spelled(&expected, |b| b.is_ascii_alphanumeric(), "/.//%2e/"), &path, "dots and slashes inserted");
    let mut query = plain.clone();
    query.extend_from_slice(b"?a=/../%2f;#%");
    assert_same(&query, &path, "a query added");

    for pattern in PATTERNS.map(|text| Pattern::parse(text).expect("a pattern")) {
        assert_eq!(
            pattern.matches(&path).is_some(),
            naive_match(pattern.text(), &expected),
            "pattern {}",
            pattern.text()
        );
    }
}

fn assert_same(spelling: &[u8], path: &NormalPath<'_>, how: &str) {
    if spelling.len() <= gatekey::path::MAX_PATH {
        let again = NormalPath::read(spelling);
        assert_eq!(
            again.map(|again| again.display()).as_deref(),
            Ok(path.display().as_str()),
            "{how} changes the path"
        );
    }
}

fn spelled(segments: &[Vec<u8>], plain: impl Fn(u8) -> bool, separator: &str) -> Vec<u8> {
    let mut text = Vec::from(separator);
    for (index, segment) in segments.iter().enumerate() {
        if index > 0 {
            text.extend_from_slice(separator.as_bytes());
        }
        for b in segment {
            if plain(*b) {
                text.push(*b);
            } else {
                let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
                text.extend_from_slice(&[b'%', digit(b >> 4), digit(b & 15)]);
            }
        }
    }
    text
}

fn naive_match(pattern: &str, segments: &[Vec<u8>]) -> bool {
    let mut parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    let open = parts.last() == Some(&"**");
    if open {
        parts.pop();
    }
    let long_enough = if open { segments.len() >= parts.len() } else { segments.len() == parts.len() };
    long_enough
        && parts.iter().zip(segments).all(|(part, segment)| part.starts_with(['*', '{']) || part.as_bytes() == segment)
}
