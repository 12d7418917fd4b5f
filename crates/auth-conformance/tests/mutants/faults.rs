//! The faults of the broken stores: what each is, and the checks that must catch it.

/// Makes [`Fault`] and the table of mutants: the fault, what it is, and the checks that must catch it.
macro_rules! mutants {
    ($($fault:ident: $what:literal, [$($check:ident),+];)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Fault {
            None,
            $($fault),+
        }

        pub(crate) const MUTANTS: &[(Fault, &str, &[&str])] = &[$((Fault::$fault, $what, &[$(stringify!($check)),+])),+];
    };
}

mutants! {
    CutsTheFraction: "cuts the fraction of a second off a time", [returns_what_was_inserted];
    CutsLongHashes: "cuts a hash at 60 characters", [keeps_the_longest];
    NobodyIsAnError: "takes an empty result for an error", [absence_is_none];
    CaseSensitive: "compares e-mail addresses as they were typed", [finds_by_key];
    LaxCollation: "takes `é` for `e` and `ß` for `ss`", [keys_that_differ_differ];
    TellsTheWrongField: "reports every conflict as one of the address", [conflict_names_the_field, losers_of_a_name_are_told];
    Upserts: "overwrites the user whose id is taken", [taken_id_overwrites_nobody];
    ChecksThenInserts: "looks whether a key is free, then inserts without a constraint", [one_winner_of_an_address, losers_of_a_name_are_told];
    ListsTheCursor: "begins a page with the user the last one ended with", [pages_by_id];
    PromotesBySwitch: "promotes by turning the flag over", [promotion_is_kept];
    ChangesWithoutEntry: "changes a user and appends nothing", [change_is_made_and_appended];
    ChangesEverybody: "forgets the `WHERE` of a change", [change_spares_the_rest];
    ReplacesRoles: "replaces the roles of a user by the one that is given", [roles_are_given_and_kept];
    GivesAnyNumberOfRoles: "takes a role too many for one that the user has", [roles_are_limited];
    KeepsATakenRole: "ends the tokens and leaves the role", [roles_are_taken_with_the_tokens];
    TakesAbsentRoles: "ends the tokens of a user who does not have the role", [roles_that_are_absent_end_nothing];
    LosesRoles: "reads the roles, adds one and writes them back", [no_role_is_lost];
    DisablesSinceTheLast: "overwrites since when an account is disabled", [disabled_since_the_first_time];
    LosesGenerations: "reads the generation, adds one and writes it back", [no_generation_is_lost];
    ReadsAgainAfterTheCommit: "answers with what it reads once the change is committed", [no_generation_is_lost];
    ChangesFromAnyHash: "changes a password without comparing the hash it was checked against", [changes_a_password_only_from_the_current_hash];
    ReplacesAnyHash: "replaces a hash without comparing it", [replaces_only_the_current_hash];
    LagsByOne: "reads from a replica that lags by one entry", [reads_your_writes];
    ForgetsTheReason: "stores every reason as a logout", [keeps_every_field];
    AppendsAgain: "appends a target that is in the log already", [appending_is_idempotent, revoking_twice_is_revoking_once];
    CursorOffByOne: "begins a page with the entry that was asked to be skipped", [positions_are_consecutive];
    KeepsAThousand: "drops what a statement has no room for", [large_batches_are_kept_whole];
    PositionBeforeCommit: "takes a position before the transaction commits, as auto-increment does", [gapless_under_concurrency];
    ChangesOutOfTurn: "does so for changes of users only", [changes_take_their_turn];
    ChecksThenAppends: "looks whether a target is known, then appends without a constraint", [races_append_once];
    OneEntryPerUser: "keeps the first user-wide entry of a user only", [generations_have_entries_of_their_own];
    CoversTheNewGeneration: "covers the generation that an entry begins with", [generations_have_entries_of_their_own, spares_new_logins];
    AppendsWithoutTheGeneration: "appends an entry for a user and leaves the user as it is", [entry_raises_the_generation];
    KeepsTheFirstLoss: "keeps the loss that was recorded first", [losses_are_recorded];
    TrustsTheClockOfALoss: "records a loss at the instant that it is given", [losses_are_recorded];
    NeverForgetsALoss: "goes on to tell of a loss that was acknowledged", [losses_are_recorded];
    ClockOfTheNode: "tells the time by the clock of each node", [clock_is_shared];
    PurgesAtTheBound: "purges what expires at the given moment too", [purge_is_bounded_and_exact];
    PurgesWithoutLimit: "purges everything at once", [purge_is_bounded_and_exact];
    PurgesByPosition: "purges everything up to the last entry that has expired", [purge_never_resurrects];
    HeadIsTheLastRow: "takes the last row that is left for the head", [purge_keeps_the_head];
    CoversEveryKey: "covers the tokens of every key", [entry_of_a_key_covers_its_tokens];
    IgnoresKeys: "covers no token of a revoked key", [entry_of_a_key_covers_its_tokens];
    PurgesWithoutTrace: "leaves no trace of what it has purged", [purge_leaves_a_trace];
    CoversWhatIsThere: "covers only what has not been purged", [purged_is_not_forgotten];
    NeverReadsItsOwn: "writes revocations down and never reads them", [refuses_what_it_revoked];
    FailsTheSecondTime: "reports the second revocation of a token as an error", [revoking_twice_is_revoking_once];
    AnswersBeforeWriting: "answers first and means to write later", [revocation_is_durable, blacklist_in_an_outage_fails_closed];
    ForgetsAtTheExpiry: "forgets a token at its expiry, without the leeway", [refuses_until_the_leeway_is_over];
    EvictsForSpace: "keeps the last 256 revocations", [never_forgets_for_space];
    IgnoresNotes: "takes no note of what others made durable", [notes_what_is_durable];
    RefusesTheUser: "refuses every token of a user who logged out everywhere", [spares_new_logins];
    LooksUpInMemory: "looks up in its own memory", [sees_other_nodes];
    LosesTheBatch: "answers for a batch whose writer may go away", [writes_all_that_come_at_once];
    RemembersTheList: "answers a list from a cache", [users_are_seen_by_other_nodes];
    CoversItsOwnOnly: "covers what this node has appended", [entries_are_seen_by_other_nodes];
    ForgetsOnReopen: "keeps nothing when it is closed", [users_survive_a_restart, entries_survive_a_restart];
    NewIdentityAtStart: "gives the log a new identity at every start", [entries_survive_a_restart, entries_are_seen_by_other_nodes];
    CountsTheRowsAtStart: "finds its head at a start by looking at the last row", [positions_go_on_after_a_restart];
    ChangesThenAppends: "changes a user and appends in two transactions", [abandoned_change_is_whole_or_nothing];
    ReservesThenInserts: "reserves the address and inserts the user later", [abandoned_insertion_is_whole_or_nothing];
    AppendsOneByOne: "appends a batch entry by entry", [abandoned_append_is_whole_or_nothing];
    OutageIsNobody: "finds nobody while the database is away", [users_in_an_outage_are_unknown];
    OutageIsInternal: "reports an outage as an internal error", [users_in_an_outage_are_unknown, revocations_in_an_outage_are_unknown, attempts_in_an_outage_are_unknown];
    OutageIsGood: "covers nothing while the database is away", [revocations_in_an_outage_are_unknown, blacklist_in_an_outage_fails_closed];
    FailsOpen: "accepts what it cannot look up", [blacklist_in_an_outage_fails_closed];
    SkipsDamagedUsers: "skips rows that make no user", [damaged_user_is_an_error];
    SkipsDamagedEntries: "skips entries that make no revocation", [damaged_entry_is_an_error];
    ConflictIsInternal: "reports a conflict as an internal error", [conflicts_are_tried_again];
    InsertsAgain: "inserts again when the answer was lost, and believes the unique key", [lost_answers_are_looked_up];
    ChangesAgain: "makes a change again when the answer was lost", [lost_answers_are_looked_up];
    CountsAgain: "counts again when the answer was lost", [lost_answers_are_counted_once];
    ReadsBehind: "reads from a node without waiting for what the others wrote", [reads_wait_for_other_nodes];
    KeepsHalfOfARefusedChange: "keeps half of a change whose entry was refused", [refused_write_leaves_nothing];
    WritesAfterTheEnd: "writes into a transaction that the database has ended", [writes_after_a_refusal_are_durable];
    NoCounterIsAnError: "takes a counter that is not there for an error", [counters_begin_at_nothing];
    CutsTheInstants: "keeps an instant of a counter in whole seconds", [counters_are_kept_exactly];
    AnswersInTheOrderOfTheTable: "answers counters in the order of the table, not of the keys", [counters_are_kept_exactly];
    ReturnsWhatIsAfter: "returns the counters as they are after an update", [updates_return_what_was_before];
    KeepsLockedRows: "keeps the rows that it made only to lock them", [idle_updates_leave_nothing_behind];
    ReadsThenWrites: "reads counters, changes them and writes them back", [no_attempt_is_lost];
    UpdatesOneByOne: "updates one counter after another", [no_attempt_is_lost, abandoned_update_is_whole_or_nothing];
    LocksInTheOrderAskedFor: "locks counters in the order in which it is asked for them", [overlapping_updates_end];
    RemembersCounters: "answers with the counters that this node has read before", [counters_are_seen_by_other_nodes];
    PurgesCountersAtTheBound: "purges counters that expire at the given moment too", [purges_expired_counters_only];
    PurgesByTheQuota: "purges a counter whose quota has flowed back, whatever else it says", [purges_expired_counters_only];
    PurgesAllCounters: "purges all expired counters at once", [purges_as_many_counters_as_asked];
    PurgesWhatItFound: "looks which counters have expired, then removes them", [renewed_counters_are_not_purged];
    OutageIsNoAttempt: "has counted nothing while the database is away", [attempts_in_an_outage_are_unknown];
    TakesNonsenseForNothing: "takes a row that makes no counter for none", [damaged_counter_is_an_error];
    CutsTheSession: "keeps an instant of a session in whole seconds", [sessions_are_kept_exactly];
    RotatesFromAnyToken: "rotates a session whichever token is used", [rotation_needs_the_current_token, one_rotation_wins];
    ReadsThenRotates: "reads a session, rotates it and writes it back", [one_rotation_wins];
    LowersTheExpiry: "keeps the expiry of the last access token in place of the latest", [rotation_keeps_the_latest_expiry];
    EndsWithoutEntry: "ends a session and appends nothing", [session_ends_with_an_entry];
    OverwritesTheEnd: "ends an ended session again", [session_ends_with_an_entry];
    RotatesTheEnded: "rotates a session that has ended", [ended_session_is_not_rotated, appended_end_ends_the_session];
    AppendsWithoutTheEnd: "appends an entry for a session and leaves the session as it is", [appended_end_ends_the_session];
    ListsTheUnusable: "lists sessions that cannot be used", [lists_usable_sessions];
    ListsTheOldestFirst: "lists the session first that was used least recently", [lists_usable_sessions];
    PurgesTheEndedAtOnce: "purges a session as soon as it has ended", [purge_spares_needed_sessions];
    RemembersSessions: "answers with the session that this node has read before", [sessions_are_seen_by_other_nodes];
    EndsThenAppends: "ends a session and appends in two transactions", [abandoned_end_is_whole_or_nothing];
    OutageIsNoSession: "finds no session while the database is away", [sessions_in_an_outage_are_unknown];
    SkipsDamagedSessions: "takes a row that makes no session for none", [damaged_session_is_an_error];
    ComparesNames: "compares usernames as they were typed", [finds_by_username];
    KeepsTheFirstLogin: "keeps the login that was recorded first", [records_the_latest_login];
    ProfilesEndTokens: "raises the generation with every change of a profile", [profile_changes_are_kept];
    VerifiesAnyAddress: "verifies the address that the account has, whichever was asked for", [verifies_only_the_current_address, refused_change_has_no_effects];
    TakenIsNobody: "answers a change to a taken key as one of nobody", [taken_keys_are_told, reserved_address_is_taken];
    IgnoresTheGeneration: "makes side effects without comparing the generation", [unchanged_needs_the_generation];
    ResetsForAnyAddress: "resets a password without comparing the address", [resets_for_the_current_address, refused_change_has_no_effects];
    RestoresTheAddressAlone: "restores an address and leaves the hash", [restores_an_address];
    DeletesWithoutEntry: "deletes a user and appends nothing", [deletion_leaves_nobody];
    DeletesThenAppends: "deletes a user and appends in two transactions", [abandoned_deletion_is_whole_or_nothing];
    CutsTheToken: "keeps an instant of a one-time token in whole seconds", [tokens_are_kept_exactly];
    FindsTheExpired: "finds a one-time token at its expiry", [expired_tokens_are_closed];
    ReadsThenUses: "looks whether a one-time token is open, then uses it", [one_use_of_a_token_wins];
    SparesSiblings: "leaves the siblings of a used token open", [use_ends_siblings];
    EndsAllOfTheUser: "ends all tokens of the user when one is used", [use_ends_siblings, undo_spares_earlier_tokens];
    EndsEarlierOnes: "ends every sibling of a token that undoes a change of address", [undo_spares_earlier_tokens];
    EndsEveryPurpose: "ends the tokens of a user whatever their purpose", [ends_tokens_of_a_purpose];
    FindsTheFirstToken: "finds the token that was sent to an address first", [latest_token_with_a_code_is_found];
    FindsWithoutACode: "finds a token that has no code", [latest_token_with_a_code_is_found];
    ListsOldTokensFirst: "lists the token first that was made first", [open_tokens_are_listed];
    WritesThenUses: "writes tokens and letters, then uses the token", [unusable_token_writes_nothing];
    PurgesTokensAtTheBound: "purges tokens that expire at the given moment too", [purges_expired_tokens_only];
    RemembersTokens: "answers with the token that this node has read before", [tokens_are_seen_by_other_nodes];
    UsesThenWrites: "uses a token and writes the rest in two transactions", [abandoned_use_is_whole_or_nothing];
    OutageIsNoToken: "finds no token while the database is away", [tokens_in_an_outage_are_unknown];
    SkipsDamagedTokens: "takes a row that makes no token for none", [damaged_token_is_an_error];
    DropsTheEffects: "makes a change without its tokens and letters", [effects_come_with_the_change];
    WritesEffectsFirst: "makes the side effects, then the change in another transaction", [refused_change_has_no_effects];
    ChangesWithAUsedToken: "makes a change whether or not its token can be used", [effects_come_with_the_change, unusable_token_changes_nobody];
    ReservesNothing: "forgets which address a token gives back", [reserved_address_is_taken];
    DeletesTheUserAlone: "deletes a user and leaves their tokens and letters", [deletion_takes_tokens_and_letters];
    CutsTheLetter: "keeps an instant of a letter in whole seconds", [letters_are_kept_exactly];
    LooksThenLeases: "looks which letters are due, then leases them", [letters_are_leased_once];
    LeasesForEver: "never leases a letter again", [leased_letters_come_back];
    CountsNoLeases: "counts no leases", [leased_letters_come_back];
    RemovesForAnybody: "removes a letter for a worker whose lease has ended", [only_the_holder_decides];
    DelaysForAnybody: "delays a letter for a worker whose lease has ended", [only_the_holder_decides];
    KeepsSentLetters: "keeps letters that were sent", [removed_letters_leave_nothing];
    DelaysNothing: "makes a delayed letter due at once", [delayed_letters_wait];
    LeasesTheNewestFirst: "leases the letter first that became due last", [letters_are_leased_in_order];
    ListsDecoys: "shows decoys in the queue", [queue_shows_letters_and_no_decoys];
    RemembersTheQueue: "answers with the queue that this node has read before", [letters_are_seen_by_other_nodes];
    OutageIsNoLetter: "finds no letter while the database is away", [letters_in_an_outage_are_unknown];
    FailsOnDamagedLetters: "fails a lease with a row that makes no letter", [damaged_letter_delays_no_other];
    CutsTheKey: "cuts the fraction of a second off the time at which a key signs", [keys_are_kept_exactly];
    ReplacesAnyVersion: "replaces a set of keys whatever its version", [replacement_needs_the_version];
    ReadsThenReplaces: "reads the version of the keys, then replaces them", [one_replacement_wins];
    RevokesWithoutEntry: "revokes a key without an entry in the log", [key_revocation_has_an_entry];
    RevokesAgain: "moves the time of a revoked key when it is revoked again", [key_revocation_has_an_entry];
    AlwaysAddsTheReplacement: "adds the replacement of a key that is unknown or was revoked before", [replacement_comes_with_the_revocation];
    RevokesThenAppends: "marks a key as revoked, then appends its entry in another transaction", [abandoned_key_revocation_is_whole_or_nothing];
    RemembersKeys: "answers with the keys that this node has read before", [keys_are_seen_by_other_nodes];
    OutageIsNoKey: "finds no keys while the database is away", [keys_in_an_outage_are_unknown];
    SkipsDamagedKeys: "leaves out a row that makes no key", [damaged_keys_are_an_error];
    CutsTheCreation: "cuts the fraction of a second off the time at which a client was created", [clients_are_kept_exactly];
    ListsUsableClients: "leaves disabled clients out of the list", [clients_are_listed_by_id];
    RotatesAnySecret: "replaces the secret of a client without comparing it", [rotation_needs_the_current_secret];
    ReadsThenRotatesSecrets: "reads the secret of a client, then replaces it", [one_rotation_of_a_secret_wins];
    DisablesWithoutEntry: "disables a client and appends nothing", [disabling_ends_the_tokens_of_a_client];
    LosesClientGenerations: "reads the generation of a client, adds one and writes it back", [no_generation_of_a_client_is_lost];
    EnablesFromTheStart: "lets a client begin again with the first generation when it is enabled", [enabling_keeps_tokens_revoked];
    AppendsWithoutTheClient: "appends an entry for a client and leaves the client as it is", [entry_raises_the_generation_of_a_client];
    TurnsTheLastUseBack: "overwrites the time of the last use by an earlier one", [last_use_goes_forward];
    RemembersClients: "answers with the client that this node has read before", [clients_are_seen_by_other_nodes];
    DisablesThenAppends: "disables a client, then appends its entry in another transaction", [abandoned_disabling_is_whole_or_nothing];
    OutageIsNoClient: "finds no client while the database is away", [clients_in_an_outage_are_unknown];
    SkipsDamagedClients: "takes a row that makes no client for none", [damaged_client_is_an_error];
    CutsThePersonalToken: "keeps an instant of a personal token in whole seconds", [personal_tokens_are_kept_exactly];
    TakesRolesForScopes: "keeps the roles of a personal token among its scopes", [personal_tokens_are_kept_exactly];
    CountsThenInserts: "counts the personal tokens of a user, then inserts another one", [personal_tokens_are_limited];
    CountsDeadPersonalTokens: "counts personal tokens that nothing can use", [dead_personal_tokens_make_room];
    KeepsDeadPersonalTokens: "keeps personal tokens of a lower generation", [dead_personal_tokens_make_room];
    InsertsForEndedUsers: "inserts a personal token for a user who was deleted meanwhile", [ended_users_get_no_personal_token];
    DeletesTheTokenWithoutEntry: "deletes a personal token and appends nothing", [personal_token_ends_with_an_entry];
    DeletesThoseOfAnybody: "deletes a personal token for whoever knows its id", [personal_token_ends_with_an_entry];
    AppendsWithoutTheDeletion: "appends the end of a personal token and leaves the token", [appended_end_deletes_the_personal_token];
    CoversByEntriesAlone: "takes a missing personal token without an entry for a good one", [missing_personal_token_is_covered];
    TakesEveryTokenForPersonal: "takes every token of a session for a personal one", [missing_personal_token_is_covered];
    ListsDeadPersonalTokens: "lists personal tokens that nothing can use", [lists_usable_personal_tokens];
    ListsOldPersonalTokensFirst: "lists the personal token first that was made first", [lists_usable_personal_tokens];
    MovesTheLastUseBack: "keeps the use of a personal token that was recorded last", [use_of_a_personal_token_moves_forward];
    PurgesPersonalTokensAtTheBound: "purges personal tokens that expire at the given moment too", [purge_spares_usable_personal_tokens];
    RemembersPersonalTokens: "answers with the personal token that this node has read before", [personal_tokens_are_seen_by_other_nodes];
    DeletesTheTokenThenAppends: "deletes a personal token and appends its end in two transactions", [abandoned_personal_deletion_is_whole_or_nothing];
    LeavesPersonalTokens: "deletes a user and leaves their personal tokens", [deletion_takes_personal_tokens];
    OutageIsNoPersonalToken: "finds no personal token while the database is away", [personal_tokens_in_an_outage_are_unknown];
    SkipsDamagedPersonalTokens: "takes a row that makes no personal token for none", [damaged_personal_token_is_an_error];
}

impl Fault {
    /// Whether the fault is one of a blacklist.
    pub(crate) fn is_of_blacklist(self) -> bool {
        use Fault as F;
        matches!(
            self,
            F::NeverReadsItsOwn
                | F::FailsTheSecondTime
                | F::AnswersBeforeWriting
                | F::ForgetsAtTheExpiry
                | F::EvictsForSpace
                | F::IgnoresNotes
                | F::RefusesTheUser
                | F::LooksUpInMemory
                | F::LosesTheBatch
                | F::FailsOpen
        )
    }

    /// Whether it shows only to a reader that runs in parallel.
    pub(crate) fn needs_threads(self) -> bool {
        matches!(self, Self::PositionBeforeCommit | Self::ChangesOutOfTurn)
    }
}
