//! What tokens say, and which are refused.

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn tokens(seed: u8) -> Tokens {
    Tokens::new(&Secret::new([seed; 32]))
}

fn ada(role: Role) -> OperatorToken {
    let operator = Operator { name: "ada".to_owned(), role };
    OperatorToken { id: "t1".to_owned(), operator, made_at: NOW, expires_at: NOW.plus_seconds(60) }
}

#[test]
fn an_operators_token_says_what_it_was_made_with() {
    let token = tokens(1).issue_operator(&ada(Role::Viewer), Some("k")).unwrap();
    assert_eq!(tokens(1).read_operator(&token), Ok((ada(Role::Viewer), true)));
    let former = tokens(1).issue_operator(&ada(Role::Viewer), None).unwrap();
    assert_eq!(tokens(1).read_operator(&former), Ok((ada(Role::Viewer), false)));
    assert_eq!(tokens(2).read_operator(&token), Err(TokenError::Invalid));
    assert_eq!(tokens(1).read_agent(&token), Err(TokenError::Invalid));
    assert!(!says_agent(&token) && !says_agent("") && !says_agent("a.b.c"));
    let expiry = Expiry::at(NOW.plus_seconds(60));
    for (seconds, left) in [(0, 60), (59, 1), (60, 0), (61, 0)] {
        assert_eq!(expiry.left(NOW.plus_seconds(seconds)), Duration::from_secs(left));
        assert_eq!(expiry.check(NOW.plus_seconds(seconds)).is_ok(), left > 0);
    }
}

#[test]
fn an_agents_token_names_its_generation() {
    let agent_id = AgentId::parse("AGENT-001").unwrap();
    let token = tokens(1).issue_agent(&agent_id, 3, NOW).unwrap();
    let (read, expiry) = tokens(1).read_agent(&token).unwrap();
    let master = MasterId::of(&Secret::new([1; 32]));
    assert_eq!(read, AgentToken { agent_id, generation: 3, master });
    assert_ne!(master, tokens(2).master());
    assert_eq!(expiry.check(NOW), Ok(()));
    assert_eq!(expiry.check(NOW.plus_seconds(AGENT_TOKEN_SECONDS)), Err(TokenError::Expired));
    assert_eq!(tokens(1).read_operator(&token), Err(TokenError::Invalid));
    assert!(says_agent(&token));
}

#[test]
fn forged_and_foreign_tokens_are_refused() {
    let token = tokens(1).issue_operator(&ada(Role::Admin), Some("k")).unwrap();
    let [_, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    // {"alg":"none"} · {"alg":"HS512"} · {"alg":"HS256","crit":["exp"]}
    for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzUxMiJ9", "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiZXhwIl19"]
    {
        let forged = format!("{header}.{claims}.{signature}");
        assert_eq!(tokens(1).read_operator(&forged), Err(TokenError::Invalid), "{header}");
    }
    for bad in ["", ".", "a.b.c", &"x".repeat(TOKEN_BYTES_MAX + 1)] {
        assert_eq!(tokens(1).read_operator(bad), Err(TokenError::Invalid));
    }
}
