//! Sessions: one login on one device. Every token names its session (`sid`); ending the session kills them all.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use uuid::Uuid;

use crate::Timestamp;
use crate::account::AccountId;
use crate::status_list::StatusIndex;

/// The id of a session: a UUIDv7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub Uuid);

impl SessionId {
    /// When the session was opened, by the clock of the node that opened it.
    pub fn opened_at(self) -> Timestamp {
        // The first 48 of 128 bits (RFC 9562 section 5.7).
        Timestamp(i64::try_from(self.0.as_u128() >> 80).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The most bytes kept of a `User-Agent`.
pub const MAX_USER_AGENT: usize = 256;

/// Who is calling, as far as the server can see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The address of the client, after trusted proxies.
    pub address: Option<IpAddr>,
    /// The `User-Agent`, cut to [`MAX_USER_AGENT`] bytes.
    pub user_agent: String,
}

/// A living session.
#[derive(Clone, Debug)]
pub struct Session {
    /// The `sid` of its tokens.
    pub id: SessionId,
    /// Whose it is.
    pub account: AccountId,
    /// Who opened it.
    pub client: Client,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was opened, renewed or refreshed last.
    pub used_at: Timestamp,
    /// After this moment no token of it can be alive.
    pub expires_at: Timestamp,
    /// After this moment no access token of it can be alive that was handed out so far. Refresh tokens live on, and are
    /// looked up: only until then the ending of the session has to be remembered. May be later than `expires_at`.
    pub access_until: Timestamp,
    /// Its place in the status lists, if it took one when it was opened.
    pub status_index: Option<StatusIndex>,
}

/// The longest life of a session in milliseconds, small enough that a store can add it to any time.
pub fn lifetime_ms(lifetime: Duration) -> i64 {
    const MOST: i64 = i64::MAX / 4;
    i64::try_from(lifetime.as_millis()).unwrap_or(MOST).min(MOST)
}

/// A session to open.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id, account, client and times (`used_at` is `created_at`).
    pub session: Session,
    /// SHA-256 of its first refresh token, when it has any.
    pub refresh_hash: Option<[u8; 32]>,
}

/// A session that has ended, as every node has to know it.
#[derive(Clone, Copy, Debug)]
pub struct EndedSession {
    /// Position in the order of endings; grows with every one.
    pub sequence: i64,
    /// Which session.
    pub session: SessionId,
    /// When the last of its access tokens is dead by age, so that it need not be remembered any longer. May have
    /// passed when it ends.
    pub expires_at: Timestamp,
    /// Drawn at random when it ended, and never negative: no other ending of this sequence has the same. 0 for those
    /// that ended before there were marks.
    pub mark: i64,
}

impl EndedSession {
    /// Its place in the order of endings.
    pub fn place(&self) -> Place {
        Place {
            sequence: self.sequence,
            mark: self.mark,
        }
    }
}

/// A place in the order of endings, named by the ending that stands there.
///
/// The sequence alone would not do: a database that was restored from a backup, or a standby that lagged when it was
/// promoted, gives sequences out again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The position.
    pub sequence: i64,
    /// The mark of the ending there.
    pub mark: i64,
}

impl Place {
    /// Before the first ending.
    pub const BEGINNING: Self = Self { sequence: 0, mark: 0 };

    /// What comes after this place, in endings that were read from it on and should begin with it. `None` when they
    /// do not: the database does not know the place.
    pub fn followed_in(self, read: &[EndedSession]) -> Option<&[EndedSession]> {
        if self == Self::BEGINNING {
            return Some(read);
        }
        let (first, rest) = read.split_first()?;
        (first.place() == self).then_some(rest)
    }

    /// Reads a place as it is displayed.
    pub fn parse(text: &str) -> Option<Self> {
        let (sequence, mark) = match text.split_once('-') {
            Some((sequence, mark)) => (sequence, i64::from_str_radix(mark, 16).ok()?),
            None => (text, 0),
        };
        let sequence = sequence.parse().ok()?;
        (sequence >= 0 && mark >= 0).then_some(Self { sequence, mark })
    }
}

/// As services keep it: `124-5f3a`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mark {
            0 => self.sequence.fmt(f),
            mark => write!(f, "{}-{mark:x}", self.sequence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for (sequence, mark, text) in [(0, 0, "0"), (124, 0, "124"), (124, 0x5f3a, "124-5f3a")] {
            let place = Place { sequence, mark };
            assert_eq!((place.to_string().as_str(), Place::parse(text)), (text, Some(place)));
        }
        let last = Place {
            sequence: i64::MAX,
            mark: i64::MAX,
        };
        assert_eq!(Place::parse(&last.to_string()), Some(last));
        for text in [
            "",
            "-",
            "x",
            "1-",
            "-1",
            "1--1",
            "1-x",
            "1-1-1",
            "1-ffffffffffffffff",
            "99999999999999999999",
        ] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_follows_a_place_is_told_only_where_the_place_is() {
        let ended = |sequence, mark| EndedSession {
            sequence,
            session: SessionId(Uuid::nil()),
            expires_at: Timestamp(0),
            mark,
        };
        let read = [ended(7, 70), ended(9, 90)];
        let follow = |place: Place| place.followed_in(&read).map(<[_]>::len);
        assert_eq!(follow(Place::BEGINNING), Some(2));
        assert_eq!(follow(read[0].place()), Some(1));
        assert_eq!(follow(ended(7, 71).place()), None, "another ending has its number");
        assert_eq!(follow(ended(8, 70).place()), None, "it is not there");
        assert!(read[0].place().followed_in(&[]).is_none());
    }
}
