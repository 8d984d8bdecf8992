//! Join tokens made on the command line: their rows, and what is refused.

use super::*;
use crate::storage::{StorageError, scratch::Scratch};
use pingup_protocol::time::Timestamp;
use tokio::runtime::Builder;

fn arguments(scratch: &Scratch, replace: Option<&str>) -> CreateArguments {
    CreateArguments {
        uses: Some(1),
        ttl: Some(Duration::from_secs(60)),
        agent_id: AgentId::parse("A-1").ok(),
        replace: replace.map(|id| AgentId::parse(id).unwrap()),
        rekey: None,
        public_url: None,
        operator_keys: Vec::new(),
        token_only: true,
        place: PlaceArguments {
            data_dir: Some(scratch.folder.path().to_owned()),
            ..PlaceArguments::default()
        },
    }
}

#[test]
fn the_row_is_written_beside_an_open_hub() {
    let scratch = Scratch::new();
    let hub = scratch.sqlite();
    let clock = Clock::fixed(Timestamp::from_micros(5_000_000));
    let token = create(arguments(&scratch, None), &clock).unwrap();
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let found = runtime.block_on(hub.read(|connection| {
        let sql = "SELECT secret, master, id, uses_left, agent_id, replaces, expires_at FROM join_tokens";
        let row = connection.query_row(sql, [], |row| {
            let columns = (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?);
            Ok((KeptSecret::read(row, 0)?, columns))
        });
        row.map_err(StorageError::from)
    }));
    let expected: (String, i64, Option<String>, Option<String>, i64) =
        (token.token_id.clone(), 1, Some("A-1".to_owned()), None, 65_000_000);
    let (kept, columns) = found.unwrap();
    assert_eq!(columns, expected);
    let master = scratch.folder.master().unwrap();
    assert_eq!((kept.plain(), kept.open(&master, &token.token_id)), (None, Some(token.secret.clone())));
    assert_eq!(JoinToken::parse(&token.to_text()), Ok(token));
}

#[test]
fn operators_keys_are_those_of_the_flags_or_of_the_file() {
    let scratch = Scratch::new();
    let key = |text: &str| -> OperatorKey { text.parse().unwrap() };
    let ada = key("pok_F0VTtFbd38aQjsqxwQH-arIeK6oGF3lbfUOmNIKZP9U");
    let bob = key("pok_11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let config = scratch.folder.path().join("hub.toml");
    std::fs::write(&config, format!("[join_token]\noperator_keys = [\"{ada} ada\"]\n")).unwrap();
    let mut asked = arguments(&scratch, None);
    asked.place.config = Some(config);
    assert_eq!(operator_keys(&asked).unwrap()[0].to_string(), format!("{ada} ada"));
    asked.operator_keys = vec![bob.clone()];
    assert_eq!(operator_keys(&asked).unwrap(), std::slice::from_ref(&bob));
    asked.operator_keys = vec![bob.clone(), bob];
    assert!(operator_keys(&asked).unwrap_err().to_string().contains("twice"));
    for wrong in ["", "  ", "pok_x"] {
        let keys = JoinTokenKeys { operator_keys: Some(vec![wrong.to_owned()]), ..JoinTokenKeys::default() };
        let refused = check_keys(&keys).unwrap_err().to_string();
        assert!(refused.starts_with("[join_token] operator_keys: "), "{refused}");
    }
}

#[test]
fn only_a_living_agent_can_be_replaced() {
    let scratch = Scratch::new();
    let refused = create(arguments(&scratch, Some("A-0")), &Clock::system());
    assert_eq!(refused.unwrap_err().to_string(), "there is no agent A-0 to replace");
}

#[test]
fn keys_anew_are_for_a_living_agent_and_for_it_alone() {
    let scratch = Scratch::new();
    let rekey = |change: fn(&mut CreateArguments)| {
        let mut asked = arguments(&scratch, None);
        (asked.agent_id, asked.rekey) = (None, AgentId::parse("A-0").ok());
        change(&mut asked);
        create(asked, &Clock::system())
    };
    assert_eq!(rekey(|_| ()).unwrap_err().to_string(), "there is no agent A-0 to give keys anew");
    for change in [
        |asked: &mut CreateArguments| asked.uses = Some(2),
        |asked: &mut CreateArguments| asked.agent_id = AgentId::parse("A-1").ok(),
        |asked: &mut CreateArguments| asked.replace = AgentId::parse("A-1").ok(),
    ] {
        assert!(matches!(rekey(change), Err(CliError::Usage(_))));
    }
}
