//! What somebody who is logged in does to the account, and what an operator does to it.

use doorward_core::action::{Action, Input, OutcomeKind};

use super::{Session, World};

impl World {
    pub(in super::super) async fn list_sessions(&mut self, number: usize) {
        let Some((token, expected)) = self.pick(number) else {
            return;
        };
        let outcome = self.run(Action::ListSessions, Some(token), &[], false).await;
        assert_eq!(outcome.kind, expected);
        if expected == OutcomeKind::Ok {
            let (now, account) = (self.now(), self.sessions[self.tokens[token].session].account);
            let living = |session: &&Session| session.account == account && session.alive && session.expires > now;
            assert_eq!(
                outcome.carried.sessions.len(),
                self.sessions.iter().filter(living).count()
            );
        }
    }

    pub(in super::super) async fn end_other_sessions(&mut self, number: usize) {
        let Some((token, expected)) = self.pick(number) else {
            return;
        };
        assert_eq!(
            self.run(Action::EndOtherSessions, Some(token), &[], false).await.kind,
            expected
        );
        if expected == OutcomeKind::Ok {
            let session = self.tokens[token].session;
            self.end(self.sessions[session].account, Some(session));
        }
    }

    pub(in super::super) async fn change_password(&mut self, number: usize, right: bool) {
        let Some((token, mut expected)) = self.pick(number) else {
            return;
        };
        let session = self.tokens[token].session;
        let who = self.person_of(self.sessions[session].account);
        let current = who
            .and_then(|who| self.people[who].as_ref())
            .map_or(0, |person| person.password);
        let fields = [
            (
                Input::CurrentPassword,
                format!("password-{}", if right { current } else { usize::MAX }),
            ),
            (Input::NewPassword, format!("password-{}", self.passwords + 1)),
        ];
        if expected == OutcomeKind::Ok && !right {
            expected = OutcomeKind::WrongPassword;
        }
        assert_eq!(
            self.run(Action::ChangePassword, Some(token), &fields, false).await.kind,
            expected
        );
        if expected == OutcomeKind::Ok {
            self.passwords += 1;
            self.people[who.unwrap()].as_mut().unwrap().password = self.passwords;
            self.end(self.sessions[session].account, Some(session));
        }
    }

    pub(in super::super) async fn delete_account(&mut self, number: usize) {
        let Some((token, expected)) = self.pick(number) else {
            return;
        };
        let account = self.sessions[self.tokens[token].session].account;
        let who = self.person_of(account);
        let password = who
            .and_then(|who| self.people[who].as_ref())
            .map_or(0, |person| person.password);
        let fields = [(Input::CurrentPassword, format!("password-{password}"))];
        assert_eq!(
            self.run(Action::DeleteAccount, Some(token), &fields, false).await.kind,
            expected
        );
        if expected == OutcomeKind::Ok {
            self.people[who.unwrap()] = None;
            self.end(account, None);
        }
    }

    pub(in super::super) async fn disable(&mut self, who: usize, disabled: bool) {
        let Some(person) = &mut self.people[who] else { return };
        let id = person.id;
        person.disabled = disabled;
        if disabled {
            assert!(self.auth.disable_account(id).await.unwrap());
            self.end(id, None);
        } else {
            assert!(self.auth.enable_account(id).await.unwrap());
        }
    }
}
