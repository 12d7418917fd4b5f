//! The transactions in which a member is written together with one-time tokens, letters, sessions and the log.

use auth_core::{
    ChangeUserError, Email, NewUser, PasswordHash, ProfileChange, Revocation, SideEffects, StoreError, User,
    UserChange, UserId,
};
use auth_storage::{SeaSessionStore, WriteTransaction, store_error, violated_key};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, UpdateMany};

use super::row::{ActiveModel, Column, Entity, Model, micros};
use super::{Members, internal, row_of};

impl Members {
    /// Inserts the member with the side effects, in one transaction. The unique keys decide.
    pub(super) async fn insert_once(
        self,
        row: ActiveModel,
        new: NewUser,
        effects: SideEffects,
    ) -> Result<User, Refused> {
        let transaction = self.database.begin_write().await?;
        Entity::insert(row).exec_without_returning(&transaction).await?;
        // After the insertion: it has waited for a member who was giving the address up.
        if self.tokens().is_reserved_within(&transaction, &new.email, new.id).await? {
            return Err(Refused::EmailTaken);
        }
        if !self.tokens().write_within(&transaction, &effects).await? {
            return Err(internal("the one-time token of an insertion cannot be used").into());
        }
        let user = user_of(new.id, &transaction).await?.ok_or_else(|| internal("the new member is gone"))?;
        transaction.commit().await?;
        Ok(user)
    }

    /// Returns whether the address is that of another member, or reserved for one.
    pub(super) async fn is_email_taken(&self, email: Email, id: UserId) -> Result<bool, StoreError> {
        let (members, query) = (self.clone(), Entity::find().filter(Column::MailKey.eq(email.key())));
        let look = async move {
            let transaction = members.database.begin_write().await?;
            let owner = query.one(&transaction).await.map_err(store_error)?;
            Ok(owner.is_some() || members.tokens().is_reserved_within(&transaction, &email, id).await?)
        };
        self.database.run(look).await?
    }

    /// Makes a change that ends no token, with the side effects, in one transaction.
    pub(super) async fn change_once(
        self,
        id: UserId,
        change: ProfileChange,
        effects: SideEffects,
    ) -> Result<Option<User>, Refused> {
        let update = Entity::update_many().filter(Column::PublicId.eq(id.as_uuid()));
        let verified = |update: UpdateMany<Entity>| update.col_expr(Column::Verified, Expr::value(true));
        let update = match &change {
            ProfileChange::Username(new) => update
                .col_expr(Column::Nick, Expr::value(new.as_str()))
                .col_expr(Column::NickKey, Expr::value(new.key())),
            ProfileChange::VerifyEmail(email) => verified(update).filter(Column::MailKey.eq(email.key())),
            ProfileChange::VouchForEmail => verified(update),
            ProfileChange::Email(new) => with_email(update, new),
            // Writes nothing new, and takes the lock of the row.
            ProfileChange::Unchanged { generation } => update
                .col_expr(Column::Generation, Expr::col(Column::Generation))
                .filter(Column::Generation.eq(generation.number())),
            _ => return Err(internal("a change that this store does not know").into()),
        };
        let transaction = self.database.begin_write().await?;
        if update.exec(&transaction).await?.rows_affected != 1 {
            return Ok(None);
        }
        if let ProfileChange::Email(new) = &change
            && self.tokens().is_reserved_within(&transaction, new, id).await?
        {
            return Err(Refused::EmailTaken);
        }
        if !self.tokens().write_within(&transaction, &effects).await? {
            return Ok(None);
        }
        let user = user_of(id, &transaction).await?;
        transaction.commit().await?;
        Ok(user)
    }

