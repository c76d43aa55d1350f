//! Text with fields in it: `user:{sub}`, `{path.tenant}`. A brace that is meant as such is doubled.

/// A piece of such a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// Text as it stands.
    Text(String),
    /// The name between two braces.
    Field(&'t str),
}

/// Cuts a text at its fields; neighbouring texts are one.
///
/// # Errors
/// A sentence about a brace that belongs to nothing.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, &'static str> {
    const STRAY: &str = "a brace belongs to a field such as {sub}; doubled ({{ or }}) it stands for itself";
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.find(['{', '}']).and_then(|at| rest.split_at_checked(at)) {
        plain.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            plain.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            plain.push('}');
            rest = after;
        } else {
            let (name, after) = from.strip_prefix('{').and_then(|inner| inner.split_once('}')).ok_or(STRAY)?;
            if name.is_empty() || name.contains('{') {
                return Err(STRAY);
            }
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Field(name));
            rest = after;
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_at_fields() {
        let text = |t: &str| Piece::Text(String::from(t));
        assert_eq!(pieces("a"), Ok(vec![text("a")]));
        assert_eq!(pieces(""), Ok(vec![]));
        assert_eq!(pieces("u:{sub}/{x}"), Ok(vec![text("u:"), Piece::Field("sub"), text("/"), Piece::Field("x")]));
        assert_eq!(pieces("{{a}}{b}"), Ok(vec![text("{a}"), Piece::Field("b")]));
        for bad in ["{", "}", "{}", "{a", "a}", "{a{b}}", "{{}"] {
            assert!(pieces(bad).is_err(), "{bad}");
        }
    }
}
