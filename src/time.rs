//! Points in time and durations: milliseconds since the Unix epoch, and RFC 3339 text.

use std::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i64);

impl Time {
    /// A clock that shows less than this is broken: no release of gatekey is older. Expired tokens
    /// would live for ever under a clock that stands at zero.
    pub const FLOOR: Time = Time(1_767_225_600_000); // 2026-01-01T00:00:00Z

    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the Unix epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This time moved by `millis`, held at the ends of the range.
    pub const fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Reads an RFC 3339 date and time such as `2026-12-31T00:00:00Z` or `2026-12-31T01:00:00.5+01:00`.
    ///
    /// A leap second counts as the last second of its minute.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = Digits(text.as_bytes());
        let year = rest.number(4)?;
        let month = rest.byte(b"-").and_then(|()| rest.number(2))?;
        let day = rest.byte(b"-").and_then(|()| rest.number(2))?;
        let hour = rest.byte(b"Tt ").and_then(|()| rest.number(2))?;
        let minute = rest.byte(b":").and_then(|()| rest.number(2))?;
        let second = rest.byte(b":").and_then(|()| rest.number(2))?;
        let millis = rest.fraction()?;
        let offset = rest.offset()?;
        if !rest.0.is_empty() || !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        if day < 1 || day > days_in_month(year, month) {
            return None;
        }
        let days = days_since_epoch(year, month, day);
        let seconds = ((days * 24 + hour) * 60 + minute - offset) * 60 + second.min(59);
        Some(Self(seconds * 1000 + millis))
    }
}

/// Reads a duration such as `30s`, `10m`, `24h` or `7d` into milliseconds.
pub fn parse_duration(text: &str) -> Option<i64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(unit_at)?;
    let number: i64 = number.parse().ok()?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.checked_mul(seconds)?.checked_mul(1000)
}

/// What is left of a date-time while it is read.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn byte(&mut self, allowed: &[u8]) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        allowed.contains(first).then_some(())
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        if !number.iter().all(u8::is_ascii_digit) {
            return None;
        }
        str::from_utf8(number).ok()?.parse().ok()
    }

    /// An optional `.5`, as milliseconds, cut after the third digit.
    fn fraction(&mut self) -> Option<i64> {
        if self.0.first() != Some(&b'.') {
            return Some(0);
        }
        self.byte(b".")?;
        let length = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at_checked(length)?;
        if digits.is_empty() || length > 9 {
            return None;
        }
        self.0 = rest;
        let millis = digits.iter().chain(b"000").take(3);
        Some(millis.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    }

    /// `Z` or `+01:30`, as minutes east of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.0.first()? {
            b'Z' | b'z' => {
                self.byte(b"Zz")?;
                return Some(0);
            }
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.byte(b"+-")?;
        let hours = self.number(2)?;
        self.byte(b":")?;
        let minutes = self.number(2)?;
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
    }
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, counted in eras of 400 years
/// that begin in March, so that the leap day comes last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// RFC 3339, in UTC, with milliseconds.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.millis().div_euclid(1_000), self.millis().rem_euclid(1_000));
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Years that begin in March, in periods of 400 of them, so that the leap day is the last of its year.
        let shifted = days.saturating_add(719_468);
        let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (year, month) = (year + era * 400 + i64::from(month >= 10), if month < 10 { month + 3 } else { month - 9 });
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rfc3339() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-01-01T00:00:00Z", 1_767_225_600),
            ("2000-02-29T12:30:15Z", 951_827_415),
            ("2026-12-31T01:00:00+01:00", 1_798_675_200),
            ("1969-12-31T23:59:59z", -1),
            ("2016-12-31T23:59:60Z", 1_483_228_799),
        ] {
            assert_eq!(Time::parse(text), Some(Time::from_seconds(seconds)), "{text}");
        }
        let half = Time::parse("1970-01-01T00:00:00.5Z").map(Time::millis);
        assert_eq!(half, Some(500));
        assert_eq!(Time::FLOOR, Time::parse("2026-01-01T00:00:00Z").unwrap());
    }

    #[test]
    fn refuses_other_text() {
        for text in [
            "",
            "2026-01-01",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00Zx",
            "2026-1-1T00:00:00Z",
            "2026-01-01T00:00:00.Z",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:00+1:00",
        ] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }

    #[test]
    fn reads_durations() {
        assert_eq!(parse_duration("30s"), Some(30_000));
        assert_eq!(parse_duration("10m"), Some(600_000));
        assert_eq!(parse_duration("24h"), Some(86_400_000));
        for text in ["", "s", "10", "10 m", "-1s", "1.5h", "10ms", "99999999999999999999s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for text in [
            "1970-01-01T00:00:00.000Z",
            "2000-02-29T23:59:59.999Z",
            "2026-11-25T09:08:07.006Z",
            "2100-03-01T00:00:00.000Z",
            "1969-12-31T23:59:59.999Z",
            "2399-12-31T00:00:00.000Z",
            "2024-12-31T12:00:00.500Z",
        ] {
            assert_eq!(Time::parse(text).unwrap().to_string(), text);
        }
        for day in (0..60_000).map(|day| day * 86_400_000) {
            let time = Time::from_millis(day);
            assert_eq!(Time::parse(&time.to_string()), Some(time));
        }
    }
}
