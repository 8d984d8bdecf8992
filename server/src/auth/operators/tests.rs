//! Operators' tokens with real records, without a hub: what is known when, and what ends it.

use super::{store::Maker, *};
use crate::{auth::Role, storage::scratch::Scratch};
use pingup_protocol::keys::Secret;
use std::net::{IpAddr, Ipv4Addr};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn tokens() -> Tokens {
    Tokens::new(&Secret::new([1; 32]))
}

fn ada(role: Role) -> Operator {
    Operator { name: "ada".to_owned(), role }
}

struct House {
    _scratch: Scratch,
    sqlite: Sqlite,
    clock: Clock,
    operators: Operators,
}

impl House {
    fn new() -> Self {
        let scratch = Scratch::new();
        let (sqlite, clock) = (scratch.sqlite(), Clock::fixed(NOW));
        let operators = Operators::new(tokens(), sqlite.clone(), clock.clone(), crate::audit::store::record);
        Self { _scratch: scratch, sqlite, clock, operators }
    }

    /// Does what the command line does: beside the hub, which is not told.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, CreateError> + Send + 'static,
    ) -> T {
        self.sqlite.write(work).await.unwrap()
    }

    async fn make(&self, seconds: i64) -> (Fresh, Row) {
        let fresh = Fresh::write(&tokens(), ada(Role::Viewer), seconds, NOW).unwrap();
        let row = Row::new(&fresh.token, fresh.digest(), None);
        let kept = row.clone();
        self.beside(move |connection| store::create(connection, &kept, NOW)).await;
        (fresh, row)
    }

    async fn refresh(&self) {
        let operators = self.operators.clone();
        let look = move |connection: &Connection| Ok::<_, StorageError>(operators.refresh(connection)?);
        self.sqlite.read(look).await.unwrap();
    }

    /// What a token opens as the gate asks: what is known, else what it is introduced as.
    async fn ask(&self, text: &str) -> Result<Stay, TokenError> {
        let asked =
            match self.operators.known(text, self.clock.now()) {
                Some(known) => known,
                None => self.operators.introduce(text, Ipv4Addr::LOCALHOST.into()).await.map_err(|error| {
                    match error {
                        IntroduceError::Token(error) => error,
                        IntroduceError::Storage(error) => panic!("{error}"),
                    }
                }),
            };
        asked.map(|(_, stay)| stay)
    }
}

#[tokio::test]
async fn a_token_is_good_at_once_until_it_expires_or_is_revoked() {
    let house = House::new();
    let (fresh, row) = house.make(60).await;
    assert!(house.operators.known(&fresh.text, NOW).is_none(), "nobody told this hub");
    let stay = house.ask(&fresh.text).await.unwrap();
    assert_eq!(stay.token_id(), Some(row.id.as_str()));
    assert!(house.operators.known(&fresh.text, NOW).is_some_and(|known| known.is_ok()));
    let expired = house.operators.known(&fresh.text, NOW.plus_seconds(60)).unwrap();
    assert_eq!(expired.map(drop), Err(TokenError::Expired));

    house.beside(move |connection| Ok(store::revoke(connection, &row.id, None, NOW)?)).await.unwrap();
    assert!(stay.check(NOW).is_ok(), "not heard of yet");
    house.refresh().await;
    assert_eq!((stay.check(NOW), stay.is_revoked()), (Err(TokenError::Revoked), true));
    stay.revoked().await;
    assert_eq!(house.ask(&fresh.text).await.map(drop), Err(TokenError::Revoked));
}

#[tokio::test]
async fn neither_the_master_key_nor_the_records_make_a_token() {
    let house = House::new();
    let (fresh, row) = house.make(60).await;
    // All that the records say, signed with the hub's own key: without the bits that stand nowhere, and with others.
    for key in [None, Some("x")] {
        let forged = tokens().issue_operator(&fresh.token, key).unwrap();
        assert_eq!(house.ask(&forged).await.map(drop), Err(TokenError::Invalid), "{key:?}");
    }
    let stranger = Tokens::new(&Secret::new([2; 32])).issue_operator(&fresh.token, Some("x")).unwrap();
    for bad in [stranger.as_str(), "", "a.b.c", &"x".repeat(10_000)] {
        assert_eq!(house.ask(bad).await.map(drop), Err(TokenError::Invalid));
    }
    let digest = row.digest.bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(house.ask(&digest).await.map(drop), Err(TokenError::Invalid));
}

#[tokio::test]
async fn a_row_that_is_gone_opens_nothing_and_one_that_just_came_stays() {
    let house = House::new();
    let (fresh, row) = house.make(60).await;
    house.refresh().await;
    let stay = house.ask(&fresh.text).await.unwrap();
    let gone = house.beside(move |connection| Ok(store::forget(connection, row.expires_at)?)).await;
    assert_eq!(gone, 1);
    // Learnt while the next look goes on: what that look has read may be older.
    house.operators.0.looks.fetch_add(1, Ordering::AcqRel);
    let (young, young_row) = house.make(60).await;
    house.operators.heed(&young_row);
    house.operators.0.looks.fetch_sub(1, Ordering::AcqRel);
    let young_id = young_row.id.clone();
    house.beside(move |c| Ok(c.execute("DELETE FROM operator_tokens WHERE id = ?", [young_id])?)).await;
    house.refresh().await;
    assert!(stay.is_revoked());
    assert_eq!(house.ask(&fresh.text).await.map(drop), Err(TokenError::Invalid));
    assert!(house.ask(&young.text).await.is_ok());
}