    /// Makes the change, with the side effects, and appends the revocation in one transaction, if the member is still as `user`
    /// says.
    pub(super) async fn revoke_once(
        self,
        user: User,
        change: UserChange,
        effects: SideEffects,
        revocation: Revocation,
    ) -> Result<Revoked, Refused> {
        let transaction = self.database.begin_write().await?;
        // The log first: its head is the lock that all writers take in one order.
        self.log().append_within(&transaction, &[revocation]).await?;
        let below = user.generation.next().number();
        let update = of_generation(&user).col_expr(Column::Generation, Expr::value(below));
        let secret = |update: UpdateMany<Entity>, hash: &PasswordHash| {
            update.col_expr(Column::Secret, Expr::value(hash.expose_hash()))
        };
        let update = match &change {
            UserChange::LogoutEverywhere => update,
            UserChange::Demote => update.col_expr(Column::Staff, Expr::value(false)),
            UserChange::Disable(at) => {
                let since = micros(user.disabled_at.unwrap_or(*at));
                update.col_expr(Column::Barred, Expr::value(since))
            }
            UserChange::Password(new) => secret(update, new),
            UserChange::PasswordFrom { current, new } => {
                secret(update, new).filter(Column::Secret.eq(current.expose_hash()))
            }
            UserChange::ResetPassword { email, new } => secret(update, new)
                .col_expr(Column::Verified, Expr::value(true))
                .filter(Column::MailKey.eq(email.key())),
            UserChange::RestoreEmail { email, new } => secret(with_email(update, email), new),
            _ => return Err(internal("a change that this store does not know").into()),
        };
        // If somebody else changed the member meanwhile, nothing is written: dropping a transaction undoes it.
        if update.exec(&transaction).await?.rows_affected != 1 {
            return Ok(Revoked::Raced);
        }
        if let UserChange::RestoreEmail { email, .. } = &change
            && self.tokens().is_reserved_within(&transaction, email, user.id).await?
        {
            return Err(Refused::EmailTaken);
        }
        if !self.tokens().write_within(&transaction, &effects).await? {
            return Ok(Revoked::Unusable);
        }
        // Before the commit: after it somebody else may have changed the member again.
        let user = user_of(user.id, &transaction).await?.ok_or_else(|| internal("the member is gone"))?;
        transaction.commit().await?;
        Ok(Revoked::Made(user))
    }

    /// Deletes the member and all that our tables have about them, if the member is still as `user` says. Returns whether it was
    /// done.
    pub(super) async fn delete_once(self, user: User, revocation: Revocation) -> Result<bool, Refused> {
        let transaction = self.database.begin_write().await?;
        self.log().append_within(&transaction, &[revocation]).await?;
        let of_generation = Condition::all()
            .add(Column::PublicId.eq(user.id.as_uuid()))
            .add(Column::Generation.eq(user.generation.number()));
        if Entity::delete_many().filter(of_generation).exec(&transaction).await?.rows_affected != 1 {
            return Ok(false);
        }
        SeaSessionStore::new(self.database.clone()).delete_user_within(&transaction, user.id).await?;
        self.tokens().delete_user_within(&transaction, user.id).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// The reason that a transaction wrote nothing.
pub(super) enum Refused {
    EmailTaken,
    UsernameTaken,
    Store(StoreError),
}

/// What became of a change that ends tokens.
pub(super) enum Revoked {
    Made(User),
    /// Another change came between.
    Raced,
    /// The one-time token cannot be used.
    Unusable,
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<DbErr> for Refused {
    fn from(error: DbErr) -> Self {
        match violated_key(&error) {
            Some(key) if key.ends_with("mail_key") => Self::EmailTaken,
            Some(key) if key.ends_with("nick_key") => Self::UsernameTaken,
            _ => Self::Store(store_error(error)),
        }
    }
}

impl From<Refused> for ChangeUserError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::EmailTaken => Self::EmailTaken,
            Refused::UsernameTaken => Self::UsernameTaken,
            Refused::Store(error) => Self::Store(error),
        }
    }
}

/// Returns the update of the member, if the generation is still that of `user`.
fn of_generation(user: &User) -> UpdateMany<Entity> {
    Entity::update_many()
        .filter(Column::PublicId.eq(user.id.as_uuid()))
        .filter(Column::Generation.eq(user.generation.number()))
}

/// Gives the member another address, which is verified.
fn with_email(update: UpdateMany<Entity>, new: &Email) -> UpdateMany<Entity> {
    update
        .col_expr(Column::Mail, Expr::value(new.as_str()))
        .col_expr(Column::MailKey, Expr::value(new.key()))
        .col_expr(Column::Verified, Expr::value(true))
}

async fn user_of(id: UserId, transaction: &WriteTransaction) -> Result<Option<User>, Refused> {
    Ok(row_of(id, transaction).await?.map(Model::into_user).transpose()?)
}
