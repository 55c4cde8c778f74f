//! Register: makes an account and, where the contract's answer carries a token, its first session.
//!
//! The surprise: the password is hashed before anybody looks whether the identifier is free. The unique index
//! decides, and both answers take the same time.

use super::{Call, Carries, HasOutcome, Input, Need, Outcome, OutcomeKind, Table, TakesInput};
use crate::account::AccountId;
use crate::audit::{Event, record};
use crate::store::{NewAccount, Written};
use crate::{Auth, Error, Result, random};

pub(super) static TABLE: Table = Table {
    name: "register",
    about: "Makes an account.",
    safe: false,
    token: false,
    inputs: &[
        TakesInput {
            input: Input::Email,
            need: Need::OneOf,
        },
        TakesInput {
            input: Input::Username,
            need: Need::OneOf,
        },
        TakesInput {
            input: Input::Password,
            need: Need::Required,
        },
        TakesInput {
            input: Input::FirstName,
            need: Need::Optional,
        },
        TakesInput {
            input: Input::LastName,
            need: Need::Optional,
        },
        TakesInput {
            input: Input::Attribute,
            need: Need::Optional,
        },
    ],
    outcomes: &[
        HasOutcome {
            kind: OutcomeKind::Created,
            when: "The account is made.",
            carries: &[Carries::Account, Carries::NewToken],
        },
        HasOutcome {
            kind: OutcomeKind::Taken,
            when: "An identifier belongs to another account of the realm.",
            carries: &[Carries::Faults],
        },
        super::INVALID,
    ],
};

pub(super) async fn run(auth: &Auth, call: Call<'_>) -> Result<Outcome> {
    let Some(password) = call.inputs.password(Input::Password) else {
        return Err(Error::internal("a registration without a password passed the contract"));
    };
    let name = call.inputs.identifier().unwrap_or_default();
    let caller = call.in_line(auth, name);
    if let Some(fault) = call.inputs.weakness(auth, &caller, Input::Password, None).await? {
        return Ok(Outcome::invalid(vec![fault]));
    }
    let permit = auth.throttle.permit_registration(caller.network())?;
    let password_hash = match auth.hasher.hash(&caller, &password).await {
        Ok(hash) => hash,
        Err(error) => {
            permit.unused();
            return Err(error);
        }
    };
    let now = auth.clock.now();
    let id = AccountId(random::uuid(now)?);
    let (session, refresh) = if call.wants_token {
        let (session, refresh) = auth
            .new_session(id, call.realm, call.grant, call.client.clone())
            .await?;
        (Some(session), refresh)
    } else {
        (None, None)
    };
    let opened = session.as_ref().map(|new| new.session.clone());
    let new = NewAccount {
        id,
        realm: call.realm.id,
        profile: call.inputs.into_profile(),
        password_hash,
        created_at: now,
    };
    match auth.store.create_account(new, session).await? {
        Written::Done(account) => {
            let session = opened.as_ref().map(|session| session.id);
            record(Event::Registered, Some(id), session, Some(&call.client));
            auth.throttle.welcome(id, caller.network());
            let token = opened
                .as_ref()
                .map(|session| auth.issue(call.realm, call.grant, &account, session, refresh.as_ref()))
                .transpose()?;
            Ok(Outcome::of(OutcomeKind::Created).account(account).token(token))
        }
        Written::Taken(kind) => Ok(Outcome::taken(kind)),
        Written::Gone => Err(Error::internal("a new account is gone")),
    }
}
