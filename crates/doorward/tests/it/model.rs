//! Random sequences of everything that accounts and sessions can go through, against a model of them.
//!
//! The surprise: the clock is moved by the sequence itself. Whenever it jumps past the bound, the server's memory of
//! ended sessions is too old to trust, and the checks that follow ask the database: both ways have to agree.

mod world;

use std::time::Duration;

use doorward_core::action::OutcomeKind;
use doorward_core::auth::SLACK;
use proptest::prelude::*;

use world::World;

/// Who acts, of two people.
type Who = usize;

/// One thing that happens. Numbers pick among what there is.
#[derive(Clone, Debug)]
enum Step {
    Register(Who, bool),
    Login(Who, bool),
    Profile(usize),
    Logout(usize),
    /// A token, through one of the contracts.
    Renew(usize, usize),
    /// A refresh token of some session, so many generations old, through one of the contracts.
    Refresh(usize, usize, usize),
    ListSessions(usize),
    EndOtherSessions(usize),
    ChangePassword(usize, bool),
    DeleteAccount(usize),
    Disable(Who),
    Enable(Who),
    Advance(u64),
    CatchUp,
    Purge,
    /// Right after a purge: what is known then is what the database could not forget.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..2_usize;
    let some = || 0..8_usize;
    prop_oneof![
        2 => (who(), any::<bool>()).prop_map(|(who, token)| Step::Register(who, token)),
        4 => (who(), prop::bool::weighted(0.8)).prop_map(|(who, right)| Step::Login(who, right)),
        4 => some().prop_map(Step::Profile),
        2 => some().prop_map(Step::Logout),
        2 => (some(), 0..2_usize).prop_map(|(token, contract)| Step::Renew(token, contract)),
        5 => (some(), prop_oneof![4 => Just(0_usize), 2 => Just(1), 1 => Just(2)], 0..2_usize)
            .prop_map(|(session, age, contract)| Step::Refresh(session, age, contract)),
        1 => some().prop_map(Step::ListSessions),
        1 => some().prop_map(Step::EndOtherSessions),
        1 => (some(), prop::bool::weighted(0.7)).prop_map(|(token, right)| Step::ChangePassword(token, right)),
        1 => some().prop_map(Step::DeleteAccount),
        1 => who().prop_map(Step::Disable),
        1 => who().prop_map(Step::Enable),
        5 => prop_oneof![Just(1), Just(5), Just(11), Just(300), Just(960), Just(1700)].prop_map(Step::Advance),
        1 => Just(Step::CatchUp),
        1 => Just(Step::Purge),
        2 => Just(Step::Restart),
    ]
}

async fn act(world: &mut World, step: Step) {
    match step {
        Step::Register(who, token) => world.register(who, token).await,
        Step::Login(who, right) => world.login(who, right).await,
        Step::Profile(token) => world.profile(token).await,
        Step::Logout(token) => world.logout(token).await,
        Step::Renew(token, contract) => world.renew(token, contract).await,
        Step::Refresh(session, age, contract) => world.refresh(session, age, contract).await,
        Step::ListSessions(token) => world.list_sessions(token).await,
        Step::EndOtherSessions(token) => world.end_other_sessions(token).await,
        Step::ChangePassword(token, right) => world.change_password(token, right).await,
        Step::DeleteAccount(token) => world.delete_account(token).await,
        Step::Disable(who) => world.disable(who, true).await,
        Step::Enable(who) => world.disable(who, false).await,
        Step::Advance(seconds) => world.auth.clock().advance(Duration::from_secs(seconds)),
        Step::CatchUp => world.auth.catch_up().await.unwrap(),
        Step::Purge => world.purge().await,
        Step::Restart => {
            world.purge().await;
            world.restart().await;
        }
    }
}

async fn play(steps: Vec<Step>) {
    let mut world = World::new().await;
    for step in steps {
        act(&mut world, step).await;
        // Whatever happened: every token that ever was is exactly as good as the model says.
        for token in 0..world.tokens() {
            world.profile(token).await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn sessions_are_as_good_as_the_model_says(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(steps));
    }
}

#[tokio::test]
async fn no_token_outlives_its_session() {
    // A session at the end of its longest life: the last token ends with it and not a lifetime later.
    let mut world = World::new().await;
    world.register(0, true).await;
    for _ in 0..7 {
        world.auth.clock().advance(Duration::from_secs(1000));
        world.refresh(0, 0, 0).await;
    }
    world.auth.clock().advance(Duration::from_secs(250));
    world.purge().await;
    // From memory: the database would know that the session is gone.
    world.auth.catch_up().await.unwrap();
    let last = world.tokens() - 1;
    assert_eq!(world.shown(last).await, OutcomeKind::BadToken);
}

#[tokio::test]
async fn no_renewed_token_outlives_the_longest_life_of_its_session() {
    let mut world = World::new().await;
    world.register(0, true).await;
    for renewal in 0..12 {
        world.auth.clock().advance(Duration::from_secs(800));
        world.renew(renewal, 0).await;
        for token in 0..world.tokens() {
            world.profile(token).await;
        }
    }
    assert!(world.tokens() < 12, "the session was over");
}

/// The ending of a session is forgotten long before its refresh tokens are dead by age, and never before an access token
/// is, however it was come by: also through a contract whose tokens live longer than those of the one before.
#[tokio::test]
async fn an_ending_is_remembered_until_the_last_access_token_is_dead() {
    let ways: [&[Step]; 6] = [
        &[],
        &[Step::Renew(0, 1)],
        &[Step::Renew(0, 1), Step::Renew(0, 0)],
        &[Step::Refresh(0, 0, 1)],
        &[Step::Refresh(0, 0, 1), Step::Advance(5), Step::Refresh(0, 0, 0)],
        // The second is a repetition, for which nothing is rotated.
        &[Step::Refresh(0, 0, 0), Step::Advance(5), Step::Refresh(0, 1, 1)],
    ];
    for way in ways {
        let mut world = World::new().await;
        world.register(0, true).await;
        for step in way {
            act(&mut world, step.clone()).await;
        }
        world.logout(0).await;
        let tokens = world.tokens();
        let left = world.last_expiry() - world.auth.clock().now().seconds() - 1;
        // The last ending is always kept, so there has to be another one.
        world.register(1, true).await;
        world.logout(tokens).await;
        world
            .auth
            .clock()
            .advance(Duration::from_secs(left.try_into().unwrap()));
        world.purge().await;
        world.restart().await;
        for token in 0..tokens {
            assert_eq!(
                world.shown(token).await,
                OutcomeKind::BadToken,
                "{way:?}, token {token}"
            );
        }
        assert_eq!(world.endings().await, 2, "{way:?}");
        world.auth.clock().advance(SLACK + Duration::from_secs(2));
        world.purge().await;
        assert_eq!(world.endings().await, 1, "{way:?}: it is forgotten");
    }
}
