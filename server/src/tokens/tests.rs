//! What may be asked of a token, and how one is seen.

use super::*;
use crate::auth::{
    Operator,
    digest::TokenDigest,
    operators::{
        Use,
        store::{Maker, Row},
    },
    token::OperatorToken,
};
use pingup_protocol::{schema, time::Timestamp};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

#[test]
fn bodies_are_checked() {
    let read = |body: &str| schema::read::<TokenBody>(body.as_bytes());
    assert_eq!(
        read(r#"{"role":"viewer"}"#).unwrap(),
        TokenBody { role: Role::Viewer, name: None, ttl_seconds: None }
    );
    for (body, pointer) in [
        (r#"{"role":"viewer","name":""}"#, "/name"),
        (r#"{"role":"viewer","name":"a\u202eb"}"#, "/name"),
        (r#"{"role":"viewer","ttlSeconds":0}"#, "/ttlSeconds"),
        (r#"{"role":"viewer","ttlSeconds":315360001}"#, "/ttlSeconds"),
    ] {
        assert_eq!(read(body).unwrap_err().errors[0].pointer, pointer, "{body}");
    }
    for body in ["{}", r#"{"role":"god"}"#, r#"{"role":"viewer","ttlSeconds":"1h"}"#] {
        assert!(read(body).is_err(), "{body}");
    }
}

#[test]
fn a_token_is_seen_as_it_stands_now() {
    let operator = Operator { name: "ada".to_owned(), role: Role::Viewer };
    let token =
        OperatorToken { id: "t".to_owned(), operator, made_at: NOW, expires_at: NOW.plus_seconds(60) };
    let maker = Maker { name: "bob".to_owned(), token_id: Some("b".to_owned()) };
    let row = Row {
        used_at: Some(NOW),
        used_from: Some("10.0.0.1".to_owned()),
        ..Row::new(&token, TokenDigest::of("x"), Some(maker))
    };
    let seen = |row: &Row, newest, seconds| TokenView::new(row.clone(), newest, NOW.plus_seconds(seconds));
    let view = seen(&row, None, 59);
    assert_eq!((view.status, view.last_used_from.as_deref()), (TokenStatus::Active, Some("10.0.0.1")));
    let newest = Use { at: NOW.plus_seconds(5), from: "::1".parse().unwrap() };
    let view = seen(&row, Some(newest), 60);
    assert_eq!((view.status, view.last_used_at), (TokenStatus::Expired, Some(newest.at)));
    let revoked = Row { revoked_at: Some(NOW), ..row };
    assert_eq!(seen(&revoked, None, 60).status, TokenStatus::Revoked);
}
