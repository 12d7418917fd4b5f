//! What the pages do with a request.

use auth_core::recovery::{OneTimeProof, OneTimeToken, OpenToken, RecoveryError};
use auth_core::{AuthService, Context, Password, PasswordError};
use auth_http::Code;
use poem::{Endpoint, FromRequest, Request, RequestBody, Response, Result};

use super::flow::Flow;
use super::form::Form;
use super::response;
use super::texts::Texts;
use super::view::{self, Account, PasswordField};
use crate::http::client::Caller;
use crate::http::error::ApiError;
use crate::http::query::parameter;
use crate::http::state::State;

/// The `GET` of a page: shows what its button will do. It changes nothing.
pub(super) struct Look(pub(super) Flow);

/// The `POST` of a page: does what its button says.
pub(super) struct Act(pub(super) Flow);

impl Endpoint for Look {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let texts = Texts::preferred(request.headers());
        let shown = self.show(&request, texts).await;
        Ok(shown.unwrap_or_else(|error| response::problem(self.0, texts, &error)))
    }
}

impl Look {
    async fn show(&self, request: &Request, texts: &'static Texts) -> Result<Response, ApiError> {
        let service = &State::of(request)?.service;
        let token_text = parameter(request, "token").unwrap_or_default();
        let link = Link::open(service, self.0, &token_text).await?;
        link.ask(service, texts, &PasswordField::default())
    }
}

impl Endpoint for Act {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let (request, mut body) = request.split();
        let texts = Texts::preferred(request.headers());
        let acted = self.act(&request, &mut body, texts).await;
        Ok(acted.unwrap_or_else(|error| response::problem(self.0, texts, &error)))
    }
}

impl Act {
    async fn act(
        &self,
        request: &Request,
        body: &mut RequestBody,
        texts: &'static Texts,
    ) -> Result<Response, ApiError> {
        let Caller { service, context } = Caller::from_request(request, body).await.map_err(ApiError::of_framework)?;
        let form = Form::read(request, body.take().map_err(ApiError::internal)?).await?;
        let link = Link::open(&service, self.0, &form.token).await?;
        match self.0 {
            Flow::ResetPassword => link.set_password(&service, &context, &form, texts).await,
            Flow::VerifyEmail | Flow::ChangeEmail => {
                service.verify_email(OneTimeProof::Token(link.token.clone()), &context).await?;
                link.done(texts)
            }
            Flow::UndoEmailChange => {
                service.undo_email_change(link.token.clone(), &context).await?;
                link.done(texts)
            }
        }
    }
}

/// A link whose token is open.
struct Link<'t> {
    flow: Flow,
    token_text: &'t str,
    token: OneTimeToken,
    open: OpenToken,
}

impl<'t> Link<'t> {
    /// Reads the token, which stays open.
    async fn open(service: &AuthService, flow: Flow, token_text: &'t str) -> Result<Self, ApiError> {
        let token = OneTimeToken::parse(token_text).map_err(|_| Code::CodeInvalid)?;
        let open = service.find_open_token(&token, flow.purpose()).await?;
        Ok(Self { flow, token_text, token, open })
    }

    fn account(&self) -> Account<'_> {
        Account {
            username: self.open.user.username.as_str(),
            login: self.open.user.email.as_str(),
            address: self.open.sent_to.as_str(),
        }
    }

    /// Returns the page with the button.
    fn ask(
        &self,
        service: &AuthService,
        texts: &'static Texts,
        field: &PasswordField<'_>,
    ) -> Result<Response, ApiError> {
        let account = self.account();
        let html = match self.flow {
            Flow::ResetPassword => {
                view::new_password(texts, &account, self.token_text, service.password_policy(), field)
            }
            _ => view::confirmation(self.flow, texts, &account, self.token_text),
        };
        match field.broken {
            Some(rule) => response::refused_password(texts, html, rule),
            None => response::page(texts, html),
        }
    }

    fn done(&self, texts: &'static Texts) -> Result<Response, ApiError> {
        response::page(texts, view::done(self.flow, texts, self.open.sent_to.as_str()))
    }

    async fn set_password(
        &self,
        service: &AuthService,
        context: &Context,
        form: &Form,
        texts: &'static Texts,
    ) -> Result<Response, ApiError> {
        if let Some(shown) = form.show {
            let field = PasswordField { shown, typed: &form.password, broken: None };
            return self.ask(service, texts, &field);
        }
        match self.try_password(service, context, &form.password).await? {
            Ok(()) => self.done(texts),
            Err(rule) => {
                // A password that the reader does not see is better typed anew.
                let typed = if form.shown { &form.password } else { "" };
                self.ask(service, texts, &PasswordField { shown: form.shown, typed, broken: Some(rule) })
            }
        }
    }

    async fn try_password(
        &self,
        service: &AuthService,
        context: &Context,
        typed: &str,
    ) -> Result<Result<(), PasswordError>, ApiError> {
        let password = match Password::parse(typed) {
            Ok(password) => password,
            Err(rule) => return Ok(Err(rule)),
        };
        match service.reset_password(OneTimeProof::Token(self.token.clone()), password, context).await {
            Ok(_) => Ok(Ok(())),
            Err(RecoveryError::NewPassword(rule)) => Ok(Err(rule)),
            Err(error) => Err(error.into()),
        }
    }
}
