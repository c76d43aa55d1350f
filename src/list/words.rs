//! The words of a line: parted by single spaces, and in quotes, as a JSON string, where they hold spaces or quotes.

use std::borrow::Cow;

use super::fault::Fault;

/// What is left of a line.
pub(super) struct Words<'l> {
    rest: Option<&'l str>,
}

impl<'l> Words<'l> {
    /// The words of a line. Every line has one, if only an empty one.
    ///
    /// # Errors
    /// [`Fault::Words`] for control characters.
    pub(super) fn new(line: &'l str) -> Result<Self, Fault> {
        if line.bytes().any(|b| b.is_ascii_control()) {
            return Err(Fault::Words);
        }
        Ok(Self { rest: Some(line) })
    }

    /// All that is left, whatever it is.
    ///
    /// # Errors
    /// [`Fault::Count`] if nothing is.
    pub(super) fn rest(self) -> Result<&'l str, Fault> {
        self.rest.ok_or(Fault::Count)
    }

    /// The next word, if there is one.
    ///
    /// # Errors
    /// [`Fault::Words`] if it is empty, or its quotes do not close.
    pub(super) fn maybe(&mut self) -> Result<Option<Cow<'l, str>>, Fault> {
        let Some(rest) = self.rest else {
            return Ok(None);
        };
        if !rest.starts_with('"') {
            let (word, after) = rest.split_once(' ').map_or((rest, None), |(word, after)| (word, Some(after)));
            self.rest = after;
            return if word.is_empty() { Err(Fault::Words) } else { Ok(Some(Cow::Borrowed(word))) };
        }
        let mut escaped = false;
        let is_end = |(_, b): &(usize, u8)| {
            let end = *b == b'"' && !escaped;
            escaped = *b == b'\\' && !escaped;
            end
        };
        let (end, _) = rest.bytes().enumerate().skip(1).find(is_end).ok_or(Fault::Words)?;
        let (quoted, after) = rest.split_at_checked(end + 1).ok_or(Fault::Words)?;
        self.rest = match after.strip_prefix(' ') {
            None if after.is_empty() => None,
            None => return Err(Fault::Words),
            after => after,
        };
        let word: String = serde_json::from_str(quoted).map_err(|_| Fault::Words)?;
        if word.is_empty() || word.chars().any(char::is_control) {
            Err(Fault::Words)
        } else {
            Ok(Some(Cow::Owned(word)))
        }
    }

    /// The next word.
    ///
    /// # Errors
    /// As [`Words::maybe`], and [`Fault::Count`] if there is none.
    pub(super) fn next(&mut self) -> Result<Cow<'l, str>, Fault> {
        self.maybe()?.ok_or(Fault::Count)
    }

    /// Makes sure that nothing is left.
    ///
    /// # Errors
    /// [`Fault::Count`] if something is.
    pub(super) fn end(&self) -> Result<(), Fault> {
        if self.rest.is_some() { Err(Fault::Count) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Vec<String>, Fault> {
        let mut words = Words::new(line)?;
        let mut found = Vec::new();
        while let Some(word) = words.maybe()? {
            found.push(word.into_owned());
        }
        Ok(found)
    }

    #[test]
    fn takes_lines_apart() {
        assert_eq!(words("jti a b").unwrap(), ["jti", "a", "b"]);
        assert_eq!(words(r#"jti "a b" "\"\\" x"y"#).unwrap(), ["jti", "a b", "\"\\", "x\"y"]);
        assert_eq!(words(r#""\u00e9""#).unwrap(), ["é"]);
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        for line in
            ["", " a", "a ", "a  b", "a\tb", "a\r", r#""a"#, r#""a"b"#, r#""a" "#, r#""""#, r#""\u0007""#, r#""\x""#]
        {
            assert_eq!(words(line), Err(Fault::Words), "{line}");
        }
    }
}
