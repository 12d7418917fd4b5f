//! Answers of an overloaded service. They reveal nothing about who has an account.

use std::sync::Arc;
use std::time::Duration;

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::memory::MemoryStore;
use auth_core::{
    AuthService, Clock, Context, Credentials, Email, LoginError, NewAccount, NewUser, Password, PasswordHash,
    PasswordPolicy, RegisterError, SideEffects, UserId, UserStore, Username,
};
use auth_jwt::{JwtCodec, SigningKey};
use futures_executor::block_on;

use crate::rig::{COMMON, Go, Layout, Rig};

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.org")).unwrap()
}

/// Returns a service over the pool of `rig`, with the users `ada` and, disabled, `bob`.
fn service(rig: &Rig) -> AuthService {
    let store = Arc::new(MemoryStore::new().unwrap());
    let auth = AuthService::builder()
        .users(store.clone())
        .blacklist(Arc::new(UnsyncedBlacklist::new(store.clone())))
        .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&[7; 32]).unwrap(), "issuer", "audience")))
        .passwords(rig.pool.clone())
        .policy(PasswordPolicy::new(1))
        .clock(rig.clock.clone())
        .build()
        .unwrap();
    for name in ["ada", "bob"] {
        let registered_on = rig.clock.now();
        let user = block_on(store.insert(
            NewUser {
                id: UserId::generate(registered_on).unwrap(),
                email: email(name),
                username: Username::parse(name).unwrap(),
                email_verified: false,
                password_hash: PasswordHash::new(COMMON.to_owned()),
                admin: false,
                registered_on,
            },
            SideEffects::default(),
        ));
        if name == "bob" {
            block_on(auth.disable(user.unwrap().id)).unwrap();
        }
    }
    auth
}

#[test]
fn an_overloaded_service_refuses_known_and_unknown_users_alike() {
    let rig = Rig::new(&Layout { threads: 1, width: 1, queue: 2 });
    let auth = service(&rig);
    let _busy = rig.busy();
    let _waiting = (rig.verify("a"), rig.verify("b"), rig.hash("x"), rig.hash("y"));
    let login = |name: &str, password: &str| {
        let credentials = Credentials { email: email(name), password: Password::parse(password).unwrap() };
        match block_on(auth.login(credentials, &Context::default())) {
            Err(LoginError::Overloaded { retry_after }) => retry_after,
            other => panic!("{name} was not refused: {other:?}"),
        }
    };
    let waits = [login("ada", "right"), login("ada", "wrong"), login("bob", "right"), login("nobody", "right")];
    assert_eq!(waits, [Duration::from_secs(1); 4]);

    let register = |name: &str| {
        let (username, password) = (Username::parse(name).unwrap(), Password::parse("x y z").unwrap());
        match block_on(auth.register(NewAccount { email: email(name), username, password }, &Context::default())) {
            Err(RegisterError::Overloaded { retry_after }) => retry_after,
            other => panic!("{name} was not refused: {other:?}"),
        }
    };
    assert_eq!([register("ada"), register("newcomer")], [Duration::from_secs(1); 2]);
    assert_eq!(rig.pool.stats().shed, 6);
    rig.go(Go::On);
}
