//! Changing a user and ending their tokens.

use auth_core::{Generation, Revocation, Roles, SideEffects, StoredCredentials, User, UserChange, UserId};
use sea_orm::sea_query::{Expr, Func};
use sea_orm::{ColumnTrait as _, QueryFilter as _, UpdateMany};

use super::profile::setting_email;
use super::{SeaUserStore, Taken, internal, row_of};
use crate::connect::{EarlierAttempts, WriteTransaction};
use crate::entity::users::{self, Column};
use crate::error::AttemptError;
use crate::instant;
use crate::revocation_log::LogWriter;
use crate::side_effects::{self, Made};
use crate::tables::Tables;

/// What became of a change.
pub(super) enum Outcome {
    /// It was made, and left the user like this.
    Made(User),
    /// Nothing was written, because another change came between.
    Raced,
    /// Nothing was written, because the one-time token cannot be used.
    Refused,
    /// Nothing was written, because another user has the address, or may have it back.
    EmailTaken,
}

/// Returns whether the user is as the change asks.
pub(super) fn applies(change: &UserChange, stored: &StoredCredentials) -> bool {
    match change {
        UserChange::PasswordFrom { current, .. } => *current == stored.password_hash,
        UserChange::ResetPassword { email, .. } => email.key() == stored.user.email.key(),
        UserChange::TakeRole(role) => stored.user.roles.contains(role.as_str()),
        _ => true,
    }
}

impl SeaUserStore {
    /// Makes the change if the user is still as it says, and appends the revocation.
    pub(super) async fn revoke_once(
        &self,
        change: Change<'_>,
        earlier: EarlierAttempts,
    ) -> Result<Outcome, AttemptError> {
        let transaction = self.database.begin().await?;
        let outcome = change.make_within(&transaction, self.database.tables(), earlier).await;
        self.database.end_if(|outcome| matches!(outcome, Outcome::Made(_)), transaction, outcome).await
    }
}

/// A change of a user who was read before.
pub(super) struct Change<'c> {
    pub(super) id: UserId,
    pub(super) what: &'c UserChange,
    pub(super) effects: &'c SideEffects,
    /// Roles of the user as they were read.
    pub(super) roles: &'c Roles,
    /// Generation after that of the user as it was read.
    pub(super) below: Generation,
    pub(super) revocation: Revocation,
}

impl Change<'_> {
    async fn make_within(
        &self,
        transaction: &WriteTransaction,
        tables: &Tables,
        earlier: EarlierAttempts,
    ) -> Result<Outcome, AttemptError> {
        let log = LogWriter::lock(transaction, tables, 1).await?;
        let updated = match self.update(tables)?.exec(transaction).await {
            Ok(updated) => updated.rows_affected,
            Err(error) if Taken::of(&error) == Some(Taken::Email) => return Ok(Outcome::EmailTaken),
            Err(error) => return Err(error.into()),
        };
        if updated == 0 {
            if earlier == EarlierAttempts::RolledBack || !log.holds(&self.revocation).await? {
                return Ok(Outcome::Raced);
            }
            // The earlier attempt was committed. Somebody else may have raised the generation since then; the caller must not
            // take the later one for its own.
            log.append(&[self.revocation]).await?;
            let user = row_of(self.id, tables, transaction).await?.map(users::Model::into_user).transpose()?;
            return Ok(user.map_or(Outcome::Raced, |user| Outcome::Made(User { generation: self.below, ..user })));
        }
        if let UserChange::RestoreEmail { email, .. } = self.what
            && side_effects::is_reserved(transaction, tables, email, self.id).await?
        {
            return Ok(Outcome::EmailTaken);
        }
        // The generation says that no earlier attempt was committed.
        if side_effects::make(transaction, tables, self.effects, EarlierAttempts::RolledBack).await? != Made::Now {
            return Ok(Outcome::Refused);
        }
        let row = row_of(self.id, tables, transaction).await?;
        let user = row.ok_or_else(|| internal("a row that was updated is gone"))?.into_user()?;
        log.append(&[self.revocation]).await?;
        Ok(Outcome::Made(user))
    }

    fn update(&self, tables: &Tables) -> Result<UpdateMany<users::Entity>, AttemptError> {
        let below = i64::from(self.below.number());
        let update = tables
            .update_many::<users::Entity>()
            .col_expr(Column::TokenGeneration, Expr::value(below))
            .filter(Column::Id.eq(self.id.as_uuid()))
            .filter(Column::TokenGeneration.eq(below - 1));
        Ok(match self.what {
            UserChange::LogoutEverywhere => update,
            UserChange::Demote => update.col_expr(Column::Admin, Expr::value(false)),
            // A role that is given meanwhile leaves the generation, and must not be lost.
            UserChange::TakeRole(role) => update
                .col_expr(Column::Roles, Expr::value(self.roles.without(role).to_string()))
                .filter(Column::Roles.eq(self.roles.to_string())),
            UserChange::Disable(at) => {
                // Disabled twice is disabled since the first time.
                let since = Func::coalesce([Expr::col(Column::DisabledAt), Expr::value(instant::to_micros(*at)?)]);
                update.col_expr(Column::DisabledAt, since.into())
            }
            UserChange::Password(new) => update.col_expr(Column::PasswordHash, Expr::value(new.expose_hash())),
            UserChange::PasswordFrom { current, new } => update
                .col_expr(Column::PasswordHash, Expr::value(new.expose_hash()))
                .filter(Column::PasswordHash.eq(current.expose_hash())),
            UserChange::ResetPassword { email, new } => update
                .col_expr(Column::PasswordHash, Expr::value(new.expose_hash()))
                .col_expr(Column::EmailVerified, Expr::value(true))
                .filter(Column::EmailKey.eq(email.key())),
            UserChange::RestoreEmail { email, new } => {
                setting_email(update, email).col_expr(Column::PasswordHash, Expr::value(new.expose_hash()))
            }
            _ => return Err(internal("a change that this store does not know")),
        })
    }
}
