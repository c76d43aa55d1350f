//! Stored passwords: what a policy knows of one, and the work of checking another against it, in steps.

pub mod bcrypt;
pub mod ledger;
pub mod pbkdf2;
pub mod stored;
pub mod throttle;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use self::bcrypt::Bcrypt;
use self::pbkdf2::Pbkdf2;
use self::stored::Stored;

/// The work of checking one password. It holds the password only as long as it must.
pub struct Work(Stage);

enum Stage {
    Bcrypt(Box<Bcrypt>),
    Pbkdf2(Pbkdf2),
    /// What cannot be interrupted: it is done in one step.
    Whole(Stored, Zeroizing<Vec<u8>>),
    Done(bool),
}

/// The least work that a step does, in rounds of the hash; a round of bcrypt takes about 0.1 ms in V8.
pub const STEP: u32 = 2;

impl Work {
    /// The work of checking a password against a stored one.
    pub fn new(stored: &Stored, password: &[u8]) -> Self {
        let password = || Zeroizing::new(password.to_vec());
        Self(match stored {
            Stored::Bcrypt { cost, salt, hash } => match Bcrypt::new(*cost, *salt, *hash, &password()) {
                Some(work) => Stage::Bcrypt(Box::new(work)),
                None => Stage::Done(false),
            },
            Stored::Pbkdf2 { rounds, salt, hash } => Stage::Pbkdf2(Pbkdf2::new(*rounds, salt, hash, &password())),
            whole => Stage::Whole(whole.clone(), password()),
        })
    }

    /// Does some of the work; the verdict once all is done. Work that cannot be interrupted is done whole.
    pub fn step(&mut self) -> Option<bool> {
        let verdict = match &mut self.0 {
            Stage::Bcrypt(work) => work.step(STEP)?,
            // A round of this is some hundred times cheaper.
            Stage::Pbkdf2(work) => work.step(STEP * 128)?,
            Stage::Whole(stored, password) => stored.check_whole(password),
            Stage::Done(verdict) => *verdict,
        };
        self.0 = Stage::Done(verdict);
        Some(verdict)
    }

    /// Does all of the work.
    pub fn finish(mut self) -> bool {
        loop {
            if let Some(verdict) = self.step() {
                return verdict;
            }
        }
    }
}

/// Whether two hashes are the same, in a time that tells only their lengths.
fn same(a: &[u8], b: &[u8]) -> bool {
    bool::from(a.ct_eq(b))
}
