//! A row of `letters`.

use std::fmt;

use auth_core::letters::{LeasedLetter, LetterId, LetterKind, LetterSecret, QueuedLetter};
use auth_core::{Email, Language, Letter, OneTimeCode, OneTimeToken, StoreError, UserId, Username};
use sea_orm::ActiveValue::Set;
use sea_orm::DerivePartialModel;
use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

use crate::instant;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "letters")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) kind: String,
    pub(crate) recipient: Option<String>,
    pub(crate) username: String,
    pub(crate) token: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) expires_at: Option<i64>,
    pub(crate) language: String,
    pub(crate) created_at: i64,
    pub(crate) due_at: i64,
    pub(crate) lease: Option<Uuid>,
    pub(crate) attempts: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("letters::Model").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The columns of a [`QueuedLetter`]: those without a secret.
#[derive(Debug, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub(crate) struct Waiting {
    id: Uuid,
    user_id: Uuid,
    kind: String,
    recipient: Option<String>,
    created_at: i64,
    due_at: i64,
    attempts: i64,
}

/// Returns the row of a letter that waits to be sent.
pub(crate) fn row_of(letter: &Letter) -> Result<ActiveModel, StoreError> {
    let secret = letter.secret.as_ref();
    Ok(ActiveModel {
        id: Set(letter.id.as_uuid()),
        user_id: Set(letter.user_id.as_uuid()),
        kind: Set(letter.kind.as_str().to_owned()),
        recipient: Set(letter.to.as_ref().map(|email| email.as_str().to_owned())),
        username: Set(letter.username.as_str().to_owned()),
        token: Set(secret.map(|secret| secret.token.expose_text(str::to_owned))),
        code: Set(secret.and_then(|secret| secret.code.as_ref()).map(OneTimeCode::expose_grouped)),
        expires_at: Set(secret.map(|secret| instant::to_micros(secret.expires_at)).transpose()?),
        language: Set(letter.language.as_str().to_owned()),
        created_at: Set(instant::to_micros(letter.created_at)?),
        due_at: Set(instant::to_micros(letter.created_at)?),
        lease: Set(None),
        attempts: Set(0),
    })
}

impl Model {
    pub(crate) fn into_leased(self) -> Result<LeasedLetter, StoreError> {
        let of_row = Corrupt(self.id);
        let secret = match (self.token, self.code, self.expires_at) {
            (None, None, None) => None,
            (Some(token), code, Some(expires_at)) => Some(LetterSecret {
                token: OneTimeToken::parse(&token).map_err(|_| of_row.column("token"))?,
                code: code.map(|code| OneTimeCode::parse(&code).map_err(|_| of_row.column("code"))).transpose()?,
                expires_at: of_row.instant(expires_at, "expires_at")?,
            }),
            _ => return Err(of_row.column("token, code or expires_at")),
        };
        let letter = Letter {
            id: LetterId::from(self.id),
            kind: of_row.kind(&self.kind)?,
            user_id: UserId::from(self.user_id),
            to: of_row.email(self.recipient.as_deref())?,
            username: Username::from_stored(&self.username).map_err(|_| of_row.column("username"))?,
            secret,
            language: Language::parse(&self.language).map_err(|_| of_row.column("language"))?,
            created_at: of_row.instant(self.created_at, "created_at")?,
        };
        Ok(LeasedLetter { letter, attempts: of_row.attempts(self.attempts)? })
    }
}

impl Waiting {
    pub(crate) fn into_queued(self) -> Result<QueuedLetter, StoreError> {
        let of_row = Corrupt(self.id);
        Ok(QueuedLetter {
            id: LetterId::from(self.id),
            kind: of_row.kind(&self.kind)?,
            user_id: UserId::from(self.user_id),
            to: of_row.email(self.recipient.as_deref())?,
            created_at: of_row.instant(self.created_at, "created_at")?,
            due_at: of_row.instant(self.due_at, "due_at")?,
            attempts: of_row.attempts(self.attempts)?,
        })
    }
}

/// Reads values of the row with this id, and names the column of one that makes no sense.
#[derive(Clone, Copy)]
struct Corrupt(Uuid);

impl Corrupt {
    fn column(self, what: &'static str) -> StoreError {
        StoreError::corrupt(CorruptLetter { id: self.0, what })
    }

    fn kind(self, word: &str) -> Result<LetterKind, StoreError> {
        LetterKind::from_word(word).ok_or_else(|| self.column("kind"))
    }

    fn email(self, text: Option<&str>) -> Result<Option<Email>, StoreError> {
        text.map(|text| Email::parse(text).map_err(|_| self.column("recipient"))).transpose()
    }

    fn instant(self, micros: i64, what: &'static str) -> Result<OffsetDateTime, StoreError> {
        instant::from_micros(micros).ok_or_else(|| self.column(what))
    }

    fn attempts(self, stored: i64) -> Result<u32, StoreError> {
        u32::try_from(stored).map_err(|_| self.column("attempts"))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the column {what} of letter {id} holds no valid value")]
struct CorruptLetter {
    id: Uuid,
    what: &'static str,
}
