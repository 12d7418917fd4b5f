//! Section 9 of the guide: letters.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use auth_core::letters::{Letter, Mailer, SendError};
use auth_core::recovery::{OneTimeProof, OneTimeToken};
use auth_core::{AuthService, Context, Credentials, Email, NewAccount, Password, Username};
use revocable_auth::mail::{Composer, LinkBase, Sender, SmtpMailer, SmtpUrl, Templates};
use revocable_auth::{LetterOptions, RevocableAuth, RevocableAuthBuilder};
use tokio::sync::mpsc;

fn mailer(relay: &str) -> Result<SmtpMailer, Box<dyn Error>> {
    let composer = Composer::new(
        Sender::parse("Orchard <no-reply@orchard.example>")?,
        LinkBase::parse("https://orchard.example/account")?,
        Templates::built_in()?,
    );
    Ok(SmtpMailer::new(SmtpUrl::parse(relay)?, composer)?)
}

fn with_letters(builder: RevocableAuthBuilder, mailer: impl Mailer + 'static) -> RevocableAuthBuilder {
    builder.letters(Arc::new(mailer), LetterOptions::default())
}

async fn forgot(auth: &AuthService, email: &str, context: &Context) -> Result<(), Box<dyn Error>> {
    // The same answer and the same work, whether the address is known or not.
    Ok(auth.forgot_password(&Email::parse(email)?, context).await?)
}

async fn reset(auth: &AuthService, token: &str, new: &str, context: &Context) -> Result<(), Box<dyn Error>> {
    let proof = OneTimeProof::Token(OneTimeToken::parse(token)?);
    // Ends every session of the user. Nobody is signed in by it.
    auth.reset_password(proof, Password::parse(new)?, context).await?;
    Ok(())
}

/// Mailer that passes letters to the test.
#[derive(Debug)]
struct Handed(mpsc::UnboundedSender<Letter>);

#[async_trait]
impl Mailer for Handed {
    async fn send(&self, letter: &Letter) -> Result<(), SendError> {
        self.0.send(letter.clone()).map_err(|error| SendError::Temporary(error.into()))
    }
}

#[tokio::test]
async fn a_forgotten_password_is_reset_by_the_token_of_the_letter() {
    assert!(mailer("smtps://relay.example").is_ok());
    let (sender, mut letters) = mpsc::unbounded_channel();
    let builder = RevocableAuth::builder().database_url("sqlite::memory:").secret([7; 32]).bcrypt_cost(4);
    let auth = with_letters(builder, Handed(sender)).start().await.unwrap();
    let (service, context) = (auth.service(), Context::default());
    let account = NewAccount {
        email: Email::parse("ada@example.org").unwrap(),
        username: Username::parse("ada").unwrap(),
        password: Password::parse("correct horse battery staple").unwrap(),
    };
    service.register(account, &context).await.unwrap();
    let verification = letters.recv().await.unwrap().secret.unwrap();
    service.verify_email(OneTimeProof::Token(verification.token.clone()), &context).await.unwrap();

    forgot(service, "nobody@example.org", &context).await.unwrap();
    forgot(service, "ada@example.org", &context).await.unwrap();
    let letter = letters.recv().await.unwrap();
    assert_eq!(letter.to.unwrap().as_str(), "ada@example.org", "nobody got no letter");
    let token = letter.secret.unwrap().token.expose_text(str::to_owned);
    let new = "a staple for every horse";
    reset(service, &token, new, &context).await.unwrap();
    assert!(reset(service, &token, "another staple for horses", &context).await.is_err(), "a token is used once");
    let credentials =
        Credentials { email: Email::parse("ada@example.org").unwrap(), password: Password::parse(new).unwrap() };
    assert!(service.login(credentials, &context).await.unwrap().signed_in().is_some());
    auth.stop().await.unwrap();
}