#[tokio::test]
async fn uses_are_taken_once_and_written_down() {
    let house = House::new();
    let (fresh, row) = house.make(60).await;
    let stay = house.ask(&fresh.text).await.unwrap();
    let from = |last: u8| IpAddr::from([10, 0, 0, last]);
    assert_eq!(house.operators.take_uses(), []);
    stay.note_use(NOW, from(1));
    stay.note_use(NOW.plus_seconds(1), from(1));
    stay.note_use(Timestamp::from_micros(NOW.as_micros() + 1_000_001), from(1));
    let last = Use { at: NOW.plus_seconds(1), from: from(1) };
    assert_eq!(house.operators.last_use(&row.digest), Some(last), "to the second");
    let uses = house.operators.take_uses();
    assert_eq!(uses, [(row.id.clone(), last)]);
    assert_eq!(house.operators.take_uses(), []);
    stay.note_use(NOW.plus_seconds(1), from(2));
    assert_eq!(house.operators.take_uses().len(), 1, "another address is news");
    house.beside(move |connection| Ok(store::note_uses(connection, &uses)?)).await;
    let found = house.beside(move |connection| Ok(store::find(connection, &row.digest)?)).await.unwrap();
    assert_eq!((found.used_at, found.used_from.as_deref()), (Some(last.at), Some("10.0.0.1")));
    house.refresh().await;
    assert!(house.ask(&fresh.text).await.is_ok(), "uses change nothing");
}

/// Makes the records look as if they had been there before tokens had rows.
fn age(connection: &Connection, former: Timestamp, since: Timestamp) -> rusqlite::Result<()> {
    connection.execute("UPDATE schema_migrations SET applied_at = ?", [former.as_micros()])?;
    let sql = "UPDATE schema_migrations SET applied_at = ? WHERE name = 'operator_tokens'";
    connection.execute(sql, [since.as_micros()]).map(drop)
}

#[tokio::test]
async fn a_token_of_before_is_taken_in_for_a_month() {
    let day = 24 * 3_600;
    let former = |id: &str, made_at| {
        let operator = ada(Role::Operator);
        let token =
            OperatorToken { id: id.to_owned(), operator, made_at, expires_at: NOW.plus_seconds(300 * day) };
        tokens().issue_operator(&token, None).unwrap()
    };
    let old = former("old", NOW.plus_seconds(-2 * day));
    let house = House::new();
    assert_eq!(house.ask(&old).await.map(drop), Err(TokenError::Invalid), "a new hub never made such a one");

    let since = NOW.plus_seconds(-day);
    house.beside(move |connection| Ok(age(connection, NOW.plus_seconds(-9 * day), since)?)).await;
    let younger = former("younger", NOW);
    assert_eq!(
        house.ask(&younger).await.map(drop),
        Err(TokenError::Invalid),
        "made since, so it should have a row"
    );
    let stay = house.ask(&old).await.unwrap();
    assert_eq!(stay.token_id(), Some("old"));
    let other = former("old", NOW.plus_seconds(-3 * day));
    assert_eq!(house.ask(&other).await.map(drop), Err(TokenError::Invalid), "the id is taken");

    let late = former("late", NOW.plus_seconds(-2 * day));
    house.clock.advance(29 * day);
    assert_eq!(house.ask(&late).await.map(drop), Err(TokenError::Invalid), "the month is over");
    assert!(house.ask(&old).await.is_ok(), "what was taken in stays");
    house.beside(|connection| Ok(store::revoke(connection, "old", None, NOW)?)).await.unwrap();
    house.refresh().await;
    assert_eq!(house.ask(&old).await.map(drop), Err(TokenError::Revoked));
}

#[tokio::test]
async fn there_are_so_many_and_no_more_but_useless_ones_make_room() {
    let house = House::new();
    let row = |number: usize, expires_at| {
        let token =
            OperatorToken { id: format!("t{number}"), operator: ada(Role::Viewer), made_at: NOW, expires_at };
        Row::new(&token, TokenDigest::of(&token.id), Some(Maker { name: "bob".to_owned(), token_id: None }))
    };
    let later = NOW.plus_seconds(60);
    house
        .beside(move |connection| {
            (0..TOKENS_MAX).try_for_each(|number| store::create(connection, &row(number, later), NOW))
        })
        .await;
    let full =
        house.sqlite.write(move |connection| store::create(connection, &row(TOKENS_MAX, later), NOW)).await;
    assert!(matches!(full, Err(CreateError::TooMany)));
    house
        .beside(move |connection| {
            store::revoke(connection, "t7", None, NOW)?;
            store::create(connection, &row(TOKENS_MAX, later), NOW)?;
            // A former one that was revoked would be taken in once more.
            connection.execute("UPDATE operator_tokens SET is_former = 1 WHERE id = 't8'", [])?;
            store::revoke(connection, "t8", None, NOW)?;
            assert!(store::create(connection, &row(TOKENS_MAX + 1, later), NOW).is_err());
            store::create(connection, &row(TOKENS_MAX + 1, later), later)?;
            let rows = store::all(connection)?;
            assert!(rows.len() == TOKENS_MAX && rows.iter().all(|row| row.id != "t7"));
            Ok(())
        })
        .await;
    house.refresh().await;
    assert_eq!(house.operators.0.known.read().unwrap().len(), TOKENS_MAX);
}

#[test]
fn made_ids_differ_and_fit_everywhere() {
    let (one, other) = (random_id().unwrap(), random_id().unwrap());
    assert!(is_token_id(&one) && one.len() == fresh::ID_CHARS && one != other, "{one} {other}");
}
