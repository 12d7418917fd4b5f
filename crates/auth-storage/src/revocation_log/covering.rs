//! Whether the tokens with some claims must be refused, in one statement.

use auth_core::{Claims, StoreError, TokenKind};
use sea_orm::Condition;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query, SelectStatement, TableRef};

use crate::connect::PrimaryCheck;
use crate::entity::{blacklist, blacklist_head, personal_tokens, sessions};
use crate::instant;
use crate::tables::Tables;
use crate::user_table::UserTable;

/// Up to three look-ups of entries, one of the session or the personal token, one of the user and one of the client, each in a unique
/// index, and the row of the head. The user's generation says what a purged user-wide entry said, the head what may have been purged
/// besides. The second value says whether the server that answered may be read from.
pub(super) fn covers_query(
    tables: &Tables,
    claims: &Claims,
    users: Option<&UserTable>,
    primary_check: PrimaryCheck,
) -> Result<SelectStatement, StoreError> {
    let users = users.cloned().unwrap_or_else(|| UserTable::ours(tables));
    let exists = |table: TableRef, condition: Condition| {
        Expr::exists(Query::select().expr(Expr::val(1)).from(table).cond_where(condition).take())
    };
    let entries = |condition: Condition| exists(tables.of::<blacklist::Entity>(), condition);
    let of_token = match claims.renewable_session() {
        None => entries(
            Condition::all()
                .add(Expr::col(blacklist::Column::ExpiresAt).eq(instant::to_micros_rounded_up(claims.expires_at)?))
                .add(Expr::col(blacklist::Column::TokenId).eq(claims.token_id.as_uuid())),
        ),
        // A personal token is good while its row is there.
        Some(session) if claims.kind() == TokenKind::Personal => exists(
            tables.of::<personal_tokens::Entity>(),
            Condition::all().add(Expr::col(personal_tokens::Column::Id).eq(session.as_uuid())),
        )
        .not(),
        // The row of the session says that it ended, and is found by its id alone.
        Some(session) => exists(
            tables.of::<sessions::Entity>(),
            Condition::all()
                .add(Expr::col(sessions::Column::Id).eq(session.as_uuid()))
                .add(Expr::col(sessions::Column::EndedAt).is_not_null()),
        ),
    };
    let of_user = Condition::all()
        .add(Expr::col(blacklist::Column::UserId).eq(claims.user_id.as_uuid()))
        .add(Expr::col(blacklist::Column::Generation).gt(i64::from(claims.generation.number())));
    let user = Condition::all()
        .add(Expr::col(users.id).eq(claims.user_id.as_uuid()))
        .add(Expr::col(users.generation).gt(i64::from(claims.generation.number())));
    let purged = Condition::all()
        .add(Expr::col(blacklist_head::Column::Id).eq(blacklist_head::ID))
        .add(Expr::col(blacklist_head::Column::PurgedTokens).gte(instant::to_micros(claims.expires_at)?));
    let of_token = match claims.key_id {
        None => of_token,
        Some(key) => of_token.or(entries(
            Condition::all()
                .add(Expr::col(blacklist::Column::UserId).eq(key.as_uuid()))
                .add(Expr::col(blacklist::Column::Generation).eq(blacklist::KEY)),
        )),
    };
    let of_token = match claims.client_id() {
        None => of_token,
        Some(client) => {
            let clients = UserTable::of_clients(tables);
            let raised = Condition::all()
                .add(Expr::col(clients.id).eq(client.as_uuid()))
                .add(Expr::col(clients.generation).gt(i64::from(claims.generation.number())));
            of_token.or(exists(clients.table, raised))
        }
    };
    let covered = of_token
        .or(entries(of_user))
        .or(exists(users.table, user))
        .or(exists(tables.of::<blacklist_head::Entity>(), purged));
    Ok(Query::select().expr(covered).expr(Expr::cust(primary_check.expression())).take())
}
