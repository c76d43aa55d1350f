//! Percent-encoding (RFC 3986 section 2.1), as query parameters and forms have it.

/// The octets with everything but unreserved characters (RFC 3986 section 2.3) escaped.
pub fn escaped(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for octet in octets {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(octet) {
            text.push(char::from(*octet));
        } else {
            text.push('%');
            for digit in [octet >> 4, octet & 15] {
                text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_all_but_unreserved() {
        assert_eq!(escaped(b"aZ09-._~"), "aZ09-._~");
        assert_eq!(escaped(b"a b/\xff&=%+"), "a%20b%2F%FF%26%3D%25%2B");
    }
}
