//! Changing a user without ending tokens.

use auth_core::{Email, ProfileChange, Role, SideEffects, User, UserId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, QueryFilter as _, UpdateMany};

use super::{SeaUserStore, Taken, internal, row_of};
use crate::connect::{EarlierAttempts, WriteTransaction};
use crate::entity::users::{self, Column};
use crate::error::AttemptError;
use crate::side_effects::{self, Made};
use crate::tables::Tables;

/// What became of a change.
pub(super) enum Changed {
    /// It was made, and the user is this.
    Made(User),
    /// Nothing was written: the user, the address or the one-time token is not what the change asks for.
    Refused,
    /// Nothing was written: another user has the new key, or may have it back.
    Taken(Taken),
    /// Nothing was written: the user has as many roles as a user may have.
    TooManyRoles,
}

/// What becomes of a change in a transaction.
enum Within {
    /// The transaction is to be committed.
    Made(User),
    /// The transaction is not to be committed, because an earlier attempt was.
    Before,
    /// The transaction is not to be committed.
    Refused(Changed),
}

impl SeaUserStore {
    pub(super) async fn change_once(
        &self,
        id: UserId,
        change: &ProfileChange,
        effects: &SideEffects,
        earlier: EarlierAttempts,
    ) -> Result<Changed, AttemptError> {
        let tables = self.database.tables();
        let transaction = self.database.begin().await?;
        match change_within(&transaction, tables, id, change, effects, earlier).await {
            Ok(Within::Refused(refused)) => {
                // A rollback that fails has lost its connection, and the server then rolls back by itself.
                drop(transaction.rollback().await);
                Ok(refused)
            }
            Ok(Within::Before) => {
                transaction.rollback().await?;
                let row = row_of(id, tables, &self.database.statements()).await?;
                let user = row.map(users::Model::into_user).transpose()?;
                Ok(user.map_or(Changed::Refused, Changed::Made))
            }
            outcome => match self.database.end(transaction, outcome).await? {
                Within::Made(user) => Ok(Changed::Made(user)),
                Within::Before | Within::Refused(_) => Err(internal("a change that was refused was committed")),
            },
        }
    }
}

async fn change_within(
    transaction: &WriteTransaction,
    tables: &Tables,
    id: UserId,
    change: &ProfileChange,
    effects: &SideEffects,
    earlier: EarlierAttempts,
) -> Result<Within, AttemptError> {
    let update = tables.update_many::<users::Entity>().filter(Column::Id.eq(id.as_uuid()));
    let verified = |update: UpdateMany<users::Entity>| update.col_expr(Column::EmailVerified, Expr::value(true));
    let update = match change {
        ProfileChange::Username(new) => update
            .col_expr(Column::Username, Expr::value(new.as_str()))
            .col_expr(Column::UsernameKey, Expr::value(new.key())),
        ProfileChange::VerifyEmail(email) => verified(update).filter(Column::EmailKey.eq(email.key())),
        ProfileChange::VouchForEmail => verified(update),
        ProfileChange::Email(new) => setting_email(update, new),
        // The update takes the lock of the row, so that no change that ends tokens is made until this one is committed.
        ProfileChange::Unchanged { generation } => update
            .col_expr(Column::TokenGeneration, Expr::col(Column::TokenGeneration))
            .filter(Column::TokenGeneration.eq(i64::from(generation.number()))),
        // The update takes the lock of the row, so that no role which is given or taken at the same time is lost.
        ProfileChange::GiveRole(_) => update.col_expr(Column::Roles, Expr::col(Column::Roles)),
        _ => return Err(internal("a change that this store does not know")),
    };
    match update.exec(transaction).await {
        Ok(updated) if updated.rows_affected == 0 => return Ok(Within::Refused(Changed::Refused)),
        Ok(_) => {}
        Err(error) => match Taken::of(&error) {
            Some(taken) => return Ok(Within::Refused(Changed::Taken(taken))),
            None => return Err(error.into()),
        },
    }
    if let ProfileChange::Email(new) = change
        && side_effects::is_reserved(transaction, tables, new, id).await?
    {
        return Ok(Within::Refused(Changed::Taken(Taken::Email)));
    }
    if let ProfileChange::GiveRole(role) = change
        && !give_role(transaction, tables, id, role).await?
    {
        return Ok(Within::Refused(Changed::TooManyRoles));
    }
    match side_effects::make(transaction, tables, effects, earlier).await? {
        Made::Now => {}
        Made::Before => return Ok(Within::Before),
        Made::Unusable => return Ok(Within::Refused(Changed::Refused)),
    }
    let row = row_of(id, tables, transaction).await?.ok_or_else(|| internal("a row that was updated is gone"))?;
    Ok(Within::Made(row.into_user()?))
}

/// Adds a role to those of a user whose row is locked. Returns whether there is room for it.
async fn give_role(
    transaction: &WriteTransaction,
    tables: &Tables,
    id: UserId,
    role: &Role,
) -> Result<bool, AttemptError> {
    let row = row_of(id, tables, transaction).await?.ok_or_else(|| internal("a row that was updated is gone"))?;
    let Ok(roles) = row.into_user()?.roles.with(role.clone()) else { return Ok(false) };
    let update = tables.update_many::<users::Entity>().col_expr(Column::Roles, Expr::value(roles.to_string()));
    update.filter(Column::Id.eq(id.as_uuid())).exec(transaction).await?;
    Ok(true)
}

/// Gives the user another address, which is verified.
pub(super) fn setting_email(update: UpdateMany<users::Entity>, new: &Email) -> UpdateMany<users::Entity> {
    update
        .col_expr(Column::Email, Expr::value(new.as_str()))
        .col_expr(Column::EmailKey, Expr::value(new.key()))
        .col_expr(Column::EmailVerified, Expr::value(true))
}
