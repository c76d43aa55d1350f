//! The time claims `exp`, `nbf` and `iat` (RFC 7519 section 4.1), without rounding in the bearer's favour.

use super::issuer::Issuer;
use crate::deny::Reason;
use crate::json::Json;
use crate::time::Time;

/// The largest whole number that every JSON reader holds exactly.
const MAX_SAFE: i64 = (1 << 53) - 1;

/// Which way a fraction of a millisecond falls.
#[derive(Clone, Copy)]
enum Round {
    Down,
    Up,
}

/// A NumericDate (RFC 7519 section 2) as a point in time.
///
/// # Errors
/// [`Reason::TokenMalformed`] if it is not a number, or one beyond what a date may be.
fn numeric_date(value: &Json<'_>, round: Round) -> Result<Time, Reason> {
    match value {
        Json::Int(seconds) => i64::try_from(*seconds)
            .ok()
            .filter(|seconds| (-MAX_SAFE..=MAX_SAFE).contains(seconds))
            .map(Time::from_seconds)
            .ok_or(Reason::TokenMalformed),
        Json::Float(seconds) => {
            let millis = seconds * 1000.0;
            let millis = match round {
                Round::Down => millis.floor(),
                Round::Up => millis.ceil(),
            };
            // Within this range the conversion is exact: whole numbers below 2^53 times 1000 fit an i64.
            let in_range = (-9.007e15..=9.007e15).contains(seconds);
            #[allow(clippy::as_conversions, clippy::cast_possible_truncation)]
            in_range.then(|| Time::from_millis(millis as i64)).ok_or(Reason::TokenMalformed)
        }
        _ => Err(Reason::TokenMalformed),
    }
}

/// The time claims of one token.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    exp: Option<Time>,
    nbf: Option<Time>,
    iat: Option<Time>,
    /// `iat` rounded down, where the earlier it is the worse.
    issued: Option<Time>,
}

impl Times {
    /// When the token was issued.
    pub(super) fn issued(&self) -> Option<Time> {
        self.issued
    }

    /// When the token ends.
    pub(super) fn expires(&self) -> Option<Time> {
        self.exp
    }

    /// Takes note of a claim if it is a time claim.
    ///
    /// # Errors
    /// [`Reason::TokenMalformed`] if it is one and not a NumericDate.
    pub(super) fn note(&mut self, name: &str, value: &Json<'_>) -> Result<(), Reason> {
        match name {
            "exp" => self.exp = Some(numeric_date(value, Round::Down)?),
            "nbf" => self.nbf = Some(numeric_date(value, Round::Up)?),
            "iat" => {
                self.iat = Some(numeric_date(value, Round::Up)?);
                self.issued = Some(numeric_date(value, Round::Down)?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the token counts now, by its issuer's rules.
    ///
    /// # Errors
    /// The reason why it does not.
    pub(super) fn check(&self, issuer: &Issuer, now: Time) -> Result<(), Reason> {
        let late = now.plus(issuer.leeway);
        match self.exp {
            Some(exp) if now >= exp.plus(issuer.leeway) => return Err(Reason::TokenExpired),
            None if !issuer.optional_exp => return Err(Reason::ClaimMismatch),
            _ => {}
        }
        if self.nbf.is_some_and(|nbf| nbf > late) || self.iat.is_some_and(|iat| iat > late) {
            return Err(Reason::TokenNotYetValid);
        }
        let oldest = issuer.max_age.map(|age| now.plus(-age).plus(-issuer.leeway));
        match (oldest, self.iat) {
            (Some(oldest), Some(iat)) if iat < oldest => Err(Reason::TokenTooOld),
            (Some(_), None) => Err(Reason::TokenTooOld),
            _ => Ok(()),
        }
    }
}
