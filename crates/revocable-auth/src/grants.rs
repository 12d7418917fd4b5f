//! What tokens allow beyond saying who their holder is, and clients.

use std::sync::Arc;

use auth_core::{ClaimsSource, ClientStore, Scopes};

use crate::builder::RevocableAuthBuilder;

impl RevocableAuthBuilder {
    /// Sets the scopes that every token of a login carries, and of which a user gives some to each personal access token. Default: none.
    pub fn user_scopes(mut self, scopes: Scopes) -> Self {
        self.user_scopes = scopes;
        self
    }

    /// Sets the source of the claims that the application adds to the tokens of users. It is asked at every login, at every refresh, and
    /// when a personal access token is looked up. Default: none, which costs nothing.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use async_trait::async_trait;
    /// use revocable_auth::{
    ///     BoxError, ClaimsSource, Context, Email, ExtraClaims, NewAccount, Password, RevocableAuth, User, Username,
    /// };
    /// use serde::{Deserialize, Serialize};
    ///
    /// /// What the application wants to know of a user without asking its database at every request.
    /// #[derive(Debug, PartialEq, Serialize, Deserialize)]
    /// struct Member {
    ///     tenant: String,
    /// }
    ///
    /// #[derive(Debug)]
    /// struct Tenants;
    ///
    /// #[async_trait]
    /// impl ClaimsSource for Tenants {
    ///     async fn claims(&self, user: &User) -> Result<Option<ExtraClaims>, BoxError> {
    ///         let (_, domain) = user.email.as_str().rsplit_once('@').unwrap_or_default();
    ///         Ok(Some(ExtraClaims::new(&Member { tenant: domain.to_owned() })?))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let auth = RevocableAuth::builder()
    ///     .database_url("sqlite::memory:")
    ///     .secret([7; 32])
    ///     .claims_source(Arc::new(Tenants))
    /// #   .bcrypt_cost(4)
    ///     .start()
    ///     .await?;
    /// let account = NewAccount {
    ///     email: Email::parse("ada@example.org")?,
    ///     username: Username::parse("ada")?,
    ///     password: Password::parse("correct horse battery staple")?,
    /// };
    /// let registered = auth.service().register(account, &Context::default()).await?;
    /// let token = registered.signed_in().ok_or("a login needs a verified address")?.token;
    ///
    /// let principal = auth.service().authenticate(token.expose_token()).await?;
    /// assert_eq!(principal.extra::<Member>()?, Some(Member { tenant: "example.org".to_owned() }));
    /// # auth.stop().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn claims_source(mut self, source: Arc<dyn ClaimsSource>) -> Self {
        self.claims_source = Some(source);
        self
    }

    /// Keeps clients, which are machines with a secret of their own, in this store, which must write the end of a client to the same log.
    /// Default: a table in the database, where the log is in the database too; none where the application gave a log of its own.
    pub fn clients(mut self, clients: Arc<dyn ClientStore>) -> Self {
        self.clients = Some(clients);
        self
    }
}
