//! What a verified token says.

use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

/// What a verified token says (RFC 9068 section 2.2). Times are whole seconds since 1970-01-01T00:00:00Z (RFC 7519
/// section 2, `NumericDate`).
///
/// Whoever reads one gets what the token said when it was signed: an account may have changed its address since.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Claims {
    /// The account: the same in every contract, and for ever.
    pub sub: Uuid,
    /// The session: one login, with every token that was made from it.
    pub sid: Uuid,
    /// The token itself.
    pub jti: String,
    /// The realm (`aud`).
    #[serde(rename = "aud")]
    pub realm: String,
    /// Who signed it.
    pub iss: String,
    /// When it dies.
    pub exp: i64,
    /// When it was signed.
    pub iat: i64,
    /// Before when it does not count, if it says so.
    pub nbf: Option<i64>,
    /// Every other claim: those that the contract adds.
    #[serde(flatten)]
    pub own: Map<String, Value>,
}
