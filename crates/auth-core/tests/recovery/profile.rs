use std::sync::Arc;
use std::time::Duration;

use auth_core::blacklist::UnsyncedBlacklist;
use auth_core::letters::LetterKind;
use auth_core::memory::MemoryStore;
use auth_core::recovery::OneTimeTokenPurpose;
use auth_core::service::BuildError;
use auth_core::{
    AccountError, AuthService, Clock as _, LetterOptions, NewAccount, PasswordPolicy, RegisterOutcome, RenameError,
    Username,
};
use auth_jwt::{JwtCodec, SigningKey};
use auth_password::{PasswordPool, PoolOptions};

use crate::fixture::{Fixture, HOME, MINUTE, OLD, at, email, is_invalid, link, password};
use crate::recording::{Calls, OpenHasher};

/// Returns a service without letters.
pub(crate) fn without_letters() -> AuthService {
    let store = Arc::new(MemoryStore::new().unwrap());
    let hasher = OpenHasher { calls: Calls::default() };
    AuthService::builder()
        .users(store.clone())
        .blacklist(Arc::new(UnsyncedBlacklist::new(store)))
        .codec(Arc::new(JwtCodec::new(SigningKey::from_secret(&[7; 32]).unwrap(), "issuer", "audience")))
        .passwords(PasswordPool::new(Arc::new(hasher), PoolOptions::default()).unwrap())
        .policy(PasswordPolicy::new(6))
        .build()
        .unwrap()
}

pub(crate) async fn register(auth: &AuthService, name: &str) -> RegisterOutcome {
    let (username, password) = (Username::parse(name).unwrap(), password(OLD));
    auth.register(NewAccount { email: email(name), username, password }, &at(HOME)).await.unwrap()
}

#[tokio::test]
async fn a_user_takes_another_name_that_nobody_has() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    fixture.register("bob").await;
    let principal = fixture.principal(&ada).await;
    let rename = async |name: &str| fixture.auth.rename(&principal, Username::parse(name).unwrap(), &at(HOME)).await;
    assert!(matches!(rename("BOB").await, Err(RenameError::UsernameTaken)));
    assert_eq!(rename("Lovelace").await.unwrap().username.as_str(), "Lovelace");
    assert!(!fixture.is_revoked(&ada).await);

    let found = fixture.auth.find_by_username(&Username::parse("lovelace").unwrap()).await.unwrap();
    assert_eq!(found.id, ada.user.id);
    let former = fixture.auth.find_by_username(&Username::parse("ada").unwrap()).await;
    assert!(matches!(former, Err(AccountError::UserNotFound)), "{former:?}");

    fixture.auth.delete_user(ada.user.id).await.unwrap();
    assert!(matches!(rename("ada").await, Err(RenameError::UserNotFound)));
}

#[tokio::test]
async fn an_operator_vouches_for_an_address() {
    let fixture = Fixture::with(|options| options.require_verified = true);
    let user = fixture.try_register("ada", HOME).await.unwrap().user().clone();
    assert!(fixture.auth.vouch_for_email(user.id).await.unwrap().email_verified);
    assert!(fixture.may_log_in("ada", OLD).await);
    fixture.auth.delete_user(user.id).await.unwrap();
    assert!(matches!(fixture.auth.vouch_for_email(user.id).await, Err(AccountError::UserNotFound)));
}

#[tokio::test]
async fn an_export_has_everything_about_the_user_and_nothing_about_others() {
    let fixture = Fixture::new();
    let ada = fixture.register_verified("ada").await;
    fixture.register("bob").await;
    let principal = fixture.principal(&ada).await;
    fixture.auth.change_email(&principal, &email("lovelace"), password(OLD), &at(HOME)).await.unwrap();

    let export = fixture.auth.export(&principal).await.unwrap();
    assert_eq!(export.user, fixture.user(&ada).await);
    let sessions: Vec<_> = export.sessions.iter().map(|session| session.id).collect();
    assert_eq!(sessions, [ada.session.as_ref().unwrap().id]);
    let tokens: Vec<_> = export.one_time_tokens.iter().map(|token| (token.purpose, token.sent_to.clone())).collect();
    assert_eq!(tokens, [(OneTimeTokenPurpose::ChangeEmail, Some(email("lovelace")))]);
    let letters: Vec<_> = export.letters.iter().map(|letter| (letter.kind, letter.user_id)).collect();
    assert_eq!(letters, [(LetterKind::ChangeEmail, ada.user.id)]);
}

#[tokio::test]
async fn a_login_is_recorded_and_a_refused_one_is_not() {
    let fixture = Fixture::new();
    let ada = fixture.register("ada").await;
    assert_eq!(fixture.user(&ada).await.last_login_at, None);
    fixture.clock.advance(MINUTE);
    assert!(!fixture.may_log_in("ada", "a wrong password").await);
    assert_eq!(fixture.user(&ada).await.last_login_at, None);
    let signed_in = fixture.try_login("ada", OLD).await.unwrap().signed_in().unwrap();
    assert_eq!(signed_in.user.last_login_at, Some(fixture.clock.now()));
    assert_eq!(fixture.user(&ada).await.last_login_at, Some(fixture.clock.now()));
}

#[tokio::test]
async fn a_user_whom_an_operator_creates_gets_no_letter() {
    let fixture = Fixture::new();
    let (username, password) = (Username::parse("ada").unwrap(), password(OLD));
    fixture.auth.create_user(NewAccount { email: email("ada"), username, password }, false).await.unwrap();
    assert_eq!(fixture.take_all().await, []);
    fixture.auth.resend_verification(&email("ada"), &at(HOME)).await.unwrap();
    let letter = fixture.letter(LetterKind::VerifyEmail).await;
    assert!(!is_invalid(&fixture.auth.verify_email(link(&letter), &at(HOME)).await));
}

#[test]
fn a_life_out_of_its_bounds_is_refused_when_the_service_is_built() {
    let store = Arc::new(MemoryStore::new().unwrap());
    let mut options = LetterOptions::default();
    let life = &mut options.reset_life;
    *life = Duration::from_secs(1);
    let built = AuthService::builder().letters(store.clone(), store, options).build();
    assert!(matches!(built, Err(BuildError::Letters(rule)) if rule.starts_with("reset_life")), "{built:?}");
}
