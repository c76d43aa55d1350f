//! Many short names in few pieces of memory.

/// The size of a piece, and how many there may be: names together are at most 16 MiB.
const PIECE: usize = 64 * 1024;
const MOST: usize = 256;

/// Names, each found by where it stands.
#[derive(Debug, Default)]
pub(super) struct Names {
    pieces: Vec<Vec<u8>>,
}

impl Names {
    /// Adds a name of at most 255 octets; `None` if there is no room.
    pub(super) fn push(&mut self, name: &str) -> Option<u32> {
        let length = u8::try_from(name.len()).ok()?;
        let full = self.pieces.last().is_none_or(|piece| piece.len() + 1 + name.len() > PIECE);
        if full {
            if self.pieces.len() >= MOST {
                return None;
            }
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        let index = self.pieces.len() - 1;
        let piece = self.pieces.last_mut()?;
        let at = index * PIECE + piece.len();
        piece.push(length);
        piece.extend_from_slice(name.as_bytes());
        u32::try_from(at).ok()
    }

    /// The name at this place.
    pub(super) fn get(&self, at: u32) -> Option<&str> {
        let at = usize::try_from(at).ok()?;
        let rest = self.pieces.get(at / PIECE)?.get(at % PIECE..)?;
        let (length, rest) = rest.split_first()?;
        str::from_utf8(rest.get(..usize::from(*length))?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_names_again_and_has_an_end() {
        let mut names = Names::default();
        let mut places = Vec::new();
        for n in 0..20_000 {
            places.push((names.push(&format!("client-{n}")).unwrap(), n));
        }
        for (at, n) in places {
            assert_eq!(names.get(at), Some(format!("client-{n}").as_str()));
        }
        assert_eq!(names.push(&"x".repeat(256)), None);
        let mut taken = 0;
        while names.push(&"x".repeat(255)).is_some() {
            taken += 1;
        }
        assert!((60_000..65_536).contains(&taken), "{taken}");
    }
}
