//! Inserting a user.

use auth_core::{NewUser, SideEffects};
use sea_orm::{ColumnTrait as _, ConnectionTrait, PaginatorTrait as _, QueryFilter as _};

use super::{SeaUserStore, Taken, internal};
use crate::connect::{EarlierAttempts, WriteTransaction};
use crate::entity::users::{self, Column};
use crate::error::AttemptError;
use crate::side_effects::{self, Made};
use crate::tables::{self, Tables};

/// What became of an insertion.
enum Inserted {
    /// The user and the side effects are part of the transaction.
    Made,
    /// The address is reserved for another user.
    Reserved,
    /// The database refused the row, for this reason if it is a unique key of users.
    Refused(AttemptError, Option<Taken>),
}

impl SeaUserStore {
    /// Inserts and lets the unique keys decide. A key that an earlier attempt took is not taken by anybody else.
    pub(super) async fn insert_once(
        &self,
        new: &NewUser,
        effects: &SideEffects,
        earlier: EarlierAttempts,
    ) -> Result<Result<(), Taken>, AttemptError> {
        let tables = self.database.tables();
        let transaction = self.database.begin().await?;
        let (error, taken) = match insert_within(&transaction, tables, new, effects, earlier).await {
            Ok(Inserted::Refused(error, taken)) => (error, taken),
            Ok(Inserted::Reserved) => {
                transaction.rollback().await?;
                return Ok(Err(Taken::Email));
            }
            outcome => {
                self.database.end(transaction, outcome).await?;
                return Ok(Ok(()));
            }
        };
        // A rollback that fails has lost its connection, and the server then rolls back by itself.
        drop(transaction.rollback().await);
        let connection = &self.database.statements();
        if earlier == EarlierAttempts::Unknown && is_made(new, tables, connection).await? {
            return Ok(Ok(()));
        }
        match taken {
            Some(Taken::Email) => Ok(Err(Taken::Email)),
            Some(Taken::Username) => {
                // Which of two violated keys a database reports first is its own business; we report the address.
                let both = is_email_taken(new, tables, connection).await?;
                Ok(Err(if both { Taken::Email } else { Taken::Username }))
            }
            None => Err(error),
        }
    }
}

async fn insert_within(
    transaction: &WriteTransaction,
    tables: &Tables,
    new: &NewUser,
    effects: &SideEffects,
    earlier: EarlierAttempts,
) -> Result<Inserted, AttemptError> {
    let insertion = tables.insert_many::<users::Entity>([users::Model::of_new_user(new)?.into_active()]);
    if let Err(error) = insertion.exec_without_returning(transaction).await {
        if crate::violated_key(&error).is_none() {
            return Err(error.into());
        }
        let taken = Taken::of(&error);
        return Ok(Inserted::Refused(error.into(), taken));
    }
    if side_effects::is_reserved(transaction, tables, &new.email, new.id).await? {
        return Ok(Inserted::Reserved);
    }
    match side_effects::make(transaction, tables, effects, earlier).await? {
        Made::Now => Ok(Inserted::Made),
        Made::Before | Made::Unusable => Err(internal("the one-time token of an insertion cannot be used")),
    }
}

/// Returns whether this user has been inserted. The id is random, so nobody else's row has it.
async fn is_made(new: &NewUser, tables: &Tables, connection: &impl ConnectionTrait) -> Result<bool, AttemptError> {
    let by_id = tables.find::<users::Entity>().filter(Column::Id.eq(new.id.as_uuid()));
    let found = tables::unique(by_id, connection).await?;
    Ok(found.is_some_and(|found| found.email_key == new.email.key() && found.username_key == new.username.key()))
}

async fn is_email_taken(
    new: &NewUser,
    tables: &Tables,
    connection: &impl ConnectionTrait,
) -> Result<bool, AttemptError> {
    let same_address = tables.find::<users::Entity>().filter(Column::EmailKey.eq(new.email.key()));
    Ok(same_address.count(connection).await? > 0
        || side_effects::is_reserved(connection, tables, &new.email, new.id).await?)
}
